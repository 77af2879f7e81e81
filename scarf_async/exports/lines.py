"""Split a body into records, the bytes between line ends, however it arrives. Pure, linear and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["BOM", "LineSplitter", "RecordError", "bare", "shown"]

BOM: Final = b"\xef\xbb\xbf"
# The part of a record that is kept if it is too long.
_BEGINNING: Final = 4096

_SHOWN: Final = 40


def bare(line: bytes) -> bytes:
    """Return a line without its end."""
    if not line.endswith(b"\n"):
        return line
    return line[:-2] if line.endswith(b"\r\n") else line[:-1]


class LineSplitter:
    r"""Splits bytes into records, independently of the chunks in which they arrive.

    LF and CRLF end a record, a lone CR does not; blank lines are not records; a BOM before the first is dropped.

    >>> splitter = LineSplitter(100)
    >>> splitter.feed(b"one\r\n\ntwo\nth"), list(splitter.numbers)
    ([b'one', b'two'], [1, 3])
    >>> splitter.feed(b"ree"), splitter.finish()
    ([], [b'three'])

    Attributes:
        numbers: for each record of the last call, the number of its first line, from 1.
        too_long: the number of the first line of a record that is longer than the limit, once there is one. The
            records before it are returned, and nothing more before `go_on`.
        beginning: the first 4 KiB of that record; no more of it is kept.
        in_quotes: after `finish`: whether the last record ends inside quotes.
        bom: the BOM, if there was one.

    Args:
        max_record_bytes: the longest record, without its line end.
        keep_ends: return every line unchanged, with its end, blank lines too. Together they are the body without
            its BOM.
    """

    def __init__(self, max_record_bytes: int, *, keep_ends: bool = False) -> None:
        self._limit = max_record_bytes
        # Makes the beginning of a record that is too long independent of chunks.
        self._held = max(max_record_bytes, _BEGINNING)
        self._keep_ends = keep_ends
        self._started = False
        self._head = b""
        # Whole lines of a record whose quotes are open, and the line that has not ended.
        self._open = bytearray()
        self._partial = bytearray()
        self._line = 1
        self._first = 1
        self._has_cr = False
        # Whether inside a record that is too long; and the bytes after one.
        self._passing = False
        self._left = b""
        self.numbers: Sequence[int] = ()
        self.too_long: int | None = None
        self.beginning: bytes = b""
        self.in_quotes: bool = False
        self.bom: bytes = b""

    def _ends_in_quotes(self, line: bytes, *, opened: bool) -> bool:  # noqa: ARG002 # there are no quotes
        return False

    def _watch(self, part: bytes, *, opened: bool | None = None) -> bool:  # noqa: ARG002 # as above
        """Skip a part of a record that is not kept, its first with `opened`; return whether it ends in quotes."""
        return False

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; return the records that they complete."""
        self.numbers = ()
        if self.too_long is not None:
            return []
        if not self._started:
            data = self._after_bom(data)
        if self._passing:
            data = self._pass_record(data)
        lines = data.split(b"\n")
        rest = lines.pop()
        records: list[bytes] = []
        if lines:
            # A line can only be too long if the buffered bytes are.
            bounded = len(self._open) + len(self._partial) + len(data) <= self._limit
            self._has_cr = b"\r" in data or b"\r" in self._partial
            if self._partial:
                lines[0] = bytes(self._partial) + lines[0]
                self._partial.clear()
            records = self._bounded(lines) if bounded and not self._open else self._careful(lines)
        if self.too_long is None:
            self._hold(rest)
        else:
            self._left += rest
        return records

    def go_on(self) -> list[bytes]:
        """Continue after a record that is too long; return the records that have arrived there."""
        self.too_long = None
        left, self._left = self._left, b""
        return self.feed(left)

    @property
    def between_records(self) -> bool:
        """Whether the next bytes begin a record."""
        return self._started and not (self._open or self._partial or self._passing) and self.too_long is None

    @property
    def line(self) -> int:
        """The number of the next line."""
        return self._line

    def pass_over(self, lines: int) -> None:
        """Skip a number of lines that were read in another way; only between records."""
        self._line += lines

    def finish(self) -> list[bytes]:
        """Return the last record if its line has not ended."""
        self.numbers = ()
        self._partial += self._head
        self._head = b""
        tail = bytes(self._open + self._partial)
        if self._passing and self.too_long is None:
            self.in_quotes = self._watch(b"")
        if not tail or self.too_long is not None:
            return []
        number = self._first if self._open else self._line
        if len(tail) > self._limit:
            self.in_quotes = self._stop_inside()
            return []
        self.in_quotes = self._ends_in_quotes(bytes(self._partial), opened=bool(self._open))
        self.numbers = (number,)
        return [tail]

    def _after_bom(self, data: bytes) -> bytes:
        head = self._head + data
        if len(head) < len(BOM) and BOM.startswith(head):
            self._head = head
            return b""
        self._started = True
        self._head = b""
        if head.startswith(BOM):
            self.bom = BOM
            return head[len(BOM) :]
        return head

    def _bounded(self, lines: list[bytes]) -> list[bytes]:
        """Split whole lines outside quotes, none too long."""
        numbers = range(self._line, self._line + len(lines))
        self._line += len(lines)
        return self._plain(lines, numbers)

    def _plain(self, lines: list[bytes], numbers: Sequence[int]) -> list[bytes]:
        """Split lines that are one record each, none too long."""
        self.numbers = numbers
        if self._keep_ends:
            return [line + b"\n" for line in lines]
        records = lines
        if self._has_cr:
            records = [line[:-1] if line.endswith(b"\r") else line for line in lines]
        if b"" in records:
            self.numbers = [number for number, record in zip(numbers, records, strict=True) if record]
            records = [record for record in records if record]
        return records

    def _careful(self, lines: list[bytes]) -> list[bytes]:
        """Split whole lines one by one."""
        records: list[bytes] = []
        numbers: list[int] = []
        for at, line in enumerate(lines):
            number = self._line
            self._line += 1
            opened = bool(self._open)
            if self._ends_in_quotes(line, opened=opened):
                if not opened:
                    self._first = number
                self._open += line
                self._open += b"\n"
                if len(self._open) > self._held:
                    self._stop_inside()
                    self._left = b"\n".join((*lines[at + 1 :], b""))
                    break
                continue
            if opened:
                line, number = bytes(self._open) + line, self._first  # noqa: PLW2901 # the record's last line
                self._open.clear()
            record = line[:-1] if line.endswith(b"\r") else line
            if len(record) > self._limit:
                self._stop(number, record)
                self._left = b"\n".join((*lines[at + 1 :], b""))
                break
            if self._keep_ends:
                record = line + b"\n"
            if record:
                records.append(record)
                numbers.append(number)
        self.numbers = numbers
        return records

    def _hold(self, rest: bytes) -> None:
        if not rest:
            return
        self._partial += rest
        # A CR at the end may be half of a line end.
        if len(self._open) + len(self._partial) - rest.endswith(b"\r") > self._held:
            self._stop_inside()

    def _stop_inside(self) -> bool:
        """Stop in the middle of a record; return whether that is in quotes."""
        in_quotes = self._watch(bytes(self._partial), opened=bool(self._open))
        self._stop(self._first if self._open else self._line, bytes(self._open + self._partial))
        self._passing = True
        return in_quotes

    def _stop(self, number: int, record: bytes) -> None:
        self.too_long = number
        self.beginning = record[:_BEGINNING]
        self._open.clear()
        self._partial.clear()

    def _pass_record(self, data: bytes) -> bytes:
        """Skip the rest of a record that is too long; return the bytes after it."""
        at = 0
        while (line_end := data.find(b"\n", at)) >= 0:
            in_quotes = self._watch(data[at:line_end])
            self._line += 1
            at = line_end + 1
            if not in_quotes:
                self._passing = False
                return data[at:]
        self._watch(data[at:])
        return b""


class RecordError(ValueError):
    """A record cannot be read. The message says why and quotes at most one short field."""


def shown(text: str) -> str:
    """Return a field in a form for messages."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
