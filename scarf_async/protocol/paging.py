"""Lists that come in pages, read to an end that is proven. Pure.

No document says how far a page reaches, so a list is whole only where what was seen says so (`what_follows`):

| a page | what follows |
|---|---|
| `_links.next` is a text that is not empty, whatever else the page holds | the link: `overlaid` |
| behind a cursor, with nothing new | the list is whole |
| fewer than 10 elements (or than were asked for, if that is less) | the list is whole: no page is that short |
| `_links` without `next`, fewer elements than were asked for | the list is whole |
| anything else: it may have been cut | a request behind its last element but one |

| behind the last element but one (`element_before`, `is_understood`) | what follows |
|---|---|
| the last one is there, the last but one is not: the service understands the cursor | as for any page |
| anything else, or a 400 | the next kind of cursor, for the rest of the list |
| no kind of cursor is left | one request for 1,000 elements |

| the answer to 1,000 (`is_everything`) | what follows |
|---|---|
| no `next`; more elements than the first page, no fewer than are known, under 1,000, no multiple of 10 | the list |
| anything else, or a 400 | `PaginationError` |

A 400 to the very first request is followed by one without `per_page`, as are all pages then: 10 were asked for. A
`PaginationError` is also a link to what was requested before, one that cannot be read, and a 1,001st page. Every
other failure is the call's.

The last element but one is the last whose cursor is not the last element's: behind a name, packages of that name
and other types are not, and would be taken for missing.

Nothing is concluded from an earlier, longer page: a service may filter a page after it has cut it. So each page
that may have been cut is asked behind, which costs one request a list. A `next` that is neither null nor text
cannot be followed and does not say that nothing is behind: such a page counts as one without `_links`.

What cannot be caught: `_links` that never hold `next`, on pages of fewer elements than were asked for; and links
that lead past elements, such as those of a service that counts elements instead of remembering the last one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qs

import attrs
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
"""The size of a page whose request does not say one, and the smallest that the service is known to cut pages to."""
MOST_PAGES: Final = 1000
"""Pages of one list: each is a call that is paid for."""

_COUNT: Final = re.compile(r"[1-9]\d{0,8}", re.ASCII)


@attrs.frozen
class Page(Generic[E]):
    """What one request of a list was answered with.

    Attributes:
        elements: in the order of the answer.
        link: what leads to the page behind it, if it says so.
        has_links: whether it says that it is the last one, by links without such a link.
    """

    elements: Sequence[E]
    link: str | None = None
    has_links: bool = False


@attrs.frozen
class Cursor(Generic[E]):
    """A way to ask for what is behind an element.

    Attributes:
        parameter: the name of the query parameter.
        of: its value for an element; None or an empty text: this element has none.
    """

    parameter: str
    of: Callable[[E], str | None]


@attrs.frozen
class Listing(Generic[E]):
    """A list of the service, and how it is paged.

    Attributes:
        endpoint: its request.
        identity: what tells its elements apart.
        cursors: the kinds of cursor, in the order in which they are tried.
    """

    endpoint: Endpoint[list[E]]
    identity: Callable[[E], Hashable]
    cursors: Sequence[Cursor[E]] = ()

    def read(self, query: Query | None = None, **values: str) -> Read[list[E]]:
        """All elements, each once. What is there while it is read is in it, what comes or goes then may be.

        Args:
            query: the parameters that choose what is listed.
            values: the variables of the path.

        Raises:
            ValidationError: a value cannot be in a path.
            PaginationError: by the read: the list cannot be shown to be whole.
        """
        plain = query or {}
        key = self.endpoint.request(query=plain, **values).target
        return Read(key, lambda: _Reading(self, plain, values).steps())

    def read_unpaged(self, query: Query | None = None, **values: str) -> Read[list[E]]:
        """All elements, each once, of a list that the service does not page: one request.

        Raises:
            ValidationError: a value cannot be in a path.
            PaginationError: by the read: the answer has a link to more.
        """
        request = self.endpoint.request(query=query, **values)
        return Read(request.target, lambda: read_whole(request, self.identity))

    def distinct(self, elements: Iterable[E]) -> dict[Hashable, E]:
        """The first element of each identity, by it."""
        return _distinct(elements, self.identity)


def _distinct(elements: Iterable[E], identity: Callable[[E], Hashable]) -> dict[Hashable, E]:
    found: dict[Hashable, E] = {}
    for element in elements:
        found.setdefault(identity(element), element)
    return found


def read_whole(request: Request[list[E]], identity: Callable[[E], Hashable]) -> Steps[list[E]]:
    """All elements, each once, of what the service gives at once.

    Raises:
        PaginationError: the answer has a link to more.
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
        asked: the elements that its request asked for.
        has_news: False where it was asked for behind a cursor and brings no element that was not known.
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
    """Return the last element before the last one that a cursor tells from it; None if there is none."""
    if not elements:
        return None
    *before, last = elements
    same = {None, "", cursor.of(last)}
    return next((element for element in reversed(before) if cursor.of(element) not in same), None)


def is_understood(behind: Collection[Hashable], *, before: Hashable, last: Hashable) -> bool:
    """Tell whether a service understood a cursor, by the identities of what came.

    Args:
        behind: what came.
        before: the element behind which it was asked for.
        last: the last element of the page that was asked behind.
    """
    return last in behind and before not in behind


def is_everything(page: Page[E], *, distinct: int, first: int, known: int) -> bool:
    """Tell whether the answer to a request for 1,000 elements holds all of them.

    Args:
        page: the answer.
        distinct: its elements, each counted once.
        first: the elements of the first page: what is cut to one size is cut to that size again.
        known: the elements seen by then, each counted once.
    """
    size = len(page.elements)
    return page.link is None and first < size < MOST and size % 10 != 0 and distinct >= known


def asked(query: Query) -> int:
    """Return how many elements a request asks for; of a name that is repeated the first value counts.

    >>> asked({"per_page": "50"}), asked({"per_page": ["25", "50"]}), asked({}), asked({"per_page": "all"})
    (50, 25, 10, 10)
    """
    value = query.get(PER_PAGE, "")
    text = value if isinstance(value, str) else value[0]
    return int(text) if _COUNT.fullmatch(text) else SMALLEST


def overlaid(query: Query, link: str) -> Query:
    """Lay the query of a link over ours: what it names has its values, the rest keeps ours.

    Its scheme, host and path are not looked at: they need not be those that the client was given.

    >>> overlaid({"type": "docker", "per_page": "100"}, "http://10.0.0.7/internal?after=b%2Fc&per_page=50")
    {'type': 'docker', 'per_page': ['50'], 'after': ['b/c']}

    Raises:
        ValueError: it holds bytes that are not UTF-8, and would not arrive as they are.
    """
    text = link.partition("#")[0].partition("?")[2]
    return {**query, **parse_qs(text, keep_blank_values=True, errors="strict")}


def read_page(request: Request[list[E]], answer: Answer) -> Page[E]:
    """Read an answer as a page: an array, or an object that has it under one of the names known for that.

    Raises:
        DecodeError: it is not a page, or an element is not what was promised.
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
        """Return what a page's link asks for."""
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
        """What is behind the last element but one of a page; None if no cursor tells."""
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
        """All elements by one request."""
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
