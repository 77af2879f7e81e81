"""The pagination of v2: the size of pages, cursors, and links to more."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeAlias, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import attrs

from scarf_async.emulator.answers import JSON, Answer
from scarf_async.emulator.calls import Call
from scarf_async.emulator.v2.reading import query_text, unrecognized

__all__ = ["ANY", "USER_ID", "Cursor", "by_uuid", "listed", "page_from", "page_of"]

T = TypeVar("T")
# Returns a number of elements after a cursor and, among those that share it, after the one named by the second
# string.
Source: TypeAlias = Callable[[tuple[str, str | None] | None, int], list[T]]

ANY: Final = re.compile(r".*", re.DOTALL)
USER_ID: Final = re.compile(r"[0-9A-Za-z]+", re.ASCII)
UUID_LIKE: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_SIZE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
# Only links contain it: a name does not tell after which of several packages of that name a page begins.
_TIE: Final = "after_id"


@attrs.frozen
class Cursor(Generic[T]):
    """The cursor of a list, which also defines its order.

    Attributes:
        of: Returns the cursor of an element.
        like: The pattern of a cursor; others are refused.
        tie: Returns what distinguishes and sorts elements with the same cursor.
        name: The query parameter of the cursor.
    """

    of: Callable[[T], str]
    like: re.Pattern[str] = UUID_LIKE
    tie: Callable[[T], str] = str
    name: str = "after"


def by_uuid() -> Cursor[sqlite3.Row]:
    """The cursor of rows with a UUID."""
    return Cursor(lambda row: str(row["uuid"]))


@attrs.frozen
class _Page:
    """The elements of a page, and the parameters of the next page; None if it is the last."""

    rows: list[JSON]
    following: tuple[tuple[str, str], ...] | None


def page_of(
    call: Call, elements: Iterable[T], cursor: Cursor[T], show: Callable[[T], JSON], *, envelope: str | None = None
) -> Answer:
    """A page of a list as an object, with links if lists have them; other envelopes never do."""
    source = _in_memory(elements, cursor)
    if envelope is None:
        return page_from(call, source, cursor, show)
    return page_from(call, source, cursor, show, linked=False, envelope=envelope)


def page_from(
    call: Call,
    source: Source[T],
    cursor: Cursor[T],
    show: Callable[[T], JSON],
    *,
    linked: bool = True,
    envelope: str = "results",
) -> Answer:
    """A page of a source as an object, with links if lists have them and this one does."""
    page = _page(call, source, cursor, show)
    shown: dict[str, JSON] = {envelope: page.rows}
    if linked and call.world.quirks.paging == "links":
        links: dict[str, JSON] = {"self": _link(call, parse_qsl(call.target.query, keep_blank_values=True))}
        if page.following is not None:
            links["next"] = _link(call, [*_kept(call, {cursor.name, _TIE, "per_page"}), *page.following])
        elif call.world.quirks.absent == "null":
            links["next"] = None
        shown["_links"] = links
    return Answer(200, shown)


def listed(call: Call, elements: Iterable[T], cursor: Cursor[T], show: Callable[[T], JSON]) -> Answer:
    """A page of a list as a bare array, without links."""
    return Answer(200, _page(call, _in_memory(elements, cursor), cursor, show).rows)


def _in_memory(elements: Iterable[T], cursor: Cursor[T]) -> Source[T]:
    ordered = sorted(elements, key=cursor.of)

    def behind(after: tuple[str, str | None] | None, limit: int) -> list[T]:
        return [element for element in ordered if after is None or cursor.of(element) > after[0]][:limit]

    return behind


def _page(call: Call, source: Source[T], cursor: Cursor[T], show: Callable[[T], JSON]) -> _Page:
    size = _size(call)
    after: tuple[str, str | None] | None = None
    if cursor.name in call.query and call.world.quirks.paging != "ignores-after":
        text = query_text(call, cursor.name)
        if cursor.like.fullmatch(text) is None:
            raise unrecognized(cursor.name)
        after = text.lower() if cursor.like is UUID_LIKE else text, call.query.get(_TIE)
    elements = source(after, size + 1)
    following: tuple[tuple[str, str], ...] | None = None
    if len(elements) > size:
        last, first = elements[size - 1], elements[size]
        following = ((cursor.name, cursor.of(last)), ("per_page", str(size)))
        if cursor.of(last) == cursor.of(first):
            following = (*following, (_TIE, cursor.tie(last)))
    return _Page([show(element) for element in elements[:size]], following)


def _size(call: Call) -> int:
    quirks = call.world.quirks
    size = quirks.default_per_page
    if "per_page" in call.query:
        text = query_text(call, "per_page")
        if _SIZE.fullmatch(text) is None or int(text) == 0:
            raise unrecognized("per_page")
        size = int(text)
    return min(size, quirks.max_per_page)


def _kept(call: Call, replaced: set[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in parse_qsl(call.target.query) if name not in replaced]


def _link(call: Call, query: list[tuple[str, str]]) -> str:
    origin = call.target.origin if call.world.quirks.links_absolute else ""
    return f"{origin}{call.target.path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
