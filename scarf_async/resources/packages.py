"""Packages of all types."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable

from scarf_async.dialects import v2
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
    """Return the key of a package that is given as an id, an entity or a key.

    Raises:
        ValidationError: the package has an owner, and a different owner is passed too.
    """
    key = package.key if isinstance(package, Package) else package
    if not isinstance(key, PackageKey):
        return PackageKey(owner, key)
    return PackageKey(owner_beside(f"package {key.id}", key.owner, owner), key.id)


def check_same_type(package: Package, upsert: PackageUpsert, alike: Collection[str] = ()) -> None:
    """Raise `ValidationError` for a change of type, which the service does not allow.

    Args:
        package: the package as it is now.
        upsert: the requested values.
        alike: words that mean the same type.
    """
    wanted, there = upsert.library_type, package.library_type
    if isinstance(wanted, str) and there not in {None, wanted} and not (wanted in alike and there in alike):
        raise ValidationError(
            f"library_type of package {package.uuid} cannot change from {package.library_type} to {wanted}",
            field="library_type",
        )


class Packages:
    """`scarf.packages`: list, get, create, update and delete packages, and read an overview of them.

    In all calls, a `package` is its uuid, a `Package` or a `PackageKey`.

    ```python
    upsert = PackageUpsert(name="web", short_description="The web client", library_type="npm")
    package = await scarf.packages.create(upsert, "acme", if_exists="keep")
    ```
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self, organization: str | None = None, *, types: Iterable[LibraryTypeLike] = ()
    ) -> builtins.list[Package]:
        """Return the packages of an organization, or without one, those of the token's user.

        The user's list includes the packages of the user's organizations. In v2 the owner is an organization or a
        user, else the client's owner, and the list contains only packages that belong to that owner.

        Args:
            organization: the owner.
            types: return only packages of these types.

        Raises:
            ValidationError: in v2, no owner is given; nothing was sent.
            NotFoundError: there is no such organization.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of packages.
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
        """Return an owner's packages with their domains and download counts (calls v2 from any client).

        Args:
            owner: a user or an organization; else the client's owner.
            types: return only packages of these types.
            permission: return only packages on which the token's user has this level: member, admin or owner.

        Raises:
            ValidationError: no owner is given, or v2 does not have this level; nothing was sent.
            NotFoundError: there is no such owner.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not an overview, or is incomplete.
        """
        wanted = (types,) if isinstance(types, str) else tuple(types)
        return await self._session.read(
            v2.accounts.overview(needed_owner(owner, self._session.owner), wanted, permission)
        )

    async def get(
        self,
        id_or_name: str | Package | PackageKey,
        library_type: LibraryTypeLike | None = None,
        *,
        owner: str | None = None,
    ) -> Package:
        """Return a package by its uuid or its name.

        Args:
            id_or_name: the uuid, or the full name including any `/`; a `Package` or its key is read again.
            library_type: selects among packages with the same name.
            owner: in v2, the owner of the package; else the client's owner. v1 does not use it.

        Raises:
            ValidationError: several packages have the name, the owner contradicts the key, or v2 has no owner.
            NotFoundError: it does not exist, or is not visible to the token's user.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a package.
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
        """Create a package in an organization, else for the token's user (v1) or the client's owner (v2).

        Args:
            package: what to create.
            organization: the owner.
            route: the first route of a file package; only v2 creates it in the same call.
            if_exists: with `keep`, return an existing package that has this name and type and equal fields.
                URLs are not compared, because the service does not return them.

        Raises:
            ConflictError: it exists (with `keep`: it exists and differs; see `.requested` and `.found`).
            OutcomeUnknownError: no response arrived, and a lookup did not show whether it was created.
            WriteConfirmedError: it was created but could not be read back.
            APIError: the service returned another error.
            TransportError: the request was not sent.
        """
        creation = self._session.dialect.create_package(package, organization, route)
        return await create(self._session, creation, if_exists)

    async def update(self, package: str | Package | PackageKey, upsert: PackageUpsert) -> Package:
        """Update a package. Its type cannot change.

        v1 does not document whether it clears omitted fields, so pass all of them, URLs too. In v2 the package is
        read first and UNSET fields keep their values; a change made by someone else between the two requests is
        lost.

        Raises:
            ValidationError: the type would change, or this version does not accept a URL; nothing was changed.
            NotFoundError: there is no such package.
            WriteConfirmedError: it was changed but could not be read back.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        if isinstance(package, Package):
            check_same_type(package, upsert, self._session.dialect.traits.types_alike)
        return await self._session.run(self._session.dialect.update_package(package_key(package), upsert))

    async def delete(self, package: str | Package | PackageKey) -> None:
        """Delete a package.

        Raises:
            NotFoundError: there is no such package. Not raised after an attempt that may have deleted it.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        await self._session.run(self._session.dialect.delete_package(package_key(package)))
