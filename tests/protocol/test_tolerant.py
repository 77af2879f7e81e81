"""JSON that is not quite JSON."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.protocol.tolerant import loads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_what_python_writes(value: object, escaped: bool, encoding: str) -> None:
    """Everything that Python's own writer makes is read as it was, in each encoding that JSON may have."""
    assert loads(json.dumps(value, ensure_ascii=escaped).encode(encoding)) == value


@given(st.text(st.characters(categories=["Cs", "L"]), max_size=6), st.binary(max_size=6))
def test_all_text_can_be_written_again(text: str, data: bytes) -> None:
    """Whatever a string holds, what is read of it is text."""
    written = data.replace(b'"', b"").replace(b"\\", b"")
    for body in (json.dumps([text, {text: text}]).encode(), b'["' + written + b'"]'):
        assert json.dumps(loads(body), ensure_ascii=False).encode()


@pytest.mark.parametrize("data", [b"", b"[", b"[1,]", b"{'a': 1}", b"[1][2]", b'["\\x"]', b"\xff\xfe", b'["\xff"'])
def test_what_is_not_json(data: bytes) -> None:
    """What Python's own reader refuses is refused, and the reason is said."""
    with pytest.raises(ValueError, match=r"\w"):
        loads(data)


def test_numbers() -> None:
    """Numbers of any size are read: as ints as long as Python makes ints of them."""
    read = loads(b"[NaN, -Infinity, 1e999, " + b"9" * 30 + b", " + b"9" * 9000 + b"]")
    assert isinstance(read, list)
    assert math.isnan(read[0])
    assert read[1:] == [-math.inf, math.inf, 10**30 - 1, math.inf]


def test_depth_is_bounded() -> None:
    """A body that is nothing but depth ends in an error, not in the process."""
    with pytest.raises(RecursionError):
        loads(b"[" * 200_000)
