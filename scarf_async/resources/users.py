"""Accounts and their memberships (v2)."""

from __future__ import annotations

from scarf_async import entities
from scarf_async.dialects import v2
from scarf_async.sending.session import Session

__all__ = ["Users"]


class Users:
    """`scarf.users`: read an account, and the organizations of a user. Calls v2 from any client."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, username: str) -> entities.User:
        """Return an account: the user or the organization with this name.

        Raises:
            NotFoundError: there is no such account.
            AuthenticationError: the token is wrong, or may not see the account.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not an account.
        """
        return await self._session.read(v2.accounts.user(username))

    async def organizations(self, username: str) -> list[entities.Membership]:
        """Return the organizations that a user is a member of.

        Raises:
            NotFoundError: there is no such user.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of organizations, or is incomplete.
        """
        return await self._session.read(v2.accounts.memberships(username))
