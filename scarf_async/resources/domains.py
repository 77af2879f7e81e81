"""Domains of packages (seed: 'File Packages', 'Python Packages')."""

from __future__ import annotations

import builtins

from scarf_async.creates import Creation, IfExists, create
from scarf_async.endpoints_v1 import CREATE_DOMAIN, DELETE_DOMAIN, LIST_DOMAINS
from scarf_async.entities import Domain, DomainCreate, Package
from scarf_async.reconcile import Found, find_domain
from scarf_async.resources.packages import package_id
from scarf_async.session import Session

__all__ = ["Domains"]


class Domains:
    """`scarf.domains`: list, create and delete the domains of a package."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package) -> builtins.list[Domain]:
        """Return the domains of a package.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is no list of domains.
        """
        return await self._session.fetch(LIST_DOMAINS.request(package=package_id(package)))

    async def create(self, package: str | Package, domain: DomainCreate, *, if_exists: IfExists = "fail") -> Domain:
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
        uuid = package_id(package)

        async def by_id(domain_id: str) -> Domain | None:
            return next((shown for shown in await self.list(uuid) if shown.id == domain_id), None)

        return await create(
            self._session,
            Creation(
                requested=domain,
                request=CREATE_DOMAIN.request(domain, package=uuid),
                look=lambda _: self._find(uuid, domain),
                by_id=by_id,
                if_exists=if_exists,
            ),
        )

    async def delete(self, package: str | Package, domain_id: str) -> None:
        """Delete a domain.

        Raises:
            NotFoundError: there is no such domain (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.send(DELETE_DOMAIN.request(package=package_id(package), domain=domain_id))

    async def _find(self, uuid: str, requested: DomainCreate) -> Found[Domain]:
        return find_domain(requested, await self.list(uuid))
