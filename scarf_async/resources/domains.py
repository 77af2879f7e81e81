"""Domains of packages."""

from __future__ import annotations

import builtins

from scarf_async.dialects.v2.accounts import domain_status
from scarf_async.dialects.v2.arguments import needed_owner
from scarf_async.entities import Domain, DomainCreate, DomainStatus, Package, PackageKey
from scarf_async.resources.packages import package_key
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Domains"]


class Domains:
    """`scarf.domains`: list, get, create and delete the domains of a package; the status of one."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package | PackageKey) -> builtins.list[Domain]:
        """Return the domains of a package.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of domains.
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

    async def status(self, name: str, *, owner: str | None = None) -> DomainStatus:
        """Return how far a domain of an owner has come on its way to being served (v2, of any client).

        Args:
            name: the host name.
            owner: whose domain it is; else the client's owner.

        Raises:
            ValidationError: nobody says whose; nothing was sent.
            NotFoundError: the owner has no such domain: no package, pixel or collection is served under it.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a status.
        """
        return await self._session.read(domain_status(needed_owner(owner, self._session.owner), name))
