"""What becomes of a window's records: filtered, told apart, written, entered. All of it blocks."""

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
"""Returns the first of some rows that a destination cannot take, and why."""

_DAY: Final = 86_400_000_000
"""Microseconds."""
_LOOKED_FOR_AT_ONCE: Final = 32_768
# Each look goes through all ids that there are: with their number grows what is looked for at once.
_GROWTH: Final = 8
_CONFLICTS: Final = 100
"""So many are named."""


@attrs.frozen
class _Times:
    """What times some records have.

    Attributes:
        at: whether one lies on the day in question.
        later: whether one lies on it after midnight.
        timed: whether one, of any day, does not lie at midnight.
    """

    at: bool = False
    later: bool = False
    timed: bool = False

    def __or__(self, other: _Times) -> _Times:
        return _Times(self.at or other.at, self.later or other.later, self.timed or other.timed)


class Output:
    """The files of one window in the making.

    Duplicates are looked for within the window alone: identical ones carry the same time, and by that they all lie
    in the same window. Of those the first to come stays. Records without an `id` are all kept: two that are equal
    need not be the same. Its methods run in threads, `choose` beside `write`, and after `discard` the others do
    nothing, since a cancelled task does not wait for its thread.

    Attributes:
        window: its days.
        check: is given what is about to be written, and may raise; None: nothing is checked.
        end_day: a day to look out for: that which the service was given as the end of the range.
        duplicates: how many were left out, since their id had been there.
        conflicting: how many of those were not equal to the first.
        outside: how many were left out, since they lie outside of the window.

    Args:
        window: its days.
        writer: writes them.
        ids: tells which came before; None for records that have none.
        memory: bytes of records that may wait.
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
        """How many were written."""
        return self._writer.rows

    def choose(self, parts: Sequence[Part], *, last: bool = False) -> Sequence[Part]:
        """Take the next records; return those that are to be written now, of these and of earlier ones.

        Args:
            parts: the records.
            last: whether no more come.
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
        """Write records that were chosen."""
        with self._turn:
            if self._over:
                return
            if self.check is not None:
                for part in parts:
                    self.check(part)
            self._writer.write(parts)

    def _inside(self, part: Part) -> Part:
        if "rollup" in part.batch.schema.names:
            # The date of an aggregation is that of its bucket, which a window may cut.
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
        """Return what waits, without the records whose id came before."""
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
        # Each thread that was at work would keep some for itself.
        pa.default_memory_pool().release_unused()
        return kept

    @property
    def shown(self) -> bool:
        """Whether records of the end day came, and not only of the moment at which it begins.

        Unless no record at all says more than the day.
        """
        return self._times.later or (self._times.at and not self._times.timed)

    def shorten(self) -> bool:
        """Leave the last day out of the window; False where nothing remains, or something of that day is there."""
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
        """Finish the files, hand them to the destination, and enter the window; None where the run is over."""
        with self._turn:
            if self._over:
                return None
            finished = self._writer.finish(self.window)
            rejected = rejects.finish(self.window)
            # From now on the files are the destination's.
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
        # Nobody who gives up waits for this.
        return entry if destination.enter(entry, [made for made, _ in (*finished, *rejected)]) else None

    def discard(self, rejects: Rejects) -> None:
        """Remove whatever is not in its place."""
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
    """Return what times some events have."""
    numbers = moments.cast(pa.int64())
    days = pc.divide(numbers, _DAY)
    timed = pc.not_equal(numbers, pc.multiply(days, _DAY))
    on = pc.equal(days, day.start.toordinal() - dt.date(1970, 1, 1).toordinal())
    return _Times(on.true_count > 0, pc.and_(on, timed).true_count > 0, timed.true_count > 0)
