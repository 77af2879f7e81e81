"""What the SDK sends is what the description asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from scarf_async import (
    UNSET,
    DomainCreate,
    LibraryType,
    MemberUpsert,
    OrganizationUpsert,
    PackageUpsert,
    PermissionLevel,
    PermissionSet,
    Role,
    RouteCreate,
    ValidationError,
)
from scarf_async.dialects.v1.requests import WIRE
from scarf_async.emulator import ReceivedRequest

from .described import JSON, Schema, document, inlined, operations
from .sending import send_everything

_ROOT: Final = document()
_OPERATIONS: Final = [
    (method, re.compile("/api/v1" + re.sub(r"{[^}]*}", "[^/]+", path)), operation)
    for method, path, operation in operations(_ROOT)
]


def _complaints(schema: Schema, value: JSON) -> list[str]:
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(value)]


def _named(name: str) -> Schema:
    return cast(Schema, inlined(_ROOT, {"$ref": f"#/components/schemas/{name}"}))


def _operation_of(request: ReceivedRequest) -> Schema:
    """The one operation that a request is for."""
    found = [
        operation
        for method, path, operation in _OPERATIONS
        if method == request.method and path.fullmatch(request.path)
    ]
    (operation,) = found
    return operation


def _complaints_about(request: ReceivedRequest) -> Iterable[str]:
    """What the description has against a request's body, media type and query."""
    operation = _operation_of(request)
    if "requestBody" in operation:
        content = cast(dict[str, Schema], cast(Schema, operation["requestBody"])["content"])
        yield from _complaints(
            cast(Schema, content[request.headers["Content-Type"]]["schema"]), json.loads(request.body)
        )
    elif request.body:
        yield "a body where none belongs"
    in_query = [p for p in cast(list[Schema], operation["parameters"]) if p["in"] == "query"]
    yield from _complaints(
        {
            "type": "object",
            "properties": {str(parameter["name"]): parameter["schema"] for parameter in in_query},
            "required": [parameter["name"] for parameter in in_query if parameter.get("required")],
            "additionalProperties": False,
        },
        dict(request.query),
    )


async def test_every_request_is_a_described_one() -> None:
    """What arrives of each call is valid: path, query, media type and body; and no operation is left out."""
    received = (await send_everything()).received
    assert [(request.path, complaint) for request in received for complaint in _complaints_about(request)] == []
    called = [_operation_of(request)["operationId"] for request in received]
    assert {operation["operationId"] for _, _, operation in _OPERATIONS} == set(called)


_TEXTS: Final = st.text(max_size=20)
_OPTIONAL: Final = st.one_of(st.none(), st.just(UNSET), _TEXTS)
_WEB: Final = st.sampled_from(["http://", "https://", "HTTPS://"])
_HOSTS: Final = st.sampled_from(["ghcr.io", "localhost:5000", "[::1]:1", "xn--e1afmkfd.example"])
_PATHS: Final = st.lists(st.sampled_from(["/web", "/a.b_c-d", "/0", "/x1-2"]), min_size=1, max_size=3).map("".join)
_ADDRESSES: Final = st.builds("{}{}{}".format, _WEB, _HOSTS, _PATHS)
_REST: Final = st.text(st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), max_size=20)
_REPOSITORIES: Final = st.builds("{}{}/{}".format, _WEB, _HOSTS, _REST)
_TYPES: Final = st.sampled_from([*LibraryType, "jvm", None, UNSET])


@st.composite
def _packages(draw: st.DrawFn) -> PackageUpsert | None:
    """A package of any type with addresses or without; None where the SDK refuses it."""
    address = draw(_ADDRESSES)
    try:
        return PackageUpsert(
            name=draw(_TEXTS),
            short_description=draw(_TEXTS),
            long_description=draw(_OPTIONAL),
            website=draw(_OPTIONAL),
            library_type=draw(_TYPES),
            backend_url=draw(st.sampled_from([address, None, UNSET])),
            public_url=draw(st.sampled_from([address, None, UNSET])),
            repository_url=draw(st.one_of(_REPOSITORIES, st.none(), st.just(UNSET))),
        )
    except ValidationError:
        return None


_FILLED: Final = _TEXTS.filter(lambda text: bool(text.strip()))
# The call refuses what is v2's alone.
_LEVELS: Final = st.sampled_from(sorted(set(PermissionLevel) - {PermissionLevel.OWNER}))
_UPSERTS: Final = {
    "OrganizationUpsertV1": st.builds(
        OrganizationUpsert, name=_FILLED, description=_TEXTS, billing_email=_TEXTS, website=_OPTIONAL
    ),
    "OrganizationMemberUpsertV1": st.builds(MemberUpsert, _FILLED, st.sampled_from(Role)),
    "PackageUpsertV1": _packages().filter(lambda package: package is not None),
    "PackagePermissionSetV1": st.builds(PermissionSet, _FILLED, _LEVELS),
    # The two are refused where they are swapped.
    "CreatePackageRouteV1": st.builds(
        RouteCreate,
        _FILLED.filter(lambda text: not text.startswith("/")),
        _FILLED.filter(lambda text: ":" not in text),
    ),
    # Which names are domains the SDK leaves to the service.
    "CreatePackageDomainV1": st.builds(DomainCreate, st.from_regex(r"\A[a-z0-9-]{1,9}(\.[a-z]{2,9}){1,2}\Z")),
}


@pytest.mark.parametrize("name", _UPSERTS)
@given(data=st.data())
def test_whatever_an_upsert_takes_may_be_sent(name: str, data: st.DataObject) -> None:
    """No upsert that the SDK takes is one that the description forbids."""
    upsert = data.draw(_UPSERTS[name])
    assert _complaints(_named(name), json.loads(WIRE.dump(upsert))) == []
