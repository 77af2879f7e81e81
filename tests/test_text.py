"""Text for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.text import aligned, printable


@given(st.text(st.characters(codec=None)))
def test_whatever_comes_is_one_printable_line(text: str) -> None:
    """Control characters, line ends, changes of direction and halves of pairs are escaped."""
    assert printable(text).isprintable()


@given(st.text().filter(str.isprintable))
def test_what_is_printable_stays(text: str) -> None:
    """Whatever its script."""
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("two\nlines", "two\\nlines"),
        ("\u202eabc", "\\u202eabc"),
        ("a\u200bb", "a\\u200bb"),
        ("half \udc9b", "half \\udc9b"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_escapes_are_those_of_python(text: str, shown: str) -> None:
    """So that anyone can see what was there."""
    assert printable(text) == shown


def test_a_table_is_aligned() -> None:
    """Words to the left, numbers to the right."""
    rows = [["window", "status", "rows"], ["1", "kept", "1,000"], ["22", "failed", "0"]]
    assert aligned(rows, left=2) == [
        "window  status   rows",
        "1       kept    1,000",
        "22      failed      0",
    ]
