"""The emulator's description of itself, read as facts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, TypeAlias, cast

from scarf_async.emulator.description import description

from .facts import Facts, field
from .tolerance import said_kinds, said_openness, said_path, said_shape

__all__ = ["JSON", "Document", "Schema", "document", "facts_of_document", "inlined", "operations"]

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"
Schema: TypeAlias = dict[str, JSON]
Document: TypeAlias = dict[str, JSON]

_METHODS: Final = ("get", "put", "post", "delete", "patch")
_LINES: Final = {"application/x-ndjson": "records as NDJSON", "text/csv": "records as CSV"}


def document(version: str = "v1") -> Document:
    """The description of a version that the emulator gives away."""
    parsed: Document = json.loads(description(version))
    return parsed


def inlined(root: Document, node: JSON) -> JSON:
    """A part of the description with everything in it that it refers to."""
    if isinstance(node, list):
        return [inlined(root, item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(reference := node.get("$ref"), str):
        target: JSON = root
        for key in reference.removeprefix("#/").split("/"):
            target = cast(Schema, target)[key]
        return inlined(root, target)
    return {key: inlined(root, value) for key, value in node.items()}


def operations(root: Document) -> Iterator[tuple[str, str, Schema]]:
    """Each operation: its method, its path, and what is said about it, the path's parameters included."""
    paths = cast(dict[str, Schema], inlined(root, root["paths"]))
    for path, item in paths.items():
        shared = cast(list[JSON], item.get("parameters", []))
        for method in _METHODS:
            if method in item:
                operation = cast(Schema, item[method])
                parameters = shared + cast(list[JSON], operation.get("parameters", []))
                yield method.upper(), path, {**operation, "parameters": parameters}


def facts_of_document(root: Document) -> Facts:
    """Every fact of the description that the SDK has an opinion on."""
    facts: dict[str, str] = {}
    for method, path, operation in operations(root):
        subject = f"{method} {said_path(path)}"
        facts[subject] = "a call"
        parameters = cast(list[Schema], operation["parameters"])
        in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert in_path == set(re.findall(r"{([^}]*)}", path)), f"{subject}: parameters of the path"
        for parameter in parameters:
            if parameter["in"] == "query":
                schema, required = cast(Schema, parameter["schema"]), parameter.get("required") is True
                facts[f"{subject} query {parameter['name']}"] = _field(schema, required=required, answer=False)
        facts |= _body(f"{subject} body", operation)
        facts |= _answer(f"{subject} answer", operation)
    return facts


def _body(subject: str, operation: Schema) -> Facts:
    if "requestBody" not in operation:
        return {}
    body = cast(Schema, operation["requestBody"])
    assert body["required"] is True, subject
    content = cast(dict[str, Schema], body["content"])
    assert list(content) == ["application/json"], subject
    return _shape(subject, cast(Schema, content["application/json"]["schema"]), answer=False)


def _answer(subject: str, operation: Schema) -> Facts:
    successes = [
        cast(Schema, answer)
        for status, answer in cast(Schema, operation["responses"]).items()
        if status.startswith("2")
    ]
    assert len(successes) == 1, f"{subject}: one success"
    content = cast(dict[str, Schema], successes[0].get("content", {}))
    for media_type, media in content.items():
        if media_type in _LINES:
            record = _shape(subject, cast(Schema, media["x-record"]), answer=True)
            return {**record, subject: _LINES[media_type]}
        assert media_type == "application/json", subject
        return _shape(subject, cast(Schema, media["schema"]), answer=True)
    return {subject: "nothing"}


def _shape(subject: str, schema: Schema, *, answer: bool) -> dict[str, str]:
    """An object, an array of objects, or either of the two."""
    shapes: dict[str, Schema] = {}
    for branch in cast(list[Schema], schema.get("anyOf", [schema])):
        if branch["type"] == "array":
            shapes["an array of objects"] = cast(Schema, branch["items"])
        else:
            shapes["an object"] = branch
    (shape, *others) = shapes.values()
    assert all(other == shape for other in others), f"{subject}: the same object, alone and in an array"
    assert shape["type"] == "object", subject
    required = cast(list[str], shape["required"])
    facts = {subject: said_shape(shapes.keys())}
    for name, property_ in cast(dict[str, Schema], shape["properties"]).items():
        facts[f"{subject} {name}"] = _field(property_, required=name in required, answer=answer)
    return facts


def _field(schema: Schema, *, required: bool, answer: bool) -> str:
    kinds, words, is_open = _allowed(schema)
    return field(
        said_kinds(kinds, answer=answer),
        required=required,
        words=words,
        is_open=said_openness(is_open=is_open, answer=answer),
    )


def _allowed(schema: Schema) -> tuple[set[str], set[str], bool]:
    """The types that a schema allows, the words that it lists, and whether others are as good."""
    declared = schema.get("type", [])
    kinds = {str(kind) for kind in (declared if isinstance(declared, list) else [declared])}
    if "format" in schema:
        kinds = {f"string ({schema['format']})" if kind == "string" else kind for kind in kinds}
    words = set(cast(list[str], schema.get("enum", [])))
    is_open = False
    for branch in cast(list[Schema], schema.get("anyOf", [])):
        branch_kinds, branch_words, branch_open = _allowed(branch)
        kinds |= branch_kinds
        words |= branch_words
        is_open |= branch_open or not branch
    return kinds, words, is_open
