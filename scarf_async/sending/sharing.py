"""Reads that several callers share: many looks at one list cost two requests and not many."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import attrs

from scarf_async.clock import Clock

__all__ = ["Read", "SharedReads"]

T = TypeVar("T")


@attrs.frozen(eq=False)
class Read(Generic[T]):
    """What a read gave, and when it began, by the client's clock."""

    began: float
    result: T


@attrs.define(eq=False)
class _Pass(Generic[T]):
    """A read that many may wait for; it ends with None where who made it was cancelled."""

    began: float = -math.inf
    ended: asyncio.Future[Read[T] | None] = attrs.field(factory=lambda: asyncio.get_running_loop().create_future())


class SharedReads(Generic[T]):
    """Lets those who want to read the same thing wait for one read.

    A read that is under way may have been answered before its next caller asked, so that one waits for a further
    read, together with everyone who asks until it begins. A reader that accepts what was read since some moment
    says so, and is given the earliest of those reads.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: dict[Hashable, _Pass[T]] = {}
        self._next: dict[Hashable, _Pass[T]] = {}
        self._kept: dict[Hashable, list[Read[T]]] = defaultdict(list)

    async def read(self, key: Hashable, call: Callable[[], Awaitable[T]], *, since: float | None = None) -> Read[T]:
        """Return a read that begins after this call, or that began at `since` or later.

        Raises:
            BaseException: what the read raised, to each of those who share it; a cancellation only to who made it.
        """
        while True:
            kept = self._kept_since(key, since)
            if kept is not None:
                return kept
            shared = self._shared(key, since)
            read = await (self._make(key, call) if shared is None else self._wait(shared))
            if read is not None:
                # Only what may be asked for again later is worth its memory.
                if since is not None and read not in self._kept[key]:
                    self._kept[key].append(read)
                return read

    def _kept_since(self, key: Hashable, since: float | None) -> Read[T] | None:
        if since is None or key not in self._kept:
            return None
        return next((read for read in self._kept[key] if read.began >= since), None)

    def _shared(self, key: Hashable, since: float | None) -> _Pass[T] | None:
        under_way = self._under_way.get(key)
        if since is not None and under_way is not None and under_way.began >= since:
            return under_way
        return self._next.get(key)

    @staticmethod
    async def _wait(shared: _Pass[T]) -> Read[T] | None:
        # Who waits may be cancelled without taking the result from the others.
        await asyncio.wait([shared.ended])
        return shared.ended.result()

    async def _make(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> Read[T]:
        this: _Pass[T] = _Pass()
        self._next[key] = this
        try:
            while (earlier := self._under_way.get(key)) is not None:
                await asyncio.wait([earlier.ended])
        except BaseException:
            # The others have to find another one of them to read.
            del self._next[key]
            this.ended.set_result(None)
            raise
        del self._next[key]
        self._under_way[key] = this
        this.began = began = self._clock.monotonic()
        try:
            read = Read(began, await call())
        except asyncio.CancelledError:
            this.ended.set_result(None)
            raise
        except BaseException as error:
            this.ended.set_exception(error)
            # Marked as seen: there may be nobody else who waits.
            this.ended.exception()
            raise
        else:
            this.ended.set_result(read)
            return read
        finally:
            del self._under_way[key]
