"""What the errors of v2 mean."""

from __future__ import annotations

from typing import Final

from scarf_async.protocol.messages import Answer

__all__ = ["CONFLICTS", "remark"]

CONFLICTS: Final = frozenset(
    {
        "package-already-exists",
        "package-is-conflicting",
        "entity-already-exists",
        "domain-is-already-in-use",
        "public-domain-is-already-in-use",
        "name-already-exists",
        "pattern-is-duplicated",
        "collection-is-conflicting",
    }
)
"""The codes of a 422 that mean that it exists already, or contradicts something that exists."""


def remark(method: str, answer: Answer) -> str | None:
    """Explain an error without a body."""
    if method == "GET" or answer.status not in {400, 415} or answer.body.strip():
        return None
    return (
        "v2 refuses a body that it cannot read without a word: a field may be missing, new or of another type than"
        " this version of scarf_async knows"
    )
