"""One window, from the service into its files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import attrs
from anyio.to_thread import run_sync

from scarf_async.errors import ExportError
from scarf_async.exports.formats import ExportFormat
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.output import Output, Rejects
from scarf_async.exports.jobs.plan import loss
from scarf_async.exports.jobs.text_output import Record, Row, RowReader, Rows, TextOutput
from scarf_async.exports.jobs.windows import ServiceClock, Window, has_ended
from scarf_async.exports.parsers import TypedParser
from scarf_async.exports.reading import Body, Cursor
from scarf_async.exports.save import fetch_whole
from scarf_async.exports.spec import Counters, Download, EffectiveRange, ExportSpec, effective_range
from scarf_async.exports.stream import Export

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

__all__ = ["Fetch"]

B = TypeVar("B")

# What goes into one hop to a thread: hops cost more than writing does.
_BYTES_AT_ONCE: Final = 2**20
_ROWS_AT_ONCE: Final = 2**14


@attrs.define(eq=False)
class Fetch:
    """Fetches one window into a directory, and enters it.

    Attributes:
        spec: the export of the window's days, with nothing left out.
        window: the window.
        job: whose window it is.
        directory: where to.
        clock: tells the time.
        short: whether the window is asked for up to its last day, which only some services send.
        keep: whether records that cannot be read go into a file of the window.
        guarded: whether rows that are there must not be lost to an answer that knows of less.
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
    short: bool = False
    keep: bool = False
    guarded: bool = False
    shown: bool = False
    doubted: bool = False
    _asked_at: dt.datetime = attrs.field(init=False)
    _answered_at: dt.datetime | None = attrs.field(init=False, default=None)
    _effective: EffectiveRange = attrs.field(init=False, default=(None, None))

    async def __call__(self) -> WindowEntry | None:
        """Fetch it; what was cut off, anew from its start, as `Export.save` does.

        Returns:
            What was entered; None where the run is over, or the last day is in doubt.

        Raises:
            TruncatedExportError: every attempt was cut, or the content is although its end is proven.
            ExportError: the answer is no such export, a record cannot be read, or rows would be lost.
            TransportError: no answer came.
            APIError: the service said no.
            OSError: something cannot be written.
        """
        return await fetch_whole(self.spec, self._once)

    async def _once(self) -> WindowEntry | None:
        job, temporary = self.job, self.directory.temporary
        # What the service looked at is in the report.
        spec = attrs.evolve(self.spec, open=self._open, asked=None)
        heard = spec.on_malformed if callable(spec.on_malformed) else None
        rejects = Rejects(temporary, keep=self.keep, hear=heard)
        if self.keep or spec.on_malformed != "raise":
            spec = attrs.evolve(spec, on_malformed=rejects.take)
        reader = RowReader(spec.reader(None))
        if job.format is ExportFormat.PARQUET:
            from scarf_async.exports.arrow import arrow_told, schema_of  # noqa: PLC0415 # pyarrow is large, and an
            from scarf_async.exports.jobs.parquet import ParquetOutput  # noqa: PLC0415 # extra

            batches = ParquetOutput(temporary, self.window, schema_of(reader.record), job.partition_by)
            with arrow_told(spec.description):
                return await self._filled(batches, partial(self._fill_batches, spec), rejects)
        rows = TextOutput(temporary, self.window, job.format, reader.record, lambda: reader.header)
        return await self._filled(rows, partial(self._fill_rows, spec, reader), rejects)

    async def _open(self) -> Download:
        self._asked_at = self.clock.machine()
        download = await self.spec.open()
        self._answered_at = self.clock.hear(download.headers)
        if self.spec.asked is not None:
            self._effective = effective_range(download.headers)
        return download

    def _end_day(self) -> Window | None:
        """Return the day that the service is given as the end, where it says something; dates end, too."""
        if self.job.api != "v2" or self.window.end == dt.date.max:
            return None
        day = self.window.end - dt.timedelta(self.short)
        return Window(day, day + dt.timedelta(1))

    async def _filled(
        self, output: Output[B], fill: Callable[[Output[B]], Awaitable[None]], rejects: Rejects
    ) -> WindowEntry | None:
        entry: WindowEntry | None = None
        output.end_day = self._end_day()
        try:
            await fill(output)
            self._check_loss(output.rows)
            ended = has_ended(self.window, self._answered_at or self._asked_at)
            self.shown = output.shown
            # What has not ended is fetched again.
            self.doubted = self.short and ended and not output.shown
            if not self.doubted or output.shorten():
                enter = partial(
                    output.enter,
                    provisional=not ended,
                    answered_at=self._answered_at,
                    effective=self._effective,
                )
                entry = await run_sync(enter, self.directory, rejects)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(output.discard, rejects)
            if entry is None:
                self.arrived(-output.rows, 0)
        return entry

    def _check_loss(self, rows: int) -> None:
        if not self.guarded:
            return
        window, (first, behind) = self.window, self._effective
        old = [entry for entry in self.directory.manifest.windows if entry.window.overlaps(window)]
        reason = loss(old, rows, Window(first or window.start, behind or window.end))
        if reason is not None:
            raise ExportError(
                f"{self.spec.description}: {reason}; nothing was replaced (allow_loss=True replaces them)"
            )

    async def _fill_batches(self, spec: ExportSpec[Record], output: Output[pa.RecordBatch]) -> None:
        received = 0
        async with Export(spec) as stream:
            async for batch in stream.record_batches(_ROWS_AT_ONCE):
                await self._add(output, batch, stream.bytes_received - received)
                received = stream.bytes_received

    async def _fill_rows(self, spec: ExportSpec[Record], reader: RowReader[Record], output: Output[Rows]) -> None:
        counters = Counters(spec.description, spec.redact)
        download = await spec.open()
        try:
            parser = TypedParser(reader, counters, spec.max_record_bytes)
            cursor = Cursor(Body(download, counters), parser, counters, spec.on_malformed)
            rows: list[Row[Record]] = []
            waiting = received = 0
            while items := await cursor.more():
                rows += items
                waiting += sum(len(raw) for raw, _ in items)
                if waiting >= _BYTES_AT_ONCE:
                    await self._add(output, rows, counters.bytes_received - received)
                    rows, waiting, received = [], 0, counters.bytes_received
            await self._add(output, rows, counters.bytes_received - received)
        finally:
            download.close()

    async def _add(self, output: Output[B], batch: B, received: int) -> None:
        before = output.rows
        await run_sync(output.add, batch)
        self.arrived(output.rows - before, received)
