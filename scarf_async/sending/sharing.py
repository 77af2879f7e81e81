"""Reads that several callers share, so that many lookups in one list cost only two requests."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import msgspec

from scarf_async.clock import Clock

__all__ = ["Read", "SharedReads"]

T = TypeVar("T")


class Read(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """The result of a read, and when it started by the client's clock."""

    began: float
    result: T


class _Pass(msgspec.Struct, Generic[T], eq=False):
    """A read that several callers wait for. It ends with None if the caller that makes it is cancelled."""

    began: float = -math.inf
    ended: asyncio.Future[Read[T] | None] = msgspec.field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class SharedReads(Generic[T]):
    """Lets concurrent callers share reads.

    The service may have processed a read in progress before the next caller asks. So that caller waits for another
    read, which it shares with all callers that ask before it starts. A caller that accepts reads since some time
    gets the earliest of them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: dict[Hashable, _Pass[T]] = {}
        self._next: dict[Hashable, _Pass[T]] = {}
        self._kept: dict[Hashable, list[Read[T]]] = defaultdict(list)

    async def read(self, key: Hashable, call: Callable[[], Awaitable[T]], *, since: float | None = None) -> Read[T]:
        """Return a read that starts after this call, or that started at `since` or later.

        Raises:
            BaseException: the error of the read, in each caller that shares it; a cancellation only in the caller
                that makes it.
        """
        while True:
            kept = self._kept_since(key, since)
            if kept is not None:
                return kept
            shared = self._shared(key, since)
            read = await (self._make(key, call) if shared is None else self._wait(shared))
            if read is not None:
                # Keep only reads that later callers may accept.
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
        # Unlike awaiting the future, `asyncio.wait` does not cancel it when this caller is cancelled.
        await asyncio.wait([shared.ended])
        return shared.ended.result()

    async def _make(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> Read[T]:
        this: _Pass[T] = _Pass()
        self._next[key] = this
        try:
            while (earlier := self._under_way.get(key)) is not None:
                await asyncio.wait([earlier.ended])
        except BaseException:
            # Another one of the waiting callers has to make the read.
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
            # Mark the exception as retrieved: there may be no other caller.
            this.ended.exception()
            raise
        else:
            this.ended.set_result(read)
            return read
        finally:
            del self._under_way[key]
