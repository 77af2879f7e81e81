"""Members of organizations."""

from __future__ import annotations

import builtins

from scarf_async.entities import Member, MemberUpsert, RoleLike
from scarf_async.sending.session import Session

__all__ = ["Members"]


class Members:
    """`scarf.members`: list, get, upsert and remove the members of an organization."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, organization: str) -> builtins.list[Member]:
        """Return all members of an organization.

        Raises:
            NotFoundError: there is no such organization.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of members.
        """
        return await self._session.read(self._session.dialect.members(organization))

    async def get(self, organization: str, username: str) -> Member:
        """Return one member of an organization; v1 has no call for that, and the list is read.

        Raises:
            NotFoundError: there is no such member.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not what was promised.
        """
        return await self._session.read(self._session.dialect.member(organization, username))

    async def upsert(self, organization: str, username: str, role: RoleLike) -> Member:
        """Create or change a membership; may be sent again safely, since it states a final value.

        Returns:
            The member as the service answers it, or as it was asked for where the answer does not show it.

        Raises:
            ValidationError: the role is none of `Role`; nothing was sent.
            APIError: the service said no.
            TransportError: no answer came.
        """
        steps = self._session.dialect.upsert_member(organization, MemberUpsert(username, role))
        return await self._session.run(steps)

    async def remove(self, organization: str, username: str) -> None:
        """Remove a member.

        Raises:
            NotFoundError: there is no such member (but not after an attempt that may have removed it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.run(self._session.dialect.remove_member(organization, username))
