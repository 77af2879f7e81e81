"""JSON to entities and back: one cattrs converter on msgspec's engine. Pure.

Reading is tolerant of what the service adds (kept in `.extra`) and of what it leaves out or sends as null; it
is strict on what a field is: cattrs by itself would read None as `'None'` and `"7"` as 7. Names on the wire
are camelCase but for `repositoryURL`, and snake_case in aggregates (seed).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Final, TypeVar, Union, cast, get_args, get_origin

import attrs
import cattrs.gen
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.preconf.msgspec import MsgspecJsonConverter, make_converter

from scarf_async.entities import (
    Aggregate,
    Domain,
    DomainCreate,
    Member,
    MemberUpsert,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Permission,
    PermissionSet,
    Route,
    RouteCreate,
)
from scarf_async.tolerant import loads

__all__ = ["UnreadableError", "converter", "dump", "parse_time", "read"]

T = TypeVar("T")
A = TypeVar("A", bound=attrs.AttrsInstance)

_ENTITIES = (Organization, Member, Package, Permission, Route, Domain, Aggregate)
_UPSERTS = (OrganizationUpsert, MemberUpsert, PackageUpsert, PermissionSet, RouteCreate, DomainCreate)

# What identifies a thing may come as a JSON number.
_IDENTIFIERS = {(Package, "uuid"), (Route, "id"), (Domain, "id"), (Aggregate, "package")}

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


class UnreadableError(ValueError):
    """JSON that is not what was promised: `.path` says where (`[3].role`), the message what."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


def parse_time(text: str) -> dt.datetime:
    """Read a timestamp: `T` or a space, up to 12 fraction digits, `Z`, an offset, ` UTC` or nothing.

    A leap second (`:60`) and the end of a day (`24:00:00`) are the instant that follows.

    >>> parse_time("2023-08-04 13:58:26.021037123 UTC").isoformat()
    '2023-08-04T13:58:26.021037+00:00'
    >>> parse_time("2016-12-31T23:59:60Z") == parse_time("2016-12-31T24:00:00Z")
    True

    Returns:
        An aware time in UTC; no zone at all means UTC.

    Raises:
        ValueError: it is none.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("no timestamp")
    day, clock, fraction, zone = match.groups()
    if zone is None or zone.upper() in {"Z", "UTC"}:
        zone = "+00:00"
    later = dt.timedelta()
    if clock.endswith(":60"):
        clock, later = f"{clock[:-2]}59", dt.timedelta(seconds=1)
    elif clock == "24:00:00" and not (fraction or "").strip("0"):
        clock, later = "00:00:00", dt.timedelta(days=1)
    time = dt.datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0')[:6]:0<6}{zone}")
    try:
        return (time + later).astimezone(dt.UTC)
    except OverflowError:
        raise ValueError("a timestamp out of range") from None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    return names.get(type(value), "an array" if isinstance(value, list) else "an object")


def _wire_name(entity: type, name: str) -> str:
    if entity is Aggregate:
        return name
    if name == "repository_url":
        return "repositoryURL"
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _string(value: object, _: object) -> str:
    if type(value) is not str:
        raise TypeError(f"expected a string, found {_kind(value)}")
    return value


def _identifier(value: object, _: object) -> str:
    return str(value) if type(value) is int else _string(value, _)


def _integer(value: object, _: object) -> int:
    if type(value) is not int:
        raise TypeError(f"expected an integer, found {_kind(value)}")
    return value


def _date(value: object, _: object) -> dt.date:
    text = _string(value, _)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise TypeError("expected a date (YYYY-MM-DD)") from None


def _is_open_enum(annotation: object) -> bool:
    """Tell whether an annotation is `SomeEnum | str`, maybe with None: a string, known or not."""
    return get_origin(annotation) in {UnionType, Union} and str in get_args(annotation)


def _open_enum(value: object, _: object) -> str | None:
    return None if value is None else _string(value, _)


def _time(value: object, _: object) -> dt.datetime:
    if not isinstance(value, str):
        raise TypeError(f"expected a timestamp, found {_kind(value)}")
    return parse_time(value)


_OF_TEXTS: Final = (_string, _identifier, _open_enum)


def _structure_hook(entity: type[A]) -> Callable[[object, object], A]:
    fields = []
    for field in attrs.fields(attrs.resolve_types(entity)):
        if field.name != "extra":
            by_type = converter.get_structure_hook(field.type)
            structure = _identifier if (entity, field.name) in _IDENTIFIERS else by_type
            text = str if structure in _OF_TEXTS else None
            required = field.default is attrs.NOTHING
            fields.append((field.name, _wire_name(entity, field.name), text, structure, field.type, required))
    known = frozenset(wire for _, wire, *_ in fields)
    make: Callable[..., A] = entity

    def hook(value: object, _: object) -> A:
        if not isinstance(value, dict):
            raise TypeError(f"expected an object, found {_kind(value)}")
        extra = {} if known.issuperset(value) else {key: value[key] for key in value if key not in known}
        found: dict[str, object] = {"extra": extra}
        for name, wire, text, structure, kind, required in fields:
            item = value.get(wire)
            if type(item) is text:
                # Nearly all fields are, and need no call.
                found[name] = item
            elif item is not None:
                try:
                    found[name] = structure(item, kind)
                except TypeError as error:
                    raise UnreadableError(wire, str(error)) from None
                except ValueError:
                    # No document gives the form of timestamps: an odd one must not cost the whole answer.
                    extra[wire] = item
            elif required:
                raise UnreadableError(wire, "a required field is missing")
        return make(**found)

    return hook


def _unstructure_hook(upsert: type[A]) -> Callable[[A], dict[str, object]]:
    overrides = {field.name: override(rename=_wire_name(upsert, field.name)) for field in attrs.fields(upsert)}
    # The default of every optional field is UNSET, so this leaves out what was not set, and nothing else.
    return make_dict_unstructure_fn(upsert, converter, _cattrs_omit_if_default=True, **overrides)  # type: ignore[arg-type] # as above


def _first_fault(error: BaseException, path: str = "") -> UnreadableError:
    """Find the first leaf of cattrs' groups, and the way to it."""
    if isinstance(error, cattrs.BaseValidationError):
        child = error.exceptions[0]
        for note in getattr(child, "__notes__", ()):
            if isinstance(note, cattrs.IterableValidationNote):
                return _first_fault(child, f"{path}[{note.index}]")
        return _first_fault(child, path)
    if isinstance(error, UnreadableError):
        return UnreadableError(f"{path}.{error.path}".lstrip("."), error.reason)
    return UnreadableError(path, str(error))


converter: Final[MsgspecJsonConverter] = make_converter()
"""The one converter: structures every entity class from JSON data, unstructures every upsert class."""

converter.register_structure_hook(str, _string)
converter.register_structure_hook(int, _integer)
converter.register_structure_hook(dt.date, _date)
converter.register_structure_hook(dt.datetime, _time)
converter.register_structure_hook_func(_is_open_enum, _open_enum)
_encode = converter.encoder.encode
for _entity in _ENTITIES:
    converter.register_structure_hook(_entity, _structure_hook(_entity))
for _upsert in _UPSERTS:
    converter.register_unstructure_hook(_upsert, _unstructure_hook(_upsert))


@cache
def _structure_of(target: type[object]) -> tuple[Callable[[object, object], object], bool]:
    """Return what reads a class or a list of it, and whether it is a list."""
    return converter.get_structure_hook(target), get_origin(target) is list


def read(body: bytes, target: type[T]) -> T:
    """Read JSON as an entity or a list of entities.

    >>> read(b'[{"username": "ann", "role": "admin", "since": 2020}]', list[Member])[0].extra
    {'since': 2020}

    Raises:
        UnreadableError: it is no JSON, or not what the class promises; its path names the place.
    """
    try:
        value = loads(body)
    except (ValueError, RecursionError):
        raise UnreadableError("", "the answer is no JSON" if body.strip() else "the answer is empty") from None
    structure, is_list = _structure_of(target)  # type: ignore[arg-type] # mypy doubts that classes can be hashed
    if is_list and not isinstance(value, list):
        raise UnreadableError("", f"expected an array, found {_kind(value)}")
    fault: UnreadableError
    try:
        return cast(T, structure(value, target))
    except (cattrs.BaseValidationError, TypeError, ValueError) as error:
        fault = _first_fault(error)
    raise fault


def dump(value: object) -> bytes:
    """Write an upsert, or a list of them, as JSON; fields that are UNSET are left out.

    >>> dump([PermissionSet("ann@example.com", "admin")])
    b'[{"userQuery":"ann@example.com","permissionLevel":"admin"}]'
    """
    return _encode(converter.unstructure(value))
