"""The users of the service, and how they are looked up."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["People", "person_key"]

_STRANGER = "unknown"


def person_key(name: str) -> str:
    """Return the form in which names are compared: surrounding spaces and letter case are ignored."""
    return name.strip().casefold()


class People:
    """The user accounts that a server knows.

    With a mapping of usernames to e-mail addresses, it knows these users and the token's user. Without one it knows
    everybody except names that start with `unknown`, and the username is the part of an e-mail address before the
    `@`.

    Args:
        user: The user that the token belongs to.
        people: Usernames and their e-mail addresses, or None.
    """

    def __init__(self, user: str, people: Mapping[str, str] | None = None) -> None:
        self._user = user
        self._closed = people is not None
        self._by_name = {person_key(name): name for name in people or ()}
        self._by_email = {person_key(email): name for name, email in (people or {}).items()}
        self._by_name.setdefault(person_key(user), user)

    def by_username(self, name: str) -> str | None:
        """Return the username in its original spelling, or None if it is unknown."""
        key = person_key(name)
        if key in self._by_name:
            return self._by_name[key]
        if self._closed or not key or key.startswith(_STRANGER):
            return None
        return name.strip()

    def by_query(self, query: str) -> str | None:
        """Return the username for a `userQuery`: "email or username" (PackagePermissionSetV1)."""
        key = person_key(query)
        if key in self._by_email:
            return self._by_email[key]
        if "@" in key and not self._closed:
            return self.by_username(query.strip().partition("@")[0])
        return self.by_username(query)
