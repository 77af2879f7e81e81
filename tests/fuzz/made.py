"""What a target is, and how its examples are made."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs
from hypothesis import strategies as st

__all__ = ["JSON_TREES", "MARK", "WORDS", "Target", "damaged", "file_of", "spoiled", "written"]

T = TypeVar("T")

MARK = "s3cr3t"
"""It is in texts of which nothing may be told."""

# Stands for a number of so many digits that Python will not read it.
_HUGE = "@huge"
WORDS = st.sampled_from([MARK, "", "admin", "member", "2024-01-01", "2024-01-01T00:00:00Z", "\ud800", "\x1b[2J"])
_NUMBERS = st.sampled_from([0, 1, -1, True, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, _HUGE, 1.5, 1e308, -0.0])
JSON_TREES = st.recursive(
    WORDS | st.text(max_size=5) | _NUMBERS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
"""JSON data, with numbers beyond every limit, and texts that have no place in UTF-8 or on a terminal."""


@attrs.frozen(eq=False)
class Target(Generic[T]):
    """A check, and the examples that it should hold for.

    Attributes:
        examples: what it is given.
        check: raises where it does not hold.
        of_bytes: makes an example of bytes, for fuzzing that is guided by coverage; None where bytes are too far
            from what it takes.
    """

    examples: st.SearchStrategy[T]
    check: Callable[[T], None]
    of_bytes: Callable[[bytes], T] | None = None


def written(value: object) -> bytes:
    """Write JSON, with numbers that Python would not write."""
    return json.dumps(value).encode().replace(f'"{_HUGE}"'.encode(), b"1" * 5000)


@st.composite
def spoiled(draw: st.DrawFn, document: Any) -> Any:
    """Put something else, once or twice, in place of a part of JSON data, or leave a part out."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 2))):
        at = document
        while isinstance(at, dict | list) and at:
            key = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            if isinstance(at[key], dict | list) and at[key] and draw(st.integers(0, 3)):
                at = at[key]
                continue
            if draw(st.booleans()):
                at[key] = draw(JSON_TREES)
            else:
                del at[key]
            break
    return document


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Cut bytes off, flip one bit, or put in, double or leave out a few bytes."""
    kind = draw(st.sampled_from(["cut", "flip", "flip", "flip", "splice"]))
    at = draw(st.integers(0, max(0, len(data) - 1)))
    if kind == "cut" or not data:
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
    put = draw(st.binary(max_size=4) | st.sampled_from([data[at : at + 9], b"\n", b"\0" * 9]))
    return data[:at] + put + data[at + draw(st.integers(0, 9)) :]


@contextmanager
def file_of(data: bytes, name: str) -> Iterator[Path]:
    """Have a file of these bytes."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, name)
        path.write_bytes(data)
        yield path
