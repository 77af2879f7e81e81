"""Building blocks of the entity classes: JSON, the UNSET marker, and the validators of fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum, StrEnum
from functools import cache
from typing import Final, Literal, TypeAlias, TypeVar
from urllib.parse import SplitResult, urlsplit

import attrs

from scarf_async.errors import ValidationError

__all__ = [
    "JSON",
    "UNSET",
    "Unset",
    "absolute_url",
    "docker_url",
    "extra",
    "one_of",
    "optional_text",
    "some_text",
    "text_or_unset",
    "without_user",
]

JSON: TypeAlias = bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"] | None
"""Any JSON value, as Python reads it."""

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


UNSET: Final = Unset.UNSET
"""The value of a field to leave out of the body; None is sent as JSON `null`."""

# One path component of a docker URL, from the published description.
_COMPONENT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_USER = re.compile(r"(//)[^/@]*@")


def extra() -> Mapping[str, JSON]:
    """Declare the attribute that keeps unknown fields that the service sends."""
    # JSON values cannot be hashed, and may be too long for a repr.
    field: Mapping[str, JSON] = attrs.field(factory=dict, kw_only=True, hash=False, repr=False)
    return field


@cache
def _words(kind: type[E]) -> Mapping[str, E]:
    # Calling the enum would take longer than all other checks of an upsert.
    return {str(member): member for member in kind}


def one_of(kind: type[E], field: str, value: object) -> E:
    """Convert a known word to its enum member; raise `ValidationError` for anything else."""
    if isinstance(value, kind):
        return value
    known: E | None = _words(kind).get(value) if isinstance(value, str) else None
    if known is not None:
        return known
    raise ValidationError(f"{field} must be one of {', '.join(kind)}; got {value!r}", field=field)


def text(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    """Validate a required string."""
    if not isinstance(value, str):
        raise ValidationError(
            f"{attribute.name} must be a string; got {type(value).__name__}", field=attribute.name
        )
    _refuse_surrogates(attribute.name, value)


def text_or_unset(instance: object, attribute: attrs.Attribute[T], value: T) -> None:
    """Validate a string that may also be UNSET (v2 keeps the current value)."""
    if value is not UNSET:
        text(instance, attribute, value)  # type: ignore[arg-type] # attrs has no covariant Attribute


def some_text(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    """Validate a required string that is not blank."""
    if type(value) is str and value.isascii() and value.strip():
        # The fast path: nearly all values are like this, and a plan has many.
        return
    text(instance, attribute, value)
    if not str(value).strip():
        raise ValidationError(f"{attribute.name} must not be empty", field=attribute.name)


def optional_text(_: object, attribute: attrs.Attribute[T], value: T) -> None:
    """Validate a string that may also be None (sent as null) or UNSET (not sent)."""
    if value is not None and value is not UNSET and not isinstance(value, str):
        raise ValidationError(
            f"{attribute.name} must be a string, None or UNSET; got {type(value).__name__}",
            field=attribute.name,
        )
    if isinstance(value, str):
        _refuse_surrogates(attribute.name, value)


def _refuse_surrogates(field: str, value: str) -> None:
    # Requests are UTF-8, which cannot encode half of a surrogate pair.
    if not value.isascii() and _SURROGATE.search(value):
        raise ValidationError(f"{field} holds half of a surrogate pair, which cannot be sent", field=field)


def without_user(value: object) -> str:
    """Return the repr of a URL with its user and password masked."""
    return _USER.sub(r"\1***@", repr(value))


def absolute_url(field: str, value: str) -> SplitResult:
    """Return the parts of an absolute http(s) URL, or raise a `ValidationError` that names the field."""
    # A password may precede an @.
    got = "got one with an @" if "@" in value else f"got {value!r}"
    # urlsplit silently drops tabs and line breaks, so its result could differ from what is sent.
    if not _VISIBLE_ASCII.fullmatch(value):
        raise ValidationError(f"{field} must be an absolute http(s) URL of visible ASCII; {got}", field=field)
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ValidationError(f"{field} must be an absolute http(s) URL; {got}", field=field)
    return parts


def docker_url(field: str, value: str) -> str:
    """Return the path of a docker URL, or raise a `ValidationError`."""
    parts = absolute_url(field, value)
    if "@" in parts.netloc or "?" in value or "#" in value:
        raise ValidationError(f"{field} must not have a user, query or fragment; got a URL with one", field=field)
    components = parts.path.split("/")[1:]
    if not components or not all(_COMPONENT.fullmatch(component) for component in components):
        raise ValidationError(
            f"{field} needs a path of one or more components, each matching {_COMPONENT.pattern};"
            f" got {parts.path!r}",
            field=field,
        )
    return parts.path
