"""Process the records of a window: filter, deduplicate, write, and add them. All methods block."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pyarrow.compute as pc  # type: ignore[import-untyped] # it ships no types

from scarf_async.exports.arrow import Part
from scarf_async.exports.jobs.destination import Destination
from scarf_async.exports.jobs.engine import Ids
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.rejects import Rejects
from scarf_async.exports.jobs.windows import Window, midnight
from scarf_async.exports.jobs.writers import Writer
from scarf_async.exports.spec import EffectiveRange

__all__ = ["Output", "Refuse"]

Refuse: TypeAlias = Callable[[pa.RecordBatch], tuple[int, str] | None]
"""Returns the first row that a destination cannot store, and why."""

_DAY: Final = 86_400_000_000
"""Microseconds."""
_LOOKED_FOR_AT_ONCE: Final = 32_768
# Each lookup scans all ids so far, so batches grow with their number.
_GROWTH: Final = 8
_CONFLICTS: Final = 100
"""The maximum number of named lines."""


@attrs.frozen
class _Times:
    """The times of some records.

    Attributes:
        at: whether one is on the end day.
        later: whether one is on it after midnight.
        timed: whether one, on any day, is not at midnight.
    """

    at: bool = False
    later: bool = False
    timed: bool = False

    def __or__(self, other: _Times) -> _Times:
        return _Times(self.at or other.at, self.later or other.later, self.timed or other.timed)


class Output:
    """Builds the files of one window.

    Duplicates are only searched within the window: identical records have the same time, and so are in the same
    window. The first one is kept. Records without an `id` are all kept: equal ones need not be the same event. Its
    methods run in threads, `choose` concurrently with `write`; after `discard` they do nothing, since a cancelled
    task does not wait for its thread.

    Attributes:
        window: its days.
        check: called with records before they are written, and may raise; None for no check.
        end_day: the end day of the request, whose records are detected.
        duplicates: the number of dropped records with a repeated id.
        conflicting: how many of those differ from the first.
        outside: the number of dropped records outside the window.

    Args:
        window: its days.
        writer: writes the records.
        ids: finds repeated ids; None for records without ids.
        memory: the maximum size in bytes of records in memory.
    """

    def __init__(self, window: Window, writer: Writer, ids: Ids | None, memory: int) -> None:
        self.window: Window = window
        self.check: Callable[[Part], object] | None = None
        self.end_day: Window | None = None
        self.duplicates: int = 0
        self.conflicting: int = 0
        self.outside: int = 0
        self._writer = writer
        self._ids = ids
        self._memory = memory
        self._conflicts: list[int] = []
        self._waiting: list[Part] = []
        self._rows = 0
        self._bytes = 0
        self._looked_for = 0
        self._times = _Times()
        self._choosing = threading.Lock()
        self._turn = threading.Lock()
        self._over = False

    @property
    def rows(self) -> int:
        """The number of records that were written."""
        return self._writer.rows

    def choose(self, parts: Sequence[Part], *, last: bool = False) -> Sequence[Part]:
        """Add records; return those to write now, of these and earlier ones.

        Args:
            parts: the records.
            last: whether these are the last ones.
        """
        with self._choosing:
            if self._over:
                return ()
            inside = [self._inside(part) for part in parts]
            if self._ids is None:
                return inside
            self._waiting += inside
            self._rows += sum(part.batch.num_rows for part in inside)
            self._bytes += sum(part.nbytes for part in inside)
            enough = max(_LOOKED_FOR_AT_ONCE, self._looked_for // _GROWTH)
            if self._waiting and (last or self._bytes >= self._memory or self._rows >= enough):
                return self._once(self._ids)
            return ()

    def write(self, parts: Sequence[Part]) -> None:
        """Write selected records."""
        with self._turn:
            if self._over:
                return
            if self.check is not None:
                for part in parts:
                    self.check(part)
            self._writer.write(parts)

    def _inside(self, part: Part) -> Part:
        if "rollup" in part.batch.schema.names:
            # The date of an aggregation is that of its bucket, which may begin before the window.
            return part
        moments = part.batch.column("time" if self._ids is not None else "date")
        if self.end_day is not None and not self._times.later:
            self._times |= _look(moments, self.end_day)
        bounds: list[dt.date] = [self.window.start, self.window.end]
        if self._ids is not None:
            bounds = [midnight(day) for day in bounds]
        start, end = (pa.scalar(bound, moments.type) for bound in bounds)
        inside = pc.and_(pc.greater_equal(moments, start), pc.less(moments, end))
        self.outside += inside.false_count
        return part.where(inside)

    def _once(self, ids: Ids) -> Sequence[Part]:
        """Return the waiting records, without those with a repeated id."""
        parts, self._waiting = self._waiting, []
        self._looked_for += self._rows
        self._rows = self._bytes = 0
        fresh, differing = ids.take_in(pa.Table.from_batches([part.batch for part in parts]))
        self.duplicates += fresh.false_count
        self.conflicting += len(differing)
        named = differing[: _CONFLICTS - len(self._conflicts)]
        kept: list[Part] = []
        begin = 0
        for part in parts:
            rows = range(begin, begin := begin + part.batch.num_rows)
            self._conflicts += [part.line(row - rows.start) for row in named if row in rows]
            kept.append(part.where(fresh.slice(rows.start, len(rows))))
        # Each thread would keep some of the memory.
        pa.default_memory_pool().release_unused()
        return kept

    @property
    def shown(self) -> bool:
        """Whether there were records of the end day, and not only of its first moment.

        If no record has a time of day, those of its first moment count.
        """
        return self._times.later or (self._times.at and not self._times.timed)

    def shorten(self) -> bool:
        """Remove the last day from the window; return False if nothing remains, or that day has records."""
        last = self.window.end - dt.timedelta(1)
        if self._times.at or last == self.window.start:
            return False
        self.window = Window(self.window.start, last)
        return True

    def enter(
        self,
        destination: Destination,
        rejects: Rejects,
        *,
        provisional: bool,
        answered_at: dt.datetime | None,
        effective: EffectiveRange = (None, None),
        columns: Sequence[str],
    ) -> WindowEntry | None:
        """Finish the files, and add the window to the destination; None if the run is over."""
        with self._turn:
            if self._over:
                return None
            finished = self._writer.finish(self.window)
            rejected = rejects.finish(self.window)
            # From now on, the destination owns the files.
            self._over = True
            entry = WindowEntry(
                self.window.start,
                self.window.end,
                self.rows,
                self.duplicates,
                self.outside,
                provisional,
                dt.datetime.now(dt.UTC),
                answered_at,
                tuple(file for _, file in finished),
                rejects.count,
                next((file for _, file in rejected), None),
                self.conflicting,
                tuple(self._conflicts),
                tuple(columns),
                *effective,
            )
        # A cancelled task does not wait for this.
        return entry if destination.enter(entry, [made for made, _ in (*finished, *rejected)]) else None

    def discard(self, rejects: Rejects) -> None:
        """Remove unplaced files."""
        with self._choosing, self._turn:
            self._waiting.clear()
            self._writer.close()
            if self._ids is not None:
                self._ids.close()
            if self._over:
                return
            self._over = True
            try:
                self._writer.discard()
            finally:
                rejects.discard()


def _look(moments: pa.Array, day: Window) -> _Times:
    """Return the times of some events."""
    numbers = moments.cast(pa.int64())
    days = pc.divide(numbers, _DAY)
    timed = pc.not_equal(numbers, pc.multiply(days, _DAY))
    on = pc.equal(days, day.start.toordinal() - dt.date(1970, 1, 1).toordinal())
    return _Times(on.true_count > 0, pc.and_(on, timed).true_count > 0, timed.true_count > 0)
