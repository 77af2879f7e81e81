"""A call of the service as a small program: it yields requests, receives responses, and returns a value. Pure.

The program knows a version of the service, how many requests a call takes and what their responses mean. The
session sends, waits, retries, paces and keeps the journal, request by request.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from typing import Generic, TypeAlias, TypeVar, cast

import attrs
import msgspec

from scarf_async.entities import Route
from scarf_async.errors import APIError, DecodeError, NotFoundError, TransportError
from scarf_async.protocol.looking import E, Found
from scarf_async.protocol.messages import Addressed, Answer, Endpoint, Request, decode, decode_written, unconfirmed

__all__ = [
    "Creation",
    "LookContext",
    "Read",
    "Renaming",
    "Rewrite",
    "Steps",
    "answer_to",
    "ask",
    "attempted",
    "if_there",
    "reading",
    "settled",
    "shared",
    "tell",
    "updated",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


class Read(msgspec.Struct, Generic[T_co], frozen=True, eq=False):
    """A call that changes nothing, so that callers who need the same can share its result.

    Attributes:
        key: identifies what is read; reads with equal keys are interchangeable.
        steps: starts the program.
        lasting: whether its value stays valid for a whole bulk run, whatever the run changes.
        request: the request, if it consists of only one whose decoded response is the value.
    """

    key: Hashable
    steps: Callable[[], Steps[T_co]]
    lasting: bool = False
    request: Request[T_co] | None = None

    def then(self, name: str, make: Callable[[T_co], U]) -> Read[U]:
        """Return a read of `make` applied to this value; `name` distinguishes their keys."""

        def steps() -> Steps[U]:
            return make((yield from self.steps()))

        return Read((name, self.key), steps)


class Rewrite(msgspec.Struct, Generic[T_co], frozen=True, eq=False):
    """A request that depends on the current state, so it is rebuilt for every attempt.

    Attributes:
        endpoint: the endpoint of the request.
        make: reads the current state, with its own unshared requests, and returns the request.
    """

    endpoint: Endpoint[T_co]
    make: Callable[[], Steps[Request[T_co]]]


Steps: TypeAlias = Generator[Request[object] | Rewrite[object] | Read[object], object, T]
"""A generator that yields requests, rewrites, and reads that may be shared.

It receives the response (a 2xx) of a request, and the value of a read. A failure is thrown into it where it
yielded, as an `APIError`, `TransportError` or `DecodeError`.
"""


def answer_to(request: Request[object] | Rewrite[object]) -> Steps[Answer]:
    """Send one request; return its response."""
    return cast(Answer, (yield request))


def attempted(request: Request[object]) -> Steps[Answer | APIError]:
    """Send one request; return its response, or the error that the service returned."""
    try:
        return (yield from answer_to(request))
    except APIError as error:
        return error


def ask(request: Request[T]) -> Steps[T]:
    """Send one request; return its decoded response.

    Raises:
        DecodeError: the response does not have the form that the endpoint promises.
    """
    return decode(request, (yield from answer_to(request)))


def reading(request: Request[T]) -> Read[T]:
    """Return one request that changes nothing as a read that others may share."""
    return Read(request.target, lambda: ask(request), request=request)


def tell(request: Request[object]) -> Steps[None]:
    """Send one request whose response has no content of interest."""
    yield request


def shared(read: Read[T]) -> Steps[T]:
    """Read something, or share a read of others."""
    return cast(T, (yield read))


def if_there(read: Read[T]) -> Steps[T | None]:
    """Read something, or share a read of others; return None if it does not exist."""
    try:
        return (yield from shared(read))
    except NotFoundError:
        return None


def updated(request: Request[T] | Rewrite[T], requested: object, read: Read[T]) -> Steps[T]:
    """Send a request that changes an entity; return it from the response, or read it back.

    Raises:
        WriteConfirmedError: it cannot be read back.
    """
    return (yield from settled(request, requested, (yield from answer_to(request)), read))


def settled(request: Addressed[T], requested: object, answer: Answer, read: Read[T]) -> Steps[T]:
    """Return the changed entity from the response, or read it back.

    Raises:
        WriteConfirmedError: it cannot be read back.
    """
    entity = decode_written(request, answer)
    if entity is not None:
        return entity
    try:
        return (yield from shared(read))
    except (APIError, TransportError, DecodeError) as error:
        failure = error
    raise unconfirmed(request, requested, failure)


class LookContext(msgspec.Struct, frozen=True):
    """The context of a lookup for a create.

    Attributes:
        age: returns how many seconds ago it was first sent; None if it was not.
        in_bulk: whether it is part of a bulk run, which may create packages of one name for several owners.
        sent: whether it was sent, so that a found entity may be its effect.
    """

    age: Callable[[], float] | None = None
    in_bulk: bool = False
    sent: bool = False


class Creation(msgspec.Struct, Generic[E], frozen=True):
    """An entity to create, and how to look it up.

    Attributes:
        requested: the entity to create, for errors.
        request: the request that creates it.
        look: looks it up by its identity.
        by_id: reads it by the id in the response to the create.
        rest: creates the parts that an entity found by a lookup may lack.
    """

    requested: attrs.AttrsInstance
    request: Request[E]
    look: Callable[[LookContext], Steps[Found[E]]]
    by_id: Callable[[str], Steps[E | None]] | None = None
    rest: Callable[[E], Creation[Route]] | None = None


class Renaming(msgspec.Struct, Generic[E], frozen=True):
    """A rename: it must be looked up under the new name before it is sent again.

    Attributes:
        requested: the values after the change, for errors.
        request: the request that changes it, or an object that builds it.
        look: looks it up under the new name.
        read: reads it back under the new name.
    """

    requested: attrs.AttrsInstance
    request: Request[E] | Rewrite[E]
    look: Callable[[], Steps[Found[E]]]
    read: Read[E]
