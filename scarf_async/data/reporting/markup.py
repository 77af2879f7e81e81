"""HTML from escaped text. Pure."""

from __future__ import annotations

import html
import re
from typing import Final

from scarf_async.text import printable

__all__ = ["Html", "element", "joined", "shortened", "spelled"]

_EMPTY: Final = frozenset({"meta", "br"})
# HTML cannot contain these, or does not show them.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Long names must not make the page long.
_LONGEST_NAME: Final = 500


class Html(str):
    """Text that is already markup."""

    __slots__ = ()


def spelled(text: str) -> str:
    r"""Return a name with control characters and lone surrogates escaped.

    >>> spelled("a\0b")
    'a\\x00b'
    """
    return _CONTROLS.sub(lambda found: printable(found[0]), text)


def shortened(text: str) -> str:
    """Return a name, shortened if it is too long."""
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def joined(*parts: str) -> Html:
    """Concatenate escaped texts and markup."""
    return Html("".join(part if isinstance(part, Html) else html.escape(spelled(part)) for part in parts))


def element(tag: str, /, *children: str, **attributes: str) -> Html:
    """Return an element; in names of attributes, a final `_` is removed, and `_` becomes `-`.

    >>> element("p", "a < b", class_="it's")
    '<p class="it&#x27;s">a &lt; b</p>'
    """
    words = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(spelled(value))}"'
        for name, value in attributes.items()
    )
    end = "" if tag in _EMPTY else f"{joined(*children)}</{tag}>"
    return Html(f"<{tag}{words}>{end}")
