"""Packages of all types."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable

from scarf_async.dialects.v2.accounts import overview
from scarf_async.dialects.v2.arguments import needed_owner, owner_beside
from scarf_async.entities import (
    LibraryTypeLike,
    Package,
    PackageKey,
    PackageOverview,
    PackageUpsert,
    PermissionLevelLike,
    RouteCreate,
)
from scarf_async.errors import ValidationError
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Packages", "check_same_type", "package_key"]


def package_key(package: str | Package | PackageKey, owner: str | None = None) -> PackageKey:
    """Return the key of a package given by its id, as an entity or as a key.

    Raises:
        ValidationError: it has an owner, and another one is given beside it.
    """
    key = package.key if isinstance(package, Package) else package
    if not isinstance(key, PackageKey):
        return PackageKey(owner, key)
    return PackageKey(owner_beside(f"package {key.id}", key.owner, owner), key.id)


def check_same_type(package: Package, upsert: PackageUpsert, alike: Collection[str] = ()) -> None:
    """Raise `ValidationError` for a change of type, which the service does not allow.

    Args:
        package: the package as it is now.
        upsert: what it is to be.
        alike: words that mean the same type.
    """
    wanted, there = upsert.library_type, package.library_type
    if isinstance(wanted, str) and there not in {None, wanted} and not (wanted in alike and there in alike):
        raise ValidationError(
            f"library_type of package {package.uuid} cannot change from {package.library_type} to {wanted}",
            field="library_type",
        )


class Packages:
    """`scarf.packages`: list, get, create, update and delete packages; an overview of them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self, organization: str | None = None, *, types: Iterable[LibraryTypeLike] = ()
    ) -> builtins.list[Package]:
        """Return the packages of an organization; without one those of the token's user.

        The user's list holds the packages of the user's organizations too. In v2 an owner is an organization or a
        user, and the packages are its alone; without one they are those of the client's owner.

        Args:
            organization: the owner.
            types: return only packages of these types.

        Raises:
            ValidationError: v2, and nobody says whose; nothing was sent.
            NotFoundError: there is no such organization.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of packages.
        """
        wanted = (types,) if isinstance(types, str) else tuple(types)
        return await self._session.read(self._session.dialect.packages(organization, wanted))

    async def overview(
        self,
        owner: str | None = None,
        *,
        types: Iterable[LibraryTypeLike] = (),
        permission: PermissionLevelLike | None = None,
    ) -> builtins.list[PackageOverview]:
        """Return the packages of an owner with their domains, and how often each was fetched (v2, of any client).

        Args:
            owner: a user or an organization; else the client's owner.
            types: return only packages of these types.
            permission: return only packages on which the token's user has this level: member, admin or owner.

        Raises:
            ValidationError: nobody says whose, or the service does not have the level; nothing was sent.
            NotFoundError: there is no such owner.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not an overview, or not a whole one.
        """
        wanted = (types,) if isinstance(types, str) else tuple(types)
        return await self._session.read(overview(needed_owner(owner, self._session.owner), wanted, permission))

    async def get(
        self,
        id_or_name: str | Package | PackageKey,
        library_type: LibraryTypeLike | None = None,
        *,
        owner: str | None = None,
    ) -> Package:
        """Return a package by its uuid or its name.

        Args:
            id_or_name: the uuid, or the name, `/` and all; a `Package` or its key is read again.
            library_type: tells packages of one name apart.
            owner: whose package it is, in v2; else the client's. v1 does not ask.

        Raises:
            ValidationError: several packages have the name, or the owner contradicts the key; v2 needs an owner.
            NotFoundError: there is none, or it is not visible to the token's user.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a package.
        """
        if not isinstance(id_or_name, str):
            key = package_key(id_or_name, owner)
            id_or_name, library_type, owner = key.id, None, key.owner
        return await self._session.read(self._session.dialect.package(id_or_name, library_type, owner))

    async def create(
        self,
        package: PackageUpsert,
        organization: str | None = None,
        *,
        route: RouteCreate | None = None,
        if_exists: IfExists = "fail",
    ) -> Package:
        """Create a package of an organization; without one, of the token's user, and in v2 of the client's owner.

        Args:
            package: what to create.
            organization: the owner.
            route: the first route of a file package, which v2 creates together with it, and v1 does not.
            if_exists: with `keep`, one of this name and type that equals what is asked for is returned as it is
                (its addresses are not compared: the service does not give them back).

        Raises:
            ConflictError: it exists (or, with `keep`, exists and differs: `.requested`, `.found`).
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: it was not sent.
        """
        creation = self._session.dialect.create_package(package, organization, route)
        return await create(self._session, creation, if_exists)

    async def update(self, package: str | Package | PackageKey, upsert: PackageUpsert) -> Package:
        """Change a package to what is given; its type cannot change.

        v1 does not say whether it clears fields that are left out: give all of them, addresses too. In v2 the
        package is read first, what is UNSET stays, and what another changes between the two requests is lost.

        Raises:
            ValidationError: a `Package` of another type was given, or an address that the version does not take;
                nothing was changed.
            NotFoundError: there is no such package.
            WriteConfirmedError: changed, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        if isinstance(package, Package):
            check_same_type(package, upsert, self._session.dialect.traits.types_alike)
        return await self._session.run(self._session.dialect.update_package(package_key(package), upsert))

    async def delete(self, package: str | Package | PackageKey) -> None:
        """Delete a package.

        Raises:
            NotFoundError: there is no such package (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.run(self._session.dialect.delete_package(package_key(package)))
