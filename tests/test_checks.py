"""Checks of numbers and flags."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeAlias

import pytest

from scarf_async.checks import at_least, flag, instance, positive, whole, word
from scarf_async.errors import ConfigurationError, ValidationError

Check: TypeAlias = Callable[[str, Any, type[ConfigurationError | ValidationError]], object]


class Few(IntEnum):
    TWO = 2


@pytest.mark.parametrize(
    ("check", "value"),
    [(whole, 1), (whole, Few.TWO), (whole, 10**400), (positive, 0.1), (positive, 3), (at_least, 0), (flag, False)],
)
def test_what_fits_is_given_back(check: Check, value: object) -> None:
    """As it is."""
    assert check("x", value, ValidationError) is value


@pytest.mark.parametrize(
    ("check", "values", "wanted"),
    [
        (whole, (0, -1, 1.0, True, "1", None), "a whole number of at least 1"),
        (positive, (0, -0.5, math.inf, math.nan, True, "1", None), "a positive number"),
        (at_least, (-1, math.inf, math.nan, False, "1", None), "a number of at least 0"),
        (flag, (0, 1, "yes", None), "True or False"),
    ],
)
def test_what_does_not_fit_is_refused(check: Check, values: tuple[object, ...], wanted: str) -> None:
    """By an error of the class that was asked for, with what was wanted and what came."""
    for value in values:
        message = f"x must be {wanted}; got {value!r}"
        with pytest.raises(ConfigurationError) as configured:
            check("x", value, ConfigurationError)
        assert str(configured.value) == message
        with pytest.raises(ValidationError) as refused:
            check("x", value, ValidationError)
        assert (str(refused.value), refused.value.field) == (message, "x")


def test_a_whole_number_may_have_a_most() -> None:
    """Which is said in the caller's words."""
    assert whole("days", 30, ValidationError, most=30, bounds="from 1 to 30") == 30
    with pytest.raises(ValidationError, match="days must be a whole number from 1 to 30; got 31"):
        whole("days", 31, ValidationError, most=30, bounds="from 1 to 30")


@pytest.mark.parametrize("given", ["c", "", None, 1, [], {}, b"a"])
def test_other_words_are_refused(given: object) -> None:
    """Whatever they are; the words are listed, and what else may be given."""
    word("x", "a", ("a", "b"), ValidationError)
    with pytest.raises(ValidationError) as caught:
        word("x", given, ("a", "b"), ValidationError)
    assert (str(caught.value), caught.value.field) == (f"x must be 'a' or 'b'; got {given!r}", "x")
    with pytest.raises(ConfigurationError) as caught_too:
        word("x", given, ("a", "b"), ConfigurationError, other="None")
    assert str(caught_too.value) == f"x must be 'a', 'b' or None; got {given!r}"


def test_objects_of_other_classes_are_refused() -> None:
    """What was given is not shown, only its class: it may be large, or hold what is secret."""
    assert instance("x", Few.TWO, int, ValidationError, wanted="an int") is Few.TWO
    with pytest.raises(ValidationError) as caught:
        instance("x", "secret", int, ValidationError, wanted="an int")
    assert (str(caught.value), caught.value.field) == ("x must be an int; got str", "x")
