"""What the SDK makes of the service, as facts: its table of endpoints, its entities, what its calls send."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, get_args, get_origin

import attrs

from scarf_async import Aggregate, Event, LibraryType, PermissionLevel, Unset
from scarf_async.dialects.exports import EXPORTS, ExportCall
from scarf_async.dialects.v1 import requests as v1_requests
from scarf_async.protocol.messages import Endpoint

from .facts import Facts, field
from .tolerance import is_promised, said_kinds, said_openness, said_path

__all__ = ["Sent", "facts_of_sdk"]

_KINDS: Final = {
    str: "string",
    dt.datetime: "string (date-time)",
    dt.date: "string (date)",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


@attrs.frozen
class Sent:
    """What the calls were seen to send to an endpoint.

    Attributes:
        bodies: the classes of upserts, `list[...]` where they travel in an array.
        queries: the names of the query's parameters.
    """

    bodies: set[object] = attrs.field(factory=set)
    queries: set[str] = attrs.field(factory=set)


def facts_of_sdk(sent: Mapping[str, Sent]) -> Facts:
    """Every fact of v1 that the SDK relies on; `sent` by the name of the endpoint."""
    facts: dict[str, str] = {}
    for endpoint in vars(v1_requests).values():
        if isinstance(endpoint, Endpoint):
            subject = f"{endpoint.method} {said_path(endpoint.template)}"
            facts[subject] = "a call"
            facts |= _requests(subject, sent.get(endpoint.name, Sent()))
            facts |= _shape(f"{subject} answer", endpoint.answer, answer=True)
    for call in EXPORTS.values():
        if call.version == "v1":
            facts |= _export(call, call.template)
            if call.without_owner is not None:
                facts |= _export(call, call.without_owner)
    return facts


def _requests(subject: str, sent: Sent) -> Facts:
    facts = {f"{subject} query {name}": field({"string"}, required=False) for name in sent.queries}
    for body in sent.bodies:
        facts |= _shape(f"{subject} body", body, answer=False)
    return facts


def _shape(subject: str, target: object, *, answer: bool) -> Facts:
    if target is None:
        return {subject: "nothing"}
    (entity,) = get_args(target) or (target,)
    assert isinstance(entity, type)
    is_array = get_origin(target) is list
    return {subject: "an array of objects" if is_array else "an object", **_fields(subject, entity, answer=answer)}


def _export(call: ExportCall, template: str) -> Facts:
    subject = f"GET {said_path(template)}"
    start, end = call.dates
    day = field({"string (date)"}, required=True)
    assert call.record is not None
    return {
        subject: "a call",
        f"{subject} query {start}": day,
        f"{subject} query {end}": day,
        **_fields(f"{subject} answer", call.record, answer=True),
        f"{subject} answer": "records as NDJSON" if call.record is Aggregate else "records as CSV",
    }


def _fields(subject: str, entity: type[attrs.AttrsInstance], *, answer: bool) -> Facts:
    return {
        f"{subject} {name}": _field(attribute, answer=answer)
        for attribute in attrs.fields(attrs.resolve_types(entity))
        if attribute.name != "extra" and (name := _wire_name(entity, attribute.name)) is not None
    }


def _wire_name(entity: type[attrs.AttrsInstance], name: str) -> str | None:
    # The fields of an export have the names of the attributes.
    return name if entity in {Aggregate, Event} else v1_requests.WIRE.name(entity, name)


_OF_V2: Final = (PermissionLevel.OWNER, LibraryType.REPOSITORY_JVM)


def _field(attribute: attrs.Attribute[object], *, answer: bool) -> str:
    parts = {part for part in get_args(attribute.type) or (attribute.type,) if part is not Unset}
    enums = {part for part in parts if isinstance(part, type) and issubclass(part, StrEnum)}
    kinds = {_KINDS[part] for part in parts - enums} | {"string" for _ in enums}
    if attribute.default is attrs.NOTHING:
        kinds -= {"null"}  # v1 refuses None, at the call, where something has to be said
    return field(
        said_kinds(kinds, answer=answer),
        required=is_promised(attribute),
        words=[word.value for kind in enums for word in kind if all(word is not one for one in _OF_V2)],
        is_open=said_openness(is_open=bool(enums) and str in parts, answer=answer),
    )
