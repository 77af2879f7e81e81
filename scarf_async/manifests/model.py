"""What an organization should look like, as data: no groups, no templates, nothing left to expand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from scarf_async.entities import Importance, LibraryType, PermissionLevel, Role, RouteCreate
from scarf_async.entities.fields import without_user

__all__ = ["VERSION", "Manifest", "OrganizationSpec", "PackageSpec"]

VERSION: Final = 1
"""Of the format. A file of a newer one is refused."""


@attrs.frozen(kw_only=True)
class PackageSpec:
    """A package as it should be.

    None: the manifest says nothing of it, and it stays as it is. An empty text, table or list is a value.

    Attributes:
        name: its name, with or without the owner's prefix.
        library_type: its type; with the name it is the package's identity within its owner.
        short_description: one line.
        long_description: a longer text.
        website: its website.
        backend_url: of docker: the registry's address. Not given back in v1.
        public_url: of docker: the address that people pull from. Not given back; in v2 its host is a domain.
        repository_url: of pypi and python: the index. Not given back in v1.
        importance: how important it is to its owner. v1 does not know it.
        permissions: username or e-mail address -> level.
        routes: of file packages; what leads nowhere only counts, in v2.
        domains: the names under which it is served.
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
        billing_email: where bills go.
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
        organizations: in the file's order; no name twice.
        packages: packages of the token's user; None as in `PackageSpec`.
        people: username -> e-mail address: who is meant by a permission's e-mail address, since the service gives
            permissions back by username only.
        me: the username that the token belongs to, if said: the service does not tell, and v2 needs it for
            `packages`.
    """

    organizations: tuple[OrganizationSpec, ...] = ()
    packages: tuple[PackageSpec, ...] | None = None
    people: Mapping[str, str] = attrs.field(factory=dict)
    me: str | None = None
