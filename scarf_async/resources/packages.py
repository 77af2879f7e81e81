"""Packages of all types (seed: 'Packages (All Package Types)' and the two package calls of organizations)."""

from __future__ import annotations

import builtins

from scarf_async.entities import LibraryTypeLike, Package, PackageKey, PackageUpsert
from scarf_async.errors import ValidationError
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Packages", "check_same_type", "package_key"]


def package_key(package: str | Package | PackageKey) -> PackageKey:
    """Return the key of a package given by its id, as an entity or as a key."""
    if isinstance(package, PackageKey):
        return package
    return package.key if isinstance(package, Package) else PackageKey(None, package)


def check_same_type(package: Package, upsert: PackageUpsert) -> None:
    """Raise `ValidationError` for a change of type, which the service does not allow (seed)."""
    wanted = upsert.library_type
    if isinstance(wanted, str) and package.library_type not in {None, wanted}:
        raise ValidationError(
            f"library_type of package {package.uuid} cannot change from {package.library_type} to {wanted}",
            field="library_type",
        )


class Packages:
    """`scarf.packages`: list, get, create, update and delete packages."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, organization: str | None = None) -> builtins.list[Package]:
        """Return the packages of an organization; without one those of the token's user.

        The user's list holds the packages of the user's organizations too.

        Raises:
            NotFoundError: there is no such organization.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is no list of packages.
        """
        return await self._session.read(self._session.dialect.packages(organization))

    async def get(self, id_or_name: str, library_type: LibraryTypeLike | None = None) -> Package:
        """Return a package by its uuid or its name.

        Args:
            id_or_name: the uuid, or the name, `/` and all.
            library_type: tells packages of one name apart.

        Raises:
            NotFoundError: there is none, or it is not visible to the token's user.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is no package.
        """
        return await self._session.read(self._session.dialect.package(id_or_name, library_type))

    async def create(
        self, package: PackageUpsert, organization: str | None = None, *, if_exists: IfExists = "fail"
    ) -> Package:
        """Create a package of an organization; without one, of the token's user.

        Args:
            package: what to create.
            organization: the owner.
            if_exists: with `keep`, one of this name and type that equals what is asked for is returned as it is
                (its addresses are not compared: the service does not give them back).

        Raises:
            ConflictError: it exists (or, with `keep`, exists and differs: `.requested`, `.found`).
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: it was not sent.
        """
        return await create(self._session, self._session.dialect.create_package(package, organization), if_exists)

    async def update(self, package: str | Package | PackageKey, upsert: PackageUpsert) -> Package:
        """Change a package to what is given; its type cannot change (seed).

        Whether the service clears fields that are left out is not documented: give all of them, addresses too.

        Raises:
            ValidationError: a `Package` of another type was given; nothing was sent.
            NotFoundError: there is no such package.
            WriteConfirmedError: changed, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        if isinstance(package, Package):
            check_same_type(package, upsert)
        return await self._session.run(self._session.dialect.update_package(package_key(package), upsert))

    async def delete(self, package: str | Package | PackageKey) -> None:
        """Delete a package.

        Raises:
            NotFoundError: there is no such package (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.run(self._session.dialect.delete_package(package_key(package)))
