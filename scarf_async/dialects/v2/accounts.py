"""Reads that v1 does not have: accounts, the overview of packages, the status of domains, and search."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from scarf_async.checks import word
from scarf_async.dialects.v2.bodies import type_word
from scarf_async.dialects.v2.lists import MEMBERSHIPS, OVERVIEW
from scarf_async.dialects.v2.looks import is_one_of
from scarf_async.dialects.v2.requests import GET_DOMAIN_STATUS, GET_USER, SEARCH
from scarf_async.entities import DomainStatus, Membership, PackageOverview, SearchResult, User
from scarf_async.errors import ValidationError
from scarf_async.protocol.paging import read_whole
from scarf_async.protocol.steps import Read, Steps, reading

__all__ = ["domain_status", "memberships", "overview", "search", "user"]

_LEVELS: Final = ("member", "admin", "owner")


def overview(owner: str, types: Iterable[str] = (), permission: str | None = None) -> Read[list[PackageOverview]]:
    """All packages of an owner with their domains; of some or all types.

    Raises:
        ValidationError: the service does not have the level.
    """
    words = [type_word(one) for one in types]
    query: dict[str, str | list[str]] = {"type": words}
    if permission is not None:
        word("permission", permission, _LEVELS, ValidationError)
        query["permission"] = str(permission)
    return OVERVIEW.read(query, owner=owner).then(
        "of the types", lambda shown: [one for one in shown if is_one_of(one.package, words)]
    )


def domain_status(owner: str, name: str) -> Read[DomainStatus]:
    """The setup status of a domain."""
    return reading(GET_DOMAIN_STATUS.request(owner=owner, domain=name))


def user(username: str) -> Read[User]:
    """An account."""
    return reading(GET_USER.request(username=username))


def memberships(username: str) -> Read[list[Membership]]:
    """All organizations of a user."""
    return MEMBERSHIPS.read(username=username)


def search(query: str) -> Steps[list[SearchResult]]:
    """Everything that the token's user can see and whose name contains a text.

    Raises:
        ValidationError: the text cannot be sent.
    """
    try:
        query.encode()
    except (AttributeError, UnicodeEncodeError):
        raise ValidationError("query must be a text without halves of surrogate pairs", field="query") from None
    return read_whole(SEARCH.request({"query": query}), lambda result: (result.type, result.id))
