"""A description of the API as flat facts, so that two of them are compared line by line and differ in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

__all__ = ["Facts", "differences", "field"]

Facts: TypeAlias = Mapping[str, str]
"""What is said, by what it is said about: `POST /packages body website`: `string or null, optional`."""


def field(kinds: Iterable[str], *, required: bool, words: Iterable[str] = (), is_open: bool = False) -> str:
    """Say what a field or a parameter may hold.

    >>> field({"string", "null"}, required=False, words=["member", "admin"])
    'null or string, optional, one of admin, member'
    """
    said = [" or ".join(sorted(kinds)), "required" if required else "optional"]
    if listed := sorted(words):
        said.append("one of " + ", ".join(listed))
        if is_open:
            said.append("or another")
    return ", ".join(said)


def differences(described: Facts, derived: Facts) -> list[str]:
    """Name every fact in which the description and the SDK differ."""
    nothing = "nothing"
    return [
        f"{subject}: the description says {described.get(subject, nothing)!r},"
        f" the SDK {derived.get(subject, nothing)!r}"
        for subject in sorted({*described, *derived})
        if described.get(subject) != derived.get(subject)
    ]
