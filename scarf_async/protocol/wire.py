"""JSON to entities and back: one cattrs converter on msgspec's engine for each version of the service. Pure.

Reading accepts unknown fields (kept in `.extra`) and missing or null optional fields, but is strict about types:
cattrs by itself would read None as `'None'` and `"7"` as 7.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType, NoneType, UnionType
from typing import Final, Generic, TypeAlias, TypeVar, Union, cast, get_args, get_origin

import attrs
import cattrs
import msgspec
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.preconf.msgspec import MsgspecJsonConverter, make_converter

from scarf_async.protocol.tolerant import loads

__all__ = ["UnreadableError", "Wire", "parse_time"]

T = TypeVar("T")
Structure: TypeAlias = Callable[[object, object], object]
_Field: TypeAlias = tuple[str, str, type | None, Structure, object, object]
Shape: TypeAlias = Callable[[Mapping[str, object]], Mapping[str, object]]
_Reader: TypeAlias = Callable[[bytes], tuple[object, object]]
A = TypeVar("A", bound=attrs.AttrsInstance)

_ENVELOPES: Final = ("results", "event_imports", "data")

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,12}))?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


class UnreadableError(ValueError):
    """JSON without the promised form: `.path` says where (`[3].role`), and the message says what is wrong."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


def parse_time(text: str) -> dt.datetime:
    """Read a timestamp: `T` or a space, up to 12 fraction digits, `Z`, an offset, ` UTC` or nothing.

    A leap second (`:60`) and the end of a day (`24:00:00`) mean the instant that follows.

    >>> parse_time("2023-08-04 13:58:26.021037123 UTC").isoformat()
    '2023-08-04T13:58:26.021037+00:00'
    >>> parse_time("2016-12-31T23:59:60Z") == parse_time("2016-12-31T24:00:00Z")
    True

    Returns:
        An aware time in UTC; without a zone, UTC is assumed.

    Raises:
        ValueError: it is not a timestamp.
    """
    # Python's own parser is the fastest for the service's usual form, but accepts other forms too.
    length = len(text)
    if text[10:11] == "T" and text[-1] == "Z" and (length == 20 or (length == 27 and text[19] == ".")):
        try:
            return dt.datetime.fromisoformat(text)
        except ValueError:
            pass
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


def _boolean(value: object, _: object) -> bool:
    if type(value) is not bool:
        raise TypeError(f"expected a boolean, found {_kind(value)}")
    return value


def _array(value: object, _: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise TypeError(f"expected an array, found {_kind(value)}")
    return tuple(value)


def _date(value: object, _: object) -> dt.date:
    text = _string(value, _)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise TypeError("expected a date (YYYY-MM-DD)") from None


def _is_open_enum(annotation: object) -> bool:
    """Return whether an annotation is `SomeEnum | str`, with or without None: a string, known or not."""
    return get_origin(annotation) in {UnionType, Union} and str in get_args(annotation)


def _is_array(annotation: object) -> bool:
    """Return whether an annotation is a sequence, whose elements are not converted."""
    origin: object = get_origin(annotation)
    return origin is Sequence


def _without_none(annotation: object) -> object:
    inner = [kind for kind in get_args(annotation) if kind is not NoneType]
    is_optional = get_origin(annotation) in {UnionType, Union} and len(inner) == 1
    return inner[0] if is_optional else annotation


def _open_enum(value: object, _: object) -> str | None:
    return None if value is None else _string(value, _)


def _time(value: object, _: object) -> dt.datetime:
    if not isinstance(value, str):
        raise TypeError(f"expected a timestamp, found {_kind(value)}")
    return parse_time(value)


_OF_TEXTS: Final = (_string, _identifier, _open_enum)


def _first_fault(error: BaseException, path: str = "") -> UnreadableError:
    """Find the first leaf in cattrs' exception groups, and the path to it."""
    if isinstance(error, cattrs.BaseValidationError):
        child = error.exceptions[0]
        for note in getattr(child, "__notes__", ()):
            if isinstance(note, cattrs.IterableValidationNote):
                return _first_fault(child, f"{path}[{note.index}]")
        return _first_fault(child, path)
    if isinstance(error, UnreadableError):
        return UnreadableError(f"{path}.{error.path}".strip("."), error.reason)
    return UnreadableError(path, str(error))


class _Page(msgspec.Struct, Generic[T]):
    """A page of a list in its usual form."""

    results: list[T]
    links: object = msgspec.field(default=None, name="_links")


class Wire:
    """The names of one version of the service, and how its JSON is read and written.

    Args:
        entities: the classes that are read.
        upserts: the classes that are written.
        name: returns the JSON name of an attribute of a class; None if this version does not have it.
        identifiers: the attributes that may be sent as a JSON number, by class.
        absent: the values of required attributes whose field is not sent.
        dropped: fields without information, in every class.
        shapes: functions that convert an object to one field for each attribute, by class.
    """

    def __init__(
        self,
        *,
        entities: Iterable[type[attrs.AttrsInstance]],
        upserts: Iterable[type[attrs.AttrsInstance]],
        name: Callable[[type, str], str | None],
        identifiers: Container[tuple[type, str]] = (),
        absent: Mapping[tuple[type, str], object] = MappingProxyType({}),
        dropped: Iterable[str] = (),
        shapes: Mapping[type, Shape] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self._entities = frozenset(entities)
        self._upserts = frozenset(upserts)
        self._identifiers = identifiers
        self._absent = absent
        self._dropped = frozenset(dropped)
        self._reshape = shapes
        self._shapes: dict[object, tuple[type[msgspec.Struct], Callable[[msgspec.Struct], object]]] = {}
        self._readers: dict[tuple[object, bool], _Reader | None] = {}
        self._structures: dict[object, tuple[Callable[[object, object], object], bool]] = {}

    @cached_property
    def _converter(self) -> MsgspecJsonConverter:
        """The converter, which makes the code for a class when it first meets it: most programs need few."""
        converter = make_converter()
        converter.register_structure_hook(str, _string)
        converter.register_structure_hook(int, _integer)
        converter.register_structure_hook(bool, _boolean)
        converter.register_structure_hook(dt.date, _date)
        converter.register_structure_hook(dt.datetime, _time)
        converter.register_structure_hook_func(_is_open_enum, _open_enum)
        converter.register_structure_hook_func(_is_array, _array)
        converter.register_structure_hook_factory(self._entities.__contains__, self._structure_hook)
        converter.register_unstructure_hook_factory(self._upserts.__contains__, self._unstructure_hook)
        return converter

    def read(self, body: bytes, target: type[T]) -> T:
        """Read JSON as an entity or a list of entities.

        Raises:
            UnreadableError: it is not JSON, or does not have the form of the class; its path names the place.
        """
        found = self._read_usual(body, target)
        return self.structure(self.parse(body), target) if found is None else found[0]

    def read_page(self, body: bytes, target: type[T]) -> tuple[T, object]:
        """Read JSON as a list, or as an object that has a list under one of the known names, and its `_links`.

        Raises:
            UnreadableError: as for `read`.
        """
        found = self._read_usual(body, target, is_page=True)
        if found is not None:
            return found
        value = self.parse(body)
        fields: Mapping[str, object] = value if isinstance(value, dict) else {}
        place = next((name for name in _ENVELOPES if isinstance(fields.get(name), list)), "")
        return self.structure(fields[place] if place else value, target, place), fields.get("_links")

    def _read_usual(self, body: bytes, target: type[T], *, is_page: bool = False) -> tuple[T, object] | None:
        """Read the usual form directly from the text; None if it needs the careful reader."""
        key = target, is_page
        if key not in self._readers:
            self._readers[key] = self._reader(target, is_page=is_page)
        reader = self._readers[key]
        if reader is None:
            return None
        try:
            return cast("tuple[T, object]", reader(body))
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
            return None

    def _reader(self, target: object, *, is_page: bool) -> _Reader | None:
        entity = get_args(target)[0] if get_origin(target) is list else target
        if entity in self._entities:
            self._structure_of(entity)
        if entity not in self._shapes:
            return None
        shape, make = self._shapes[entity]
        if entity is target:
            decode_one = msgspec.json.Decoder(shape).decode
            return lambda body: (make(decode_one(body)), None)
        listed = list[shape]  # type: ignore[valid-type] # a computed class
        page = _Page[shape]  # type: ignore[valid-type] # as above
        decode = msgspec.json.Decoder(listed | page if is_page else listed).decode

        def read(body: bytes) -> tuple[object, object]:
            found: Iterable[msgspec.Struct] | _Page[msgspec.Struct] = decode(body)
            if isinstance(found, _Page):
                return [make(one) for one in found.results], found.links
            return [make(one) for one in found], None

        return read

    def parse(self, body: bytes) -> object:
        """Parse JSON for `structure`.

        Raises:
            UnreadableError: it is not JSON.
        """
        try:
            return loads(body)
        except (ValueError, RecursionError):
            found = "not JSON" if body.strip() else "empty"
            raise UnreadableError("", f"the response is {found}") from None

    def structure(self, value: object, target: type[T], path: str = "") -> T:
        """Convert JSON at a path of the response to an entity or a list of entities.

        Raises:
            UnreadableError: it does not have the form of the class; its path names the place.
        """
        structure, is_list = self._structure_of(target)
        if is_list and not isinstance(value, list):
            raise UnreadableError(path, f"expected an array, found {_kind(value)}")
        fault: UnreadableError
        try:
            return cast(T, structure(value, target))
        except (cattrs.BaseValidationError, TypeError, ValueError) as error:
            fault = _first_fault(error, path)
        raise fault

    def dump(self, value: object) -> bytes:
        """Write an upsert, a list of them or JSON as JSON; fields that are UNSET are left out."""
        converter = self._converter
        if isinstance(value, list) and len(kinds := set(map(type, value))) == 1:
            # Looking the hook of their class up for each would take longer than the hook.
            hook = converter.get_unstructure_hook(kinds.pop())
            return converter.encoder.encode([hook(one) for one in value])
        return converter.encoder.encode(value if isinstance(value, dict) else converter.unstructure(value))

    def _structure_of(self, target: type[T]) -> tuple[Callable[[object, object], object], bool]:
        """Return the reader of a class or a list of it, and whether it is a list."""
        known = self._structures.get(target)
        if known is None:
            known = self._converter.get_structure_hook(target), get_origin(target) is list
            self._structures[target] = known
        return known

    def _structure_hook(self, entity: type[A]) -> Callable[[object, object], A]:
        fields: list[_Field] = []
        for field in attrs.fields(attrs.resolve_types(entity)):
            name = self.name(entity, field.name)
            if field.name != "extra" and name is not None:
                # None is handled below, so only X of `X | None` is read here.
                kind = _without_none(field.type)
                by_type = self._converter.get_structure_hook(kind)
                structure = _identifier if (entity, field.name) in self._identifiers else by_type
                text = str if structure in _OF_TEXTS else None
                absent = self._absent.get((entity, field.name), field.default)
                fields.append((field.name, name, text, structure, kind, absent))
        given = {name: value for (kind, name), value in self._absent.items() if kind is entity}
        known = self._dropped.union(wire for _, wire, *_ in fields)
        make: Callable[..., A] = entity
        reshape = self._reshape.get(entity)
        keeps_more = "extra" in attrs.fields_dict(entity)
        if reshape is None and keeps_more:
            self._shapes[entity] = self._shape(entity, fields)

        def hook(value: object, _: object) -> A:
            if not isinstance(value, dict):
                raise TypeError(f"expected an object, found {_kind(value)}")
            if reshape is not None:
                value = reshape(value)
            extra = {key: value[key] for key in value if key not in known}
            found: dict[str, object] = {**given, **({"extra": extra} if keeps_more else {})}
            for name, wire, text, structure, kind, absent in fields:
                item = value.get(wire)
                if type(item) is text:
                    # True for nearly all fields, which then need no call.
                    found[name] = item
                elif item is not None:
                    try:
                        found[name] = structure(item, kind)
                    except (UnreadableError, cattrs.BaseValidationError) as error:
                        raise _first_fault(error, wire) from None
                    except TypeError as error:
                        raise UnreadableError(wire, str(error)) from None
                    except ValueError:
                        # The form of timestamps is not documented: an unusual one must not invalidate the whole
                        # response.
                        extra[wire] = item
                elif absent is attrs.NOTHING:
                    raise UnreadableError(wire, "a required field is missing")
            return make(**found)

        return hook

    def _shape(
        self, entity: type[A], fields: Sequence[_Field]
    ) -> tuple[type[msgspec.Struct], Callable[[msgspec.Struct], object]]:
        """Return the type that decodes the usual form of an entity, and the function that builds the entity."""
        columns: list[tuple[str, object, object]] = []
        rest = []
        for name, wire, text, structure, kind, absent in fields:
            is_text = text is not None and (absent is None or absent is attrs.NOTHING or isinstance(absent, str))
            kind_sent = object if not is_text else str if absent is not None else str | None
            missing = msgspec.NODEFAULT if absent is attrs.NOTHING else absent if is_text else None
            columns.append((name, kind_sent, msgspec.field(name=wire, default=missing)))
            if not is_text:
                rest.append((name, structure, kind, absent))
        columns += [(name, msgspec.Raw, msgspec.field(default=msgspec.Raw())) for name in self._dropped]
        shape = msgspec.defstruct(entity.__name__, columns, kw_only=True, forbid_unknown_fields=True, gc=False)
        entity_of: Callable[..., A] = entity

        def make(one: msgspec.Struct) -> A:
            found = msgspec.structs.asdict(one)
            for name, structure, kind, absent in rest:
                item = found[name]
                if item is not None or absent is attrs.NOTHING:
                    found[name] = structure(item, kind)
                elif absent is not None:
                    del found[name]
            for name in self._dropped:
                del found[name]
            return entity_of(**found)

        return shape, make

    def _unstructure_hook(self, upsert: type[A]) -> Callable[[A], dict[str, object]]:
        names = {field.name: self.name(upsert, field.name) for field in attrs.fields(upsert)}
        overrides = {field: override(rename=name, omit=name is None) for field, name in names.items()}
        # The default of every optional field is UNSET, so this omits exactly the fields that were not set.
        return make_dict_unstructure_fn(
            upsert,
            self._converter,
            _cattrs_omit_if_default=True,
            **overrides,  # type: ignore[arg-type] # as above
        )
