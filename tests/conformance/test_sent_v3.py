"""What the SDK sends to v3, and reads of its rows, is what the description that the emulator gives of v3 has."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, cast, get_args
from urllib.parse import parse_qs, urlsplit

import attrs
from jsonschema import Draft202012Validator, FormatChecker

from scarf_async import Aggregation, AggregationQuery, ExportKind
from scarf_async.dialects.exports import EXPORTS

from .described import Schema, document, inlined, operations
from .tolerance import said_path

_ROOT: Final = document("v3")
((_METHOD, _PATH, _OPERATION),) = operations(_ROOT)
_PARAMETERS: Final = {
    str(one["name"]): cast(Schema, one["schema"])
    for one in cast(list[Schema], _OPERATION["parameters"])
    if one["in"] == "query"
}
_KINDS: Final = {str: "string", int: "integer", dt.date: "string", dt.datetime: "string"}
_CALL: Final = EXPORTS["v3", ExportKind.AGGREGATIONS]


def _sent(query: AggregationQuery) -> dict[str, list[str]]:
    request = _CALL.request(dt.date(2024, 1, 1), dt.date(2024, 2, 1), owner="acme", query=query)
    return parse_qs(urlsplit(request.target).query)


def test_every_parameter_is_sent_by_some_query_and_described() -> None:
    """Path, names of parameters, and their values: neither side has more than the other."""
    assert (_METHOD, said_path(_PATH)) == ("GET", said_path(_CALL.template))
    rest: dict[str, Any] = {"filter": "f", "company": "acme.example", "include_low_confidence": False}
    queries = [
        AggregationQuery(rollup="total", packages=("a", "b"), pixels="all", group_by_artifact=False, **rest),
        AggregationQuery(breakdown=("by-company", "by-version"), names="a,b*", **rest),
        AggregationQuery(pixels_of_package="a"),
    ]
    sent = [_sent(query) for query in queries]
    assert {name for one in sent for name in one} == set(_PARAMETERS)
    for name, values in ((name, values) for one in sent for name, values in one.items()):
        schema = _PARAMETERS[name]
        value: object = values if schema["type"] == "array" else values[0]
        if schema["type"] == "boolean":
            value = value == "true"
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)


def test_every_field_of_a_row_is_read_and_described() -> None:
    """By its name and type; what the SDK needs is what is promised."""
    row = cast(Schema, inlined(_ROOT, {"$ref": "#/components/schemas/Aggregation"}))
    fields = [field for field in attrs.fields(attrs.resolve_types(Aggregation)) if field.name != "extra"]
    assert row["required"] == [field.name for field in fields if field.default is attrs.NOTHING]
    described = {
        name: set(kind if isinstance(kind := schema["type"], list) else [kind]) - {"null"}
        for name, schema in cast(dict[str, Schema], row["properties"]).items()
    }
    read = {
        field.name: {"array"} if field.default == () else {_kind(part) for part in _parts(field.type)}
        for field in fields
    }
    assert read == described


def _parts(kind: object) -> set[object]:
    return set(get_args(kind) or (kind,)) - {type(None)}


def _kind(part: object) -> str:
    # An enum of words beside `str`.
    return _KINDS.get(cast(type, part), "string")
