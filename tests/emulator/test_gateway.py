"""Routes and domains, over HTTP."""

from __future__ import annotations

import pytest

from .conftest import JSON, Client

_ROUTE: JSON = {"outgoingUrl": "https://o.example/{version}", "templatePath": "/get/{version}"}


async def test_routes_are_created_listed_and_deleted(call: Client) -> None:
    """Equal routes are two, each with an id; a deleted one is gone once."""
    path = f"/packages/{await call.package()}/routes"
    first, second = await call("POST", path, _ROUTE), await call("POST", path, _ROUTE)
    assert first.status == second.status == 201
    assert first.object().keys() == {"id", "outgoingUrl", "templatePath"}
    assert first.text("id") != second.text("id")
    assert (await call("GET", path)).json == [first.json, second.json]
    assert (await call("DELETE", f"{path}/{first.text('id')}")).status == 204
    assert (await call("DELETE", f"{path}/{first.text('id')}")).status == 404
    assert (await call("GET", path)).json == [second.json]


async def test_route_of_another_package_is_not_deleted(call: Client) -> None:
    """A route is looked for in the package of the path."""
    one, two = await call.package("one"), await call.package("two")
    route = (await call("POST", f"/packages/{one}/routes", _ROUTE)).text("id")
    assert (await call("DELETE", f"/packages/{two}/routes/{route}")).status == 404
    assert not call.emulator.requests[-1].effective


@pytest.mark.parametrize("library_type", ["npm", "docker", "pypi", "other"])
async def test_only_file_packages_have_routes(call: Client, library_type: str) -> None:
    """Routes are refused elsewhere with the service's code; the list is empty."""
    path = f"/packages/{await call.package('tool', library_type)}/routes"
    refused = await call("POST", path, _ROUTE)
    assert (refused.status, refused.object()["code"]) == (422, "not-a-file-package")
    assert (await call("GET", path)).json == []


@pytest.mark.parametrize("field", ["outgoingUrl", "templatePath"])
@pytest.mark.parametrize("value", ["", None, 3])
async def test_route_needs_both_addresses(call: Client, field: str, value: JSON) -> None:
    """Neither field is optional."""
    assert isinstance(_ROUTE, dict)
    reply = await call("POST", f"/packages/{await call.package()}/routes", {**_ROUTE, field: value})
    assert reply.status == 422
    assert reply.text("message").startswith(f"{field}: ")


@pytest.mark.parametrize("library_type", ["file", "pypi", "python", "docker"])
async def test_domains_are_created_listed_and_deleted(call: Client, library_type: str) -> None:
    """File and python packages have domains, and docker ones."""
    path = f"/packages/{await call.package('tool', library_type)}/domains"
    created = await call("POST", path, {"name": "DL.acme.example"})
    assert created.status == 201
    assert created.object().keys() == {"id", "name"}
    assert created.object()["name"] == "DL.acme.example"
    shown = (await call("GET", path)).json
    assert isinstance(shown, list)
    assert shown[1:] == [created.json]
    assert (await call("DELETE", f"{path}/{created.text('id')}")).status == 204
    assert (await call("DELETE", f"{path}/{created.text('id')}")).status == 404
    assert (await call("GET", path)).json == shown[:1]


@pytest.mark.parametrize("name", ["", " ", "a b", "https://a.example", "a.example/x", "a@b", None, 1])
async def test_bad_domain_names_are_refused(call: Client, name: JSON) -> None:
    """A domain's name is a name, and not an address."""
    reply = await call("POST", f"/packages/{await call.package()}/domains", {"name": name})
    assert reply.status == 422
    assert reply.text("message").startswith("name: ")


async def test_other_packages_have_no_domains(call: Client) -> None:
    """Types that the gateway does not serve refuse domains."""
    path = f"/packages/{await call.package('tool', 'npm')}/domains"
    assert (await call("POST", path, {"name": "dl.acme.example"})).status == 422
    assert (await call("GET", path)).json == []
