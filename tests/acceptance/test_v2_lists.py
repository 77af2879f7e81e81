"""Lists of v2 over sockets: links elsewhere, pages that fail or are slow, and answers that are not lists."""

from __future__ import annotations

from typing import Final

import attrs
import pytest

from scarf_async import (
    ConflictError,
    DecodeError,
    NotFoundError,
    PackageUpsert,
    PaginationError,
    PermissionDeniedError,
    PermissionSet,
    RetryPolicy,
    ServerError,
    UnprocessableError,
)

from .hostile import FAST, Act, Hostile, answer, drop, honest
from .service_v2 import HostileV2, connect_v2

LIST: Final = "/v2/packages/acme"


def page(number: int, link: object = None, *, status: int = 200) -> Act:
    """Answer with a package, and a link."""
    package = {"id": f"p-{number}", "name": f"n{number}", "type": "npm"}
    return answer(status, {"results": [package], "_links": {"next": link}})


async def test_a_link_elsewhere_is_read_here() -> None:
    """Whatever host, scheme and path it has, the next page is asked for at our address; nobody else is asked."""
    async with Hostile() as other, HostileV2() as service, connect_v2(service) as scarf:
        links = (
            f"{other.url}/x?after=1",
            "//evil.example/v2?after=2",
            "?after=3&per_page=7",
            "javascript:0?after=4",
        )
        service.on("GET", LIST, *(page(number, link) for number, link in enumerate(links)), page(9))
        assert [package.uuid for package in await scarf.packages.list()] == ["p-0", "p-1", "p-2", "p-3", "p-9"]
        assert other.arrivals == []
    assert {arrival.path for arrival in service.arrivals} == {LIST}
    assert [arrival.query for arrival in service.arrivals] == [
        "per_page=100",
        "per_page=100&after=1",
        "per_page=100&after=2",
        "per_page=7&after=3",
        "per_page=100&after=4",
    ]


async def test_each_page_is_tried_by_itself() -> None:
    """The attempts and the time of the policy are those of one page, not of the list."""
    patient = attrs.evolve(FAST, max_elapsed=1.0)
    async with HostileV2() as service, connect_v2(service, retry=patient) as scarf:
        acts: list[Act] = []
        for number in range(4):
            slow = attrs.evolve(page(number, f"?after={number}" if number < 3 else None), delay=0.3)
            acts += [drop(), answer(503), slow]
        service.on("GET", LIST, *acts)
        assert len(await scarf.packages.list()) == 4
    assert len(service.arrivals) == 12


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (answer(200, b""), DecodeError),
        (answer(200, {"message": "no"}), DecodeError),
        (answer(200, {"results": [{"name": "no id"}]}), DecodeError),
        (answer(403), PermissionDeniedError),
        (answer(404), NotFoundError),
        (answer(500), ServerError),
        (page(1, "?after=0"), PaginationError),
    ],
)
async def test_half_a_list_is_none(second: Act, kind: type[Exception]) -> None:
    """What fails on a later page is raised; of the earlier ones nothing is returned."""
    async with HostileV2() as service, connect_v2(service, retry=RetryPolicy(attempts=1)) as scarf:
        service.on("GET", LIST, page(0, "?after=0"), second)
        with pytest.raises(kind):
            await scarf.packages.list()


NPM: Final = PackageUpsert(name="lib", short_description="", library_type="npm")
CODES: Final = [
    "package-already-exists",
    "package-is-conflicting",
    "entity-already-exists",
    "domain-is-already-in-use",
    "public-domain-is-already-in-use",
    "name-already-exists",
    "pattern-is-duplicated",
    "collection-is-conflicting",
]


@pytest.mark.parametrize("code", [*CODES, "package-name-is-empty", None])
async def test_what_a_422_means(code: str | None) -> None:
    """Eight codes say that it is there already or contradicts what is: the class says so, the status stays."""
    async with HostileV2() as service, connect_v2(service) as scarf:
        service.on("POST", LIST, answer(422, {"message": "no", "code": code}))
        with pytest.raises(UnprocessableError if code not in CODES else ConflictError) as caught:
            await scarf.packages.create(NPM)
        assert (getattr(caught.value, "status", 0), getattr(caught.value, "code", "")) == (422, code)
    assert len(service.arrivals) == 1


async def test_a_permission_that_an_own_request_took_back() -> None:
    """A 404 to a resend counts only where the permissions can be read."""
    bob = "/packages/acme/web/permissions/bob"
    for after in (honest(), answer(404)):
        async with HostileV2() as service, connect_v2(service) as scarf:
            service.store[bob] = {"username": "bob", "permission_level": "admin"}
            service.on("DELETE", f"/v2{bob}", drop(effect=True))
            service.on("GET", "*/permissions", after)
            if after.honest:
                await scarf.permissions.set("web", PermissionSet("bob", "default"))
            else:
                with pytest.raises(NotFoundError):
                    await scarf.permissions.set("web", PermissionSet("bob", "default"))
        assert [arrival.method for arrival in service.arrivals] == ["DELETE", "DELETE", "GET"]


@pytest.mark.parametrize("status", [400, 415])
async def test_a_refusal_without_a_word(status: int) -> None:
    """To a write an empty one carries a note on what it may mean; with words, or to a read, it does not."""
    async with HostileV2() as service, connect_v2(service) as scarf:
        service.on("POST", LIST, answer(status), answer(status, {"message": "why"}))
        service.on("GET", "*/domains", answer(status))
        notes = []
        for call in (scarf.packages.create(NPM), scarf.packages.create(NPM), scarf.domains.list("web")):
            with pytest.raises(Exception, match=str(status)) as caught:
                await call
            notes.append(len(getattr(caught.value, "__notes__", [])))
    assert notes == [1, 0, 0]
