"""A service without a socket that answers the requests of a list page by page, in every way that is thought of."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, Literal
from urllib.parse import parse_qs, quote

import attrs

from scarf_async.errors import APIError, BadRequestError
from scarf_async.protocol.messages import Answer, Endpoint, Request, Resend
from scarf_async.protocol.paging import Cursor, Listing
from scarf_async.protocol.steps import Read
from scarf_async.protocol.wire import Wire

__all__ = [
    "BY_ID",
    "BY_NAME",
    "BY_USER",
    "ORGANIZATIONS",
    "PACKAGES",
    "Script",
    "Service",
    "Thing",
    "carry_out",
    "things",
]


@attrs.frozen
class Thing:
    """An element of every list."""

    id: str
    name: str
    user_id: str | None = None
    extra: Mapping[str, object] = attrs.field(factory=dict, eq=False)


WIRE: Final = Wire(entities=(Thing,), upserts=(), name=lambda _, name: name)
LIST: Final[Endpoint[list[Thing]]] = Endpoint(
    "GET", "/packages/{owner}", Resend.READ, list[Thing], wire=WIRE, version="v2"
)
BY_NAME: Final[Cursor[Thing]] = Cursor("after", lambda thing: thing.name)
BY_ID: Final[Cursor[Thing]] = Cursor("after", lambda thing: thing.id)
BY_USER: Final[Cursor[Thing]] = Cursor("after", lambda thing: thing.user_id)
PACKAGES: Final = Listing(LIST, lambda thing: thing.id, (BY_NAME, BY_ID))
ORGANIZATIONS: Final = Listing(LIST, lambda thing: thing.id, (Cursor("organization_id", lambda thing: thing.id),))

Answers = Callable[[Request[object]], Answer | APIError]


def things(numbers: Iterable[int], *, namesakes: int = 1) -> list[Thing]:
    """Make elements whose order by name is not that by id, nor by user; so many in turn share a name."""
    return [
        Thing(f"i{number:05}", f"n/{(7919 * (number // namesakes)) % 100_003:06}", f"u{99_999 - number:05}")
        for number in numbers
    ]


def carry_out(read: Read[list[Thing]], answers: Answers) -> list[Thing]:
    """Carry out the reading of a list."""
    steps = read.steps()
    try:
        wanted = next(steps)
        while True:
            assert isinstance(wanted, Request)
            given = answers(wanted)
            wanted = steps.send(given) if isinstance(given, Answer) else steps.throw(given)
    except StopIteration as end:
        found: list[Thing] = end.value
        return found


def query_of(request: Request[object]) -> dict[str, list[str]]:
    """Return the parameters of a request."""
    return parse_qs(request.target.partition("?")[2], keep_blank_values=True, strict_parsing="?" in request.target)


def refusal(request: Request[object]) -> BadRequestError:
    """Make a 400."""
    return BadRequestError(status=400, method="GET", url=request.target)


@attrs.define
class Script:
    """Answers by the query of a request, whatever its order; anything that was not foreseen is a failure.

    Attributes:
        answers: bodies, or errors, by the query as it is written.
        requests: the queries that came.
    """

    answers: Mapping[str, object]
    requests: list[str] = attrs.Factory(list)

    def __call__(self, request: Request[object]) -> Answer | APIError:
        """Answer."""
        path, _, query = request.target.partition("?")
        assert path == "/packages/acme"
        self.requests.append(query)
        body = self.answers[query]
        return body if isinstance(body, APIError) else Answer(200, {}, json.dumps(body).encode())


@attrs.define
class Service:
    """A way to page a list.

    Attributes:
        elements: what there is.
        paging: `links`: pages have `_links`, whose `next` leads on, and `after` is understood; `links-only`: it is
            not; `after`: there are no `_links`; `ignores-after`: nor is it understood; `no-next`: `_links`
            never lead on, `after` does.
        cap: the most elements of a page; None: any `per_page` is refused.
        cursor: what a cursor is.
        parameter: what it is called.
        typed: whether a cursor of another kind is refused, instead of compared as text.
        told: whether links say how many elements are on a page.
        kept: whether the last page has `_links`.
        before: comes before each link's query: another address.
        envelope: what the array is in; empty: nothing.
        change: called before each request, with its number.
        requests: the targets that came.
    """

    elements: Sequence[Thing]
    paging: Literal["links", "links-only", "after", "ignores-after", "no-next"] = "links"
    cap: int | None = 1000
    cursor: str = "id"
    parameter: str = "after"
    typed: bool = True
    told: bool = False
    kept: bool = True
    before: str = ""
    envelope: str = "results"
    change: Callable[[int], Sequence[Thing]] | None = None
    requests: list[str] = attrs.Factory(list)
    _ordered: list[Thing] = attrs.Factory(list)

    def __call__(self, request: Request[object]) -> Answer | APIError:
        """Answer."""
        if self.change is not None:
            self.elements, self._ordered = self.change(len(self.requests)), []
        self.requests.append(request.target)
        query = query_of(request)
        if self.cap is None and "per_page" in query:
            return refusal(request)
        rows = self._ordered = self._ordered or sorted(self.elements, key=self._place)
        # Links have a name of their own for where they lead, if `after` is not understood.
        after = self.parameter if self.paging in {"links", "after", "no-next"} else "link"
        for place in query.get(after, [])[:1]:
            if self.typed and place[:1] != self.cursor[:1]:
                return refusal(request)
            rows = rows[bisect_right(rows, place, key=attrgetter(self.cursor)) :]
        size = min(self.cap or 10, int(query.get("per_page", ["10"])[0]))
        return Answer(200, {}, json.dumps(self._body(rows[:size], size, after, more=len(rows) > size)).encode())

    def _place(self, row: Thing) -> tuple[str, str]:
        return getattr(row, self.cursor), row.id

    def _body(self, page: Sequence[Thing], size: int, after: str, *, more: bool) -> object:
        rows = [{"id": row.id, "name": row.name, "user_id": row.user_id} for row in page]
        if not self.envelope:
            return rows
        body: dict[str, object] = {self.envelope: rows}
        if self.paging in {"links", "links-only", "no-next"} and (more or self.kept):
            links = {"self": "/packages/acme"}
            if more and self.paging != "no-next":
                told = f"&per_page={size}" if self.told and self.cap else ""
                links["next"] = f"{self.before}?{after}={quote(getattr(page[-1], self.cursor))}{told}"
            body["_links"] = links
        return body
