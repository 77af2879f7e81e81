"""What the entity classes are built from: JSON, the UNSET marker, and the checks of what goes in."""

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
"""What JSON can say, as Python reads it."""

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
"""A field that is left out of the body; `None` in its place is sent as JSON `null`."""

# One path component of a docker address, as the published description gives it.
_COMPONENT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_USER = re.compile(r"(//)[^/@]*@")


def extra() -> Mapping[str, JSON]:
    """Declare the attribute that keeps what the service sends beyond the known fields."""
    # Not hashed, since JSON values are not; not shown, since it may be long.
    field: Mapping[str, JSON] = attrs.field(factory=dict, kw_only=True, hash=False, repr=False)
    return field


@cache
def _words(kind: type[E]) -> Mapping[str, E]:
    # Calling an enum takes longer than all other checks of an upsert.
    return {str(member): member for member in kind}


def one_of(kind: type[E], field: str, value: object) -> E:
    """Take a known word to its enum member; refuse everything else with a `ValidationError`."""
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
    """Validate a string that may also be UNSET (v2: the current value is kept)."""
    if value is not UNSET:
        text(instance, attribute, value)  # type: ignore[arg-type] # attrs has no covariant Attribute


def some_text(instance: object, attribute: attrs.Attribute[str], value: object) -> None:
    """Validate a required string that is not blank."""
    if type(value) is str and value.isascii() and value.strip():
        # Nearly all are, and a plan has many.
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
    # Half a character has no UTF-8, in which all is sent.
    if not value.isascii() and _SURROGATE.search(value):
        raise ValidationError(f"{field} holds half of a surrogate pair, which cannot be sent", field=field)


def without_user(value: object) -> str:
    """Show an address without the user and password that it may carry."""
    return _USER.sub(r"\1***@", repr(value))


def absolute_url(field: str, value: str) -> SplitResult:
    """Return the parts of an absolute http(s) address, or raise `ValidationError` naming the field."""
    # A password may be in front of an @.
    got = "got one with an @" if "@" in value else f"got {value!r}"
    # urlsplit drops tabs and line breaks silently, so what it returns could differ from what is sent.
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
    """Return the path of a docker address, or raise `ValidationError`."""
    parts = absolute_url(field, value)
    if "@" in parts.netloc or "?" in value or "#" in value:
        raise ValidationError(f"{field} must carry no user, query or fragment; got a URL with one", field=field)
    components = parts.path.split("/")[1:]
    if not components or not all(_COMPONENT.fullmatch(component) for component in components):
        raise ValidationError(
            f"{field} needs a path of one or more components, each matching {_COMPONENT.pattern};"
            f" got {parts.path!r}",
            field=field,
        )
    return parts.path
