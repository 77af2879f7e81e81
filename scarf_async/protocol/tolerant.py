"""JSON as services write it: read by msgspec, or if that is too strict, by Python's own parser. Pure."""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

__all__ = ["loads"]

# It matches every escape, so that `\\ud800`, a backslash and five characters, is not taken for a surrogate.
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2})|.)", re.DOTALL
)


def _number(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        # More digits than Python converts to an int.
        return float(digits)


_decoder: Final = json.JSONDecoder(strict=False, parse_int=_number)


def loads(data: bytes) -> object:
    r"""Read JSON.

    Invalid UTF-8 and lone surrogates in strings are replaced by U+FFFD. Control characters in strings, `NaN`,
    `Infinity`, numbers of any size, a BOM, UTF-16 and UTF-32 are accepted.

    >>> loads(b'{"name": "caf\xe9", "size": NaN}')
    {'name': 'caf�', 'size': nan}

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    reason = ""
    try:
        value: object = msgspec.json.decode(data)
    except UnicodeDecodeError:
        pass
    except msgspec.DecodeError as error:
        reason = str(error)
    else:
        return value
    text = data.decode(json.detect_encoding(data), "replace")
    text = _ESCAPE.sub(lambda match: r"\ufffd" if match[1] else match[0], text)
    try:
        value = _decoder.decode(text)
    except ValueError as error:
        reason = reason or str(error)
    else:
        return value
    raise ValueError(reason)
