"""Read bodies and dates as the published description of v1 defines them, independently of the SDK."""

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
    """Return the time of a change in the service's format."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """Format a time: `2024-05-01T12:34:56.789012Z`; without a fraction of zero, like the service's JSON library."""
    pattern = "%Y-%m-%dT%H:%M:%S.%fZ" if moment.microsecond else "%Y-%m-%dT%H:%M:%SZ"
    return moment.astimezone(UTC).strftime(pattern)


def day(text: str) -> date | None:
    """Parse a date in the form `YYYY-MM-DD`; None for any other."""
    if _DAY.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def dump_json(value: JSON) -> bytes:
    """Return JSON in UTF-8 without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def parse_body(body: bytes) -> JSON:
    """Parse the JSON of a body; refuse anything else with a 400."""
    try:
        parsed: JSON = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON.") from None
    return parsed


def parse_query(text: str) -> dict[str, str | None]:
    """Parse query parameters: the first value of a repeated one, None for one without `=`."""
    query: dict[str, str | None] = {}
    for name, value in _pairs(text):
        query.setdefault(name, value)
    return query


def query_values(text: str, name: str) -> list[str | None]:
    """Return all values of one parameter."""
    return [value for of, value in _pairs(text) if of == name]


def _pairs(text: str) -> Iterator[tuple[str, str | None]]:
    for item in filter(None, text.split("&")):
        name, equals, value = item.partition("=")
        yield unquote_plus(name), unquote_plus(value) if equals else None


def url_host(url: str | None) -> str | None:
    """Return the host of a valid URL, in the form for comparisons."""
    return None if url is None else urlsplit(url).hostname


def url_path(url: str | None) -> str | None:
    """Return the path of a valid URL, without the leading slash."""
    # This runs for all packages of an owner at once: `urlsplit` would take most of the time.
    return None if url is None else re.split("[?#]", url.split("/", 3)[3], maxsplit=1)[0]


class Fields:
    """The fields of a JSON object. `null` counts as absent; unknown fields are ignored.

    Args:
        values: The object.
        where: The prefix of a field's name in messages: the place of the object in an array.
    """

    def __init__(self, values: dict[str, JSON], where: str = "") -> None:
        self._values = values
        self._where = where

    @classmethod
    def of(cls, body: JSON, where: str = "") -> Fields:
        """Return the fields of a body; refuse anything but an object with a 422."""
        if not isinstance(body, dict):
            raise Refusal(422, f"{where or 'The body'}: a JSON object is expected.")
        return cls(body, f"{where}." if where else "")

    def optional(self, name: str) -> str | None:
        """Return a string, or None if it is absent."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.refusal(name, "must be a string")
        if not is_unicode(value):
            raise self.refusal(name, "must be valid Unicode")
        return value

    def required(self, name: str) -> str:
        """Return a string, which may be empty but not absent."""
        value = self.optional(name)
        if value is None:
            raise self.refusal(name, "is required")
        return value

    def filled(self, name: str) -> str:
        """Return a non-empty string."""
        value = self.required(name)
        if not value.strip():
            raise self.refusal(name, "must not be empty")
        return value

    def word(self, name: str, words: Iterable[StrEnum]) -> str:
        """Return a word of a closed list."""
        value = self.required(name)
        known = [word.value for word in words]
        if value not in known:
            raise self.refusal(name, f"{value!r} is not one of {', '.join(known)}")
        return value

    def refuse_misspelling(self, wrong: str, right: str) -> None:
        """Refuse a field in the wrong case: ignoring it would hide the mistake."""
        if wrong in self._values:
            raise self.refusal(wrong, f"is not a field; it is spelled {right}")

    def refusal(self, name: str, complaint: str, status: int = 422, code: str | None = None) -> Refusal:
        """Return a refusal that names the field."""
        return Refusal(status, f"{self._where}{name}: {complaint}.", code)


def is_unicode(text: str) -> bool:
    """Return whether a string can be encoded in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
