"""Where a redirect of an export leads, and where none may. Pure."""

from __future__ import annotations

from typing import Final

from yarl import URL

from scarf_async.protocol import Answer
from scarf_async.settings import is_loopback

__all__ = ["REDIRECTS", "redirect_target"]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def redirect_target(url: URL, answer: Answer, *, loopback: bool) -> URL | str:
    """Return where an export goes on, or why not there. Pure."""
    location = answer.headers.get("Location", "")
    try:
        target = url.join(URL(location, encoded=True))
        host = target.host
    except ValueError:
        host = None
    if not location or not host:
        return "a redirect without a usable Location"
    if "@" in target.raw_authority:
        return f"a redirect to {host} with a user in its address"
    if target.scheme == "https" or (target.scheme == "http" and loopback and is_loopback(target)):
        return target
    return f"a redirect to {target.scheme}://{host}, which is not https"
