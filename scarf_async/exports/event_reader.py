"""Parse CSV records to events: by column name, in any order, a column at a time. Pure."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

import attrs

from scarf_async.entities import Event
from scarf_async.exports.building import Factory
from scarf_async.exports.csv_format import CsvFormat
from scarf_async.exports.lines import RecordError, shown
from scarf_async.protocol.wire import parse_time

__all__ = ["EventReader"]

# Times that Python parses directly, aware and in UTC. `fromisoformat` alone accepts too many other forms.
_UTC_COLUMN = re.compile(r"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|\+00:00)\n)*+", re.ASCII)


def _moment(text: str) -> dt.datetime:
    try:
        return parse_time(text)
    except ValueError:
        pass
    raise RecordError(f"column 'time': {shown(text)} is not a time" if text else "column 'time' is empty")


def moments(column: Sequence[str]) -> list[dt.datetime]:
    """Parse a column of timestamps to aware ones in UTC.

    Raises:
        RecordError: a value is not a timestamp.
    """
    if _UTC_COLUMN.fullmatch("\n".join(column) + "\n"):
        try:
            return list(map(dt.datetime.fromisoformat, column))
        except ValueError:
            pass
    return [_moment(text) for text in column]


Column: TypeAlias = Sequence[str]

_REQUIRED: Final = ("type", "time")
_NUMBERS: Final = frozenset({"origin_latitude", "origin_longitude", "confidence"})
_FLAGS: Final = frozenset({"dnt", "mtc_quota_exceeded"})
_KNOWN: Final = tuple(field.name for field in attrs.fields(Event) if field.name != "extra")

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# float() alone accepts white space, underscores, other digits and infinities; with these characters only numbers.
_PLAIN: Final = b"0123456789.-\n"
_FINITE: Final = 300
_FLAG_WORDS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_FLAG_OF: Final[dict[str, bool | None]] = {"": None} | {
    form: value for word, value in _FLAG_WORDS.items() for form in (word, word.upper(), word.capitalize())
}


def _words(column: Column) -> list[str | None]:
    return [word or None for word in column]


def _as_it_is(column: Column) -> Column:
    return column


def _number(name: str, text: str) -> float | None:
    if not text:
        return None
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    if math.isinf(number):
        raise RecordError(f"column {name!r}: {shown(text)} is not a number")
    return number


def _numbers(name: str, column: Column) -> list[float | None]:
    lines = "\n".join(column).encode()
    is_plain = not lines.translate(None, _PLAIN) and lines.count(b"\n") == len(column) - 1
    if is_plain and max(map(len, column)) < _FINITE:
        try:
            return [float(text) if text else None for text in column]
        except ValueError:
            pass
    return [_number(name, text) for text in column]


def _flag(name: str, text: str) -> bool | None:
    word = text.lower()
    if word not in _FLAG_OF:
        raise RecordError(f"column {name!r}: {shown(text)} is not a boolean")
    return _FLAG_OF[word]


def _flags(name: str, column: Column) -> list[bool | None]:
    try:
        return [_FLAG_OF[text] for text in column]
    except KeyError:
        return [_flag(name, text) for text in column]


def _converter(name: str) -> Callable[[Column], Sequence[object]]:
    if name in _REQUIRED:
        return _as_it_is
    if name in _NUMBERS:
        return partial(_numbers, name)
    return partial(_flags, name) if name in _FLAGS else _words


_EVENTS: Final = Factory(Event)


class EventReader(CsvFormat):
    """Reads CSV records as `Event`s, by the header.

    Attributes:
        names: the columns, once there was a header.
        end: as given.

    Args:
        end: events from the beginning of this day (UTC) on are left out; None for no filter.
    """

    record: Final = Event

    def __init__(self, end: dt.date | None) -> None:
        self._end = None if end is None else dt.datetime(end.year, end.month, end.day, tzinfo=dt.UTC)
        self.end = end
        self._time = -1
        self._columns: list[tuple[str, int, Callable[[Column], Sequence[object]]]] = []
        self._unknown: list[tuple[str, int]] = []

    def begin(self, header: bytes, *, typed: bool) -> None:
        """Read the header.

        Raises:
            RecordError: `type` or `time` is missing or repeated; for typed reading, any column is repeated.
        """
        names = self.take_header(header, _REQUIRED, typed=typed)
        self._time = names.index("time")
        self._columns = [
            (name, names.index(name), _converter(name)) for name in _KNOWN if name in names and name != "time"
        ]
        self._unknown = [(name, at) for at, name in enumerate(names) if name not in _KNOWN]

    def decode(self, records: list[bytes]) -> tuple[list[Event], int]:
        """Return events without those at or after the end, and the number of those.

        Raises:
            RecordError: a record cannot be read.
        """
        columns, times = self._read(records)
        if self._end is None or max(times) < self._end:
            return self._events(columns, times), 0
        kept = [at for at, time in enumerate(times) if time < self._end]
        columns = [[column[at] for at in kept] for column in columns]
        return self._events(columns, [times[at] for at in kept]), len(times) - len(kept)

    def late(self, records: list[bytes]) -> list[bool]:
        """Return for each record whether its time is at or after the end.

        Raises:
            RecordError: a record cannot be read.
        """
        _, times = self._read(records)
        return [self._end is not None and time >= self._end for time in times]

    def _read(self, records: list[bytes]) -> tuple[Sequence[Column], list[dt.datetime]]:
        columns: list[Column] = list(zip(*self.rows_of(records), strict=True))
        return columns, moments(columns[self._time])

    def _events(self, columns: Sequence[Column], times: list[dt.datetime]) -> list[Event]:
        made: dict[str, Sequence[object]] = dict.fromkeys(_KNOWN, [None] * len(times))
        for name, at, convert in self._columns:
            made[name] = convert(columns[at])
        made["time"] = times
        made["extra"] = self._extras(columns, len(times))
        return _EVENTS.make(made)

    def _extras(self, columns: Sequence[Column], count: int) -> list[dict[str, str | None]]:
        if not self._unknown:
            return [{} for _ in range(count)]
        names = [name for name, _ in self._unknown]
        rows = zip(*(_words(columns[at]) for _, at in self._unknown), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]
