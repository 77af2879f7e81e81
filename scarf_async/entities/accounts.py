"""Accounts, memberships and search results, which only v2 has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from scarf_async.entities.enums import LibraryType, Role, library_type, role
from scarf_async.entities.fields import JSON, extra

__all__ = ["Membership", "SearchResult", "User"]


@attrs.frozen(kw_only=True)
class User:
    """An account, as everybody can see it (v2).

    Attributes:
        id: its identifier.
        name: its name.
        type: `user` or `organization`.
        created_at: when it was created (aware, UTC).
        updated_at: when it was last changed (aware, UTC).
        extra: other fields that the service sends, by their names on the wire.
    """

    id: str
    name: str
    type: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, JSON] = extra()


@attrs.frozen(kw_only=True)
class Membership:
    """An organization that a user is a member of (v2).

    Attributes:
        organization_id: its identifier.
        organization_name: its name.
        organization_description: free text.
        organization_website: its website.
        role: a `Role`, or a plain string for an unknown one.
        extra: other fields that the service sends, by their names on the wire.
    """

    organization_id: str
    organization_name: str
    organization_description: str | None = None
    organization_website: str | None = None
    role: Role | str = attrs.field(converter=role)
    extra: Mapping[str, JSON] = extra()


@attrs.frozen(kw_only=True)
class SearchResult:
    """A package or tracking pixel found by a search (v2).

    Attributes:
        type: `package` or `tracking-pixel`.
        id: its identifier.
        name: its name.
        owner: the account that it belongs to.
        library_type: for a package, a `LibraryType`, or a plain string for an unknown one.
        extra: other fields that the service sends, by their names on the wire.
    """

    type: str
    id: str
    name: str = ""
    owner: str = ""
    library_type: LibraryType | str | None = attrs.field(default=None, converter=library_type)
    extra: Mapping[str, JSON] = extra()
