"""Checks of arguments, with one wording for each and the error class that the caller chooses."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import attrs

from scarf_async.errors import ConfigurationError, ValidationError

__all__ = ["at_least", "flag", "instance", "positive", "validator", "whole", "word"]

N = TypeVar("N", int, float)
T = TypeVar("T")

Error: TypeAlias = type[ConfigurationError | ValidationError]


def _refusal(error: Error, name: str, wanted: str, got: str) -> ConfigurationError | ValidationError:
    message = f"{name} must be {wanted}; got {got}"
    return ValidationError(message, field=name) if issubclass(error, ValidationError) else error(message)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def positive(name: str, value: float, error: Error, *, wanted: str = "a positive number") -> float:
    """Return a finite number greater than 0."""
    if not _is_number(value) or value <= 0:
        raise _refusal(error, name, wanted, repr(value))
    return value


def at_least(name: str, value: float, error: Error, *, least: float = 0) -> float:
    """Return a finite number that is not less than a bound."""
    if not _is_number(value) or value < least:
        raise _refusal(error, name, f"a number of at least {least:g}", repr(value))
    return value


def whole(
    name: str, value: int, error: Error, *, least: int = 1, most: float = math.inf, bounds: str | None = None
) -> int:
    """Return an integer within bounds.

    Args:
        name: the name of the argument.
        value: the value.
        error: the class of the error.
        least: the minimum.
        most: the maximum.
        bounds: the bounds in words.
    """
    if not _is_whole(value) or not least <= value <= most:
        raise _refusal(error, name, f"a whole number {bounds or f'of at least {least}'}", repr(value))
    return value


def flag(name: str, value: object, error: Error) -> bool:
    """Return a bool."""
    if not isinstance(value, bool):
        raise _refusal(error, name, "True or False", repr(value))
    return value


def word(name: str, value: object, words: Sequence[str], error: Error, *, other: str | None = None) -> None:
    """Reject a value that is not one of some words.

    Args:
        name: the name of the argument.
        value: the value; it may be unhashable.
        words: the words.
        error: the class of the error.
        other: what else is allowed, for the message.
    """
    if value not in tuple(words):
        *most, last = [*map(repr, words), *([] if other is None else [other])]
        raise _refusal(error, name, f"{', '.join(most)} or {last}", repr(value))


def instance(name: str, value: object, of: type[T], error: Error, *, wanted: str) -> T:
    """Return an instance of a class; `wanted` describes the class in the message."""
    if not isinstance(value, of):
        raise _refusal(error, name, wanted, type(value).__name__)
    return value


def validator(
    check: Callable[[str, N, Error], object], prefix: str = ""
) -> Callable[[object, attrs.Attribute[N], N], None]:
    """Return a check as an attrs validator that raises `ConfigurationError`."""

    def validate(_: object, attribute: attrs.Attribute[N], value: N) -> None:
        check(f"{prefix}{attribute.name}", value, ConfigurationError)

    return validate
