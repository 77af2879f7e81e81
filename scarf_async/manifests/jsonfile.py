"""JSON as nodes: the standard library parses it, and a scan of the tokens gives the places."""

from __future__ import annotations

import json
import re
from json import JSONDecodeError
from typing import Final

from scarf_async.manifests.nodes import (
    DEPTH_LIMIT,
    KeyValues,
    Node,
    Numeral,
    Place,
    Problems,
    as_node,
    escaped,
)

__all__ = ["parse_json"]

_TOKEN: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}\n]|[^\s,:"\[\]{}]+')
_WORDS: Final = {
    "Expecting value": "a value is missing here",
    "Expecting ',' delimiter": "a comma or {end} is missing here",
    "Expecting ':' delimiter": "a colon is missing here",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing here",
    "Illegal trailing comma before end of array": "a value is missing here",
    "Illegal trailing comma before end of object": "a key in double quotes is missing here",
    "Unterminated string starting at": "this text does not end, or has a line break in it",
    "Invalid control character at": "this text does not end, or has a line break in it",
    "Extra data": "the document ended before this",
}


def _scan(text: str, file: str, problems: Problems) -> tuple[list[Place], list[str]]:
    """Return where each key and value begins, in order, and the brackets that close the open lists and tables.

    The text must be JSON, or a prefix of it, at least as far as it is not nested too deeply.
    """
    places: list[Place] = []
    ends: list[str] = []
    line, line_start = 1, 0
    for match in _TOKEN.finditer(text):
        sign = match.group()
        if sign == "\n":
            line, line_start = line + 1, match.end()
        elif sign in {"]", "}"}:
            ends.pop()
        else:
            places.append(Place(file, line, match.start() - line_start + 1))
            if sign in {"[", "{"}:
                if len(ends) == DEPTH_LIMIT:
                    raise problems.too_deep(places[-1])
                ends.append("]" if sign == "[" else "}")
    return places, ends


def parse_json(text: str, file: str, problems: Problems) -> Node:
    """Return the document's root.

    Raises:
        ManifestError: it is not JSON, or nested too deeply.
    """
    document: object = None
    try:
        document = json.loads(
            text,
            object_pairs_hook=KeyValues,
            parse_int=Numeral,
            parse_float=Numeral,
            parse_constant=Numeral,
        )
    except RecursionError:
        pass  # the scan finds the place
    except JSONDecodeError as error:
        words = _WORDS.get(error.msg, escaped(error.msg))
        if "{end}" in words:
            words = words.format(end=_scan(text[: error.pos], file, problems)[1][-1])
        place = Place(file, error.lineno, error.colno)
        raise problems.refuse(place, "", f"this is not JSON: {words}") from None
    places = iter(_scan(text, file, problems)[0])
    return as_node(document, "", lambda _: next(places), problems)
