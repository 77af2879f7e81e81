"""Domains of packages."""

from __future__ import annotations

import builtins

from scarf_async.dialects import v2
from scarf_async.dialects.v2.arguments import needed_owner
from scarf_async.entities import Domain, DomainCreate, DomainStatus, Package, PackageKey
from scarf_async.resources.packages import package_key
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Domains"]


class Domains:
    """`scarf.domains`: list, get, create and delete the domains of a package, and read the status of a domain.

    ```python
    await scarf.domains.create(package, DomainCreate("dl.acme.example"), if_exists="keep")
    ```
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package | PackageKey) -> builtins.list[Domain]:
        """Return the domains of a package.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of domains.
        """
        return await self._session.read(self._session.dialect.domains(package_key(package)))

    async def create(
        self, package: str | Package | PackageKey, domain: DomainCreate, *, if_exists: IfExists = "fail"
    ) -> Domain:
        """Create a domain.

        Args:
            package: its uuid, or the package.
            domain: what to create.
            if_exists: with `keep`, return an existing domain of the package that has this name. Case, a trailing
                dot, and Unicode or IDNA spelling make no difference.

        Raises:
            ConflictError: the name is taken.
            OutcomeUnknownError: no response arrived, and a lookup did not show whether it was created.
            WriteConfirmedError: it was created but could not be read back.
            APIError: the service returned another error.
            TransportError: the request was not sent.
        """
        creation = self._session.dialect.create_domain(package_key(package), domain)
        return await create(self._session, creation, if_exists)

    async def get(self, package: str | Package | PackageKey, domain_id: str) -> Domain:
        """Return one domain. v1 has no such call, so the list is read instead.

        Raises:
            NotFoundError: there is no such domain.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response does not have the documented form.
        """
        return await self._session.read(self._session.dialect.domain(package_key(package), domain_id))

    async def delete(self, package: str | Package | PackageKey, domain_id: str) -> None:
        """Delete a domain.

        Raises:
            NotFoundError: there is no such domain. Not raised after an attempt that may have deleted it.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        await self._session.run(self._session.dialect.delete_domain(package_key(package), domain_id))

    async def status(self, name: str, *, owner: str | None = None) -> DomainStatus:
        """Return the setup status of an owner's domain (calls v2, whichever version the client uses).

        Args:
            name: the host name.
            owner: the owner of the domain; else the client's owner.

        Raises:
            ValidationError: no owner is given; nothing was sent.
            NotFoundError: the owner has no such domain: none of their packages, pixels or collections uses it.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a status.
        """
        return await self._session.read(v2.accounts.domain_status(needed_owner(owner, self._session.owner), name))
