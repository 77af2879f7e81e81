"""What is known of accounts (v2)."""

from __future__ import annotations

from scarf_async.dialects.v2.accounts import memberships, user
from scarf_async.entities import Membership, User
from scarf_async.sending.session import Session

__all__ = ["Users"]


class Users:
    """`scarf.users`: an account, and the organizations of a user; calls of v2, whichever the client speaks."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, username: str) -> User:
        """Return an account: a user, or an organization of that name.

        Raises:
            NotFoundError: there is none.
            AuthenticationError: the token is wrong, or may not see the account.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not an account.
        """
        return await self._session.read(user(username))

    async def organizations(self, username: str) -> list[Membership]:
        """Return the organizations that a user is a member of.

        Raises:
            NotFoundError: there is no such user.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of organizations, or not a whole one.
        """
        return await self._session.read(memberships(username))
