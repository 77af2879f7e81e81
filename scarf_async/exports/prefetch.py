"""Blocks of a CSV, parsed to columns in threads while the next one is received."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from struct import Struct
from typing import Final, Generic, TypeVar

import attrs
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types
from anyio import create_task_group

from scarf_async.entities import Event
from scarf_async.errors import ScarfError
from scarf_async.exports.arrow import MOST, Part, PartParser, schema_of, text_of
from scarf_async.exports.arrow_csv import ColumnReader, Rows, proven_records
from scarf_async.exports.csv import first_line
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.parsers import Run
from scarf_async.exports.reading import Body
from scarf_async.exports.spec import Counters, RecordReader

__all__ = ["Block", "BlockParser", "BlockSource", "SentBlock"]

T = TypeVar("T")

ENOUGH = 2**21
"""The size of a block in bytes; half of it where batches of a size are asked for."""
FEW = 2**14
"""A shorter block is not worth a thread."""
# If columns are larger than this multiple of their block, blocks are shorter.
_GROWTH: Final = 8
# Blocks that are parsed at once. These, one that waits for a thread and the one being received are all in memory.
_READ_AT_ONCE: Final = 2
# How much the slow path reads before other tasks run.
_SLOW_AT_ONCE: Final = 2**16
# A consumer of batches this small wants them soon.
_SOON: Final = 2048
# Where the only text of an array begins and ends.
_ENDS: Final = Struct("=qq")
_LINE_END: Final = (pa.scalar(b"", pa.large_binary()), pa.scalar(b"\n", pa.large_binary()))


@attrs.frozen(eq=False)
class Block:
    """A part of the body.

    Attributes:
        data: its bytes; after a LF if they were parsed.
        rows: its records, if they were parsed.
    """

    data: bytes
    rows: Rows | None = None


@attrs.frozen(eq=False)
class _Cut:
    """A block before it is returned: a LF and its bytes, and their parser if they are whole records."""

    data: bytes
    rows: asyncio.Future[Rows | None] | None


@attrs.frozen(eq=False)
class SentBlock:
    """The records of a block: whole lines behind a LF, in regular quotes, without a lone CR.

    No line becomes a Python object: creating them would block all other threads.

    Attributes:
        data: the LF, and the lines.
        number: that of the first line.
    """

    data: bytes
    number: int

    def _cut(self) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Return the lines of records without their ends; for each, the index of its record, and its number."""
        ends = pa.py_buffer(_ENDS.pack(1, len(self.data) - 1))
        whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(self.data)])
        lines = pc.split_pattern(whole, pattern=b"\n").values
        numbers = pa.array(range(self.number, self.number + len(lines)), pa.int32())
        # A record ends where all quotes are closed; a CR there is part of the line end.
        quotes = pc.subtract(pc.list_value_length(pc.split_pattern(lines, pattern=b'"')), 1)
        last = pc.equal(pc.bit_wise_and(pc.cumulative_sum(quotes.cast(pa.int64())), 1), 0)
        if b"\r" in self.data:
            ended = pc.and_(last, pc.ends_with(lines, pattern=b"\r"))
            lines = pc.replace_with_mask(lines, ended, pc.binary_slice(lines.filter(ended), 0, -1))
        blank = pc.and_(last, pc.equal(pc.binary_length(lines), 0))
        if blank.true_count:
            last, lines, numbers = (array.filter(pc.invert(blank)) for array in (last, lines, numbers))
        ended = last.cast(pa.int32())
        return lines, pc.subtract(pc.cumulative_sum(ended), ended), numbers

    def line(self, row: int) -> int:  # noqa: D102 # as `Sent` says
        _, records, numbers = self._cut()
        number: int = numbers[pc.index(records, row).as_py()].as_py()
        return number

    def lines(self, rows: pa.Array | None) -> bytes | memoryview:  # noqa: D102 # as `Sent` says
        if rows is None and b"\r" not in self.data and b"\n\n" not in self.data:
            return memoryview(self.data)[1:]
        lines, records, _ = self._cut()
        if rows is not None:
            lines = lines.filter(pc.is_in(records, value_set=rows.cast(pa.int32())))
        return text_of(pc.binary_join_element_wise(lines, *_LINE_END))


class BlockParser(Generic[T]):
    """Accepts parsed blocks, and reads the others by the slow path. Pure.

    Attributes:
        reader: the reader of records.
    """

    def __init__(self, reader: RecordReader[T], counters: Counters, max_record_bytes: int) -> None:
        self._slow = PartParser(reader, counters, max_record_bytes)
        self.reader: RecordReader[T] = reader
        self._counters = counters
        self._columns: ColumnReader | None = None

    @property
    def record(self) -> type[attrs.AttrsInstance]:
        """The class of the records."""
        return self._slow.record

    @property
    def header(self) -> bytes:
        """The header, once it has arrived."""
        return self._slow.header

    @property
    def headless(self) -> bool:
        """Whether the header has not arrived yet."""
        return self._slow.headless

    @property
    def growth(self) -> int:
        """The maximum ratio of the size of columns to that of their block; 0 if unknown."""
        columns = self._column_reader()
        return 0 if columns is None else columns.growth

    def columns(self) -> ColumnReader | None:
        """Return the parser for the next block; None if no record begins there, or only the slow path works."""
        return self._column_reader() if self._slow.between_records else None

    def _column_reader(self) -> ColumnReader | None:
        if self._columns is None and isinstance(self.reader, EventReader) and not self._slow.headless:
            self._columns = ColumnReader(self.reader.names, schema_of(Event), self.reader.end)
        return self._columns

    def feed(self, block: Block) -> Iterator[Run[Part]]:
        """Add a block. Consume all runs before feeding again."""
        rows = block.rows
        if rows is None:
            yield from self._slow.feed(block.data)
            return
        sent = SentBlock(block.data, self._slow.line)
        self._slow.pass_over(rows.lines)
        self._counters.records_received += rows.received
        self._counters.records_dropped += rows.received - rows.batch.num_rows
        yield [Part(rows.batch, sent)] if rows.batch.num_rows else [], None

    def finish(self) -> Iterator[Run[Part]]:
        """Process the end of the body."""
        return self._slow.finish()


class BlockSource(Generic[T]):
    """Splits a body into blocks, some of which are parsed while the next one is received.

    A cancelled call loses nothing: the next one continues. After `close`, what is being parsed is
    abandoned and its result dropped.

    Args:
        body: the body.
        parser: the parser that consumes each block before it requests the next.
        size: the requested number of rows in a batch; None for blocks of twice the length, which take more memory
            and less processor time.
        limit: the maximum size of a record.
        ahead: whether two blocks are parsed at the same time and one waits; else fewer are in memory.
    """

    def __init__(
        self, body: Body, parser: BlockParser[T], size: int | None, limit: int, *, ahead: bool = True
    ) -> None:
        self._most_cuts = _READ_AT_ONCE + 1 if ahead else 1
        # A thread takes the next block from it by itself, without a turn of the event loop.
        self._threads = ThreadPoolExecutor(_READ_AT_ONCE, "scarf-async-arrow")
        self._closed = False
        self._body = body
        self._parser = parser
        self._enough = ENOUGH if size is None else ENOUGH // 2
        self._size = size or MOST
        self._limit = limit
        self._held: list[bytes] = []
        self._bytes = 0
        self._lines = 0
        self._since_line_end = 0
        self._ended = False
        self._cuts: deque[_Cut] = deque()
        self._slow = b""

    def close(self) -> None:
        """Release the connection."""
        self._closed = True
        # Cancelled futures would seem to cancel the tasks that wait for them.
        self._threads.shutdown(wait=False)
        self._body.close()

    async def next(self) -> Block | None:
        """Return the next block; None at the verified end.

        Raises:
            ScarfError: as in `Body.next`, after everything before it.
        """
        if self._slow:
            await asyncio.sleep(0)
        else:
            block = await self._next()
            if block is None or block.rows is not None:
                return block
            self._slow = block.data
        data, self._slow = self._slow[:_SLOW_AT_ONCE], self._slow[_SLOW_AT_ONCE:]
        return Block(data)

    async def _next(self) -> Block | None:
        await self._cut(1)
        if not self._cuts:
            await self._body.next()
            return None
        cut, rows = self._cuts[0], None
        if cut.rows is not None:
            async with create_task_group() as group:
                group.start_soon(self._cut, self._most_cuts)
                await asyncio.wait([cut.rows])
                group.cancel_scope.cancel()
            # Not in the group, which would wrap its errors.
            rows = cut.rows.result()
        self._cuts.popleft()
        return Block(cut.data if rows else cut.data[1:], rows)

    async def _cut(self, count: int) -> None:
        """Receive up to a number of blocks."""
        while len(self._cuts) < count:
            # Only the parser knows where a block ends that may not consist of whole records.
            if self._cuts and self._cuts[-1].rows is None:
                return
            await self._gather()
            if self._closed or not self._held:
                return
            self._cuts.append(self._begin(self._take()))

    def _begin(self, data: bytes) -> _Cut:
        columns = self._parser.columns() if len(data) >= FEW else None
        end = proven_records(data, self._limit) if columns is not None else 1
        if columns is None or end == 1:
            return _Cut(data, None)
        if end < len(data):
            self._hold(data[end:], at=0)
            data = data[:end]
        return _Cut(data, asyncio.get_running_loop().run_in_executor(self._threads, columns.read, data))

    async def _gather(self) -> None:
        while not (self._ended or self._is_enough()):
            try:
                piece = await self._body.next()
            except ScarfError:
                # The body raises it again after everything before it is consumed.
                piece = b""
            if piece:
                self._hold(piece, at=len(self._held))
                self._since_line_end += len(piece)
                if (line_end := piece.rfind(b"\n")) >= 0:
                    self._since_line_end = len(piece) - line_end - 1
            else:
                self._ended = True

    @property
    def _most(self) -> int:
        """The size after which a block ends with its line."""
        return max(1, self._enough * _GROWTH // max(_GROWTH, self._parser.growth))

    def _is_enough(self) -> bool:
        return self._bytes > 0 and (
            self._bytes >= self._most
            or self._parser.headless
            or (self._size <= _SOON and self._lines >= self._size)
            or self._since_line_end > self._limit
        )

    def _hold(self, piece: bytes, *, at: int) -> None:
        self._held.insert(at, piece)
        self._bytes += len(piece)
        if self._size <= _SOON:
            self._lines += piece.count(b"\n")

    def _take(self) -> bytes:
        """Return a LF and the buffered complete lines, if any, up to the size of a block; or the header."""
        place = self._block_end()
        if self._parser.headless:
            data = b"".join(self._held)
            at = first_line(data) or len(data)
            taken, rest = [data[:at]], [data[at:]]
        elif place is None:
            taken, rest = self._held, []
        else:
            number, at = place
            piece = self._held[number]
            taken, rest = [*self._held[:number], piece[:at]], [piece[at:], *self._held[number + 1 :]]
        self._held, self._bytes, self._lines = [], 0, 0
        for piece in filter(None, rest):
            self._hold(piece, at=len(self._held))
        return b"".join((b"\n", *taken))

    def _block_end(self) -> tuple[int, int] | None:
        """Return the piece, and the place in it, where the first line that fills a block ends, else the last."""
        enough = self._most - 1
        for number, piece in enumerate(self._held):
            if at := piece.find(b"\n", max(0, enough)) + 1:
                return number, at
            enough -= len(piece)
        for number in reversed(range(len(self._held))):
            if at := self._held[number].rfind(b"\n") + 1:
                return number, at
        return None
