"""Packages of all types (seed: 'Packages (All Package Types)' and the two package calls of organizations)."""

from __future__ import annotations

import builtins
import datetime as dt

from scarf_async import clock
from scarf_async.creates import Creation, IfExists, create, updated
from scarf_async.endpoints_v1 import (
    CREATE_PACKAGE,
    CREATE_USER_PACKAGE,
    DELETE_PACKAGE,
    GET_PACKAGE,
    LIST_PACKAGES,
    LIST_USER_PACKAGES,
    PACKAGE_TYPE,
    UPDATE_PACKAGE,
)
from scarf_async.entities import LibraryTypeLike, Package, PackageUpsert
from scarf_async.errors import NotFoundError, ValidationError
from scarf_async.names import organization_key
from scarf_async.protocol import server_date
from scarf_async.reconcile import Found, PackageIndex, find_package
from scarf_async.session import Session

__all__ = ["Packages", "check_same_type", "package_id"]


def package_id(package: str | Package) -> str:
    """Return the uuid of a package given as such or as an entity."""
    return package.uuid if isinstance(package, Package) else package


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
        if organization is None:
            return await self._session.fetch(LIST_USER_PACKAGES.request())
        packages = await self._session.fetch(LIST_PACKAGES.request(organization=organization))
        self._session.organizations.add(organization_key(organization))
        return packages

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
        query = None if library_type is None else {PACKAGE_TYPE: str(library_type)}
        return await self._session.fetch(GET_PACKAGE.request(query=query, package=id_or_name))

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
        if organization is None:
            request = CREATE_USER_PACKAGE.request(package)
        else:
            request = CREATE_PACKAGE.request(package, organization=organization)
            self._session.organizations.add(organization_key(organization))
        try:
            return await create(
                self._session,
                Creation(
                    requested=package,
                    request=request,
                    look=lambda started: self._find(package, organization, started),
                    by_id=self._by_id,
                    if_exists=if_exists,
                ),
            )
        except NotFoundError:
            # It may be the user's own name, whose packages would then be looked for in vain, and created twice.
            if organization is not None:
                self._session.organizations.discard(organization_key(organization))
            raise

    async def update(self, package: str | Package, upsert: PackageUpsert) -> Package:
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
        uuid = package_id(package)
        request = UPDATE_PACKAGE.request(upsert, package=uuid)
        answer = await self._session.send(request)
        return await updated(request, upsert, answer, lambda: self.get(uuid))

    async def delete(self, package: str | Package) -> None:
        """Delete a package.

        Raises:
            NotFoundError: there is no such package (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.send(DELETE_PACKAGE.request(package=package_id(package)))

    async def _by_id(self, uuid: str) -> Package | None:
        try:
            return await self.get(uuid)
        except NotFoundError:
            return None

    async def _find(
        self, requested: PackageUpsert, organization: str | None, started: float | None
    ) -> Found[Package]:
        if organization is not None:
            request = LIST_PACKAGES.request(organization=organization)
            _, packages = await self._session.look(request, PackageIndex)
            return find_package(requested, packages.named(requested.name), organization=organization)
        answer, packages = await self._session.look(LIST_USER_PACKAGES.request(), PackageIndex)
        # The user's list shows organizations' packages too: what is older than the first send is not ours, nor what
        # is of an owner known for an organization. Both times are the service's: its clock need not be ours.
        not_before: dt.datetime | None = None
        if started is not None:
            # Without the service's clock this machine's has to do, which may be wrong by more than a little.
            now = server_date(answer.headers) or dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
            not_before = now - dt.timedelta(seconds=clock.monotonic() - started)
        return find_package(
            requested,
            packages.named(requested.name),
            not_of=self._session.organizations,
            not_before=not_before,
        )
