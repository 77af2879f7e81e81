"""Concurrent reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import anyio

from scarf_async.errors import ScarfError

__all__ = ["concurrently"]

T = TypeVar("T")

_READERS: Final = 32


async def concurrently(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Make calls concurrently, up to a limit; the first error cancels the others and is raised alone."""
    left = iter(enumerate(calls))
    results: dict[int, T] = {}
    errors: list[ScarfError] = []

    async def reader() -> None:
        for place, call in left:
            try:
                results[place] = await call()
            except ScarfError as error:
                errors.append(error)
            if errors:
                return

    async with anyio.create_task_group() as readers:
        for _ in range(min(_READERS, len(calls))):
            readers.start_soon(reader)
    if errors:
        raise errors[0]
    return [results[place] for place in range(len(calls))]
