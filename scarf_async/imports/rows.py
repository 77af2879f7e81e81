"""Convert rows to NDJSON lines and check them. Messages name a row by number and never quote it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final, Generic, TypeAlias, TypeVar

import attrs
import msgspec

from scarf_async.errors import ValidationError
from scarf_async.protocol.tolerant import loads

__all__ = ["Checker", "Line", "Lines", "Row", "UniqueId"]

T = TypeVar("T")

Row: TypeAlias = Mapping[str, object]
UniqueId: TypeAlias = Callable[[Row], str]
"""Returns the `$unique_id` of a row."""


class _Known(msgspec.Struct, Generic[T], gc=False):
    """The keys of a row that are checked."""

    time: T = msgspec.field(name="$time")
    package: str | None = msgspec.field(default=None, name="$package")
    pixel: str | None = msgspec.field(default=None, name="$tracking_pixel")
    unique_id: str | int | None = msgspec.field(default=None, name="$unique_id")


class Line(msgspec.Struct, frozen=True, gc=False):
    """A row in the form that is sent.

    `time` is when the event happened. `unique` is whether the service can recognize the row, so that it can be sent
    again.
    """

    text: bytes
    time: dt.datetime
    unique: bool


class Lines(msgspec.Struct, frozen=True):
    """Several rows in the form that is sent; `unique` is whether the service can recognize all of them."""

    texts: list[bytes]
    times: list[dt.datetime]
    unique: bool


# Few files have other timestamps than these, whose reader takes a third of the time of Python's.
_read = msgspec.json.Decoder(_Known[Annotated[dt.datetime, msgspec.Meta(tz=True)]]).decode
_read_any_time = msgspec.json.Decoder(_Known[str]).decode
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_write = msgspec.json.Encoder().encode


@attrs.frozen
class Checker:
    """Checks rows and converts them to lines.

    Attributes:
        addressed: whether each row must name its package or pixel, since the call names none.
        unique_id: returns the `$unique_id` of a row without one.
    """

    addressed: bool
    unique_id: UniqueId | None = None

    def row(self, number: int, row: object) -> Line:
        """Check and convert a mapping.

        Raises:
            ValidationError: the row cannot be imported.
        """
        if not isinstance(row, Mapping):
            raise _refusal(number, f"a mapping is expected, not {type(row).__name__}")
        sent: dict[str, object] = dict(row)
        time = sent.get("$time")
        if isinstance(time, dt.datetime):
            sent["$time"] = time.isoformat()
        if self.unique_id is not None and not _is_unique(sent.get("$unique_id")):
            unique_id: object = self.unique_id(row)
            if not isinstance(unique_id, str) or not unique_id:
                raise _refusal(number, "unique_id returned something else than a text that is not empty")
            sent["$unique_id"] = unique_id
        try:
            text = _write(sent)
        except (TypeError, ValueError, OverflowError, RecursionError):
            raise _refusal(number, "it holds something that JSON cannot say") from None
        return self._checked(number, text)

    def line(self, number: int, text: bytes) -> Line:
        """Check a line of NDJSON without its line end; it is sent unchanged unless a `$unique_id` is added.

        Raises:
            ValidationError: the row cannot be imported.
        """
        if self.unique_id is None:
            # Keys that are not checked are not decoded either, and invalid ones would spoil the batch.
            if not (text.isascii() or _is_utf8(text)):
                raise _refusal(number, "it is not UTF-8")
            return self._checked(number, text)
        return self.row(number, _object(number, text))

    def lines(self, numbers: Sequence[int], texts: list[bytes]) -> Lines:
        """Take several lines, as `line` does.

        Raises:
            ValidationError: one of them cannot be imported.
        """
        if self.unique_id is None and (all(map(bytes.isascii, texts)) or _is_utf8(b"\n".join(texts))):
            with suppress(*_UNREADABLE):
                known = list(map(_read, texts))
                if not self.addressed or all(one.package or one.pixel for one in known):
                    ids = [one.unique_id for one in known]
                    return Lines(texts, [one.time for one in known], None not in ids and "" not in ids)
        # One by one, for the message that names the row.
        lines = list(map(self.line, numbers, texts))
        return Lines([one.text for one in lines], [one.time for one in lines], all(one.unique for one in lines))

    def _checked(self, number: int, text: bytes) -> Line:
        known: _Known[dt.datetime] | _Known[str]
        try:
            known = _read(text)
        except _UNREADABLE:
            try:
                known = _read_any_time(text)
            except _UNREADABLE:
                raise _refusal(number, _fault(_object(number, text))) from None
        if self.addressed and not (known.package or known.pixel):
            raise _refusal(
                number,
                "it has neither $package nor $tracking_pixel; name one in each row, or give package= or pixel=",
            )
        time = _moment(number, known.time) if isinstance(known.time, str) else known.time
        return Line(text, time, _is_unique(known.unique_id))


def _moment(number: int, text: str) -> dt.datetime:
    try:
        time = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _refusal(number, "$time is not an ISO timestamp") from None
    if time.tzinfo is None:
        raise _refusal(number, "$time has no time zone")
    return time


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_unique(value: object) -> bool:
    return value is not None and value != ""


def _object(number: int, text: bytes) -> Row:
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        raise _refusal(number, "it is not JSON") from None
    if not isinstance(value, dict):
        raise _refusal(number, "it is not a JSON object")
    return value


def _fault(row: Row) -> str:
    """Return why a row is invalid although a tolerant reader accepts it as a JSON object."""
    if row.get("$time") is None:
        return "it has no $time"
    for name in ("$time", "$package", "$tracking_pixel", "$unique_id"):
        if not isinstance(row.get(name), str | None):
            return f"{name} is not a text"
    return "it is not JSON"


def _refusal(number: int, why: str) -> ValidationError:
    return ValidationError(f"row {number}: {why}", field="rows")
