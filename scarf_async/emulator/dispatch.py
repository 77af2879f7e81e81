"""Find the handler for the target of a request, and what depends on its version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from scarf_async.emulator.answers import JSON, Answer, Refusal
from scarf_async.emulator.calls import Handler
from scarf_async.emulator.quirks import Quirks
from scarf_async.emulator.v1 import endpoints as v1
from scarf_async.emulator.v2 import endpoints as v2
from scarf_async.emulator.v2.reading import undecodable
from scarf_async.emulator.v2.showing import refusal_answer
from scarf_async.emulator.v3 import aggregations as v3
from scarf_async.emulator.wire import parse_body

__all__ = ["Match", "answer_to", "find_handler", "read_body"]


@attrs.frozen
class Match:
    """A handler, and the variables of its path.

    Attributes:
        handler: The handler.
        params: The decoded variables by name.
        takes_json: Whether its body, if it has one, is JSON.
    """

    handler: Handler
    params: Mapping[str, str]
    takes_json: bool = True


@attrs.frozen
class _Endpoint:
    segments: tuple[str, ...]
    methods: Mapping[str, Handler]

    def params(self, segments: list[str]) -> dict[str, str] | None:
        """Return the variables if the path belongs to this endpoint, else None."""
        params: dict[str, str] = {}
        for pattern, segment in zip(self.segments, segments, strict=True):
            if pattern.startswith("{"):
                params[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return params


def _by_length() -> dict[int, list[_Endpoint]]:
    endpoints: dict[int, list[_Endpoint]] = {}
    served = (*v1.ENDPOINTS.items(), *v2.ENDPOINTS.items(), *v3.ENDPOINTS.items())
    for path, methods in (*served, *v2.NOT_SERVED.items()):
        segments = tuple(path.split("/"))
        endpoints.setdefault(len(segments), []).append(_Endpoint(segments, methods))
    for of_length in endpoints.values():
        # The service's router prefers literal segments: a package called `overview` cannot be reached.
        of_length.sort(key=lambda endpoint: [segment.startswith("{") for segment in endpoint.segments])
    return endpoints


_ENDPOINTS: Final = _by_length()
_NO_JSON: Final = frozenset({"import", "abort"})
"""The endings of paths whose POST accepts NDJSON, or no body."""
_V2: Final = "/v2/"
_V3: Final = "/v3/"


def read_body(path: str, content_type: str, body: bytes) -> JSON:
    """Return the JSON of a body.

    Raises:
        Refusal: 415 if it is not declared as JSON, 400 if it is not JSON. In v2, both have no body.
    """
    is_v2 = path.startswith(_V2)
    if content_type != "application/json":
        message = "" if is_v2 else "The body needs Content-Type: application/json."
        raise Refusal(415, message, plain=is_v2)
    try:
        return parse_body(body)
    except Refusal as refusal:
        raise (undecodable() if is_v2 else refusal) from None


def answer_to(refusal: Refusal, path: str, quirks: Quirks) -> Answer:
    """Return the response for a refusal, in the form of the version of the path."""
    if path.startswith(_V3):
        return Answer(refusal.status, {"detail": refusal.message}, refusal.headers)
    if path.startswith(_V2):
        return refusal_answer(refusal, quirks, is_export=path.endswith(("/events", "-rollup")))
    return refusal.answer()


def find_handler(method: str, path: str) -> Match:
    """Return the handler for a method and a path as received.

    The path is split before it is decoded, so that a name may contain an encoded `/`, as names of container images
    do.

    Raises:
        Refusal: 404 for an unknown path, 405 for another method, 400 for a path that is not UTF-8. The last two
            have no body in v2.
    """
    is_v2 = path.startswith(_V2)
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in path.split("/")]
    except UnicodeDecodeError:
        raise Refusal(400, "" if is_v2 else "The path is not UTF-8.", plain=is_v2) from None
    for endpoint in _ENDPOINTS.get(len(segments), ()):
        params = endpoint.params(segments)
        if params is None or "" in params.values():
            continue
        handler = endpoint.methods.get(method)
        if handler is None:
            allowed = ", ".join(endpoint.methods)
            message = "" if is_v2 else f"{method} is not for this path; it takes {allowed}."
            raise Refusal(405, message, headers={"Allow": allowed}, plain=is_v2)
        return Match(handler, params, endpoint.segments[-1] not in _NO_JSON)
    raise Refusal(404, f"There is no endpoint {path}.")
