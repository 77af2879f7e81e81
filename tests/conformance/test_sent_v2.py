"""What the SDK sends to v2, and relies on in its responses, is in the description that the emulator gives of v2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast, get_args
from urllib.parse import parse_qs

import attrs
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from test_call_table_v2 import ROWS, Sent

from scarf_async import SearchResult
from scarf_async.dialects.exports import EXPORTS
from scarf_async.dialects.v2 import requests as v2_requests
from scarf_async.protocol.messages import Endpoint

from .described import Schema, document, operations
from .tolerance import said_path

_ROOT: Final = document("v2")
_OPERATIONS: Final = {f"{method} {said_path(path)}": (path, said) for method, path, said in operations(_ROOT)}
_ENDPOINTS: Final = [value for value in vars(v2_requests).values() if isinstance(value, Endpoint)]
_SENT: Final = [sent for row in ROWS for sent in row.requests]


def _said(endpoint: Endpoint[object]) -> Schema:
    path, operation = _OPERATIONS[f"{endpoint.method} {said_path(endpoint.template)}"]
    assert len(re.findall("{", path)) == len(re.findall("{", endpoint.template))
    return operation


def test_every_request_is_described() -> None:
    """Each call and each export of v2 is in the description, under its method and path, with its dates."""
    subjects = {f"{one.method} {said_path(one.template)}" for one in _ENDPOINTS}
    exports = {f"GET {said_path(call.template)}": call.dates for call in EXPORTS.values() if call.version == "v2"}
    assert (subjects | exports.keys()) - _OPERATIONS.keys() == set()
    for subject, dates in exports.items():
        assert set(dates) <= _parameters(_OPERATIONS[subject][1]).keys(), subject


def _parameters(operation: Schema) -> dict[str, Schema]:
    listed = cast(list[Schema], operation["parameters"])
    return {str(one["name"]): cast(Schema, one["schema"]) for one in listed if one["in"] == "query"}


def _complaints(sent: Sent) -> Iterator[str]:
    """What the description has against the query and the body of a request."""
    operation = _said(sent.endpoint)
    parameters = _parameters(operation)
    for name, values in parse_qs(sent.path.partition("?")[2]).items():
        if name not in parameters:
            yield f"query {name}"
            continue
        schema = parameters[name]
        value: object = values if schema.get("type") == "array" else values[0]
        if schema.get("type") == "integer":
            value = int(values[0])
        yield from _errors(schema, value)
    if sent.body is None:
        if "requestBody" in operation:
            yield "no body"
        return
    if "requestBody" not in operation:
        yield "a body where none belongs"
        return
    content = cast(dict[str, Schema], cast(Schema, operation["requestBody"])["content"])
    media = content.get("application/json") or content["application/x-ndjson"]
    # Of lines it is each of them that is described.
    schema = cast(Schema, media.get("x-record", media["schema"]))
    yield from _errors(schema, sent.body)
    if "x-record" in media:
        return
    fields = set(_properties(schema))
    yield from (f"body {name}" for name in cast(dict[str, object], sent.body) if name not in fields)


def _errors(schema: Schema, value: object) -> Iterator[str]:
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return (error.message for error in validator.iter_errors(value))


def _properties(schema: Schema) -> Iterator[str]:
    """The fields of an object, whatever it is put together of."""
    yield from cast(Schema, schema.get("properties", {}))
    for several in ("allOf", "oneOf", "anyOf"):
        for branch in cast(list[Schema], schema.get(several, [])):
            yield from _properties(branch)


@pytest.mark.parametrize("sent", _SENT, ids=[f"{n}-{sent.endpoint.name}" for n, sent in enumerate(_SENT)])
def test_what_is_sent_is_valid(sent: Sent) -> None:
    """Query and body of each request of the call table, field by field."""
    assert list(_complaints(sent)) == []


@pytest.mark.parametrize("endpoint", _ENDPOINTS, ids=[one.name for one in _ENDPOINTS])
def test_what_is_read_is_described(endpoint: Endpoint[object]) -> None:
    """Each field of an entity is one of the response, under its name on the wire."""
    (entity,) = get_args(endpoint.answer) or (endpoint.answer,)
    if entity is None:
        return
    (answer,) = [said for status, said in cast(Schema, _said(endpoint)["responses"]).items() if status[0] == "2"]
    schema = cast(Schema, cast(dict[str, Schema], cast(Schema, answer)["content"])["application/json"]["schema"])
    if get_args(endpoint.answer):
        schema = _elements(schema)
    read = {
        name
        for field in attrs.fields(cast(type[attrs.AttrsInstance], entity))
        if field.name != "extra" and (name := endpoint.wire.name(entity, field.name)) is not None
    }
    if entity is SearchResult:
        # What was found is under the word for its kind, and the type that it has there is its library's.
        read.remove("library_type")
        kinds = cast(list[Schema], schema["oneOf"])
        schema = {
            "anyOf": [*kinds, *(value for kind in kinds for value in cast(Schema, kind["properties"]).values())]
        }
    if "/{pixel}/domains" in endpoint.template:
        # The same entity as a domain of a package.
        read.remove("package_id")
    assert read - set(_properties(schema)) == set()


def _elements(schema: Schema) -> Schema:
    """What a list holds: an array, or an object that has it as its results, or under a name of its own."""
    if "items" in schema:
        return cast(Schema, schema["items"])
    properties = cast(dict[str, Schema], schema["properties"])
    return cast(Schema, (properties.get("results") or properties["event_imports"])["items"])


def test_a_difference_is_found() -> None:
    """A field, a parameter, a path that the description does not have."""
    sent = next(sent for sent in _SENT if sent.endpoint is v2_requests.CREATE_ROUTE)
    assert isinstance(sent.body, dict)
    assert "body path" in list(_complaints(attrs.evolve(sent, body={**sent.body, "path": "/"})))
    assert list(_complaints(attrs.evolve(sent, path=f"{sent.path}?page=1"))) == ["query page"]
    assert list(_complaints(attrs.evolve(sent, body=None))) == ["no body"]
    assert list(_complaints(attrs.evolve(sent, body={"incoming_path": 7})))
