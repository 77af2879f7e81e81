"""Values in a path arrive as they are, as one segment, and never lead anywhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scarf_async import (
    DomainCreate,
    NotFoundError,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    PermissionSet,
    RetryPolicy,
    RouteCreate,
    Scarf,
    ValidationError,
)
from scarf_async.dialects.exports import EXPORTS as EXPORT_CALLS
from scarf_async.dialects.v1 import requests as endpoints_v1
from scarf_async.protocol.messages import Endpoint

from .hostile import BASE, TOKEN, Raw, head

Call = Callable[[Scarf, str], Awaitable[object]]

_HOME: Final = OrganizationUpsert(name="home", description="", billing_email="")
_ANVIL: Final = PackageUpsert(name="anvil", short_description="")
_ROUTE: Final = RouteCreate("https://a.example/{version}", "/{version}")
_DOMAIN: Final = DomainCreate("d.example")
_DAYS: Final = ("2024-01-01", "2024-01-02")


async def _open(export: object) -> None:
    async with export:  # type: ignore[attr-defined] # an Export of whatever kind
        pass


# By template, in which `*` stands for the value.
CALLS: Final[dict[str, Call]] = {
    "GET /organizations/*": lambda scarf, name: scarf.organizations.get(name),
    "PUT /organizations/*": lambda scarf, name: scarf.organizations.update(name, _HOME),
    "GET /organizations/*/users": lambda scarf, name: scarf.members.list(name),
    "POST /organizations/*/users": lambda scarf, name: scarf.members.upsert(name, "ann", "admin"),
    "DELETE /organizations/*/users/ann": lambda scarf, name: scarf.members.remove(name, "ann"),
    "DELETE /organizations/home/users/*": lambda scarf, name: scarf.members.remove("home", name),
    "GET /organizations/*/packages": lambda scarf, name: scarf.packages.list(name),
    "POST /organizations/*/packages": lambda scarf, name: scarf.packages.create(_ANVIL, name),
    "GET /packages/*": lambda scarf, name: scarf.packages.get(name),
    "GET /packages/*?packageType=docker": lambda scarf, name: scarf.packages.get(name, "docker"),
    "PUT /packages/*": lambda scarf, name: scarf.packages.update(name, _ANVIL),
    "DELETE /packages/*": lambda scarf, name: scarf.packages.delete(name),
    "GET /packages/*/permissions": lambda scarf, name: scarf.permissions.list(name),
    "POST /packages/*/permissions": lambda scarf, name: scarf.permissions.set(name, PermissionSet("b", "admin")),
    "GET /packages/*/routes": lambda scarf, name: scarf.routes.list(name),
    "POST /packages/*/routes": lambda scarf, name: scarf.routes.create(name, _ROUTE),
    "DELETE /packages/*/routes/r1": lambda scarf, name: scarf.routes.delete(name, "r1"),
    "DELETE /packages/p1/routes/*": lambda scarf, name: scarf.routes.delete("p1", name),
    "GET /packages/*/domains": lambda scarf, name: scarf.domains.list(name),
    "POST /packages/*/domains": lambda scarf, name: scarf.domains.create(name, _DOMAIN),
    "DELETE /packages/*/domains/d1": lambda scarf, name: scarf.domains.delete(name, "d1"),
    "DELETE /packages/p1/domains/*": lambda scarf, name: scarf.domains.delete("p1", name),
    "DELETE /packages/*/": lambda scarf, name: scarf.packages.delete(Package(uuid=name, name="anvil")),
}
_V1_DAYS: Final = "?startDate=2024-01-01&endDate=2024-01-02"
_V2_DAYS: Final = "?start_date=2024-01-01&end_date=2024-01-02"
EXPORTS: Final[dict[str, Call]] = {
    f"GET /organizations/*/aggregates{_V1_DAYS}": lambda scarf, name: _open(
        scarf.exports.organization_aggregates(name, *_DAYS)
    ),
    f"GET /users/*/aggregates{_V1_DAYS}": lambda scarf, name: _open(scarf.exports.user_aggregates(name, *_DAYS)),
    f"GET /packages/*/p1/events/events.csv{_V1_DAYS}": lambda scarf, name: _open(
        scarf.exports.package_events(name, "p1", *_DAYS)
    ),
    f"GET /packages/home/*/events/events.csv{_V1_DAYS}": lambda scarf, name: _open(
        scarf.exports.package_events("home", name, *_DAYS)
    ),
    f"GET /packages/*/events/events.csv{_V1_DAYS}": lambda scarf, name: _open(
        scarf.exports.package_events(None, name, *_DAYS)
    ),
    f"GET /packages/*/p1/events{_V2_DAYS}": lambda scarf, name: _open(
        scarf.exports.package_events(name, "p1", *_DAYS, api="v2")
    ),
    f"GET /packages/home/*/events{_V2_DAYS}": lambda scarf, name: _open(
        scarf.exports.package_events("home", name, *_DAYS, api="v2")
    ),
    f"GET /packages/*/events{_V2_DAYS}": lambda scarf, name: _open(scarf.exports.owner_events(name, *_DAYS)),
    f"GET /tracking-pixels/*/events{_V2_DAYS}": lambda scarf, name: _open(
        scarf.exports.pixel_events(*_DAYS, owner=name, api="v2")
    ),
    f"GET /insights/*/aggregations/export{_V2_DAYS}&rollup=daily&breakdown=by-total&format=ndjson": (
        lambda scarf, name: _open(scarf.exports.aggregations(*_DAYS, owner=name))
    ),
    f"GET /tracking-pixels/home/*/events{_V2_DAYS}": lambda scarf, name: _open(
        scarf.exports.pixel_events(*_DAYS, owner="home", pixel=name)
    ),
    f"GET /tracking-pixels/*/x1/events{_V2_DAYS}": lambda scarf, name: _open(
        scarf.exports.pixel_events(*_DAYS, owner=name, pixel="x1")
    ),
    f"GET /companies/home/*/events{_V2_DAYS}": lambda scarf, name: _open(
        scarf.exports.company_events(name, *_DAYS, owner="home")
    ),
    f"GET /companies/*/c.example/events{_V2_DAYS}": lambda scarf, name: _open(
        scarf.exports.company_events("c.example", *_DAYS, owner=name)
    ),
    f"GET /companies/*/pixel-rollup{_V2_DAYS}": lambda scarf, name: _open(
        scarf.exports.pixel_rollup(*_DAYS, owner=name)
    ),
}
EVERY: Final = CALLS | EXPORTS

REFUSED: Final = ["", ".", "..", "a\nb", "\0", "\x7f", "tab\t", "\u0085", "\ud800", "x\r\nHost: evil"]

names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30).filter(
    lambda name: name not in {".", ".."}
)


def _client(service: Raw) -> Scarf:
    return Scarf(TOKEN, base_url=service.url, v2_url=service.url, v3_url=service.url, retry=RetryPolicy(attempts=1))


def _as_sent(template: str, value: str, request: bytes) -> None:
    """Hold the first line of a request, as it came through the socket, against what was to be sent."""
    method, target, version = request.split(b"\r\n", 1)[0].split(b" ")
    assert version == b"HTTP/1.1"
    wanted, _, path = template.partition(" ")
    path, _, query = path.rstrip("/").partition("?")
    assert method.decode() == wanted
    sent_path, _, sent_query = target.partition(b"?")
    assert sent_query.decode() == query
    segments = [unquote_to_bytes(segment) for segment in sent_path.removeprefix(BASE.encode()).split(b"/")]
    assert segments == [(value if part == "*" else part).encode() for part in path.split("/")]


def test_the_table_is_whole() -> None:
    """Every call with a value in its path is tried here, with every value."""
    endpoints = [value for value in vars(endpoints_v1).values() if isinstance(value, Endpoint)]
    templates = [(endpoint.method, endpoint.template) for endpoint in endpoints]
    for call in EXPORT_CALLS.values():
        templates += [
            ("GET", template) for template in (call.template, call.without_owner, call.of_pixel) if template
        ]
    tried = [template.rstrip("/").partition("?")[0].partition(" ") for template in EVERY]
    for method, template in templates:
        segments = template.split("/")
        values = [at for at, segment in enumerate(segments) if segment.startswith("{")]
        for at in values:
            assert any(
                method == verb
                and len(parts) == len(segments)
                and parts[at] == "*"
                and all(
                    segment.startswith("{") or segment == part
                    for segment, part in zip(segments, parts, strict=True)
                )
                for verb, _, path in tried
                if len(parts := path.split("/")) == len(segments)
            ), (method, template, at)


@example(name="linuxserver/nginx")
@example(name="@scope/pkg")
@example(name="a/../../organizations/b")
@example(name="%2e%2e")
@example(name="..%2f..")
@example(name="%")
@example(name="%zz%00")
@example(name="..;")
@example(name=" .. ")
@example(name="...")
@example(name="x?packageType=npm#top")
@example(name="a b+c&d=e;f")
@example(name="//evil.example/")
@example(name="\\..\\")
@example(name="user:pass@evil.example:80")
@example(name="na\u00efve \u540d\u524d \U0001f98a")
@example(name="e\u0301")
@example(name="{package}{0}")
@example(name="~!$'()*,:[]")
@given(name=names)
async def test_unchanged_as_one_segment(name: str) -> None:
    """Whatever a name holds, the service gets it to the byte, as one segment of the path."""
    data = head("404 Not Found", length=0)
    async with Raw(data) as service, _client(service) as scarf:
        for template, call in EVERY.items():
            service.requests.clear()
            with pytest.raises(NotFoundError):
                await call(scarf, name)
            for request in service.requests[:1]:
                _as_sent(template, name, request)
            assert len(service.requests) == 1


@pytest.mark.parametrize("call", EVERY.values(), ids=EVERY)
async def test_never_leaves(call: Call) -> None:
    """What an address cannot hold, or what would climb out of it, is refused; nothing is sent."""
    async with Raw(head("404 Not Found", length=0)) as service, _client(service) as scarf:
        for value in [*REFUSED, 7, b"p1"]:
            with pytest.raises(ValidationError):
                await call(scarf, value)  # type: ignore[arg-type] # some are not strings
        assert not service.requests
        assert not service.open


async def test_none_is_no_name() -> None:
    """None, where it does not mean something of its own, is refused too."""
    async with Raw(head("404 Not Found", length=0)) as service, _client(service) as scarf:
        for call in (scarf.organizations.get, scarf.packages.get, scarf.packages.delete, scarf.routes.list):
            with pytest.raises(ValidationError):
                await call(None)  # type: ignore[arg-type] # a mistake
        assert not service.requests


@example(library_type="a&startDate=1#x")
@example(library_type="a+b c%20/\u540d")
@given(library_type=names)
async def test_a_query(library_type: str) -> None:
    """The type of a package reaches the service unchanged too, as the one parameter."""
    async with Raw(head("404 Not Found", length=0)) as service, _client(service) as scarf:
        with pytest.raises(NotFoundError):
            await scarf.packages.get("p1", library_type)
        target = service.requests[0].split(b" ")[1]
        path, _, query = target.partition(b"?")
        name, _, value = query.partition(b"=")
        assert path == f"{BASE}/packages/p1".encode()
        assert name == b"packageType"
        assert unquote_to_bytes(value) == library_type.encode()
        assert not set(b"&+#= ") & set(value)


async def test_what_else_is_sent() -> None:
    """A request says what it takes and what it holds, and goes to the host of the base address."""
    async with Raw(head("204 No Content")) as service, _client(service) as scarf:
        await scarf.permissions.set("p1", PermissionSet("b@example.com", "member"))
        with pytest.raises(Exception, match="empty"):
            await scarf.routes.list("p1")
        post, get = (request.decode().lower().split("\r\n") for request in service.requests)
        for lines in (post, get):
            assert f"host: 127.0.0.1:{service.port}" in lines
            assert f"authorization: bearer {TOKEN.lower()}" in lines
            assert "accept: application/json" in lines
            assert any(line.startswith("user-agent: scarf-async/") for line in lines)
        assert "content-type: application/json" in post
        assert any(line.startswith("content-length: ") for line in post)
        assert not any(line.startswith(("content-", "transfer-")) for line in get)
