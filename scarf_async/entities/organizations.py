"""Organizations and their members."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from scarf_async.entities.enums import Role, RoleLike, role
from scarf_async.entities.fields import (
    JSON,
    UNSET,
    Unset,
    extra,
    one_of,
    optional_text,
    some_text,
    text_or_unset,
)

__all__ = ["Member", "MemberUpsert", "Organization", "OrganizationUpsert", "known_role"]


@attrs.frozen(kw_only=True)
class Organization:
    """An organization.

    Attributes:
        name: its name, which every call uses.
        description: free text; `""` if the service leaves it out.
        website: its website.
        billing_email: the e-mail address for bills.
        created_at: when it was created (aware, UTC).
        updated_at: when it was last changed (aware, UTC).
        id: its identifier (v2).
        extra: other fields that the service sends, by their names on the wire.
    """

    name: str
    description: str = ""
    website: str | None = None
    billing_email: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: str | None = None
    extra: Mapping[str, JSON] = extra()


@attrs.frozen(kw_only=True)
class OrganizationUpsert:
    """The values to create or update an organization with. In an update, a different `name` renames it.

    In v2, a `description` or `billing_email` that is `UNSET` keeps its value. In v1 the call raises
    `UnsupportedError`.

    Raises:
        ValidationError: a field has the wrong type, or the name is empty.
    """

    name: str = attrs.field(validator=some_text)
    description: str | Unset = attrs.field(validator=text_or_unset)
    billing_email: str | Unset = attrs.field(validator=text_or_unset)
    website: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)


@attrs.frozen(kw_only=True)
class Member:
    """A member of an organization.

    Attributes:
        organization_name: the organization.
        username: the member's username.
        role: a `Role`, or a plain string for an unknown one.
        user_id: the user's identifier (v2).
        extra: other fields that the service sends, by their names on the wire.
    """

    organization_name: str = ""
    username: str
    role: Role | str = attrs.field(converter=role)
    user_id: str | None = None
    extra: Mapping[str, JSON] = extra()


def known_role(value: RoleLike) -> Role:
    """Convert a role or its word to a `Role`; raise `ValidationError` for anything else."""
    return one_of(Role, "role", value)


@attrs.frozen
class MemberUpsert:
    """The values to create or update a membership with.

    >>> MemberUpsert("ann", "admin")
    MemberUpsert(username='ann', role=<Role.ADMIN: 'admin'>)

    Raises:
        ValidationError: the username is empty, or the role is not a `Role`.
    """

    username: str = attrs.field(validator=some_text)
    role: Role = attrs.field(converter=known_role)
