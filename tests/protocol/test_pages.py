"""Pages by hand: what each of them leads to, and the decisions behind that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.errors import (
    APIError,
    BadRequestError,
    DecodeError,
    NotFoundError,
    PaginationError,
    ValidationError,
)
from scarf_async.protocol.messages import Answer, Query
from scarf_async.protocol.paging import (
    Following,
    Page,
    asked,
    element_before,
    is_everything,
    is_understood,
    overlaid,
    read_page,
    what_follows,
)

from .paged_service import BY_USER, LIST, PACKAGES, Script, Service, Thing, carry_out, things


def rows(*names: int) -> list[dict[str, str]]:
    """Make elements as they are sent."""
    return [{"id": f"i{name}", "name": f"n{name}"} for name in names]


def linked(link: object, *names: int) -> dict[str, object]:
    """Make a page with a link."""
    return {"results": rows(*names), "_links": {"next": link}}


def read_script(answers: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """Read a list: the ids that are in it, and the queries."""
    script = Script(answers)
    return [thing.id for thing in carry_out(PACKAGES.read(owner="acme"), script)], script.requests


def test_empty_pages_are_no_end() -> None:
    """A link is followed over pages without elements, as often as there are any."""
    answers = {
        "per_page=100": linked("?p=1"),
        "per_page=100&p=1": linked("?p=2", 1),
        "per_page=100&p=2": linked("?p=3"),
        "per_page=100&p=3": linked("?p=4"),
        "per_page=100&p=4": linked(None, 2),
    }
    assert read_script(answers) == (["i1", "i2"], list(answers))


def test_the_first_of_an_identity_stays() -> None:
    """An element that comes again is in the list once, as it came first, on another page and on the same one."""
    again = {"results": [{"id": "i1", "name": "later"}, *rows(2), {"id": "i2", "name": "later"}], "_links": {}}
    script = Script({"per_page=100": linked("?p=1", 0, 1), "per_page=100&p=1": again})
    found = carry_out(PACKAGES.read(owner="acme"), script)
    assert [thing.name for thing in found] == ["n0", "n1", "n2"]


def test_a_list_that_comes_at_once() -> None:
    """Where no cursor is understood, an odd number of elements to a request for 1,000 is the list, each once."""
    ignored = rows(*range(10))
    answers = {
        "per_page=100": ignored,
        "per_page=100&after=n8": ignored,
        "per_page=100&after=i8": ignored,
        "per_page=1000": rows(*range(12), 3),
    }
    assert read_script(answers) == ([f"i{number}" for number in range(12)], list(answers))


@pytest.mark.parametrize("link", ["?per_page=100", "?p=1", "/v2/packages/acme", " ", "#?p=2"])
def test_a_link_back_is_no_end(link: str) -> None:
    """A link to what was requested before ends the reading with an error, at once."""
    script = Script({"per_page=100": linked("?p=1", 1), "per_page=100&p=1": linked(link, 2)})
    with pytest.raises(PaginationError, match="leads back"):
        carry_out(PACKAGES.read(owner="acme"), script)
    assert script.requests == ["per_page=100", "per_page=100&p=1"]


@pytest.mark.parametrize(("pages", "whole"), [(1000, True), (1001, False)])
def test_a_thousand_pages_are_the_most(pages: int, whole: bool) -> None:
    """A list of more pages is an error: each page is a call that is paid for."""
    answers = {
        "per_page=100" + (f"&p={page}" if page else ""): linked(f"?p={page + 1}" if page < pages - 1 else "", page)
        for page in range(pages)
    }
    script = Script(answers)
    if whole:
        assert len(carry_out(PACKAGES.read(owner="acme"), script)) == pages
    else:
        with pytest.raises(PaginationError, match="1,000 pages"):
            carry_out(PACKAGES.read(owner="acme"), script)
    assert len(script.requests) == 1000


def test_a_link_that_cannot_be_sent_as_it_is() -> None:
    """A link whose bytes would change on the way is not followed."""
    with pytest.raises(PaginationError, match="cannot be read"):
        read_script({"per_page=100": linked("?after=%ff", 1)})


def test_a_page_that_a_link_made_smaller() -> None:
    """Asked is what the request asked for: a page as full as its link said may have been cut."""
    answers = {
        "per_page=100": linked("?per_page=3&p=1", *range(10)),
        "per_page=3&p=1": linked(None, 10, 11, 12),
        "per_page=100&after=n11": linked(None, 12, 13, 14, 15),
    }
    assert read_script(answers) == ([f"i{number}" for number in range(16)], list(answers))


def test_a_link_on_the_page_behind_a_cursor_is_followed() -> None:
    """Cursors and links may take turns, also where there is nothing new behind the cursor."""
    answers = {
        "per_page=100": rows(*range(12)),
        "per_page=100&after=n10": linked("?p=2", 11),
        "per_page=100&p=2": rows(*range(12, 23)),
        "per_page=100&after=n21": rows(22, 23),
    }
    assert read_script(answers) == ([f"i{number}" for number in range(24)], list(answers))


@pytest.mark.parametrize("link", [7, True, [], {"href": "?p=1"}])
def test_a_link_that_is_not_text(link: object) -> None:
    """It cannot be followed, and it does not say that nothing is behind: ten elements have to be asked behind."""
    assert read_script({"per_page=100": linked(link, 1)}) == (["i1"], ["per_page=100"])
    answers = {"per_page=100": linked(link, *range(10)), "per_page=100&after=n8": rows(9, 10)}
    assert read_script(answers) == ([f"i{number}" for number in range(11)], list(answers))


def test_a_refused_size_is_not_sent_again() -> None:
    """A 400 to the first request is followed by one without `per_page`; the cursor then goes without it too."""
    refused = BadRequestError(status=400, method="GET", url="")
    answers = {"per_page=100": refused, "": rows(*range(10)), "after=n8": rows(9, 10)}
    assert read_script(answers) == ([f"i{number}" for number in range(11)], list(answers))


NOT_FOUND: Final = NotFoundError(status=404, method="GET", url="")
REFUSED: Final = BadRequestError(status=400, method="GET", url="")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"per_page=100": NOT_FOUND}, NOT_FOUND),
        ({"per_page=100": REFUSED, "": NOT_FOUND}, NOT_FOUND),
        ({"per_page=100": REFUSED, "": REFUSED}, REFUSED),
        ({"per_page=100": linked("?p=1"), "per_page=100&p=1": REFUSED}, REFUSED),
        ({"per_page=100": rows(*range(10)), "per_page=100&after=n8": NOT_FOUND}, NOT_FOUND),
    ],
)
def test_any_other_failure_is_the_call_s(answers: Mapping[str, object], error: APIError) -> None:
    """What the service refuses is raised as itself, whichever page it was."""
    with pytest.raises(type(error)) as caught:
        read_script(answers)
    assert caught.value is error


def test_an_error_tells_what_was_read_and_why() -> None:
    """A `PaginationError` names the call and the entity, and hides no earlier failure as its cause."""
    service = Service(things(range(10)), "after", None, "user_id")
    with pytest.raises(PaginationError) as caught:
        carry_out(PACKAGES.read(owner="acme"), service)
    error = caught.value
    assert (error.endpoint, error.entity, error.path) == ("GET /v2/packages/{owner}", "Thing", "")
    assert "none of it is returned: a page may have been cut" in str(error)
    assert error.__context__ is None


def test_values_are_checked_before_anything_is_read() -> None:
    """What cannot be in a path is refused when the list is named."""
    with pytest.raises(ValidationError):
        PACKAGES.read(owner="..")
    with pytest.raises(ValidationError):
        PACKAGES.read_unpaged(owner="")


def test_reads_of_one_list_have_one_key() -> None:
    """The same list, asked for twice, may be shared; another type is another list."""
    assert PACKAGES.read(owner="acme").key == PACKAGES.read({"type": ()}, owner="acme").key
    assert PACKAGES.read(owner="acme").key != PACKAGES.read({"type": "npm"}, owner="acme").key


@pytest.mark.parametrize("body", [rows(*range(40)), {"results": rows(*range(40)), "_links": {}}])
def test_a_list_that_is_not_paged(body: object) -> None:
    """It is one request without a word of paging; a link to more would be a part, and is an error."""
    script = Script({"": body})
    assert len(carry_out(PACKAGES.read_unpaged(owner="acme"), script)) == 40
    with pytest.raises(PaginationError, match="link to more"):
        carry_out(PACKAGES.read_unpaged(owner="acme"), Script({"": linked("?p=1", 1)}))


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b"", "", "the response is empty"),
        (b"<html>", "", "the response is not JSON"),
        (b"null", "", "expected an array, found null"),
        (b"{}", "", "expected an array, found an object"),
        (b'{"results": null}', "", "expected an array, found an object"),
        (b'{"results": {"id": "i"}}', "", "expected an array, found an object"),
        (b'{"results": [{"id": "i", "name": "n"}, 7]}', "results[1]", "expected an object, found a number"),
        (b'{"data": [{"id": "i", "name": 7}]}', "data[0].name", "expected a string, found a number"),
        (b'[{"id": "i"}]', "[0].name", "a required field is missing"),
    ],
)
def test_what_is_not_a_page(body: bytes, path: str, reason: str) -> None:
    """A response of which any element cannot be read is an error that names the place, in its envelope."""
    with pytest.raises(DecodeError) as caught:
        read_page(LIST.request(owner="acme"), Answer(200, {}, body))
    assert (caught.value.path, caught.value.args[0]) == (path, reason)
    assert not isinstance(caught.value, PaginationError)


@pytest.mark.parametrize(
    ("body", "link", "has_links"),
    [
        ("[]", None, False),
        ('{"results": []}', None, False),
        ('{"results": null, "data": []}', None, False),
        ('{"event_imports": [], "_links": null}', None, False),
        ('{"results": [], "_links": "?p=1"}', None, False),
        ('{"results": [], "_links": {}}', None, True),
        ('{"results": [], "_links": {"next": null}}', None, True),
        ('{"results": [], "_links": {"next": ""}}', None, True),
        ('{"results": [], "_links": {"next": 0}}', None, False),
        ('{"results": [], "_links": {"next": "?p=1"}}', "?p=1", True),
    ],
)
def test_what_a_page_says_of_the_next(body: str, link: str | None, has_links: bool) -> None:
    """Null, an empty text and absence are alike; only an object of links says that there are no more."""
    page = read_page(LIST.request(owner="acme"), Answer(200, {}, body.encode()))
    assert page == Page([], link, has_links)


# The decisions.


@pytest.mark.parametrize(
    ("size", "link", "has_links", "limit", "has_news", "following"),
    [
        (0, "?p=1", True, 100, True, "LINK"),
        (9, "?p=1", True, 100, False, "LINK"),
        (100, "?p=1", True, 100, True, "LINK"),
        (0, None, False, 100, True, "END"),
        (9, None, False, 100, True, "END"),
        (9, None, True, 100, True, "END"),
        (10, None, False, 100, True, "PROOF"),
        (99, None, False, 100, True, "PROOF"),
        (99, None, True, 100, True, "END"),
        (100, None, True, 100, True, "PROOF"),
        (101, None, True, 100, True, "PROOF"),
        (100, None, True, 1000, True, "END"),
        (100, None, False, 1000, True, "PROOF"),
        (10, None, True, 10, True, "PROOF"),
        (5, None, True, 5, True, "PROOF"),
        (5, None, False, 5, True, "PROOF"),
        (4, None, False, 5, True, "END"),
        (100, None, False, 100, False, "END"),
    ],
)
def test_what_follows_a_page(
    *, size: int, link: str | None, has_links: bool, limit: int, has_news: bool, following: str
) -> None:
    """The table of what follows what was seen."""
    page = Page(range(size), link, has_links)
    assert what_follows(page, asked=limit, has_news=has_news) is Following[following]


@pytest.mark.parametrize(
    ("size", "link", "distinct", "first", "known", "whole"),
    [
        (101, None, 101, 100, 100, True),
        (101, "?p=1", 101, 100, 100, False),
        (101, None, 101, 101, 101, False),
        (110, None, 110, 100, 100, False),
        (999, None, 999, 100, 100, True),
        (1000, None, 1000, 100, 100, False),
        (1001, None, 1001, 100, 100, False),
        (256, None, 256, 100, 300, False),
        (301, None, 299, 100, 300, False),
        (301, None, 300, 100, 300, True),
    ],
)
def test_what_is_everything(
    *, size: int, link: str | None, distinct: int, first: int, known: int, whole: bool
) -> None:
    """An answer to 1,000 is the list if nothing about it looks like a cap, and nothing that is known is missing."""
    assert is_everything(Page(range(size), link), distinct=distinct, first=first, known=known) is whole


@pytest.mark.parametrize(
    ("users", "place"),
    [("abc", 1), ("abb", 0), ("bbb", None), ("a b", 0), ("ab ", 1), ("  b", None), ("a", None), ("", None)],
)
def test_the_last_element_but_one(users: str, place: int | None) -> None:
    """It is the last one that has a cursor, and another cursor than the last one."""
    elements = [Thing(str(number), "", user.strip() or None) for number, user in enumerate(users)]
    assert element_before(elements, BY_USER) == (None if place is None else elements[place])


@pytest.mark.parametrize(
    ("behind", "understood"), [("cd", True), ("c", True), ("dc", True), ("bcd", False), ("d", False), ("", False)]
)
def test_what_proves_a_cursor(behind: str, understood: bool) -> None:
    """Behind `b` of `abc` there has to be `c`, and not `b`."""
    assert is_understood(behind, before="b", last="c") is understood


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 10),
        ({"per_page": "100"}, 100),
        ({"per_page": ["20", "100"]}, 20),
        *(({"per_page": text}, 10) for text in ("", "0", "-1", "1e3", "\N{ARABIC-INDIC DIGIT FIVE}", "9" * 5000)),
    ],
)
def test_what_was_asked_for(query: Query, count: int) -> None:
    """What is not a number is as if nothing had been asked for: 10."""
    assert asked(query) == count


@given(st.dictionaries(st.text(), st.lists(st.text(), min_size=1, max_size=3), max_size=4))
def test_a_link_s_query_arrives_as_it_is(query: dict[str, list[str]]) -> None:
    """Names and values of any characters, repeated and empty ones too, are sent as the link has them."""
    link = LIST.request(query=query, owner="acme").target
    assert overlaid({}, link) == query
