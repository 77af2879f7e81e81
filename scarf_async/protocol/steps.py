"""A call of the service as a small program: it yields what it needs, is sent that, and returns a value. Pure.

How one version of the service is spoken, how many requests a call takes and what their answers mean is the
program's business. Sending, waiting, trying again, pace and journal are the session's, request by request.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from typing import Generic, TypeAlias, TypeVar, cast

import attrs

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


@attrs.define
class Read(Generic[T_co]):
    """A call that changes nothing: those who want the same may share one reading of it.

    Not frozen, since one is made for every call.

    Attributes:
        key: what is read; of two reads with one key either serves for both.
        steps: begins the program.
        lasting: whether its value holds for a whole bulk run, however much the run changes meanwhile.
        request: the one request whose answer it is, where it is only that.
    """

    key: Hashable
    steps: Callable[[], Steps[T_co]] = attrs.field(eq=False)
    lasting: bool = False
    request: Request[T_co] | None = attrs.field(default=None, eq=False)

    def then(self, name: str, make: Callable[[T_co], U]) -> Read[U]:
        """Return a read of what `make` makes of this one's value; `name` tells their keys apart."""

        def steps() -> Steps[U]:
            return make((yield from self.steps()))

        return Read((name, self.key), steps)


@attrs.frozen
class Rewrite(Generic[T_co]):
    """A request that depends on the current state, so it is built again for every send.

    Attributes:
        endpoint: what it is a request of.
        make: reads the current state, with requests of its own that are not shared, and returns the request.
    """

    endpoint: Endpoint[T_co]
    make: Callable[[], Steps[Request[T_co]]] = attrs.field(eq=False)


Steps: TypeAlias = Generator[Request[object] | Rewrite[object] | Read[object], object, T]
"""Yields requests, what makes them, and reads that may be shared.

A request gives its answer, a 2xx; a read gives its value. What fails raises, where it was yielded, the `APIError`,
`TransportError` or `DecodeError` that it ended with.
"""


def answer_to(request: Request[object] | Rewrite[object]) -> Steps[Answer]:
    """One request; its answer."""
    return cast(Answer, (yield request))


def attempted(request: Request[object]) -> Steps[Answer | APIError]:
    """One request; its answer, or the error of a service that says no."""
    try:
        return (yield from answer_to(request))
    except APIError as error:
        return error


def ask(request: Request[T]) -> Steps[T]:
    """One request; its answer, decoded.

    Raises:
        DecodeError: the answer is not what the endpoint promises.
    """
    return decode(request, (yield from answer_to(request)))


def reading(request: Request[T]) -> Read[T]:
    """One request that changes nothing, and its answer, as a read that others may share."""
    return Read(request.target, lambda: ask(request), request=request)


def tell(request: Request[object]) -> Steps[None]:
    """One request whose answer says no more than that it succeeded."""
    yield request


def shared(read: Read[T]) -> Steps[T]:
    """A read that others may share."""
    return cast(T, (yield read))


def if_there(read: Read[T]) -> Steps[T | None]:
    """A read that others may share; None where there is no such thing."""
    try:
        return (yield from shared(read))
    except NotFoundError:
        return None


def updated(request: Request[T] | Rewrite[T], requested: object, read: Read[T]) -> Steps[T]:
    """One request that changes a thing; the thing, out of the answer or else read back.

    Raises:
        WriteConfirmedError: it cannot be read back.
    """
    return (yield from settled(request, requested, (yield from answer_to(request)), read))


def settled(request: Addressed[T], requested: object, answer: Answer, read: Read[T]) -> Steps[T]:
    """What a change has made: out of its answer, or else read back.

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


@attrs.frozen
class LookContext:
    """What is known when a create is looked for.

    Attributes:
        age: tells how many seconds ago it was first sent; None: it was not.
        in_bulk: whether it is one of many, which may give several owners a package of one name.
        sent: whether it was sent, so that what is found may be its effect.
    """

    age: Callable[[], float] | None = None
    in_bulk: bool = False
    sent: bool = False


@attrs.frozen
class Creation(Generic[E]):
    """A thing to create, and how to find it.

    Attributes:
        requested: what is to be created, for errors.
        request: the request that creates it.
        look: finds what the service shows under its identity.
        by_id: reads it by the id that the answer to the create gave.
        rest: of one that was found and not created by an answer, what was to be created with it.
    """

    requested: attrs.AttrsInstance
    request: Request[E]
    look: Callable[[LookContext], Steps[Found[E]]]
    by_id: Callable[[str], Steps[E | None]] | None = None
    rest: Callable[[E], Creation[Route]] | None = None


@attrs.frozen
class Renaming(Generic[E]):
    """A change of a name: it has to be looked for under the new one before the change is sent again.

    Attributes:
        requested: what it is to be, for errors.
        request: the request that changes it, or what makes that.
        look: finds what the service shows under the new name.
        read: reads it back under the new name.
    """

    requested: attrs.AttrsInstance
    request: Request[E] | Rewrite[E]
    look: Callable[[], Steps[Found[E]]]
    read: Read[E]
