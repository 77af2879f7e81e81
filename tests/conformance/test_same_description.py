"""The description that the emulator keeps, and the one that follows from the SDK, neither made of the other."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import cast

import pytest

from .derived import facts_of_sdk
from .described import JSON, Document, document, facts_of_document
from .facts import differences
from .sending import send_everything


async def test_the_sdk_and_the_emulator_describe_the_same() -> None:
    """Paths, methods, parameters, fields with their types and words, and what is answered: all are the same."""
    seen = await send_everything()
    assert differences(facts_of_document(document()), facts_of_sdk(seen.sent)) == []


def _at(root: Document, *keys: str) -> dict[str, JSON]:
    for key in keys:
        root = cast(dict[str, JSON], root[key])
    return root


def _schema(root: Document, name: str) -> dict[str, JSON]:
    return _at(root, "components", "schemas", name)


def _rename_path(root: Document) -> None:
    paths = _at(root, "paths")
    paths["/orgs"] = paths.pop("/organizations")


def _drop_method(root: Document) -> None:
    del _at(root, "paths", "/packages/{package-id}")["delete"]


def _rename_query(root: Document) -> None:
    _at(root, "components", "parameters", "StartDate")["name"] = "start"


def _respell_field(root: Document) -> None:
    properties = _at(_schema(root, "PackageUpsertV1"), "properties")
    properties["repositoryUrl"] = properties.pop("repositoryURL")


def _make_optional(root: Document) -> None:
    cast(list[JSON], _schema(root, "CreatePackageRouteV1")["required"]).remove("templatePath")


def _change_type(root: Document) -> None:
    _at(_schema(root, "AggregateV1"), "properties")["total"] = {"type": "string"}


def _forbid_null(root: Document) -> None:
    _at(_schema(root, "OrganizationUpsertV1"), "properties")["website"] = {"type": "string"}


def _drop_word(root: Document) -> None:
    cast(list[JSON], _schema(root, "PackagePermissionLevelV1")["enum"]).remove("blocked")


def _answer_nothing(root: Document) -> None:
    responses = _at(root, "paths", "/organizations/{organization-name}", "get", "responses")
    responses["204"] = {"description": "Nothing"}
    del responses["200"]


def _answer_one(root: Document) -> None:
    content = _at(root, "components", "responses", "Packages", "content", "application/json")
    content["schema"] = {"$ref": "#/components/schemas/PackageV1"}


def _drop_column(root: Document) -> None:
    del _at(_schema(root, "EventV1"), "properties")["origin_id"]


@pytest.mark.parametrize(
    ("mutate", "subject", "described", "derived"),
    [
        (_rename_path, "POST /organizations", "nothing", "a call"),
        (_drop_method, "DELETE /packages/{}", "nothing", "a call"),
        (_rename_query, "GET /pixels/events/{}.csv query start", "string (date), required", "nothing"),
        (_respell_field, "PUT /packages/{} body repositoryURL", "nothing", "null or string, optional"),
        (_make_optional, "POST /packages/{}/routes body templatePath", "string, optional", "string, required"),
        (_change_type, "GET /users/{}/aggregates answer total", "string, required", "integer, required"),
        (_forbid_null, "PUT /organizations/{} body website", "string, optional", "null or string, optional"),
        (
            _drop_word,
            "POST /packages/{}/permissions body permissionLevel",
            "string, required, one of admin, default, member",
            "string, required, one of admin, blocked, default, member",
        ),
        (_answer_nothing, "GET /organizations/{} answer", "nothing", "an object"),
        (_answer_one, "GET /packages answer", "an object", "an array of objects"),
        (_drop_column, "GET /pixels/events/{}.csv answer origin_id", "nothing", "string, optional"),
    ],
)
async def test_a_difference_is_named(
    mutate: Callable[[Document], None], subject: str, described: str, derived: str
) -> None:
    """Whatever is changed in a copy of the description, the comparison says what and how."""
    seen = await send_everything()
    changed = deepcopy(document())
    mutate(changed)
    said = f"{subject}: the description says {described!r}, the SDK {derived!r}"
    assert said in differences(facts_of_document(changed), facts_of_sdk(seen.sent))
