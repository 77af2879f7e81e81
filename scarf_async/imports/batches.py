"""Lines to batches that are sent, and what may follow an attempt to send one. Pure."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from operator import attrgetter
from typing import Final

import attrs

from scarf_async.dialects.v2.imports import is_limit
from scarf_async.entities import EventImport
from scarf_async.imports.rows import Line
from scarf_async.protocol.messages import Answer, Lost

__all__ = ["Batch", "Batcher", "Fate", "fate_of", "is_over", "pauses"]

_LARGEST: Final = 8 * 2**20
"""Bytes of lines after which a batch ends before it has all its rows: rows may be long, and memory is not."""
_LEVEL: Final = 4
"""Half the time of gzip's usual 6, for a tenth more bytes."""
_WEEK: Final = dt.timedelta(days=7)
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 30.0
_OVER: Final = frozenset({"done", "aborted"})


@attrs.frozen
class Batch:
    """Rows that are sent together.

    Attributes:
        lines: the rows.
        too_old: how many of them happened more than a week ago.
        resendable: whether each has a `$unique_id`, so that the batch may come twice.
    """

    lines: list[bytes] = attrs.field(repr=False)
    too_old: int
    resendable: bool

    def packed(self) -> bytes:
        """The body, gzipped."""
        return gzip.compress(b"\n".join(self.lines), _LEVEL)


@attrs.define
class Batcher:
    """Collects lines.

    Attributes:
        rows: how many a batch has.
        now: tells what the age of a batch's rows is counted from.
    """

    rows: int
    now: Callable[[], dt.datetime]
    _oldest: dt.datetime = attrs.field(init=False)
    _lines: list[bytes] = attrs.field(factory=list, init=False)
    _bytes: int = attrs.field(default=0, init=False)
    _too_old: int = attrs.field(default=0, init=False)
    _resendable: bool = attrs.field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self._oldest = self.now() - _WEEK

    def add(self, line: Line) -> bool:
        """Take a line; tell whether it was the batch's last one."""
        self._lines.append(line.text)
        self._bytes += len(line.text)
        self._too_old += line.time < self._oldest
        self._resendable = self._resendable and line.unique
        return self._is_full

    @property
    def room(self) -> int:
        """How many lines it takes before it is full."""
        return self.rows - len(self._lines)

    def extend(self, lines: Sequence[Line]) -> bool:
        """Take lines for which there is room, as `add` does; a little more than enough bytes is one batch, too."""
        texts = [line.text for line in lines]
        self._lines += texts
        self._bytes += sum(map(len, texts))
        oldest = self._oldest
        self._too_old += sum([line.time < oldest for line in lines])
        self._resendable = self._resendable and all(map(attrgetter("unique"), lines))
        return self._is_full

    @property
    def _is_full(self) -> bool:
        return len(self._lines) >= self.rows or self._bytes >= _LARGEST

    def take(self) -> Batch | None:
        """Return what was collected, and begin again; None where that is nothing."""
        batch = Batch(self._lines, self._too_old, self._resendable) if self._lines else None
        self._lines, self._bytes, self._too_old, self._resendable = [], 0, 0, True
        self._oldest = self.now() - _WEEK
        return batch


class Fate(Enum):
    """What an attempt to send a batch, with all its retries, means."""

    TAKEN = "taken"
    LATER = "later"
    """Too many imports of the owner are active: nothing of it was taken by this attempt."""
    UNKNOWN = "unknown"
    """Some attempt may have been taken."""
    REFUSED = "refused"


def fate_of(outcome: Answer | Lost, *, ambiguous: bool, patient: bool) -> Fate:
    """Decide what may follow.

    What was open stays open whatever is answered later: that an import was refused does not say that one before it
    was not taken.

    Args:
        outcome: the last attempt's.
        ambiguous: whether some attempt may have been taken without saying so.
        patient: whether there is time to wait until fewer imports are active.
    """
    if isinstance(outcome, Answer) and 200 <= outcome.status < 300:
        return Fate.TAKEN
    if patient and is_limit(outcome):
        return Fate.LATER
    return Fate.UNKNOWN if ambiguous else Fate.REFUSED


def is_over(shown: EventImport | None) -> bool | None:
    """Tell whether an import has ended; None where the service shows nothing that says so or not."""
    if shown is None or shown.status is None:
        return None
    if shown.status in _OVER:
        return True
    return False if shown.status == "importing" else None


def pauses() -> Iterator[float]:
    """The seconds between two looks at what takes its time: 2, doubled up to 30."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
