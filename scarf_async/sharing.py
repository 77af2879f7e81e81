"""Reads that several callers share: many looks at one list cost two requests and not many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["SharedReads"]

T = TypeVar("T")


class SharedReads(Generic[T]):
    """Lets those who want to read the same thing wait for one read.

    A read that is under way may have been answered before its next caller asked, so that one waits for a further
    read, together with all who come until it begins.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Future[None]] = {}
        self._next: dict[Hashable, asyncio.Future[T | None]] = {}

    async def read(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """Return what a read gives that begins after this call.

        Raises:
            BaseException: what the read raised, to each of those who share it; a cancellation only to who made it.
        """
        while True:
            shared = self._next.get(key)
            if shared is None:
                return await self._make(key, call)
            # Who waits may be cancelled without taking the result from the others.
            result = await asyncio.shield(shared)
            if result is not None:
                return result

    async def _make(self, key: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        shared: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._next[key] = shared
        try:
            while (earlier := self._under_way.get(key)) is not None:
                await asyncio.shield(earlier)
        except BaseException:
            # The others have to find another one of them to read.
            del self._next[key]
            shared.set_result(None)
            raise
        del self._next[key]
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way[key] = ended
        try:
            result = await call()
        except asyncio.CancelledError:
            shared.set_result(None)
            raise
        except BaseException as error:
            shared.set_exception(error)
            # Marked as seen: there may be nobody else who waits.
            shared.exception()
            raise
        else:
            shared.set_result(result)
            return result
        finally:
            del self._under_way[key]
            ended.set_result(None)
