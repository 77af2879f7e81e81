"""Fetch one window from the service into its files."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

import anyio
import attrs
from anyio.to_thread import run_sync

from scarf_async.entities import Event
from scarf_async.errors import ExportError, MalformedRecordError
from scarf_async.exports.arrow import Part, arrow_told, schema_of
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.formats import ExportFormat
from scarf_async.exports.jobs.destination import Destination
from scarf_async.exports.jobs.engine import Engine, Ids, engine_told
from scarf_async.exports.jobs.job import ExportJob, Record
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.output import Output, Refuse
from scarf_async.exports.jobs.plan import loss
from scarf_async.exports.jobs.rejects import Rejects
from scarf_async.exports.jobs.windows import ServiceClock, Window, has_ended
from scarf_async.exports.jobs.writers import writer_of
from scarf_async.exports.prefetch import BlockParser, BlockSource
from scarf_async.exports.reading import Body, Cursor
from scarf_async.exports.save import fetch_whole
from scarf_async.exports.spec import Counters, Download, EffectiveRange, ExportSpec, effective_range

__all__ = ["Fetch", "Fetching"]

_ROWS_AT_ONCE: Final = 2**16
# More would make the manifest long.
_LONG_HEADER: Final = 4096
_RECORD_SHOWN: Final = 4096


class Fetching(Protocol):
    """The interface of fetching a window for a run; see `Fetch`."""

    receiving: bool
    shown: bool
    doubted: bool

    async def __call__(self) -> WindowEntry | None:
        """Fetch the window, and add it to the destination."""


@attrs.define(eq=False)
class Fetch:
    """Fetches one window, and adds it to a destination.

    Attributes:
        spec: the unfiltered export of the window's days.
        window: the window.
        job: the job.
        destination: the destination.
        clock: the clock.
        engine: the DuckDB engine of the run.
        memory: the maximum size in bytes of records in memory.
        short: whether to request the window up to its last day, for a service that includes the end.
        keep: whether to write records that cannot be read to a file, instead of failing the window.
        guarded: whether a response with fewer rows or days must not replace existing rows.
        refuse: returns the first row that the destination cannot store.
        ahead: whether two blocks are parsed at the same time; several windows use the machine fully without it.
        receiving: whether more data may arrive; else the received data is being written.
        arrived: called with the number of further rows written (negative after a fetch was cut off) and of further
            bytes received.
        shown: afterwards, whether the service sent the end day.
        doubted: afterwards, whether the last day may be missing. The window was added without it, or not at all.
    """

    spec: ExportSpec[Record]
    window: Window
    job: ExportJob
    destination: Destination
    clock: ServiceClock
    arrived: Callable[[int, int], object]
    engine: Engine
    memory: int
    short: bool = False
    keep: bool = False
    guarded: bool = False
    ahead: bool = True
    refuse: Refuse | None = None
    receiving: bool = attrs.field(init=False, default=True)
    shown: bool = False
    doubted: bool = False
    _asked_at: dt.datetime = attrs.field(init=False)
    _answered_at: dt.datetime | None = attrs.field(init=False, default=None)
    _effective: EffectiveRange = attrs.field(init=False, default=(None, None))
    _told: int = attrs.field(init=False, default=0)

    async def __call__(self) -> WindowEntry | None:
        """Fetch it; if it is cut off, fetch it again from its start, like `Export.save`.

        Returns:
            The added window; None if the run is over, or the last day is in doubt.

        Raises:
            TruncatedExportError: every attempt was cut off, or the content is incomplete although its end is
                verified.
            ExportError: the response is not such an export, a record cannot be read, or rows would be lost.
            TransportError: no complete response arrived.
            APIError: the service returned an error.
            OSError: a file cannot be written.
        """
        return await fetch_whole(self.spec, self._once)

    async def _once(self) -> WindowEntry | None:
        self.receiving = True
        job, temporary = self.job, self.destination.temporary
        # The report has the days that the service covered.
        spec = attrs.evolve(self.spec, open=self._open, asked=None)
        rejects = Rejects(temporary)
        if self.keep:
            spec = attrs.evolve(spec, on_malformed=rejects.take)
        counters = Counters(spec.description, spec.redact)
        parser = BlockParser(spec.reader(None), counters, spec.max_record_bytes)
        with engine_told(spec.description), arrow_told(spec.description):
            writer = writer_of(temporary, self.window, job, parser, self.memory)
            identified = parser.record is Event
            ids = Ids(self.engine, schema_of(parser.record).names) if identified else None
            output = Output(self.window, writer, ids, self.memory)
            output.check = self._check
            return await self._filled(output, partial(self._fill, spec, counters, parser), rejects, parser)

    async def _open(self) -> Download:
        self._asked_at = self.clock.machine()
        download = await self.spec.open()
        self._answered_at = self.clock.hear(download.headers)
        if self.spec.asked is not None:
            self._effective = effective_range(download.headers)
        return download

    def _end_day(self) -> Window | None:
        """Return the end day of the request, if its records matter; None also at the last possible date."""
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
            self._check_loss(output)
            ended = has_ended(self.window, self._answered_at or self._asked_at)
            self.shown = output.shown
            # A window that has not ended is fetched again.
            self.doubted = self.short and ended and not output.shown
            if not self.doubted or output.shorten():
                enter = partial(
                    output.enter,
                    provisional=not ended,
                    answered_at=self._answered_at,
                    effective=self._effective,
                    columns=self._columns(parser),
                )
                entry = await run_sync(enter, self.destination, rejects)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(output.discard, rejects)
            self._tell(0 if entry is None else entry.rows, 0)
            self._told = 0
        return entry

    def _check(self, part: Part) -> None:
        """Refuse a row that the destination cannot store, naming its line."""
        found = None if self.refuse is None else self.refuse(part.batch)
        if found is None:
            return
        row, reason = found
        line = part.line(row)
        raise MalformedRecordError(
            f"{self.spec.description}: line {line} {reason}",
            line_number=line,
            reason=reason,
            record=part.record(row)[:_RECORD_SHOWN],
        )

    def _check_loss(self, output: Output) -> None:
        if not self.guarded:
            return
        window, (first, behind) = self.window, self._effective
        old = [entry for entry in self.destination.manifest.windows if entry.window.overlaps(window)]
        reason = loss(old, output.rows, Window(first or window.start, behind or window.end))
        if reason is not None:
            raise ExportError(
                f"{self.spec.description}: {reason}; nothing was replaced (allow_loss=True replaces them)"
            )

    def _columns(self, parser: BlockParser[Record]) -> Sequence[str]:
        """Return the columns of a CSV that is written as received."""
        reader = parser.reader
        if isinstance(reader, EventReader) and self.job.format is ExportFormat.CSV:
            return reader.names if len(parser.header) <= _LONG_HEADER else ()
        return ()

    async def _fill(
        self, spec: ExportSpec[Record], counters: Counters, parser: BlockParser[Record], output: Output
    ) -> None:
        """Write received data while more is received."""
        source = BlockSource(
            Body(await spec.open(), counters), parser, _ROWS_AT_ONCE, spec.max_record_bytes, ahead=self.ahead
        )
        cursor = Cursor(source, parser, counters, spec.on_malformed)
        stages = _Stages(output, self.ahead)
        received = 0
        try:
            while parts := await cursor.more():
                await stages.take(parts)
                self._tell(output.rows, counters.bytes_received - received)
                received = counters.bytes_received
            await stages.take((), last=True)
            await stages.finish()
            self._tell(output.rows, counters.bytes_received - received)
        finally:
            cursor.close()
            await stages.close()

    def _tell(self, rows: int, received: int) -> None:
        self.arrived(rows - self._told, received)
        self._told = rows


@attrs.define(eq=False)
class _Stages:
    """Selects records in one thread while earlier ones are written in another.

    Attributes:
        output: selects and writes.
        ahead: whether to do both at the same time; else less is in memory.
    """

    output: Output
    ahead: bool
    _chosen: asyncio.Future[Sequence[Part]] | None = None
    _written: asyncio.Future[None] | None = None

    async def take(self, parts: Sequence[Part], *, last: bool = False) -> None:
        """Start with the next records, once there is room."""
        await self._pass_on()
        self._chosen = asyncio.ensure_future(run_sync(partial(self.output.choose, parts, last=last)))
        if not self.ahead:
            await self.finish()

    async def _pass_on(self) -> None:
        if self._chosen is None:
            return
        parts = await self._chosen
        self._chosen = None
        if parts:
            await self._rest()
            self._written = asyncio.ensure_future(run_sync(self.output.write, parts))

    async def _rest(self) -> None:
        if self._written is not None:
            await self._written
            self._written = None

    async def finish(self) -> None:
        """Wait until all are written."""
        await self._pass_on()
        await self._rest()

    async def close(self) -> None:
        """Wait for the threads; their errors are secondary to the one that ended this."""
        threads = (self._chosen, self._written)
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*(thread for thread in threads if thread is not None), return_exceptions=True)
