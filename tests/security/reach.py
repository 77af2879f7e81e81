"""What can be reached from an object, and what of it shows itself."""

from __future__ import annotations

import asyncio
import copy
import io
import pickle
from collections.abc import Iterator, Mapping
from types import CellType, CodeType, CoroutineType, FrameType, FunctionType, MethodType, ModuleType
from weakref import ReferenceType

from acceptance.test_secrets import BASIC, KEY, MARK, PASSWORD

from scarf_async.settings import Secret

__all__ = ["assert_unsaid", "reach", "shown"]

# What leads out of an object into the rest of the process, in which these tests hold the secrets themselves.
_ELSEWHERE = (
    type,
    ModuleType,
    CodeType,
    FrameType,
    CoroutineType,
    ReferenceType,
    io.IOBase,
    asyncio.AbstractEventLoop,
    asyncio.BaseTransport,
    asyncio.Future,
    asyncio.Handle,
)


def _parts(thing: object) -> Iterator[object]:
    if isinstance(thing, FunctionType):
        yield from (cell for cell in thing.__closure__ or ())
        yield from thing.__defaults__ or ()
        return
    if isinstance(thing, CellType):
        yield thing.cell_contents
        return
    if isinstance(thing, MethodType):
        yield thing.__self__
    if isinstance(thing, Mapping):
        yield from thing.keys()
        yield from thing.values()
    elif isinstance(thing, list | tuple | set | frozenset):
        yield from thing
    yield from getattr(thing, "__dict__", {}).values()
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            whole = f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") and name[-1] != "_" else name
            if hasattr(thing, whole):
                yield getattr(thing, whole)


def reach(*roots: object) -> Iterator[object]:
    """Return everything that can be reached by attributes, items and closures; a `Secret` keeps what it holds."""
    waiting = list(roots)
    seen: dict[int, object] = {}
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, _ELSEWHERE):
            continue
        seen[id(thing)] = thing
        yield thing
        if not isinstance(thing, Secret | str | bytes | int | float | None):
            waiting += _parts(thing)


def shown(thing: object) -> Iterator[bytes]:
    """Return all that an object shows of itself: printed, copied, pickled, or why it cannot be."""
    for leave in (repr, str, pickle.dumps, lambda it: repr(copy.deepcopy(it))):
        try:
            left = leave(thing)
        except (TypeError, AttributeError, pickle.PicklingError, NotImplementedError) as error:
            left = repr(error)
        yield left if isinstance(left, bytes) else left.encode(errors="replace")


def assert_unsaid(*texts: bytes) -> None:
    """Look for the token and the proxy's password in texts."""
    for text in texts:
        for secret in (KEY, MARK, PASSWORD, BASIC):
            assert secret.encode() not in text, text
