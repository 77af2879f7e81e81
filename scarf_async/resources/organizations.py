"""Organizations."""

from __future__ import annotations

from scarf_async.entities import Organization, OrganizationUpsert
from scarf_async.protocol.steps import Renaming
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.renames import rename
from scarf_async.sending.session import Session

__all__ = ["Organizations"]


class Organizations:
    """`scarf.organizations`: get, create and update organizations.

    ```python
    acme = OrganizationUpsert(name="acme", description="", billing_email="bills@acme.example")
    await scarf.organizations.create(acme, if_exists="keep")
    ```
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, name: str) -> Organization:
        """Return the organization with a given name.

        Example:
            ```python
            acme = await scarf.organizations.get("acme")
            ```

        Raises:
            ValidationError: the name cannot be part of a URL.
            NotFoundError: it does not exist, or is not visible to the token's user.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not an organization.
        """
        return await self._session.read(self._session.dialect.organization(name))

    async def create(self, organization: OrganizationUpsert, *, if_exists: IfExists = "fail") -> Organization:
        """Create an organization; the token's user becomes its owner. v1 only.

        Args:
            organization: what to create.
            if_exists: with `keep`, return an existing organization that has this name and equal fields.

        Raises:
            UnsupportedError: the client uses v2; nothing was sent.
            ConflictError: it exists (with `keep`: it exists and differs; see `.requested` and `.found`).
            OutcomeUnknownError: no response arrived, and a lookup did not show whether it was created.
            WriteConfirmedError: it was created but could not be read back.
            APIError: the service returned another error.
            TransportError: the request was not sent.
        """
        return await create(self._session, self._session.dialect.create_organization(organization), if_exists)

    async def update(self, name: str, organization: OrganizationUpsert) -> Organization:
        """Update an organization. A different `name` renames it.

        v1 does not document whether it clears omitted fields, so pass all of them. In v2 the organization is read
        first and UNSET fields keep their values; a change made by someone else between the two requests is lost.

        Raises:
            NotFoundError: no organization has this name.
            OutcomeUnknownError: a rename got no response, and a lookup did not show whether it took effect.
            WriteConfirmedError: it was changed but could not be read back.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        change = self._session.dialect.update_organization(name, organization)
        if isinstance(change, Renaming):
            return await rename(self._session, change)
        return await self._session.run(change)
