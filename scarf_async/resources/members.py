"""Members of organizations."""

from __future__ import annotations

import builtins

from scarf_async.entities import Member, MemberUpsert, RoleLike
from scarf_async.sending.session import Session

__all__ = ["Members"]


class Members:
    """`scarf.members`: list, get, upsert and remove the members of an organization.

    ```python
    await scarf.members.upsert("acme", "ann", "admin")
    members = await scarf.members.list("acme")
    ```
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, organization: str) -> builtins.list[Member]:
        """Return all members of an organization.

        Raises:
            NotFoundError: there is no such organization.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of members.
        """
        return await self._session.read(self._session.dialect.members(organization))

    async def get(self, organization: str, username: str) -> Member:
        """Return one member of an organization. v1 has no such call, so the list is read instead.

        Raises:
            NotFoundError: there is no such member.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response does not have the documented form.
        """
        return await self._session.read(self._session.dialect.member(organization, username))

    async def upsert(self, organization: str, username: str, role: RoleLike) -> Member:
        """Add a member or change their role. The call is idempotent and safe to retry.

        Returns:
            The member from the response, or built from the arguments if the response does not contain it.

        Raises:
            ValidationError: the role is not a `Role`; nothing was sent.
            APIError: the service returned an error.
            TransportError: no complete response arrived.
        """
        steps = self._session.dialect.upsert_member(organization, MemberUpsert(username, role))
        return await self._session.run(steps)

    async def remove(self, organization: str, username: str) -> None:
        """Remove a member.

        Raises:
            NotFoundError: there is no such member. Not raised after an attempt that may have removed them.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        await self._session.run(self._session.dialect.remove_member(organization, username))
