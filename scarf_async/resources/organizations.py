"""Organizations."""

from __future__ import annotations

from scarf_async.entities import Organization, OrganizationUpsert
from scarf_async.protocol.steps import Renaming
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.renames import rename
from scarf_async.sending.session import Session

__all__ = ["Organizations"]


class Organizations:
    """`scarf.organizations`: get, create and update organizations."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, name: str) -> Organization:
        """Return the organization of a name.

        Example:
            ```python
            acme = await scarf.organizations.get("acme")
            ```

        Raises:
            ValidationError: the name cannot be in an address.
            NotFoundError: there is none, or it is not visible to the token's user.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not an organization.
        """
        return await self._session.read(self._session.dialect.organization(name))

    async def create(self, organization: OrganizationUpsert, *, if_exists: IfExists = "fail") -> Organization:
        """Create an organization; the token's user becomes its owner. v2 has no call for that.

        Args:
            organization: what to create.
            if_exists: with `keep`, one of this name that equals what is asked for is returned as it is.

        Raises:
            UnsupportedError: the client speaks v2; nothing was sent.
            ConflictError: it exists (or, with `keep`, exists and differs: `.requested`, `.found`).
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: it was not sent.
        """
        return await create(self._session, self._session.dialect.create_organization(organization), if_exists)

    async def update(self, name: str, organization: OrganizationUpsert) -> Organization:
        """Change an organization to what is given; another name in it renames it.

        v1 does not say whether it clears fields that are left out: give all of them. In v2 the organization is
        read first, what is UNSET stays, and what another changes between the two requests is lost.

        Raises:
            NotFoundError: there is no organization of this name.
            OutcomeUnknownError: renamed, not answered, and looking under the new name did not settle it.
            WriteConfirmedError: changed, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        change = self._session.dialect.update_organization(name, organization)
        if isinstance(change, Renaming):
            return await rename(self._session, change)
        return await self._session.run(change)
