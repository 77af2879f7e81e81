"""Saying that something will go: one wording, and the warning shown at the line that uses it."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

__all__ = ["deprecated", "warn_deprecated"]

P = ParamSpec("P")
T = TypeVar("T")


def warn_deprecated(
    what: str, *, since: str, removed_in: str, instead: str | None = None, stacklevel: int = 1
) -> None:
    """Warn that something will go.

    Args:
        what: what it is, such as "the argument `limit` of Scarf()".
        since: the version that deprecates it.
        removed_in: the version that will be without it.
        instead: what to write instead, such as "`rate_limit`"; None where there is nothing.
        stacklevel: whose line is shown: 1 for the one that called the function in which this is called.

    Warns:
        DeprecationWarning: always.
    """
    advice = "nothing takes its place" if instead is None else f"use {instead} instead"
    message = f"{what} is deprecated since scarf-async {since} and will be removed in {removed_in}; {advice}"
    # Two frames lie between: this one, and the one of the function that is spoken of.
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 2)


def deprecated(
    *, since: str, removed_in: str, instead: str | None = None
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function or method warn, each time that it is called, at the line of the call.

    An async function warns where it is called and not where it is awaited, which may be in another task.

    Args:
        since: the version that deprecates it.
        removed_in: the version that will be without it.
        instead: what to call instead; None where there is nothing.
    """

    def mark(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def warning(*args: P.args, **kwargs: P.kwargs) -> T:
            what = f"{function.__qualname__}()"
            warn_deprecated(what, since=since, removed_in=removed_in, instead=instead)
            return function(*args, **kwargs)

        if sys.version_info >= (3, 12) and inspect.iscoroutinefunction(function):
            # Mocks and frameworks ask.
            inspect.markcoroutinefunction(warning)
        return warning

    return mark
