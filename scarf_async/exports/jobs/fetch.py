"""One window, from the service into its files."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import anyio
import attrs
from anyio.to_thread import run_sync

from scarf_async.entities import Event
from scarf_async.exports.arrow import Part, arrow_told, schema_of
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.formats import ExportFormat
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.engine import Engine, Ids, engine_told
from scarf_async.exports.jobs.job import ExportJob, Record
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.output import Output
from scarf_async.exports.jobs.rejects import Rejects
from scarf_async.exports.jobs.windows import ServiceClock, Window, has_ended
from scarf_async.exports.jobs.writers import writer_of
from scarf_async.exports.prefetch import BlockParser, BlockSource
from scarf_async.exports.reading import Body, Cursor
from scarf_async.exports.save import fetch_whole
from scarf_async.exports.spec import Counters, Download, ExportSpec

__all__ = ["Fetch"]

# What goes into one hop to a thread: hops cost more than writing does.
_BYTES_AT_ONCE: Final = 2**20
_ROWS_AT_ONCE: Final = 2**16
# What is longer would make the manifest long.
_LONG_HEADER: Final = 4096


@attrs.define(eq=False)
class Fetch:
    """Fetches one window into a directory, and enters it.

    Attributes:
        spec: the export of the window's days, with nothing left out.
        window: the window.
        job: whose window it is.
        directory: where to.
        clock: tells the time.
        engine: the run's.
        memory: bytes of records that may wait.
        short: whether the window is asked for up to its last day, which only some services send.
        keep: whether records that cannot be read go into a file of the window, and do not fail it.
        ahead: whether a block is read while another one is; several windows keep the machine busy without.
        receiving: whether more may come; else what has come is being written.
        arrived: called when so many more rows were written (fewer where a fetch was cut off, since those count no
            more) and so many more bytes received.
        shown: afterwards: whether the service sent the day that it was given as the end.
        doubted: afterwards: whether the last day may be missing. The window was entered without it, or not at all.
    """

    spec: ExportSpec[Record]
    window: Window
    job: ExportJob
    directory: Directory
    clock: ServiceClock
    arrived: Callable[[int, int], object]
    engine: Engine
    memory: int
    short: bool = False
    keep: bool = False
    ahead: bool = True
    receiving: bool = attrs.field(init=False, default=True)
    shown: bool = False
    doubted: bool = False
    _asked_at: dt.datetime = attrs.field(init=False)
    _answered_at: dt.datetime | None = attrs.field(init=False, default=None)
    _told: int = attrs.field(init=False, default=0)

    async def __call__(self) -> WindowEntry | None:
        """Fetch it; what was cut off, anew from its start, as `Export.save` does.

        Returns:
            What was entered; None where the run is over, or the last day is in doubt.

        Raises:
            TruncatedExportError: every attempt was cut, or the content is although its end is proven.
            ExportError: the answer is no such export, or a record cannot be read.
            TransportError: no answer came.
            APIError: the service said no.
            OSError: something cannot be written.
        """
        return await fetch_whole(self.spec, self._once)

    async def _once(self) -> WindowEntry | None:
        self.receiving = True
        job, temporary = self.job, self.directory.temporary
        spec = attrs.evolve(self.spec, open=self._open)
        rejects = Rejects(temporary)
        if self.keep:
            spec = attrs.evolve(spec, on_malformed=rejects.take)
        reader = spec.reader(None)
        counters = Counters(spec.description, spec.redact)
        parser = BlockParser(reader, counters, spec.max_record_bytes)
        with engine_told(spec.description), arrow_told(spec.description):
            writer = writer_of(temporary, job, self.engine, reader.record, lambda: parser.header)
            identified = reader.record is Event
            ids = Ids(self.engine, schema_of(reader.record).names) if identified else None
            output = Output(self.window, writer, ids, self.memory)
            return await self._filled(output, partial(self._fill, spec, counters, parser), rejects, parser)

    async def _open(self) -> Download:
        self._asked_at = self.clock.machine()
        download = await self.spec.open()
        self._answered_at = self.clock.hear(download.headers)
        return download

    def _end_day(self) -> Window | None:
        """Return the day that the service is given as the end, where it says something; dates end, too."""
        if self.job.api != "v2" or self.window.end == dt.date.max:
            return None
        day = self.window.end - dt.timedelta(self.short)
        return Window(day, day + dt.timedelta(1))

    async def _filled(
        self,
        output: Output,
        fill: Callable[[Output], Awaitable[None]],
        rejects: Rejects,
        parser: BlockParser[Record],
    ) -> WindowEntry | None:
        entry: WindowEntry | None = None
        output.end_day = self._end_day()
        try:
            await fill(output)
            self.receiving = False
            self._tell(output.rows, 0)
            ended = has_ended(self.window, self._answered_at or self._asked_at)
            self.shown = output.shown
            # What has not ended is fetched again.
            self.doubted = self.short and ended and not output.shown
            if not self.doubted or output.shorten():
                enter = partial(
                    output.enter,
                    provisional=not ended,
                    answered_at=self._answered_at,
                    columns=self._columns(parser),
                )
                entry = await run_sync(enter, self.directory, rejects)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(output.discard, rejects)
            self._tell(0 if entry is None else entry.rows, 0)
            self._told = 0
        return entry

    def _columns(self, parser: BlockParser[Record]) -> Sequence[str]:
        """Return the columns of what is written as it was received."""
        reader = parser.reader
        if isinstance(reader, EventReader) and self.job.format is ExportFormat.CSV:
            return reader.names if len(parser.header) <= _LONG_HEADER else ()
        return ()

    async def _fill(
        self, spec: ExportSpec[Record], counters: Counters, parser: BlockParser[Record], output: Output
    ) -> None:
        """Write what has come while more comes in."""
        source = BlockSource(
            Body(await spec.open(), counters), parser, _ROWS_AT_ONCE, spec.max_record_bytes, ahead=self.ahead
        )
        cursor = Cursor(source, parser, counters, spec.on_malformed)
        writing: asyncio.Future[None] | None = None
        waiting: list[Part] = []
        size = received = 0
        try:
            while parts := await cursor.more():
                waiting += parts
                size += sum(part.batch.nbytes for part in parts)
                if size < _BYTES_AT_ONCE:
                    continue
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(self._add(output, waiting, counters.bytes_received - received))
                waiting, size, received = [], 0, counters.bytes_received
            if writing is not None:
                await writing
            writing = None
            await self._add(output, waiting, counters.bytes_received - received)
        finally:
            cursor.close()
            if writing is not None:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([writing])
                # What it raised, if it did, comes second to what ended this.
                writing.cancelled() or writing.exception()

    async def _add(self, output: Output, parts: list[Part], received: int) -> None:
        await run_sync(output.add, parts)
        self._tell(output.rows, received)

    def _tell(self, rows: int, received: int) -> None:
        self.arrived(rows - self._told, received)
        self._told = rows
