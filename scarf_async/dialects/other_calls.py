"""Calls of the service without a method: valid requests, and how the response is read. Pure."""

from __future__ import annotations

import json as text_of
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast
from urllib.parse import quote, unquote, urlencode

from scarf_async.checks import word
from scarf_async.dialects.bare import VERSIONS, WIRE, bare_endpoint
from scarf_async.entities import JSON, UNSET, Unset
from scarf_async.entities.fields import without_user
from scarf_async.errors import ValidationError
from scarf_async.protocol.messages import Query, Request, Resend, decode_with, path_segment
from scarf_async.protocol.steps import Steps, answer_to
from scarf_async.protocol.wire import UnreadableError

__all__ = ["other_call", "other_request"]

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_READING: Final = ("GET", "HEAD")
# The characters that a path may contain besides letters, digits and `-._~`; all others are escaped.
_SAFE: Final = "/%:@!$&'()*+,;="
_NO_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})")


def other_call(request: Request[object]) -> Steps[JSON]:
    """Send the request; return the JSON of its response, or None if it is empty.

    Raises:
        DecodeError: the call succeeded, but its response is not JSON.
    """
    answer = yield from answer_to(request)
    if not answer.body.strip() and answer.cut is None and not answer.too_long:
        return None

    def read(body: bytes, _: object) -> object:
        if answer.cut is not None:
            # This is a write: a read with a truncated response is retried.
            raise UnreadableError("", f"the call succeeded, but its response is incomplete ({answer.cut})")
        return WIRE.parse(body)

    return cast(JSON, decode_with(request, answer, read))


def other_request(
    method: str,
    path: str | Sequence[str],
    *,
    version: str,
    query: Query | None = None,
    json: JSON | Unset = UNSET,
    resend: Literal["repeat"] | None = None,
) -> Request[object]:
    """Build a request below the URL of a version.

    Raises:
        ValidationError: it cannot be sent, or its path might lead elsewhere.
    """
    method = str(method).upper()
    word("method", method, _METHODS, ValidationError)
    word("version", version, VERSIONS, ValidationError)
    if resend is not None:
        word("resend", resend, ("repeat",), ValidationError, other="None")
    target = _path(path) + _query(query)
    # Only the path says which call it is: a label with the path would differ for each resource.
    again = Resend.READ if method in _READING else Resend.ONCE if resend is None else Resend.REPEAT
    endpoint = bare_endpoint(method, "/{path}", again, object, version)
    return Request(endpoint, target, None if isinstance(json, Unset) else _body(json))


def _path(path: str | Sequence[str]) -> str:
    if not isinstance(path, str):
        if not isinstance(cast(object, path), Sequence) or not path:
            raise _wrong(path, "pass a string that starts with '/', or its segments")
        return "".join(f"/{path_segment('path', segment)}" for segment in path)
    if not path.startswith("/"):
        raise _wrong(path, "it must start with '/': it is below the client's URL for the version")
    if "?" in path or "#" in path:
        raise _wrong(path, "it must not contain '?' or '#'; pass parameters as query=")
    if _NO_ESCAPE.search(path):
        raise _wrong(path, "it contains a '%' that does not start an escape")
    # A proxy that decodes the path once more must not find another one.
    decoded, plain = "", path
    while decoded != plain:
        decoded = plain
        if "//" in decoded or "\\" in decoded:
            raise _wrong(path, "it must not contain '//' or a backslash, even escaped; segments may")
        for segment in filter(None, re.split("[/;]", decoded)):
            path_segment("path", segment)
        try:
            plain = unquote(decoded, errors="strict")
        except UnicodeDecodeError:
            raise _wrong(path, "its escapes are not UTF-8") from None
    return quote(path, safe=_SAFE)


def _wrong(path: object, reason: str) -> ValidationError:
    # A pasted path may contain a credential.
    shown = without_user(str(path).partition("?")[0])
    return ValidationError(f"path {shown} cannot be requested: {reason}; nothing was sent", field="path")


def _query(query: Query | None) -> str:
    try:
        pairs = [
            (name, text)
            for name, value in (query or {}).items()
            for text in ((value,) if isinstance(value, str) else value)
        ]
        if all(isinstance(text, str) for pair in pairs for text in pair):
            return f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""
    except (AttributeError, TypeError, UnicodeEncodeError):
        pass
    raise ValidationError("query must map strings to strings, or to sequences of strings", field="query")


def _body(json: JSON) -> bytes:
    try:
        return text_of.dumps(json, ensure_ascii=False, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = type(error).__name__ if isinstance(error, UnicodeEncodeError) else str(error)
    raise ValidationError(f"json cannot be sent: {reason}", field="json")


def _plain(value: object) -> object:
    """Convert other mappings and sequences to those of JSON."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
