"""The splitters against a slow twin, for every cut."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scarf_async.exports.csv import CsvSplitter
from scarf_async.exports.lines import LineSplitter, bare

from .fakes import cuts, slow_split

BODIES = st.lists(
    st.sampled_from(
        [b"a", b"bc", b",", b'"', b'""', b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b"\xff", b'"\n', b',"']
    )
).map(b"".join)
CUTS = st.lists(st.integers(0, 10_000), max_size=12)
SPLITTERS = pytest.mark.parametrize("splitter", [LineSplitter, CsvSplitter])


def split(splitter: LineSplitter, pieces: list[bytes]) -> tuple[list[bytes], list[int]]:
    """Return all records and their lines."""
    records: list[bytes] = []
    numbers: list[int] = []
    for piece in pieces:
        records += splitter.feed(piece)
        numbers += splitter.numbers
    records += splitter.finish()
    numbers += splitter.numbers
    return records, numbers


@SPLITTERS
@given(body=BODIES, at=CUTS, limit=st.integers(1, 12) | st.just(1000))
@example(body=b'\xef\xbb\xbf"a\n\nb"\r\n\r\n\nx"y,"', at=[1, 2], limit=1000)
@example(body=b"abc\r\n", at=[4], limit=3)
@example(body=b"abc\r", at=[4], limit=3)
@example(body=b"\xef\xbb", at=[1], limit=3)
def test_every_cut_gives_what_the_slow_twin_gives(
    splitter: type[LineSplitter], body: bytes, at: list[int], limit: int
) -> None:
    """Records, line numbers, the limit and open quotes do not depend on how the bytes arrive."""
    fast = splitter(limit)
    records, numbers = split(fast, cuts(body, at))
    slow = slow_split(body, limit, quotes=splitter is CsvSplitter)
    assert (records, numbers) == (slow.records, slow.numbers)
    assert fast.too_long == slow.too_long
    if slow.too_long is None:
        assert fast.in_quotes == slow.in_quotes
        assert fast.bom == (b"\xef\xbb\xbf" if body.startswith(b"\xef\xbb\xbf") else b"")


@SPLITTERS
@given(body=BODIES, at=CUTS)
def test_with_their_ends_the_lines_are_the_body(splitter: type[LineSplitter], body: bytes, at: list[int]) -> None:
    """With `keep_ends` no byte is lost, and the records are the same ones."""
    keeping = splitter(1000, keep_ends=True)
    lines, _ = split(keeping, cuts(body, at))
    assert keeping.bom + b"".join(lines) == body
    # What ends inside quotes may end in a line break that is not a line end.
    whole = lines[:-1] if keeping.in_quotes else lines
    expected = slow_split(body, 1000, quotes=splitter is CsvSplitter).records
    assert [record for line in whole if (record := bare(line))] == expected[: -1 if keeping.in_quotes else None]


@SPLITTERS
def test_a_long_record_in_tiny_pieces_takes_linear_time(splitter: type[LineSplitter]) -> None:
    """Twice the record takes about twice the time, not four times."""

    def seconds(size: int) -> float:
        best = 1e9
        for _ in range(3):
            fast = splitter(2**24)
            began = time.thread_time()
            for _ in range(size // 8):
                fast.feed(b'"abc",\r,')
            assert len(fast.finish()[0]) == size
            best = min(best, time.thread_time() - began)
        return best

    assert seconds(2**19) < 8 * seconds(2**17)


def test_a_quoted_record_of_many_lines_takes_linear_time() -> None:
    """Line breaks inside quotes do not make a record be read again and again."""
    fast = CsvSplitter(2**22)
    for number in range(2**14):
        assert fast.feed((b"\n" if number else b'"') + b"\n" * 15) == []
    (record,) = fast.feed(b'"\n')
    assert len(record) == 2**18 + 1


@SPLITTERS
def test_what_is_too_long_is_not_held(splitter: type[LineSplitter]) -> None:
    """An endless record costs no memory, whatever the size of the pieces."""
    fast = splitter(1000)
    tracemalloc.start()
    try:
        assert fast.feed(b"first\n") == [b"first"]
        for _ in range(20_000):
            assert fast.feed(b'"' + b"x" * 999) == []
        assert fast.finish() == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fast.too_long == 2
    assert peak < 100_000


def test_records_before_one_that_is_too_long_come_out() -> None:
    """A record over the limit stops the splitter behind the records that were whole."""
    fast = CsvSplitter(5)
    assert fast.feed(b'1\n"\n\n"\nabcdef\n2\n') == [b"1", b'"\n\n"']
    assert list(fast.numbers) == [1, 2]
    assert fast.too_long == 5
    assert fast.feed(b"3\n") == []
    assert fast.finish() == []
