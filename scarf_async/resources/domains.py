"""Domains of packages (seed: 'File Packages', 'Python Packages')."""

from __future__ import annotations

import builtins

from scarf_async.entities import Domain, DomainCreate, Package, PackageKey
from scarf_async.resources.packages import package_key
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Domains"]


class Domains:
    """`scarf.domains`: list, get, create and delete the domains of a package."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package | PackageKey) -> builtins.list[Domain]:
        """Return the domains of a package.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is no list of domains.
        """
        return await self._session.read(self._session.dialect.domains(package_key(package)))

    async def create(
        self, package: str | Package | PackageKey, domain: DomainCreate, *, if_exists: IfExists = "fail"
    ) -> Domain:
        """Create a domain.

        Args:
            package: its uuid, or the package.
            domain: what to create.
            if_exists: with `keep`, a domain of the package with this name is returned, in whatever case, with or
                without a dot at its end, in Unicode or as IDNA.

        Raises:
            ConflictError: the name is taken.
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: it was not sent.
        """
        creation = self._session.dialect.create_domain(package_key(package), domain)
        return await create(self._session, creation, if_exists)

    async def get(self, package: str | Package | PackageKey, domain_id: str) -> Domain:
        """Return one domain; v1 has no call for that, and the list is read.

        Raises:
            NotFoundError: there is no such domain.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not what was promised.
        """
        return await self._session.read(self._session.dialect.domain(package_key(package), domain_id))

    async def delete(self, package: str | Package | PackageKey, domain_id: str) -> None:
        """Delete a domain.

        Raises:
            NotFoundError: there is no such domain (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.run(self._session.dialect.delete_domain(package_key(package), domain_id))
