"""Batches of lines, and what may follow an attempt to send one. Pure."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

import attrs

from scarf_async.dialects.v2.imports import is_limit
from scarf_async.entities import EventImport
from scarf_async.imports.rows import Line, Lines
from scarf_async.protocol.messages import Answer, Lost

__all__ = ["Batch", "Batcher", "Fate", "fate_of", "is_over", "pauses"]

_LARGEST: Final = 8 * 2**20
"""The size of lines in bytes after which a batch ends early, to bound memory if rows are long."""
_LEVEL: Final = 4
"""Takes half the time of gzip's default of 6, for a tenth more bytes."""
_WEEK: Final = dt.timedelta(days=7)
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 30.0
_OVER: Final = frozenset({"done", "aborted"})


@attrs.frozen
class Batch:
    """Rows that are sent together.

    Attributes:
        lines: the rows.
        too_old: the number of rows older than a week.
        resendable: whether each row has a `$unique_id`, so that the batch can be retried.
    """

    lines: list[bytes] = attrs.field(repr=False)
    too_old: int
    resendable: bool

    def packed(self) -> bytes:
        """The gzipped body."""
        return gzip.compress(b"\n".join(self.lines), _LEVEL)


@attrs.define
class Batcher:
    """Collects lines into batches.

    Attributes:
        rows: the maximum number of rows in a batch.
        now: returns the time from which the age of rows is counted.
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
        """Add a line; return whether the batch is full."""
        self._lines.append(line.text)
        self._bytes += len(line.text)
        self._too_old += line.time < self._oldest
        self._resendable = self._resendable and line.unique
        return self._is_full

    @property
    def room(self) -> int:
        """How many lines it takes before it is full."""
        return self.rows - len(self._lines)

    def extend(self, lines: Lines) -> bool:
        """Take lines for which there is room, as `add` does; a little more than enough bytes is one batch, too."""
        self._lines += lines.texts
        self._bytes += sum(map(len, lines.texts))
        oldest = self._oldest
        self._too_old += sum([time < oldest for time in lines.times])
        self._resendable = self._resendable and lines.unique
        return self._is_full

    @property
    def _is_full(self) -> bool:
        return len(self._lines) >= self.rows or self._bytes >= _LARGEST

    def take(self) -> Batch | None:
        """Return the batch, and begin a new one; None if it is empty."""
        batch = Batch(self._lines, self._too_old, self._resendable) if self._lines else None
        self._lines, self._bytes, self._too_old, self._resendable = [], 0, 0, True
        self._oldest = self.now() - _WEEK
        return batch


class Fate(Enum):
    """The meaning of an attempt to send a batch, with all its retries."""

    TAKEN = "taken"
    LATER = "later"
    """Too many imports of the owner are active: this attempt was not accepted."""
    UNKNOWN = "unknown"
    """An attempt may have been accepted."""
    REFUSED = "refused"


def fate_of(outcome: Answer | Lost, *, ambiguous: bool, patient: bool) -> Fate:
    """Decide what may follow an attempt.

    An ambiguous attempt stays ambiguous whatever follows: a later refusal does not show that it was not accepted.

    Args:
        outcome: the outcome of the last attempt.
        ambiguous: whether an attempt without a response may have been accepted.
        patient: whether there is time to wait until fewer imports are active.
    """
    if isinstance(outcome, Answer) and 200 <= outcome.status < 300:
        return Fate.TAKEN
    if patient and is_limit(outcome):
        return Fate.LATER
    return Fate.UNKNOWN if ambiguous else Fate.REFUSED


def is_over(shown: EventImport | None) -> bool | None:
    """Return whether an import has ended; None if the service does not show it."""
    if shown is None or shown.status is None:
        return None
    if shown.status in _OVER:
        return True
    return False if shown.status == "importing" else None


def pauses() -> Iterator[float]:
    """Yield the seconds between two polls: 2, doubled up to 30."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
