"""What an organization should look like, as data: no groups, no templates, nothing left to expand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from scarf_async.entities import Importance, LibraryType, PermissionLevel, Role, RouteCreate
from scarf_async.entities.fields import without_user

__all__ = ["VERSION", "Manifest", "OrganizationSpec", "PackageSpec"]

VERSION: Final = 1
"""The version of the format. A file with a newer version is refused."""


@attrs.frozen(kw_only=True)
class PackageSpec:
    """A package as it should be.

    None means that the manifest does not mention a value, and it stays as it is. An empty text, table or list is a
    value.

    Attributes:
        name: its name, with or without the owner's prefix.
        library_type: its type; name and type identify a package within its owner.
        short_description: one line.
        long_description: a longer text.
        website: its website.
        backend_url: for docker, the URL of the image on its registry. v1 does not return it.
        public_url: for docker, the URL that users pull from. Never returned; in v2 its host is a domain.
        repository_url: for pypi and python, the URL of the index. v1 does not return it.
        importance: how important it is to its owner (v2).
        permissions: username or e-mail address -> level.
        routes: for file packages; in v2, a route without a URL only counts.
        domains: the host names that serve it.
    """

    name: str
    library_type: LibraryType | str | None = None
    short_description: str | None = None
    long_description: str | None = None
    website: str | None = None
    backend_url: str | None = None
    public_url: str | None = None
    repository_url: str | None = attrs.field(default=None, repr=without_user)
    importance: Importance | None = None
    permissions: Mapping[str, PermissionLevel] | None = None
    routes: tuple[RouteCreate, ...] | None = None
    domains: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class OrganizationSpec:
    """An organization as it should be; None as in `PackageSpec`.

    Attributes:
        name: its name.
        description: free text.
        website: its website.
        billing_email: the e-mail address for invoices.
        members: username -> role.
        packages: its packages.
    """

    name: str
    description: str | None = None
    website: str | None = None
    billing_email: str | None = None
    members: Mapping[str, Role] | None = None
    packages: tuple[PackageSpec, ...] | None = None


@attrs.frozen(kw_only=True)
class Manifest:
    """Organizations, and packages of the token's user, as they should be.

    Attributes:
        organizations: the organizations, in the file's order; no name twice.
        packages: packages of the token's user; None as in `PackageSpec`.
        people: username -> e-mail address, to resolve e-mail addresses in permissions: the service returns
            permissions by username only.
        me: the username that the token belongs to: the service does not tell, and v2 needs it for `packages`.
    """

    organizations: tuple[OrganizationSpec, ...] = ()
    packages: tuple[PackageSpec, ...] | None = None
    people: Mapping[str, str] = attrs.field(factory=dict)
    me: str | None = None
