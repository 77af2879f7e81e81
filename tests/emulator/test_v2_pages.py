"""The lists of v2, page by page, under each quirk of paging."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

import pytest

from .conftest import JSON, Client, ClientV2, Reply

Fill: TypeAlias = Callable[[ClientV2, int], Awaitable[str]]

_FILE: dict[str, JSON] = {"type": "file", "incoming_path": "/x"}


async def _packages(v2: ClientV2, count: int) -> str:
    for number in range(count):
        await v2.made("/packages/acme", {"type": "npm", "name": f"p{number:02}"})
    return "/packages/acme"


async def _overview(v2: ClientV2, count: int) -> str:
    return f"{await _packages(v2, count)}/overview"


async def _pixels(v2: ClientV2, count: int) -> str:
    for number in range(count):
        await v2.made("/tracking-pixels/acme", {"name": f"x{number}"})
    return "/tracking-pixels/acme"


async def _collections(v2: ClientV2, count: int) -> str:
    for number in range(count):
        body: JSON = {"pattern": f"acme/{number}-*", "backend_domain": "ghcr.io", "type": "docker"}
        await v2.made("/collections/acme", body)
    return "/collections/acme"


async def _members(v2: ClientV2, count: int) -> str:
    for number in range(count - 1):
        body: JSON = {"username": f"ann{number}", "role": "member"}
        assert (await v2("POST", "/organizations/acme/members", body)).status == 201
    return "/organizations/acme/members"


async def _organizations(v2: ClientV2, count: int) -> str:
    for number in range(count - 1):
        await v2.call.organization(f"acme{number}")
    return "/users/emulator-user/organizations"


async def _routes(v2: ClientV2, count: int) -> str:
    uuid = await v2.made("/packages/acme", {"name": "tool", **_FILE})
    for number in range(count - 1):
        await v2.made(f"/packages/acme/{uuid}/routes", {"incoming_path": f"/{number}"})
    return f"/packages/acme/{uuid}/routes"


async def _permissions(v2: ClientV2, count: int) -> str:
    uuid = await v2.made("/packages/emulator-user", {"name": "tool", "type": "npm"})
    path = f"/packages/emulator-user/{uuid}/permissions"
    for number in range(count - 1):
        assert (await v2("POST", path, {"username": f"ann{number}", "permission_level": "admin"})).status == 204
    return path


async def _pixels_of_package(v2: ClientV2, count: int) -> str:
    uuid = await v2.made("/packages/acme", {"name": "tool", "type": "npm"})
    for number in range(count):
        await v2.made("/tracking-pixels/acme", {"name": f"x{number}", "package_id": uuid})
    return f"/packages/acme/{uuid}/tracking-pixels"


_OBJECTS: dict[str, Fill] = {
    "packages": _packages,
    "pixels": _pixels,
    "collections": _collections,
    "members": _members,
    "organizations": _organizations,
}
_WITHOUT_LINKS: dict[str, Fill] = {
    "overview": _overview,
    "routes": _routes,
    "permissions": _permissions,
    "pixels of a package": _pixels_of_package,
}
_CURSORS = {"members": "user_id", "permissions": "user_id", "packages": "name", "organizations": "organization_id"}


def _names(reply: Reply) -> list[str]:
    """What tells the elements of a page apart."""
    assert reply.status == 200, reply
    found = []
    for one in reply.array():
        inner = one.get("package") if "domains" in one else one
        assert isinstance(inner, dict)
        found.append(str(inner.get("id") or inner.get("user_id") or inner.get("organization_id")))
    return found


def _next(reply: Reply) -> str | None:
    links = reply.object()["_links"]
    assert isinstance(links, dict)
    following = links.get("next")
    assert following is None or isinstance(following, str)
    return following


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("kind", _OBJECTS)
async def test_links_lead_through_the_list(v2: ClientV2, kind: str, absolute: bool) -> None:
    """`next` is there until the last page; each element comes once, in pages of ten or of what is asked."""
    v2.quirks(links_absolute=absolute)
    path = await _OBJECTS[kind](v2, 12)
    origin = v2.call.emulator.v2_url.removesuffix("/v2")
    whole = _names(await v2("GET", f"{path}?per_page=100"))
    assert len(set(whole)) == 12
    for query, sizes in (("", [10, 2]), ("?per_page=5", [5, 5, 2]), ("?per_page=6", [6, 6])):
        target: str | None = f"{path}{query}"
        pages = []
        while target is not None:
            reply = await v2("GET", target)
            pages.append(_names(reply))
            following = _next(reply)
            if following is not None:
                assert following.startswith(f"{origin}/v2/" if absolute else "/v2/")
            target = following and (following if absolute else origin + following)
        assert [len(page) for page in pages] == sizes
        assert [name for page in pages for name in page] == whole


@pytest.mark.parametrize("kind", [*_OBJECTS, *_WITHOUT_LINKS])
async def test_after_continues_without_links(v2: ClientV2, kind: str) -> None:
    """No list has links; behind the last cursor the rest comes, and behind the end nothing."""
    v2.quirks(paging="after")
    path = await {**_OBJECTS, **_WITHOUT_LINKS}[kind](v2, 12)
    name = "organization_id" if kind == "organizations" else "after"
    whole = await v2("GET", f"{path}?per_page=100")
    assert not isinstance(whole.json, dict) or whole.json.keys() == {"results"}
    first = await v2("GET", path)
    assert _names(first) == _names(whole)[:10]
    last = first.array()[-1]
    inner = last["package"] if kind == "overview" else last
    assert isinstance(inner, dict)
    cursor = inner[_CURSORS["packages"] if kind == "overview" else _CURSORS.get(kind, "id")]
    assert _names(await v2("GET", f"{path}?{name}={cursor}")) == _names(whole)[10:]
    end = inner = whole.array()[-1]
    if kind == "overview":
        assert isinstance(end["package"], dict)
        inner = end["package"]
    cursor = inner["name" if kind == "overview" else _CURSORS.get(kind, "id")]
    assert _names(await v2("GET", f"{path}?{name}={cursor}")) == []


@pytest.mark.parametrize("kind", ["packages", "routes", "overview"])
async def test_after_may_mean_nothing(v2: ClientV2, kind: str) -> None:
    """Whatever `after` says, the first page comes; a larger page shows more."""
    v2.quirks(paging="ignores-after")
    path = await {**_OBJECTS, **_WITHOUT_LINKS}[kind](v2, 12)
    first = _names(await v2("GET", path))
    assert _names(await v2("GET", f"{path}?after=zzz")) == first
    assert len(_names(await v2("GET", f"{path}?after=zzz&per_page=1000"))) == 12


@pytest.mark.parametrize("kind", _WITHOUT_LINKS)
async def test_some_lists_never_have_links(v2: ClientV2, kind: str) -> None:
    """The overview and the bare arrays are cut at ten and say nothing of it; `after` works there all the same."""
    reply = await v2("GET", await _WITHOUT_LINKS[kind](v2, 12))
    assert len(reply.array()) == 10
    assert not isinstance(reply.json, dict) or reply.json.keys() == {"results"}


async def test_last_page_may_have_a_link_of_null(v2: ClientV2) -> None:
    """`next` is one of the optional fields."""
    path = await _packages(v2, 2)
    v2.quirks(absent="null")
    links = (await v2("GET", path)).object()["_links"]
    assert isinstance(links, dict)
    assert links["next"] is None
    assert _next(await v2("GET", f"{path}?per_page=1")) is not None


async def test_sizes_are_a_quirk(v2: ClientV2) -> None:
    """A page has so many elements where nothing is said, and never more than the most."""
    path = await _packages(v2, 12)
    v2.quirks(default_per_page=3, max_per_page=7)
    assert len(_names(await v2("GET", path))) == 3
    assert len(_names(await v2("GET", f"{path}?per_page=100"))) == 7
    reply = await v2("GET", f"{path}?per_page=100")
    assert parse_qs(urlsplit(_next(reply) or "").query) == {"after": ["p06"], "per_page": ["7"]}


async def test_package_cursor_is_a_quirk(v2: ClientV2) -> None:
    """A name, or an id; then only ids are cursors."""
    path = await _packages(v2, 4)
    assert [one["name"] for one in (await v2("GET", f"{path}?after=p01")).array()] == ["p02", "p03"]
    v2.quirks(package_cursor="id")
    whole = _names(await v2("GET", path))
    assert _names(await v2("GET", f"{path}?after={whole[1].upper()}")) == whole[2:]
    assert (await v2("GET", f"{path}?after=p01")).status == 400
    assert (await v2("GET", f"{path}/overview?after=p01")).status == 400


async def test_a_name_does_not_tell_packages_of_several_types_apart(v2: ClientV2) -> None:
    """Behind a name come other names, so that namesakes at the end of a page are passed over; a link does not."""
    for kind in ("npm", "hackage", "repository-jvm"):
        await v2.made("/packages/acme", {"type": kind, "name": "tool"})
    assert (await v2("GET", "/packages/acme?after=tool")).array() == []
    seen: list[str] = []
    target: str | None = "/packages/acme?per_page=1"
    while target is not None:
        reply = await v2("GET", target)
        seen += _names(reply)
        target = _next(reply)
    assert sorted(seen) == sorted(_names(await v2("GET", "/packages/acme")))


async def test_links_keep_what_was_asked(v2: ClientV2) -> None:
    """Every value of a filter is in `next`; of `page`, which means nothing, too."""
    await _packages(v2, 3)
    await v2.made("/packages/acme", {"type": "hackage", "name": "p00"})
    reply = await v2("GET", "/packages/acme?type=npm&per_page=1&type=file&page=7&after=p00")
    query = parse_qs(urlsplit(_next(reply) or "").query)
    assert query == {"type": ["npm", "file"], "page": ["7"], "after": ["p01"], "per_page": ["1"]}
    assert [one["name"] for one in reply.array()] == ["p01"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/packages/acme?per_page=ten", "Unable to recognize query parameter: per_page"),
        ("/packages/acme?per_page=", "Unable to recognize query parameter: per_page"),
        ("/packages/acme?per_page=0", "Unable to recognize query parameter: per_page"),
        ("/packages/acme?per_page=-1", "Unable to recognize query parameter: per_page"),
        ("/packages/acme?per_page", "Missing query parameter: per_page"),
        ("/packages/acme?after", "Missing query parameter: after"),
        ("/packages/acme?type=docker,file", "Unable to recognize query parameter: type"),
        ("/packages/acme?type=docker&type=exe", "Unable to recognize query parameter: type"),
        ("/packages/acme?type", "Missing query parameter: type"),
        ("/packages/acme?permission=all", "Unable to recognize query parameter: permission"),
        ("/packages/acme/overview?type=pypi", "Unable to recognize query parameter: type"),
        ("/tracking-pixels/acme?after=logo", "Unable to recognize query parameter: after"),
        ("/collections/acme?after=3kTMd", "Unable to recognize query parameter: after"),
        ("/organizations/acme/members?after=ann%20b", "Unable to recognize query parameter: after"),
        ("/users/ann/organizations?organization_id=Acme", "Unable to recognize query parameter: organization_id"),
    ],
)
async def test_queries_that_cannot_be_parsed(v2: ClientV2, target: str, words: str) -> None:
    """A bare 400 with the words of the generated parser."""
    reply = await v2("GET", target)
    assert (reply.status, reply.body.decode()) == (400, words)
    assert "Content-Type" not in reply.headers


async def test_first_of_a_repeated_scalar_counts_and_unknown_ones_do_not(v2: ClientV2) -> None:
    """As the generated parser reads them."""
    path = await _packages(v2, 4)
    reply = await v2("GET", f"{path}?per_page=1&per_page=x&page=3&_ui&per_page=4")
    assert len(reply.array()) == 1


async def test_domains_are_not_paged(v2: ClientV2) -> None:
    """All at once, whatever is asked."""
    uuid = await v2.made("/packages/acme", {"name": "tool", **_FILE})
    for number in range(12):
        await v2.made(f"/packages/acme/{uuid}/domains", {"name": f"d{number}.example"})
    assert len((await v2("GET", f"/packages/acme/{uuid}/domains?per_page=2&after=x")).array()) == 13


async def test_packages_are_filtered(call: Client, v2: ClientV2) -> None:
    """By types, any of them, and by what the user may do."""
    await call.package("web", "docker", organization="Acme")
    await call.package("snake", "pypi", organization="Acme")
    mine = await call.package("boss", "npm", organization="Acme")
    await call.package("alone", "npm")
    body: JSON = [{"userQuery": "emulator-user", "permissionLevel": "member"}]
    assert (await call("POST", f"/packages/{mine}/permissions", body)).status == 204

    async def names(query: str, owner: str = "acme") -> list[JSON]:
        return [one["name"] for one in (await v2("GET", f"/packages/{owner}?{query}")).array()]

    assert await names("type=docker&type=python") == ["acme/web", "snake"]
    assert await names("type=npm") == ["boss"]
    assert await names("permission=owner") == ["acme/web", "snake"]
    assert await names("permission=member") == ["boss"]
    assert await names("permission=owner", "Emulator-User") == ["alone"]
