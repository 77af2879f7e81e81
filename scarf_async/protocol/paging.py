"""Paginated lists, read to a verified end. Pure.

The documentation does not say when a list ends, so the pages themselves must show it (`what_follows`):

| a page | what follows |
|---|---|
| `_links.next` is a non-empty string, whatever else the page contains | the link: `overlaid` |
| after a cursor, with nothing new | the list is complete |
| fewer than 10 elements (or than requested, if that is less) | the list is complete: no page is that short |
| `_links` without `next`, fewer elements than requested | the list is complete |
| anything else: it may have been truncated | a request after its last element but one |

| after the last element but one (`element_before`, `is_understood`) | what follows |
|---|---|
| it has the last one but not the last but one: the service understands the cursor | as for any page |
| anything else, or a 400 | the next kind of cursor, for the rest of the list |
| no kind of cursor is left | one request for 1,000 elements |

| the response to 1,000 (`is_everything`) | what follows |
|---|---|
| no `next`; more elements than the first page, all that are known, under 1,000, not a multiple of 10 | the list |
| anything else, or a 400 | `PaginationError` |

After a 400 to the very first request, it and all other pages are requested without `per_page`, which means 10
elements. A link to a page that was already requested, an unreadable link and a 1,001st page are a
`PaginationError` too. Every other failure is that of the call.

The last element but one is the last one whose cursor differs from that of the last element: after a name, packages
with the same name and another type would be skipped, and look as if they were missing.

An earlier, longer page proves nothing: a service may filter a page after truncating it. So the end of each page
that may be truncated is checked, which costs one request for each list. A `next` that is neither null nor a string
cannot be followed and does not mean that the list has ended: such a page counts as one without `_links`.

This cannot detect `_links` that never contain `next`, on pages with fewer elements than requested, and links that
skip elements, such as those of a service that counts elements instead of remembering the last one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qs

import msgspec

from scarf_async.errors import BadRequestError, PaginationError
from scarf_async.protocol.messages import Answer, Endpoint, Query, Request, class_name, decode_with
from scarf_async.protocol.steps import Read, Steps, answer_to

__all__ = [
    "Cursor",
    "Following",
    "Listing",
    "Page",
    "asked",
    "element_before",
    "is_everything",
    "is_understood",
    "overlaid",
    "read_page",
    "read_whole",
    "what_follows",
]

E = TypeVar("E")

PER_PAGE: Final = "per_page"
ASKED: Final = 100
MOST: Final = 1000
SMALLEST: Final = 10
"""The default size of a page, and the smallest size to which the service is known to truncate pages."""
MOST_PAGES: Final = 1000
"""The maximum number of pages of one list: each is a call that may cost money."""

_COUNT: Final = re.compile(r"[1-9]\d{0,8}", re.ASCII)


class Page(msgspec.Struct, Generic[E], frozen=True):
    """The response to one request of a list.

    Attributes:
        elements: the elements, in the order of the response.
        link: the URL of the next page, if there is one.
        has_links: whether it has links, so that one without a `link` is the last page.
    """

    elements: Sequence[E]
    link: str | None = None
    has_links: bool = False


class Cursor(msgspec.Struct, Generic[E], frozen=True):
    """A way to request the elements after an element.

    Attributes:
        parameter: the name of the query parameter.
        of: returns its value for an element; None or an empty string if this element has none.
    """

    parameter: str
    of: Callable[[E], str | None]


class Listing(msgspec.Struct, Generic[E], frozen=True):
    """A list of the service, and how it is paginated.

    Attributes:
        endpoint: its request.
        identity: returns what identifies an element.
        cursors: the kinds of cursor, in the order in which they are tried.
    """

    endpoint: Endpoint[list[E]]
    identity: Callable[[E], Hashable]
    cursors: Sequence[Cursor[E]] = ()

    def read(self, query: Query | None = None, **values: str) -> Read[list[E]]:
        """Return all elements, each once; those created or deleted during the read may be among them or not.

        Args:
            query: the parameters that select what is listed.
            values: the variables of the path.

        Raises:
            ValidationError: a value cannot be part of a path.
            PaginationError: raised by the read: the list cannot be verified as complete.
        """
        plain = query or {}
        key = self.endpoint.request(query=plain, **values).target
        return Read(key, lambda: _Reading(self, plain, values).steps())

    def read_unpaged(self, query: Query | None = None, **values: str) -> Read[list[E]]:
        """Return all elements, each once, of a list that the service does not paginate: one request.

        Raises:
            ValidationError: a value cannot be part of a path.
            PaginationError: raised by the read: the response has a link to more.
        """
        request = self.endpoint.request(query=query, **values)
        return Read(request.target, lambda: read_whole(request, self.identity))

    def distinct(self, elements: Iterable[E]) -> dict[Hashable, E]:
        """Return the first element of each identity, by identity."""
        return _distinct(elements, self.identity)


def _distinct(elements: Iterable[E], identity: Callable[[E], Hashable]) -> dict[Hashable, E]:
    found: dict[Hashable, E] = {}
    for element in elements:
        found.setdefault(identity(element), element)
    return found


def read_whole(request: Request[list[E]], identity: Callable[[E], Hashable]) -> Steps[list[E]]:
    """Return all elements, each once, of an unpaginated response.

    Raises:
        PaginationError: the response has a link to more.
    """
    page = read_page(request, (yield from answer_to(request)))
    if page.link is not None:
        raise _unproven(request.endpoint, "it has a link to more, and is not known to come in pages")
    return list(_distinct(page.elements, identity).values())


class Following(Enum):
    """What follows a page."""

    LINK = "the page that its link leads to"
    END = "nothing: the list is whole"
    PROOF = "a request behind its last element but one"


def what_follows(page: Page[E], *, asked: int, has_news: bool = True) -> Following:
    """Decide what follows a page.

    Args:
        page: the page.
        asked: the number of elements that its request asked for.
        has_news: False if it was requested after a cursor and has no new element.
    """
    size = len(page.elements)
    if page.link is not None:
        return Following.LINK
    if not has_news or size < min(asked, SMALLEST):
        return Following.END
    if page.has_links and size < asked:
        return Following.END
    return Following.PROOF


def element_before(elements: Sequence[E], cursor: Cursor[E]) -> E | None:
    """Return the last element with another cursor value than the last one; None if there is none."""
    if not elements:
        return None
    *before, last = elements
    same = {None, "", cursor.of(last)}
    return next((element for element in reversed(before) if cursor.of(element) not in same), None)


def is_understood(behind: Collection[Hashable], *, before: Hashable, last: Hashable) -> bool:
    """Return whether a service understood a cursor, from the identities in the response.

    Args:
        behind: the identities in the response.
        before: the element after which it was requested.
        last: the last element of the page whose end is checked.
    """
    return last in behind and before not in behind


def is_everything(page: Page[E], *, distinct: int, first: int, known: int) -> bool:
    """Return whether the response to a request for 1,000 elements contains all of them.

    Args:
        page: the response.
        distinct: the number of its elements, each counted once.
        first: the number of elements of the first page: a service that truncates does so to the same size again.
        known: the number of elements seen so far, each counted once.
    """
    size = len(page.elements)
    return page.link is None and first < size < MOST and size % 10 != 0 and distinct >= known


def asked(query: Query) -> int:
    """Return how many elements a request asks for; the first value of a repeated parameter counts.

    >>> asked({"per_page": "50"}), asked({"per_page": ["25", "50"]}), asked({}), asked({"per_page": "all"})
    (50, 25, 10, 10)
    """
    value = query.get(PER_PAGE, "")
    text = value if isinstance(value, str) else value[0]
    return int(text) if _COUNT.fullmatch(text) else SMALLEST


def overlaid(query: Query, link: str) -> Query:
    """Merge the query of a link into ours: its parameters take precedence.

    Its scheme, host and path are ignored: they may differ from those of the client's URL.

    >>> overlaid({"type": "docker", "per_page": "100"}, "http://10.0.0.7/internal?after=b%2Fc&per_page=50")
    {'type': 'docker', 'per_page': ['50'], 'after': ['b/c']}

    Raises:
        ValueError: it contains bytes that are not UTF-8, which would change.
    """
    text = link.partition("#")[0].partition("?")[2]
    return {**query, **parse_qs(text, keep_blank_values=True, errors="strict")}


def read_page(request: Request[list[E]], answer: Answer) -> Page[E]:
    """Read a response as a page: an array, or an object that has it under one of the known names.

    Raises:
        DecodeError: it is not a page, or an element does not have the promised form.
    """

    def read(body: bytes, target: type[list[E]]) -> Page[E]:
        elements, links = request.endpoint.wire.read_page(body, target)
        if not isinstance(links, dict):
            return Page(elements)
        link = links.get("next")
        if isinstance(link, str) and link:
            return Page(elements, link, has_links=True)
        return Page(elements, has_links=link is None or link == "")

    return decode_with(request, answer, read)


def _unproven(endpoint: Endpoint[list[E]], reason: str) -> PaginationError:
    return PaginationError(
        f"the list cannot be verified as complete, so none of it is returned: {reason}",
        endpoint=endpoint.name,
        entity=class_name(endpoint.answer),
    )


class _Reading(Generic[E]):
    """One reading of a list."""

    def __init__(self, listing: Listing[E], plain: Query, values: Mapping[str, str]) -> None:
        self._listing = listing
        self._plain = plain
        self._values = values
        self._query: Query = {**plain, PER_PAGE: str(ASKED)}
        self._cursors = list(listing.cursors)
        self._known: dict[Hashable, E] = {}
        self._requested: set[str] = set()
        self._pages = 0

    def steps(self) -> Steps[list[E]]:
        """The list."""
        page = yield from self._page_unless_refused(self._query)
        if page is None:
            self._query = self._plain
            page = yield from self._page(self._query)
        first, query, has_news = len(page.elements), self._query, True
        while True:
            self._add(page)
            following = what_follows(page, asked=asked(query), has_news=has_news)
            if following is Following.END:
                return list(self._known.values())
            if following is Following.LINK:
                query, has_news = self._linked(page), True
                page = yield from self._page(query, is_linked=True)
                continue
            behind = yield from self._behind(page)
            if behind is None:
                return (yield from self._at_once(first))
            page, query = behind, self._query
            has_news = not self._known.keys() >= self._listing.distinct(page.elements).keys()

    def _add(self, page: Page[E]) -> None:
        identity, known = self._listing.identity, self._known
        for element in page.elements:
            known.setdefault(identity(element), element)

    def _linked(self, page: Page[E]) -> Query:
        """Return the query of a page's link."""
        try:
            query = overlaid(self._query, page.link or "")
        except ValueError:
            query = None
        if query is None:
            raise self._unproven("a link cannot be read")
        if self._request(query).target in self._requested:
            raise self._unproven("a link leads back to what was read before")
        return query

    def _behind(self, page: Page[E]) -> Steps[Page[E] | None]:
        """Return the page after the last element but one; None if no cursor works."""
        listing = self._listing
        while self._cursors:
            cursor = self._cursors[0]
            before = element_before(page.elements, cursor)
            if before is not None:
                query = {**self._query, cursor.parameter: cursor.of(before) or ""}
                behind = yield from self._page_unless_refused(query)
                if behind is not None and is_understood(
                    listing.distinct(behind.elements),
                    before=listing.identity(before),
                    last=listing.identity(page.elements[-1]),
                ):
                    return behind
            del self._cursors[0]
        return None

    def _at_once(self, first: int) -> Steps[list[E]]:
        """Return all elements from one request."""
        page = yield from self._page_unless_refused({**self._plain, PER_PAGE: str(MOST)})
        if page is not None:
            found = self._listing.distinct(page.elements)
            if is_everything(page, distinct=len(found), first=first, known=len(self._known)):
                return list(found.values())
        raise self._unproven("a page may have been cut, and the service does not tell what is behind it")

    def _page_unless_refused(self, query: Query) -> Steps[Page[E] | None]:
        try:
            return (yield from self._page(query))
        except BadRequestError:
            return None

    def _page(self, query: Query, *, is_linked: bool = False) -> Steps[Page[E]]:
        if self._pages == MOST_PAGES:
            raise self._unproven(f"it has more than {MOST_PAGES:,} pages")
        request = self._request(query)
        if is_linked:
            request = msgspec.structs.replace(request, is_linked=True)
        self._requested.add(request.target)
        answer = yield from answer_to(request)
        self._pages += 1
        return read_page(request, answer)

    def _request(self, query: Query) -> Request[list[E]]:
        return self._listing.endpoint.request(query=query, **self._values)

    def _unproven(self, reason: str) -> PaginationError:
        return _unproven(self._listing.endpoint, reason)
