"""Parse CSV to fields: RFC 4180, and where it is silent, like Python's csv module. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import Final

from scarf_async.exports.lines import LineSplitter, RecordError

__all__ = [
    "CsvSplitter",
    "first_line",
    "has_lone_cr",
    "in_regular_quotes",
    "last_record",
    "split_fields",
    "split_records",
    "whole_records",
]

# Behind the text between quotes: an opening quote at a field's start, then anything but a lone quote, then the
# closing quote at the field's end, and text again. Nothing is ever tried twice.
_REGULAR: Final = re.compile(rb'[^"]*+(?:(?<=[,\n])"[^"]*+(?:""[^"]*+)*+"(?=,|\r?\n)[^"]*+)*+')
_FIRST_LINE: Final = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*+[^\n]*+\n")
_TRIES: Final = 64


def in_regular_quotes(data: bytes) -> bool:
    r"""Return whether a text between two LFs has quotes only around fields and doubled within them, all closed.

    >>> in_regular_quotes(b'\n1,"a ""b"" c"\n'), in_regular_quotes(b'\n1,5" disk\n')
    (True, False)
    """
    return _REGULAR.fullmatch(data) is not None


def first_line(data: bytes) -> int:
    r"""Return the end of the first non-blank line; 0 if it does not end.

    >>> first_line(b"\r\n\ntype,time\r\npull")
    14
    """
    line = _FIRST_LINE.match(data)
    return line.end() if line else 0


def whole_records(data: bytes, begin: int, limit: int) -> int:
    r"""Return how far data consists of whole records in regular quotes, none longer than the limit.

    No CR is without its LF, not even in quotes: readers differ most about its meaning outside quotes.

    >>> whole_records(b'\n1,"a\nb"\n2,"c\n', 1, 100)
    9
    >>> whole_records(b'\n1,"a"b\n', 1, 100)
    1

    Args:
        data: the byte before `begin` is a LF.
        begin: where a record begins.
        limit: the longest record.

    Returns:
        A place after a LF that ends a record; `begin` if there is none.
    """
    if has_lone_cr(data):
        return begin
    at = begin
    # Steps within the limit cannot contain a record beyond it.
    while at < len(data):
        regular = _REGULAR.match(data, at, at + limit)
        end = last_record(data, at, regular.end() if regular else at)
        if end == at:
            break
        at = end
    return at


def has_lone_cr(data: bytes) -> bool:
    """Say whether some CR has no LF behind it."""
    # `find` is several times as fast as `split`, `count` and `re`.
    at = data.find(b"\r")
    while at >= 0 and data.startswith(b"\n", at + 1):
        at = data.find(b"\r", at + 2)
    return at >= 0


def last_record(data: bytes, at: int, outside: int) -> int:
    """Return the end of the last record before a place outside regular quotes; `at` where there is none."""
    quotes, until = 0, outside
    for _ in range(_TRIES):
        line_end = data.rfind(b"\n", at, until)
        if line_end < 0:
            break
        quotes += data.count(b'"', line_end, until)
        if quotes % 2 == 0:
            return line_end + 1
        until = line_end
    return at


class CsvSplitter(LineSplitter):
    r"""A `LineSplitter` for CSV: a line break inside quotes does not end a record.

    A quote opens a quoted field only at the field's start; elsewhere it is a character like any other.

    >>> CsvSplitter(100).feed(b'1,"a\nb"\n2,5" disk\n')
    [b'1,"a\nb"', b'2,5" disk']
    """

    # For a record that is not kept: whether its quotes are open, and whether the next quote opens them.
    _opened = False
    _may_open = False

    def _ends_in_quotes(self, line: bytes, *, opened: bool) -> bool:
        at = 0
        while (quote := line.find(b'"', at)) >= 0:
            at = quote + 1
            if not opened:
                opened = quote == 0 or line[quote - 1] == 0x2C
            elif line.startswith(b'"', at):
                at += 1
            else:
                opened = False
        return opened

    def _watch(self, part: bytes, *, opened: bool | None = None) -> bool:
        if opened is not None:
            self._opened, self._may_open = opened, not opened
        # A quote opens at the start of a field, and again right after the quote that closed.
        opens = 0 if self._may_open else -1
        at = 0
        while (quote := part.find(b'"', at)) >= 0:
            at = quote + 1
            if self._opened:
                self._opened, opens = False, at
            elif quote == opens or (quote and part[quote - 1] == 0x2C):
                self._opened = True
        if part:
            self._may_open = opens == len(part) or part.endswith(b",")
        return self._opened

    def _bounded(self, lines: list[bytes]) -> list[bytes]:
        # In regular quotes, a record ends where all quotes are closed. So only lines with an odd number of quotes,
        # the first and last ones of a record, are examined one by one.
        odd = [at for at, line in enumerate(lines) if line.count(b'"') % 2]
        whole = odd.pop() if len(odd) % 2 else len(lines)
        if not in_regular_quotes(b"\n".join((b"", *lines[:whole], b""))):
            return self._careful(lines)
        records: list[bytes] = []
        numbers: list[int] = []
        at = 0
        for first, last in zip(odd[::2], odd[1::2], strict=True):
            records += lines[at:first]
            records.append(b"\n".join(lines[first : last + 1]))
            numbers += range(self._line + at, self._line + first + 1)
            at = last + 1
        records += lines[at:whole]
        numbers += range(self._line + at, self._line + whole)
        self._line += whole
        records = self._plain(records, numbers)
        if whole < len(lines):
            taken = self.numbers
            records += self._careful(lines[whole:])
            self.numbers: Sequence[int] = [*taken, *self.numbers]
        return records


def split_fields(record: str) -> list[str]:
    r"""Split one record into its fields.

    >>> split_fields('1,"say ""hi"" twice",5" disk,')
    ['1', 'say "hi" twice', '5" disk', '']

    Raises:
        RecordError: something follows a closing quote, or a quote is not closed.
    """
    fields: list[str] = []
    at = 0
    while True:
        if not record.startswith('"', at):
            comma = record.find(",", at)
            if comma < 0:
                fields.append(record[at:])
                return fields
            fields.append(record[at:comma])
            at = comma + 1
            continue
        parts: list[str] = []
        while True:
            quote = record.find('"', at + 1)
            if quote < 0:
                raise RecordError(f"the quotes of field {len(fields) + 1} are not closed")
            parts.append(record[at + 1 : quote])
            at = quote + 1
            if not record.startswith('"', at):
                break
        fields.append('"'.join(parts))
        if at == len(record):
            return fields
        if record[at] != ",":
            raise RecordError(f"text behind the closing quote of field {len(fields)}")
        at += 1


def split_records(records: Sequence[bytes]) -> list[list[str]]:
    """Split complete records into fields; invalid UTF-8 is replaced.

    Raises:
        RecordError: one of them cannot be split; which one is only certain for a single record.
    """
    texts = [record.decode("utf-8", "replace") for record in records]
    # Python's csv module treats a CR outside quotes as a line end, drops it at the end of a record and refuses it
    # elsewhere. It also refuses fields longer than a process-wide limit.
    if "\r" not in {text[-1:] for text in texts}:
        try:
            quoted = csv.reader((text for text in texts if '"' in text), strict=True)
            return [next(quoted) if '"' in text else text.split(",") for text in texts]
        except (csv.Error, StopIteration):
            pass
    return [split_fields(text) for text in texts]
