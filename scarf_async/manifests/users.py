"""Detect usernames in place of organizations: packages of a user belong in a separate section."""

from __future__ import annotations

from collections.abc import Iterable

from scarf_async.errors import NotFoundError, ValidationError
from scarf_async.names import organization_key, user_key
from scarf_async.resources.organizations import Organizations
from scarf_async.resources.packages import Packages
from scarf_async.resources.users import Users
from scarf_async.sending.session import Session
from scarf_async.text import printable

__all__ = ["missing", "refuse_users"]


async def refuse_users(session: Session, names: Iterable[str], me: str | None = None) -> None:
    """Refuse usernames among names of missing organizations.

    Args:
        session: the session to read with.
        names: names that no organization has.
        me: the username that the token belongs to, if given.

    Raises:
        ValidationError: a name is that of a user; the message says what to write instead.
        APIError: the service returned an error.
        TransportError: no complete response arrived.
        DecodeError: a response does not have the documented form.
    """
    for name in names:
        if (me is not None and user_key(me) == user_key(name)) or await _is_user(session, name):
            shown = printable(name)
            raise ValidationError(
                f"{shown} is a user and not an organization: packages of the token's user are in a manifest's"
                f" section `packages`, next to `organizations`, with `me: {shown}`; `pull --user-packages --me"
                f" {shown}` writes them",
                field="organizations",
            )


async def missing(session: Session, names: Iterable[str]) -> list[str]:
    """Return the names that no organization has."""
    found = []
    for name in names:
        try:
            await Organizations(session).get(name)
        except NotFoundError:
            found.append(name)
    return found


async def _is_user(session: Session, name: str) -> bool:
    """Return whether a name is that of a user; in v1, which shows no accounts, of one with a visible package."""
    if session.dialect.version == "v1":
        shown = await Packages(session).list()
        return organization_key(name) in {organization_key(package.owner) for package in shown}
    try:
        return (await Users(session).get(name)).type == "user"
    except NotFoundError:
        return False
