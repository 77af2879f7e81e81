"""What a user of something that will go is told, and at which line."""

from __future__ import annotations

import asyncio
import inspect
import linecache
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import pytest

from scarf_async.deprecation import deprecated, warn_deprecated


@deprecated(since="0.2", removed_in="1.0", instead="new()")
def old(value: int) -> int:
    """Double a number."""
    return value * 2


@deprecated(since="0.2", removed_in="1.0")
async def old_async(value: int) -> int:
    """Double a number, later."""
    await asyncio.sleep(0)
    return value * 2


class Client:
    @deprecated(since="0.2", removed_in="1.0", instead="Client.new()")
    def old(self) -> str:
        return "answer"


def with_old_argument(limit: int | None = None) -> None:
    """Warn of an argument."""
    if limit is not None:
        warn_deprecated("the argument `limit`", since="0.2", removed_in="1.0", instead="`rate_limit`")


Shown: TypeAlias = list[tuple[str, str]]


@contextmanager
def told() -> Iterator[Shown]:
    """Collect what is warned of in the block: the words, and the source of the line that is shown."""
    shown: Shown = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield shown
    for warning in caught:
        assert warning.category is DeprecationWarning
        shown.append((str(warning.message), linecache.getline(warning.filename, warning.lineno).strip()))


def test_the_words_and_the_line() -> None:
    """It is named with versions and what to use instead, at the line of the call; the call works."""
    with told() as shown:
        assert old(2) == 4
    words = "old() is deprecated since scarf-async 0.2 and will be removed in 1.0; use new() instead"
    assert shown == [(words, "assert old(2) == 4")]


def test_methods() -> None:
    """A method is named with its class."""
    with pytest.warns(DeprecationWarning, match=r"^Client\.old\(\) is deprecated"):
        assert Client().old() == "answer"


async def test_an_async_function_warns_where_it_is_called() -> None:
    """The line is that of the call, awaited at once or run in another task, and it warns but once."""
    with told() as shown:
        assert await old_async(1) == 2
        task = asyncio.create_task(old_async(2))
        assert await task == 4
    words = "old_async() is deprecated since scarf-async 0.2 and will be removed in 1.0; nothing takes its place"
    assert shown == [(words, "assert await old_async(1) == 2"), (words, "task = asyncio.create_task(old_async(2))")]


def test_what_it_was_it_stays() -> None:
    """Name, docstring and signature are the function's own."""
    assert (old.__name__, old.__doc__) == ("old", "Double a number.")
    assert list(inspect.signature(old_async).parameters) == ["value"]
    assert inspect.iscoroutinefunction(old_async) is (sys.version_info >= (3, 12))


def test_an_argument() -> None:
    """A function warns of a part of itself at the line that calls it, and not of what was not used."""
    with told() as shown:
        with_old_argument()
        with_old_argument(limit=1)
    words = "the argument `limit` is deprecated since scarf-async 0.2 and will be removed in 1.0; use `rate_limit`"
    assert shown == [(f"{words} instead", "with_old_argument(limit=1)")]
