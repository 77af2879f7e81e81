"""Reading bodies and dates as the published API v1 description words them, without the SDK's own reading."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from scarf_async.emulator.answers import JSON, Refusal

__all__ = [
    "Fields",
    "day",
    "dump_json",
    "is_unicode",
    "now",
    "parse_body",
    "parse_query",
    "query_values",
    "timestamp",
    "url_host",
    "url_path",
]

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def now() -> str:
    """The time of a change, as the service writes it."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """`2024-05-01T12:34:56.789012Z`; a fraction of zero is left out, as the service's JSON library does."""
    pattern = "%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ"
    return moment.astimezone(UTC).strftime(pattern)


def day(text: str) -> date | None:
    """A date in `YYYY-MM-DD` and in no other form, or None."""
    if _DAY.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def dump_json(value: JSON) -> bytes:
    """JSON in UTF-8 without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def parse_body(body: bytes) -> JSON:
    """The JSON of a body; 400 where it is none."""
    try:
        parsed: JSON = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON.") from None
    return parsed


def parse_query(text: str) -> dict[str, str | None]:
    """The parameters of a query: of a repeated one the first, and None for one without `=`."""
    query: dict[str, str | None] = {}
    for name, value in _pairs(text):
        query.setdefault(name, value)
    return query


def query_values(text: str, name: str) -> list[str | None]:
    """All values of one parameter."""
    return [value for of, value in _pairs(text) if of == name]


def _pairs(text: str) -> Iterator[tuple[str, str | None]]:
    for item in filter(None, text.split("&")):
        name, equals, value = item.partition("=")
        yield unquote_plus(name), unquote_plus(value) if equals else None


def url_host(url: str | None) -> str | None:
    """The host of an address that was checked, in the form in which hosts are compared."""
    return None if url is None else urlsplit(url).hostname


def url_path(url: str | None) -> str | None:
    """The path of an address that was checked, without the slash in front."""
    # Of all packages of an owner at once: `urlsplit` would take most of the time.
    return None if url is None else re.split("[?#]", url.split("/", 3)[3], maxsplit=1)[0]


class Fields:
    """The fields of a JSON object. `null` reads as absent; what nobody asks for is ignored.

    Args:
        values: The object.
        where: What is before a field's name in a message: the place of the object in an array.
    """

    def __init__(self, values: dict[str, JSON], where: str = "") -> None:
        self._values = values
        self._where = where

    @classmethod
    def of(cls, body: JSON, where: str = "") -> Fields:
        """The fields of a body; 422 where it is not an object."""
        if not isinstance(body, dict):
            raise Refusal(422, f"{where or 'The body'}: a JSON object is expected.")
        return cls(body, f"{where}." if where else "")

    def optional(self, name: str) -> str | None:
        """A text, or None where it is absent."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.refusal(name, "must be a string")
        if not is_unicode(value):
            raise self.refusal(name, "must be valid Unicode")
        return value

    def required(self, name: str) -> str:
        """A text that may be empty but not absent."""
        value = self.optional(name)
        if value is None:
            raise self.refusal(name, "is required")
        return value

    def filled(self, name: str) -> str:
        """A text with something in it."""
        value = self.required(name)
        if not value.strip():
            raise self.refusal(name, "must not be empty")
        return value

    def word(self, name: str, words: Iterable[StrEnum]) -> str:
        """One word of a closed list."""
        value = self.required(name)
        known = [word.value for word in words]
        if value not in known:
            raise self.refusal(name, f"{value!r} is not one of {', '.join(known)}")
        return value

    def refuse_misspelling(self, wrong: str, right: str) -> None:
        """Refuse a field that is written in the wrong case, where ignoring it would hide the mistake."""
        if wrong in self._values:
            raise self.refusal(wrong, f"is not a field; it is spelled {right}")

    def refusal(self, name: str, complaint: str, status: int = 422, code: str | None = None) -> Refusal:
        """A refusal that names the field."""
        return Refusal(status, f"{self._where}{name}: {complaint}.", code)


def is_unicode(text: str) -> bool:
    """Whether a text can be written in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
