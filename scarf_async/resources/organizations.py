"""Organizations (seed: 'Organizations')."""

from __future__ import annotations

from scarf_async.creates import Creation, IfExists, create, updated
from scarf_async.endpoints_v1 import CREATE_ORGANIZATION, GET_ORGANIZATION, UPDATE_ORGANIZATION
from scarf_async.entities import Organization, OrganizationUpsert
from scarf_async.errors import NotFoundError
from scarf_async.names import organization_key
from scarf_async.reconcile import Found, find_organization
from scarf_async.renames import rename
from scarf_async.session import Session

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
            ValidationError: the name cannot stand in an address.
            NotFoundError: there is none, or it is not visible to the token's user.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is no organization.
        """
        return await self._session.fetch(GET_ORGANIZATION.request(organization=name))

    async def create(self, organization: OrganizationUpsert, *, if_exists: IfExists = "fail") -> Organization:
        """Create an organization; the token's user becomes its owner.

        Args:
            organization: what to create.
            if_exists: with `keep`, one of this name that equals what is asked for is returned as it is.

        Raises:
            ConflictError: it exists (or, with `keep`, exists and differs: `.requested`, `.found`).
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: it was not sent.
        """
        # Under a name that no address can hold it could not be looked for, so it is not created either.
        GET_ORGANIZATION.request(organization=organization.name)
        return await create(
            self._session,
            Creation(
                requested=organization,
                request=CREATE_ORGANIZATION.request(organization),
                look=lambda _: self._find(organization),
                if_exists=if_exists,
            ),
        )

    async def update(self, name: str, organization: OrganizationUpsert) -> Organization:
        """Change an organization to what is given; another name in it renames it.

        Whether the service clears fields that are left out is not documented: give all of them.

        Raises:
            NotFoundError: there is no organization of this name.
            OutcomeUnknownError: renamed, not answered, and looking under the new name did not settle it.
            WriteConfirmedError: changed, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        request = UPDATE_ORGANIZATION.request(organization, organization=name)
        GET_ORGANIZATION.request(organization=organization.name)

        async def look() -> Found[Organization]:
            found = await self._find(organization)
            shown = found.equal or found.different
            # A service that does not tell names by case finds it under the new name before it is renamed.
            is_still = (
                shown is not None
                and shown.name != organization.name
                and organization_key(shown.name) == organization_key(name)
            )
            return Found() if is_still else found

        if organization.name == name:
            answer = await self._session.send(request)
        else:
            renamed = await rename(self._session, request, organization, look)
            if isinstance(renamed, Organization):
                return renamed
            answer = renamed
        return await updated(request, organization, answer, lambda: self.get(organization.name))

    async def _find(self, requested: OrganizationUpsert) -> Found[Organization]:
        try:
            shown = await self.get(requested.name)
        except NotFoundError:
            return Found()
        return find_organization(requested, shown)
