"""Parse the inflated body to typed records, lines, or a filtered file. Pure.

The results are runs: some items, and the error after them, if any. So a consumer gets every record before an error,
however the bytes arrived.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

from scarf_async.errors import ExportError
from scarf_async.exports.lines import RecordError, bare
from scarf_async.exports.spec import Counters, RecordFormat, RecordReader
from scarf_async.protocol.tolerant import loads

__all__ = ["FileParser", "LineParser", "Parser", "Run", "TypedParser"]

T = TypeVar("T")

Run: TypeAlias = "tuple[list[T], ExportError | None]"

_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_WORDS_KEPT: Final = 200
# More at once is not faster: objects should still be in the cache when they are consumed.
_DECODED_AT_ONCE: Final = 128


def _own_words(data: bytes, redact: Callable[[str], str]) -> str:
    """Return the message of a JSON object that was sent instead of an export."""
    try:
        said = loads(data)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    words = (said.get(key) for key in ("message", "detail", "error"))
    message = next((word for word in words if isinstance(word, str)), "")
    return f" that says {redact(message)[:_WORDS_KEPT]!r}" if message else ""


class Parser(ABC, Generic[T]):
    """Splits a body into records and converts them to items."""

    def __init__(
        self,
        form: RecordFormat,
        counters: Counters,
        max_record_bytes: int,
        *,
        typed: bool = False,
        keep_ends: bool = False,
    ) -> None:
        self._form = form
        self._counters = counters
        self._limit = max_record_bytes
        self._typed = typed
        self._splitter = form.splitter(max_record_bytes, keep_ends=keep_ends)
        self._seen = False
        self._headless = form.headed

    @abstractmethod
    def _head(self, lines: list[bytes]) -> list[T]:
        """Convert a header, the last of these lines, to items."""

    @abstractmethod
    def _take(self, records: list[bytes], numbers: Sequence[int]) -> Iterator[Run[T]]:
        """Convert records to items."""

    @property
    def headless(self) -> bool:
        """Whether the header has not arrived yet."""
        return self._headless

    @property
    def between_records(self) -> bool:
        """Whether the next bytes begin a record."""
        return self._splitter.between_records

    @property
    def line(self) -> int:
        """The number of the next line."""
        return self._splitter.line

    def pass_over(self, lines: int) -> None:
        """Skip a number of lines that were read in another way; only between records."""
        self._splitter.pass_over(lines)

    def feed(self, data: bytes) -> Iterator[Run[T]]:
        """Add bytes of the body. Consume all runs before feeding again: they are created one by one."""
        if not self._seen and (error := self._foreign(data)):
            yield [], error
            return
        records = self._splitter.feed(data)
        numbers = self._splitter.numbers
        if self._headless and records:
            head, taken = self._begin(records)
            yield head
            if head[1]:
                return
            records, numbers = records[taken:], numbers[taken:]
        if records:
            yield from self._take(records, numbers)
        yield from self._too_long()

    def finish(self) -> Iterator[Run[T]]:
        """Process the verified end of the body."""
        if self._counters.no_content:
            return
        tail = self._splitter.finish()
        yield from self._too_long()
        if self._splitter.in_quotes:
            yield [], self._counters.truncated("the body ended inside quotes", proven_end=True)
        elif self._headless:
            yield self._finish_in_header(tail)
        elif tail and (reason := self._form.cut(tail[0])):
            yield [], self._counters.truncated(f"the last record is not whole: {reason}", proven_end=True)
        elif tail:
            yield from self._take(tail, self._splitter.numbers)

    def _finish_in_header(self, tail: list[bytes]) -> Run[T]:
        if not tail:
            return [], self._counters.truncated("the body ended before its header", proven_end=True)
        head, _ = self._begin(tail)
        if head[1]:
            refusal = str(head[1].args[0]).removeprefix(f"{self._counters.description}: ")
            reason = f"the body ended inside its header, it seems ({refusal})"
            return [], self._counters.truncated(reason, proven_end=True)
        return head

    def _too_long(self) -> Iterator[Run[T]]:
        """Report each record that is too long, and then process the bytes after it."""
        splitter = self._splitter
        while splitter.too_long is not None:
            beginning = splitter.beginning if self._typed and not self._headless else b""
            yield [], self._counters.too_long(splitter.too_long, self._limit, beginning)
            if records := splitter.go_on():
                yield from self._take(records, splitter.numbers)

    def _foreign(self, data: bytes) -> ExportError | None:
        start = data.lstrip(_BLANK)
        if not start:
            return None
        self._seen = True
        found = self._form.foreign(start)
        if found is None:
            return None
        words = _own_words(start, self._counters.redact) if start.startswith(b"{") else ""
        return self._counters.refused(
            f"the service returned success and {found}{words} where {self._form.promised} was promised"
        )

    def _begin(self, lines: list[bytes]) -> tuple[Run[T], int]:
        """Read the header from the first non-blank line, and return how many lines that took."""
        at = next((at for at, line in enumerate(lines) if bare(line)), None)
        if at is None:
            return (self._head(lines), None), len(lines)
        reason = ""
        try:
            self._form.begin(bare(lines[at]), typed=self._typed)
        except RecordError as error:
            reason = str(error)
        if reason:
            return ([], self._counters.refused(f"the CSV header cannot be used: {reason}")), len(lines)
        self._headless = False
        return (self._head(lines[: at + 1]), None), at + 1


class TypedParser(Parser[T]):
    """Converts records to typed ones."""

    def __init__(self, reader: RecordReader[T], counters: Counters, max_record_bytes: int) -> None:
        super().__init__(reader, counters, max_record_bytes, typed=True)
        self._reader = reader

    def _head(self, lines: list[bytes]) -> list[T]:  # noqa: ARG002 # a header is not a record
        return []

    def _take(self, records: list[bytes], numbers: Sequence[int]) -> Iterator[Run[T]]:
        for at in range(0, len(records), _DECODED_AT_ONCE):
            part = slice(at, at + _DECODED_AT_ONCE)
            yield from self._decode(records[part], numbers[part])

    def _decode(self, records: list[bytes], numbers: Sequence[int]) -> Iterator[Run[T]]:
        reason = ""
        try:
            made, dropped = self._reader.decode(records)
        except RecordError as error:
            reason = str(error)
        if not reason:
            self._counters.records_received += len(records)
            self._counters.records_dropped += dropped
            yield made, None
        elif len(records) == 1:
            self._counters.records_received += 1
            yield [], self._counters.malformed(numbers[0], reason, records[0])
        else:
            # Many are read at once; bisection finds the bad ones without reading all one by one.
            half = len(records) // 2
            yield from self._decode(records[:half], numbers[:half])
            yield from self._decode(records[half:], numbers[half:])


class LineParser(Parser[bytes]):
    """Returns the raw bytes of records, with a CSV's header first, without those at or after the end."""

    def __init__(
        self,
        form: RecordFormat,
        counters: Counters,
        max_record_bytes: int,
        *,
        filtered: bool,
        keep_ends: bool = False,
    ) -> None:
        super().__init__(form, counters, max_record_bytes, keep_ends=keep_ends)
        self._filtered = filtered

    def _head(self, lines: list[bytes]) -> list[bytes]:
        return lines

    def _take(self, records: list[bytes], numbers: Sequence[int]) -> Iterator[Run[bytes]]:  # noqa: ARG002 # names no line
        yield self._kept(records), None

    def _kept(self, records: list[bytes]) -> list[bytes]:
        late = self._late(records)
        return [record for record, is_late in zip(records, late, strict=True) if not is_late]

    def _late(self, records: list[bytes]) -> list[bool]:
        """Return which records to leave out, and count them."""
        late = self._find_late(records) if self._filtered and records else [False] * len(records)
        self._counters.records_received += len(records)
        self._counters.records_dropped += sum(late)
        return late

    def _find_late(self, records: list[bytes]) -> list[bool]:
        try:
            return self._form.late(records)
        except RecordError:
            # A record that cannot be read is not known to be late: it is kept.
            if len(records) == 1:
                return [False]
        half = len(records) // 2
        return self._find_late(records[:half]) + self._find_late(records[half:])


class FileParser(LineParser):
    """Returns the bytes of a file: the whole body without the records at or after the end."""

    def __init__(self, form: RecordFormat, counters: Counters, max_record_bytes: int, *, filtered: bool) -> None:
        super().__init__(form, counters, max_record_bytes, filtered=filtered, keep_ends=filtered)
        self._bom_given = False

    def feed(self, data: bytes) -> Iterator[Run[bytes]]:
        """Add bytes of the body."""
        if not self._filtered:
            if not self._seen and (error := self._foreign(data)):
                yield [], error
                return
            yield [data], None
        yield from self._file_runs(super().feed(data))

    def finish(self) -> Iterator[Run[bytes]]:
        """Process the end of the body."""
        yield from self._bom()
        yield from self._file_runs(super().finish())

    def _file_runs(self, runs: Iterator[Run[bytes]]) -> Iterator[Run[bytes]]:
        for lines, error in runs:
            yield from self._bom()
            # Without a filter, records are only split to count and check them; the bytes were already returned.
            yield lines if self._filtered else [], error

    def _bom(self) -> Iterator[Run[bytes]]:
        if self._filtered and self._splitter.bom and not self._bom_given:
            self._bom_given = True
            yield [self._splitter.bom], None

    def _kept(self, records: list[bytes]) -> list[bytes]:
        if not self._filtered:
            return super()._kept(records)
        late = iter(self._late([record for line in records if (record := bare(line))]))
        return [line for line in records if not bare(line) or not next(late)]
