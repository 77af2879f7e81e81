"""What comparisons of all things go by: who is who, what is asked for, and what the service can do. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs

from scarf_async.bulk.calls import CreatePackage
from scarf_async.dialects import Dialect, Traits
from scarf_async.entities import PackageKey, RouteCreate
from scarf_async.errors import ValidationError
from scarf_async.manifests.change import SENT, Change
from scarf_async.manifests.planning import Planner
from scarf_async.names import user_key

__all__ = ["Make", "People", "Rules", "blocked", "two_values"]

_NEW: Final = "new"
"""The identifier of what is yet to be created."""
_UNCOMPARED: Final = ("uncompared", "package")

Make: TypeAlias = Callable[..., Change]
"""`Change` with what all changes of one organization or package have in common."""


@attrs.frozen
class People:
    """The person behind an e-mail address.

    Attributes:
        usernames: username by address, as `user_key` gives them.
        spelled: the usernames as they were said, by what `user_key` gives.
        identified: the usernames whose address is known.
    """

    usernames: Mapping[str, str]
    identified: frozenset[str]
    spelled: Mapping[str, str]

    @classmethod
    def of(cls, people: Mapping[str, str]) -> People:
        """Read the table of a manifest.

        Raises:
            ValidationError: an address is given to two.
        """
        usernames: dict[str, str] = {}
        for username, address in people.items():
            key = user_key(username)
            if usernames.setdefault(user_key(address), key) != key:
                raise ValidationError(
                    f"people gives {address} to two: {usernames[user_key(address)]} and {username}", field="people"
                )
        spelled = {user_key(username): username for username in people}
        return cls(usernames, frozenset(usernames.values()), spelled)


@attrs.frozen(kw_only=True)
class Rules:
    """How things are compared.

    Attributes:
        people: who is behind an e-mail address.
        me: the username that the token belongs to.
        prune: remove what a section does not name.
        rewrite_addresses: set what does not show.
        dialect: how the service is spoken.
        traits: what the service shows and takes.
    """

    people: People
    me: str | None
    prune: bool
    rewrite_addresses: bool
    dialect: Dialect
    traits: Traits

    def fitting(self, change: Change, route: RouteCreate | None = None) -> Change:
        """Return a change, blocked with the reason if it cannot be sent.

        Args:
            change: the change; one that is not sent is asked about as if it were, where it has fields to send.
            route: the first route of a new package, where that is created with it.
        """
        asked = attrs.evolve(change, action="set") if (change.action, change.kind) == _UNCOMPARED else change
        if asked.action not in SENT:
            return change
        key = change.key or PackageKey(change.organization or change.owner or None, _NEW)
        if change.kind in {"permission", "route", "domain"}:
            asked = attrs.evolve(asked, uuid=key.id)
        try:
            call = Planner([asked], None).plan[0].call
            if route is not None and isinstance(call, CreatePackage):
                self.dialect.create_package(call.package, call.organization, route)
            else:
                call.build(self.dialect, key)
        except ValidationError as error:
            return blocked(change, str(error).removesuffix("; nothing was sent"))
        return change


def blocked(change: Change, note: str) -> Change:
    """Return a change as one that cannot be done."""
    return attrs.evolve(change, action="blocked", note=note)


def two_values(change: Change, first: tuple[str, str], second: tuple[str, str]) -> ValidationError:
    """Return the error of two entries that are one person."""
    return ValidationError(
        f"{change.kind}s of {change.target}: {first[0]!r} and {second[0]!r} are the same person, with two values:"
        f" {first[1]} and {second[1]}; keep one of them",
        field=f"{change.kind}s",
    )
