"""HTML in which nothing that is put into it is markup. Pure."""

from __future__ import annotations

import html
import re
from typing import Final

from scarf_async.text import printable

__all__ = ["Html", "element", "joined", "shortened", "spelled"]

_EMPTY: Final = frozenset({"meta", "br"})
# HTML cannot hold them, or shows nothing in their place.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# However long names are, a page is not.
_LONGEST_NAME: Final = 500


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def spelled(text: str) -> str:
    r"""Return a name as it is, control characters and lone surrogates as escapes.

    >>> spelled("a\0b")
    'a\\x00b'
    """
    return _CONTROLS.sub(lambda found: printable(found[0]), text)


def shortened(text: str) -> str:
    """Return the beginning of a name that is too long."""
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def joined(*parts: str) -> Html:
    """Return texts, escaped, and markup, as it is, one behind another."""
    return Html("".join(part if isinstance(part, Html) else html.escape(spelled(part)) for part in parts))


def element(tag: str, /, *children: str, **attributes: str) -> Html:
    """Return an element; of the name of an attribute a final `_` is cut, and `_` is `-`.

    >>> element("p", "a < b", class_="it's")
    '<p class="it&#x27;s">a &lt; b</p>'
    """
    words = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(spelled(value))}"'
        for name, value in attributes.items()
    )
    end = "" if tag in _EMPTY else f"{joined(*children)}</{tag}>"
    return Html(f"<{tag}{words}>{end}")
