"""Fields, against Python's csv module."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.exports.csv import CsvSplitter, split_fields, split_records
from scarf_async.exports.lines import RecordError

FIELDS = st.lists(st.text(alphabet='ab ,"\n\r€'), min_size=1, max_size=5)


def written(rows: list[list[str]], end: str) -> str:
    """Write rows with the csv module."""
    text = io.StringIO(newline="")
    # By itself the module quotes a CR only where CR is part of its line end.
    quoted = any("\r" in field for row in rows for field in row)
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL).writerows(rows)
    return text.getvalue()


@given(st.lists(FIELDS, max_size=6), st.sampled_from(["\n", "\r\n"]), st.integers(1, 9))
def test_what_the_csv_module_writes_is_read_back(rows: list[list[str]], end: str, step: int) -> None:
    """Whatever the fields hold: quotes, commas, line breaks."""
    body = written(rows, end).encode()
    splitter = CsvSplitter(10_000)
    records = [record for at in range(0, len(body), step) for record in splitter.feed(body[at : at + step])]
    assert splitter.finish() == []
    assert split_records(records) == rows
    assert [split_fields(record.decode()) for record in records] == rows


@given(st.text(alphabet='ab,"\n'))
def test_any_text_is_split_as_the_csv_module_splits_it(text: str) -> None:
    """On any text without CRs both find the same records, and the same fields where these are readable."""
    splitter = CsvSplitter(10_000)
    records = splitter.feed(text.encode()) + splitter.finish()
    # Not strict: a strict reader drops the rest of a line that it cannot read.
    theirs = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    assert len(records) == len(theirs)
    for record, row in zip(records, theirs, strict=True):
        try:
            assert split_fields(record.decode()) == row
        except RecordError:
            assert list(_strictly(record)) != [row]


def _ends_in_quotes(record: bytes) -> bool:
    splitter = CsvSplitter(10_000)
    splitter.feed(record)
    splitter.finish()
    return splitter.in_quotes


def _strictly(record: bytes) -> Iterator[list[str]]:
    with contextlib.suppress(csv.Error):
        yield from csv.reader([record.decode()], strict=True)


@given(st.lists(st.binary(min_size=1).filter(lambda record: b"\n" not in record), min_size=1, max_size=4))
def test_the_fast_way_and_the_slow_way_agree(records: list[bytes]) -> None:
    """The csv module is only asked where it reads what is meant; bytes that are not UTF-8 are replaced."""
    records = [record for record in records if not _ends_in_quotes(record)]

    def slowly() -> list[list[str]] | None:
        try:
            return [split_fields(record.decode("utf-8", "replace")) for record in records]
        except RecordError:
            return None

    try:
        fast = split_records(records)
    except RecordError:
        fast = None
    assert fast == slowly()


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (b"a,b\r", ["a", "b\r"]),
        (b"\r", ["\r"]),
        (b"a\rb,c", ["a\rb", "c"]),
        (b'"a\rb",c', ["a\rb", "c"]),
        (b'5" disk,"x"', ['5" disk', "x"]),
        (b'""', [""]),
        (b'"",', ["", ""]),
        (b'"a""b"', ['a"b']),
        (b"\xff,\x00", ["�", "\x00"]),
    ],
)
def test_corners(record: bytes, fields: list[str]) -> None:
    """A lone CR is a character like any other, and so is a quote inside an unquoted field."""
    assert split_records([record]) == [fields]


def test_fields_longer_than_the_csv_module_allows() -> None:
    """The limit of Python's csv module belongs to the process: it is neither hit nor changed."""
    before = csv.field_size_limit()
    long = "x" * (before + 1)
    assert split_records([b"a,b", f'{long},"{long}"'.encode()]) == [["a", "b"], [long, long]]
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("record", "reason"),
    [('"a"b', "behind the closing quote of field 1"), ('1,"a', "quotes of field 2 are not closed")],
)
def test_what_cannot_be_split(record: str, reason: str) -> None:
    """Misplaced and missing quotes are errors that name the field."""
    with pytest.raises(RecordError, match=reason):
        split_fields(record)
    with pytest.raises(RecordError):
        split_records([b"fine", record.encode()])
