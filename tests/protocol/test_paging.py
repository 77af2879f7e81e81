"""Lists that come in pages: read to an end that is proven, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.errors import (
    PaginationError,
)
from scarf_async.protocol.messages import Request
from scarf_async.protocol.paging import (
    Listing,
)

from .paged_service import (
    BY_ID,
    BY_NAME,
    BY_USER,
    LIST,
    ORGANIZATIONS,
    PACKAGES,
    Script,
    Service,
    Thing,
    carry_out,
    query_of,
    things,
)

Paging = Literal["links", "links-only", "after", "ignores-after", "no-next"]

SIZES: Final = (0, 1, 9, 10, 11, 99, 100, 101, 200, 1000, 1001)
THERE: Final = things(range(max(SIZES)))
CAPS: Final = (10, 50, 1000, None)
MEMBERS: Final = Listing(LIST, lambda thing: thing.id, (BY_USER,))
LISTS: Final[Mapping[str, tuple[Listing[Thing], str, str]]] = {
    "by name": (PACKAGES, "name", "after"),
    "by id, the second kind": (PACKAGES, "id", "after"),
    "by user": (MEMBERS, "user_id", "after"),
    "by organization": (ORGANIZATIONS, "id", "organization_id"),
}


def same(found: Sequence[Thing], there: Sequence[Thing]) -> bool:
    """Return whether each element of a list is there once, in any order."""
    return sorted(thing.id for thing in found) == sorted(thing.id for thing in there)


def sizes(cap: int | None) -> set[int]:
    """Return the sizes that are tried: beyond twenty pages or so each is as the one before."""
    return {size for size in SIZES if size <= 21 * (cap or 10)}


def unproven(listing: Listing[Thing], service: Service) -> set[int]:
    """Read a list of each size: the sizes of those that are a `PaginationError`. All others are whole."""
    failed = set()
    for size in sizes(service.cap):
        there = THERE[:size]
        try:
            found = carry_out(listing.read(owner="acme"), attrs.evolve(service, elements=there, requests=[]))
        except PaginationError:
            failed.add(size)
        else:
            assert same(found, there), size
    return failed


# Every way of paging, every cap, every size.


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("name", LISTS)
def test_links_lead_to_the_whole_list(name: str, cap: int | None, told: bool, kept: bool) -> None:
    """Whatever the sizes of pages and cursors, and whether the last page has `_links`: never an error."""
    listing, cursor, parameter = LISTS[name]
    service = Service([], "links", cap, cursor, parameter, told=told, kept=kept)
    assert unproven(listing, service) == set()


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("envelope", ["", "results"])
@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("name", LISTS)
def test_cursors_lead_to_the_whole_list(name: str, cap: int | None, envelope: str, typed: bool) -> None:
    """Without links the last element but one of each page leads on: never an error."""
    listing, cursor, parameter = LISTS[name]
    service = Service([], "after", cap, cursor, parameter, typed=typed, envelope=envelope)
    assert unproven(listing, service) == set()


FROM_10: Final = {size for size in SIZES if size >= 10}
ROUND: Final = {100, 200, 1000}
LINKS_ONLY: Final[Mapping[tuple[int | None, bool, bool], set[int]]] = {
    # A cap, whether links tell the size of pages, whether the last page has `_links`.
    (10, False, True): set(),
    (10, True, True): ROUND,
    (10, False, False): {10} | ROUND,
    (10, True, False): {10} | ROUND,
    (50, False, True): set(),
    (50, True, True): ROUND,
    (50, False, False): {10, 11, 99} | ROUND,
    (50, True, False): {10, 11, 99} | ROUND,
    (1000, False, True): ROUND,
    (1000, True, True): ROUND,
    (1000, False, False): {10, 11, 99} | ROUND,
    (1000, True, False): {10, 11, 99} | ROUND,
    (None, False, True): {10} | ROUND,
    (None, False, False): {10} | ROUND,
}


@pytest.mark.parametrize(("cap", "told", "kept"), LINKS_ONLY)
@pytest.mark.parametrize("name", LISTS)
def test_links_without_cursors(name: str, cap: int | None, told: bool, kept: bool) -> None:
    """Where only links lead on, a last page that is full, or has no `_links`, proves nothing: exactly these."""
    listing, cursor, parameter = LISTS[name]
    service = Service([], "links-only", cap, cursor, parameter, told=told, kept=kept)
    assert unproven(listing, service) == LINKS_ONLY[cap, told, kept] & sizes(cap)


IGNORES_AFTER: Final[Mapping[int | None, set[int]]] = {
    10: FROM_10,
    50: FROM_10,
    1000: FROM_10 - {101},
    None: FROM_10,
}


@pytest.mark.parametrize("envelope", ["", "results"])
@pytest.mark.parametrize("cap", IGNORES_AFTER)
@pytest.mark.parametrize("name", LISTS)
def test_neither_links_nor_cursors(name: str, cap: int | None, envelope: str) -> None:
    """Where nothing leads on, ten elements prove nothing, unless 1,000 are asked for and an odd number comes."""
    listing, cursor, parameter = LISTS[name]
    service = Service([], "ignores-after", cap, cursor, parameter, envelope=envelope)
    assert unproven(listing, service) == IGNORES_AFTER[cap] & sizes(cap)


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("cap", IGNORES_AFTER)
@pytest.mark.parametrize("cursor", ["name", "user_id"])
def test_a_cursor_of_no_known_kind(cursor: str, cap: int | None, typed: bool) -> None:
    """A service that wants another cursor is as one that ignores it, whether it refuses ours or misreads it."""
    assert unproven(ORGANIZATIONS, Service([], "after", cap, cursor, typed=typed)) == IGNORES_AFTER[cap] & sizes(
        cap
    )
    listing = Listing(LIST, lambda thing: thing.id, (BY_ID,))
    assert unproven(listing, Service([], "after", cap, cursor, typed=typed)) == IGNORES_AFTER[cap] & sizes(cap)


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("name", LISTS)
def test_links_that_never_lead_on(name: str, cap: int | None) -> None:
    """The cut that cannot be caught: pages with `_links`, without `next`, shorter than asked; any other one is."""
    listing, cursor, parameter = LISTS[name]
    for size in SIZES:
        service = Service(things(range(size)), "no-next", cap, cursor, parameter)
        found = carry_out(listing.read(owner="acme"), service)
        if cap in {10, 50}:
            assert len(found) == min(size, cap)
        else:
            assert same(found, service.elements)


NAMESAKES: Final[Mapping[tuple[int | None, int], set[int]]] = {
    # A cap, and how many share each name.
    **{(cap, namesakes): set() for cap in CAPS for namesakes in (2, 3, 9)},
    (10, 30): FROM_10,
    (50, 30): {10, 11, 1000, 1001},
    (1000, 30): {10, 11, 200, 1000, 1001},
    (None, 30): FROM_10,
}


@pytest.mark.parametrize(("cap", "namesakes"), NAMESAKES)
def test_namesakes(cap: int | None, namesakes: int) -> None:
    """Elements that share the name that is the cursor are all found, unless a page holds one name only."""
    failed = set()
    for size in SIZES:
        service = Service(things(range(size), namesakes=namesakes), "after", cap, "name")
        try:
            found = carry_out(PACKAGES.read(owner="acme"), service)
        except PaginationError:
            failed.add(size)
        else:
            assert same(found, service.elements)
    assert failed == NAMESAKES[cap, namesakes]


# What is sent.


@pytest.mark.parametrize("envelope", ["results", "event_imports", "data"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        "/v2/packages/acme",
        "packages/other",
        "https://api.scarf.sh/v2/packages/acme",
        "http://10.0.0.7:81/internal",
        "//elsewhere.example/steal",
        "http://[bad",
        "javascript:alert(1)",
    ],
)
def test_links_never_lead_elsewhere(before: str, envelope: str) -> None:
    """Of a link only the query counts: every request has our path, on whatever address the client was given."""
    service = Service(things(range(101)), "links", 50, before=before, envelope=envelope)
    assert same(carry_out(PACKAGES.read(owner="acme"), service), service.elements)
    assert [target.partition("?")[0] for target in service.requests] == ["/packages/acme"] * 3


@pytest.mark.parametrize("paging", ["links", "after", "ignores-after"])
def test_the_query_of_the_list_is_in_every_request(paging: Paging) -> None:
    """What chooses the elements is sent with every page, repeated names too, however the page was found."""
    service = Service(things(range(101)), paging)
    read = PACKAGES.read({"type": ["docker", "file"], "permission": "admin"}, owner="acme/inc")
    assert same(carry_out(read, service), service.elements)
    assert len(service.requests) > 1
    for target in service.requests:
        assert target.startswith("/packages/acme%2Finc?type=docker&type=file&permission=admin&per_page=")


def test_a_link_changes_what_it_names() -> None:
    """A link's values take the place of ours, all of a repeated name; the next link is laid over ours again."""
    script = Script(
        {
            "type=docker&per_page=100": {
                "results": [],
                "_links": {"next": "?type=a&type=b&per_page=7&x=%26+%2B&y="},
            },
            "type=a&type=b&per_page=7&x=%26%20%2B&y=": {"results": [], "_links": {"next": "?z=%C3%A9#per_page=3"}},
            "type=docker&per_page=100&z=%C3%A9": [],
        }
    )
    assert carry_out(PACKAGES.read({"type": "docker"}, owner="acme"), script) == []
    assert script.requests == list(script.answers)


@pytest.mark.parametrize(
    ("size", "paging", "cursor", "count"),
    [
        (9_999, "links", "name", 100),
        (10_000, "links", "name", 101),
        (10_000, "links", "id", 102),
        (10_001, "links", "id", 101),
        (10_000, "after", "name", 102),
        (10_000, "after", "id", 103),
        (9, "after", "name", 1),
        (10, "after", "name", 2),
        (99, "links", "name", 1),
        (101, "ignores-after", "name", 4),
    ],
)
def test_how_many_requests_a_list_takes(size: int, paging: Paging, cursor: str, count: int) -> None:
    """One for every 100 elements where links lead on; one more for a full last page, one for each wrong kind."""
    service = Service(things(range(size)), paging, cursor=cursor)
    assert same(carry_out(PACKAGES.read(owner="acme"), service), service.elements)
    assert len(service.requests) == count


def test_the_kinds_of_cursor_in_turn() -> None:
    """A kind that no element has, or that is refused, is not tried again in this list."""
    elements = [attrs.evolve(thing, user_id=None) for thing in things(range(250))]
    service = Service(elements, "after", 100)
    listing = Listing(LIST, lambda thing: thing.id, (BY_USER, BY_NAME, BY_ID))
    assert carry_out(listing.read(owner="acme"), service) == elements
    assert [query_of(Request(LIST, target)).get("after") for target in service.requests] == [
        None,
        [elements[98].name],
        ["i00098"],
        ["i00197"],
        ["i00248"],
    ]


# What changes meanwhile.


@st.composite
def changes(draw: st.DrawFn) -> list[frozenset[int]]:
    """Set the elements at each request, as numbers; after the last one nothing changes any more."""
    there = frozenset(range(0, 2 * draw(st.sampled_from([8, 10, 12, 30, 60, 105, 160])), 2))
    moments = [there]
    numbers = st.frozensets(st.integers(0, 330), max_size=4)
    for _ in range(draw(st.integers(0, 12))):
        there = (there - draw(numbers)) | draw(numbers)
        moments.append(there)
    return moments


@given(
    moments=changes(),
    paging=st.sampled_from(["links", "links-only", "after", "ignores-after"]),
    cap=st.sampled_from(CAPS),
    cursor=st.sampled_from(["name", "id"]),
    typed=st.booleans(),
    told=st.booleans(),
    kept=st.booleans(),
)
def test_a_list_that_changes_while_it_is_read(
    *,
    moments: list[frozenset[int]],
    paging: Paging,
    cap: int | None,
    cursor: str,
    typed: bool,
    told: bool,
    kept: bool,
) -> None:
    """What exists all the while is in the list once, and nothing that never was; or the list is not returned."""
    seen: list[frozenset[int]] = []

    def change(number: int) -> list[Thing]:
        seen.append(moments[min(number, len(moments) - 1)])
        return things(seen[-1])

    service = Service([], paging, cap, cursor, typed=typed, told=told, kept=kept, change=change)
    try:
        found = [thing.id for thing in carry_out(PACKAGES.read(owner="acme"), service)]
    except PaginationError:
        return
    always = {thing.id for thing in things(frozenset.intersection(*seen))}
    ever = {thing.id for thing in things(frozenset.union(*seen))}
    assert len(found) == len(set(found))
    assert always <= set(found) <= ever


@pytest.mark.parametrize("cap", [10, 50])
@pytest.mark.parametrize("paging", ["links", "after"])
def test_changes_do_not_fail_a_list_as_a_rule(paging: Paging, cap: int) -> None:
    """An element that comes or goes in the middle between any two pages does not make the list an error."""

    def change(number: int) -> list[Thing]:
        return things(set(range(0, 300, 2)) - {100 + 6 * number} | {7 * number})

    service = Service([], paging, cap, change=change)
    found = {thing.id for thing in carry_out(PACKAGES.read(owner="acme"), service)}
    assert len(service.requests) > 2
    assert {thing.id for thing in things(range(0, 100, 2))} <= found
