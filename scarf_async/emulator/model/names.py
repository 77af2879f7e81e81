"""The pattern language of v2 for names: of packages in exports, and of images in collections."""

from __future__ import annotations

import re
from typing import Final

from scarf_async.emulator.answers import Refusal

__all__ = ["names_matching"]

_PIECE: Final = re.compile(r"[{},*]|(?:\\[{},*]|[^{},*\\])+")
_MEANING: Final = {"{": "(?:", "}": ")", ",": "|", "*": ".*"}


def names_matching(query: str) -> re.Pattern[str]:
    r"""Return a regular expression for a whole name.

    A comma separates alternatives, braces enclose some, `*` matches any text including `/`, and `\` escapes any of
    these.

    Raises:
        Refusal: 400 for unbalanced braces, for an empty alternative, and for any other `\`.
    """
    pieces: list[str] = _PIECE.findall(query)
    depth, empty = 0, True
    parts: list[str] = []
    for piece in pieces:
        depth += (piece == "{") - (piece == "}")
        if depth < 0 or (empty and piece in {",", "}"}):
            raise _not_a_query(query)
        empty = piece in {"{", ","}
        parts.append(_MEANING.get(piece) or re.escape(re.sub(r"\\(.)", r"\1", piece)))
    if depth or empty or "".join(pieces) != query:
        raise _not_a_query(query)
    return re.compile("".join(parts), re.DOTALL)


def _not_a_query(query: str) -> Refusal:
    return Refusal(400, f"{query!r} is not a query for package names.", "invalid-package-query")
