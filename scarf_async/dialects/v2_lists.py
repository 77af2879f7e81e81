"""The lists of v2, page by page."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec

from scarf_async.errors import DecodeError
from scarf_async.protocol import tolerant
from scarf_async.protocol.messages import Answer, Request, decode
from scarf_async.protocol.steps import Steps, answer_to

__all__ = ["read_list"]

T = TypeVar("T")

_ENVELOPES = ("results", "data")


def read_list(request: Request[list[T]]) -> Steps[list[T]]:
    """Read a list, following its links to the end."""
    found: list[T] = []
    asked = {request.target}
    while True:
        answer = yield from answer_to(request)
        elements, following = _page(answer)
        found += decode(request, msgspec.structs.replace(answer, body=elements))
        if following is None:
            return found
        request = _laid_over(request, following)
        if request.target in asked:
            raise DecodeError("a link leads back", endpoint=request.endpoint.name, entity="list")
        asked.add(request.target)


def _page(answer: Answer) -> tuple[bytes, str | None]:
    try:
        page = tolerant.loads(answer.body)
    except (ValueError, RecursionError):
        return answer.body, None
    if not isinstance(page, dict):
        return answer.body, None
    elements = next((page[name] for name in _ENVELOPES if name in page), page)
    links = page.get("_links")
    following = links.get("next") if isinstance(links, dict) else None
    return msgspec.json.encode(elements), following if isinstance(following, str) and following else None


def _laid_over(request: Request[T], link: str) -> Request[T]:
    path, _, query = request.target.partition("?")
    laid = parse_qs(query, keep_blank_values=True) | parse_qs(urlsplit(link).query, keep_blank_values=True)
    return Request(request.endpoint, f"{path}?{urlencode(laid, doseq=True, quote_via=quote)}", request.body)
