"""Blocks of a CSV, read as columns in threads while the next one comes in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Final

import attrs
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
from anyio import create_task_group
from anyio.to_thread import run_sync

from scarf_async.entities import Event
from scarf_async.errors import ScarfError
from scarf_async.exports.arrow import TableParser, schema_of
from scarf_async.exports.arrow_csv import ColumnReader, Rows
from scarf_async.exports.csv import first_line, whole_records
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.parsers import Run, TypedParser
from scarf_async.exports.reading import Body
from scarf_async.exports.spec import Counters

__all__ = ["Block", "BlockParser", "BlockSource"]

ENOUGH = 2**21
"""Bytes that make a block."""
FEW = 2**14
"""What is shorter is not worth a thread."""
# With the one that comes in, all that is held.
_READ_AT_ONCE: Final = 2
# What is read the slow way before others get their turn.
_SLOW_AT_ONCE: Final = 2**16
# Who wants so few rows at once wants them soon.
_SOON: Final = 2048


@attrs.frozen(eq=False)
class Block:
    """A part of the body.

    Attributes:
        data: its bytes; of use where they were not read.
        rows: the records in it, where they were read.
    """

    data: bytes
    rows: Rows | None = None


@attrs.frozen(eq=False)
class _Cut:
    """A block before it is handed out: a LF and its bytes, and what reads them if they are whole records."""

    data: bytes
    rows: asyncio.Task[Rows | None] | None


class BlockParser:
    """Takes blocks that were read, and reads the others the slow way. Pure."""

    def __init__(self, reader: EventReader, counters: Counters, max_record_bytes: int) -> None:
        self._typed = TypedParser(reader, counters, max_record_bytes)
        self._tables = TableParser(self._typed, Event)
        self._reader = reader
        self._counters = counters
        self._columns: ColumnReader | None = None

    @property
    def headless(self) -> bool:
        """Whether the header has not come yet."""
        return self._typed.headless

    def columns(self) -> ColumnReader | None:
        """Return what reads a block that comes now; None where no record begins."""
        if self._typed.headless or not self._typed.between_records:
            return None
        if self._columns is None:
            self._columns = ColumnReader(self._reader.names, schema_of(Event), self._reader.end)
        return self._columns

    def feed(self, block: Block) -> Iterator[Run[pa.RecordBatch]]:
        """Take the next block. Take all runs before feeding again."""
        rows = block.rows
        if rows is None:
            yield from self._tables.feed(block.data)
            return
        self._typed.pass_over(rows.lines)
        self._counters.records_received += rows.received
        self._counters.records_dropped += rows.received - rows.batch.num_rows
        yield [rows.batch] if rows.batch.num_rows else [], None

    def finish(self) -> Iterator[Run[pa.RecordBatch]]:
        """Take the end of the body."""
        return self._tables.finish()


class BlockSource:
    """Cuts a body into blocks, and has some of them read while it gathers one more.

    A call that is cancelled loses nothing: the next one goes on. After `close` a thread that is still at work is
    left alone; what it makes is thrown away.

    Args:
        body: what is cut.
        parser: what takes the blocks, each before it asks for the next.
        size: how many rows are wanted at once.
        limit: the longest record.
    """

    def __init__(self, body: Body, parser: BlockParser, size: int, limit: int) -> None:
        self._body = body
        self._parser = parser
        self._size = size
        self._limit = limit
        self._held: list[bytes] = []
        self._bytes = 0
        self._lines = 0
        self._since_line_end = 0
        self._ended = False
        self._cuts: deque[_Cut] = deque()
        self._slow = b""

    def close(self) -> None:
        """Let go of the connection."""
        self._body.close()

    async def next(self) -> Block | None:
        """Return the next block; None at the proven end.

        Raises:
            ScarfError: as `Body.next` does, after everything before it.
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
                group.start_soon(self._cut, _READ_AT_ONCE)
                await asyncio.wait([cut.rows])
                group.cancel_scope.cancel()
            # Not in the group, which would wrap what it raises.
            rows = cut.rows.result()
        self._cuts.popleft()
        return Block(b"" if rows else cut.data[1:], rows)

    async def _cut(self, count: int) -> None:
        """Have so many blocks cut, if so many come."""
        while len(self._cuts) < count:
            # Where a block ends that is not known to be whole records, only the parser will know.
            if self._cuts and self._cuts[-1].rows is None:
                return
            await self._gather()
            if not self._held:
                return
            self._cuts.append(self._begin(self._take()))

    def _begin(self, data: bytes) -> _Cut:
        columns = self._parser.columns() if len(data) >= FEW else None
        end = whole_records(data, 1, self._limit) if columns is not None else 1
        if columns is None or end == 1:
            return _Cut(data, None)
        if end < len(data):
            self._hold(data[end:], at=0)
            data = data[:end]
        return _Cut(data, asyncio.ensure_future(run_sync(columns.read, data)))

    async def _gather(self) -> None:
        while not (self._ended or self._is_enough()):
            try:
                piece = await self._body.next()
            except ScarfError:
                # The body raises it again when all that came before it is used up.
                piece = b""
            if piece:
                self._hold(piece, at=len(self._held))
                self._since_line_end += len(piece)
                if (line_end := piece.rfind(b"\n")) >= 0:
                    self._since_line_end = len(piece) - line_end - 1
            else:
                self._ended = True

    def _is_enough(self) -> bool:
        return self._bytes > 0 and (
            self._bytes >= ENOUGH
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
        """Return a LF and what is held: the lines that have ended, if one has; or the header."""
        last = self._last_line_end()
        if self._parser.headless:
            data = b"".join(self._held)
            at = first_line(data) or len(data)
            taken, rest = [data[:at]], [data[at:]]
        elif last is None:
            taken, rest = self._held, []
        else:
            number, at = last
            piece = self._held[number]
            taken, rest = [*self._held[:number], piece[:at]], [piece[at:], *self._held[number + 1 :]]
        self._held, self._bytes, self._lines = [], 0, 0
        for piece in filter(None, rest):
            self._hold(piece, at=len(self._held))
        return b"".join((b"\n", *taken))

    def _last_line_end(self) -> tuple[int, int] | None:
        """Return the piece in which the last line that has ended ends, and where in it."""
        for number in reversed(range(len(self._held))):
            if at := self._held[number].rfind(b"\n") + 1:
                return number, at
        return None
