"""The rules of comparisons: people, options, and what the service supports. Pure."""

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
"""The identifier of an entity that does not exist yet."""
_UNCOMPARED: Final = ("uncompared", "package")

Make: TypeAlias = Callable[..., Change]
"""`Change` with the common fields of one organization or package."""


@attrs.frozen
class People:
    """The people of a manifest, by e-mail address.

    Attributes:
        usernames: username by e-mail address, as keys of `user_key`.
        spelled: the usernames as spelled in the manifest, by their keys.
        identified: the usernames with a known e-mail address.
    """

    usernames: Mapping[str, str]
    identified: frozenset[str]
    spelled: Mapping[str, str]

    @classmethod
    def of(cls, people: Mapping[str, str]) -> People:
        """Read the table of a manifest.

        Raises:
            ValidationError: two people have the same e-mail address.
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
    """The rules of a comparison.

    Attributes:
        people: resolves e-mail addresses.
        me: the username that the token belongs to.
        prune: whether to remove things that a section does not name.
        rewrite_addresses: whether to set URLs that are not shown.
        dialect: the dialect of the service.
        traits: the properties of the service.
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
            change: the change; if it has fields, it is checked even if it is not sent.
            route: the first route of a new package, if it is created with one.
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
    """Return a change as blocked."""
    return attrs.evolve(change, action="blocked", note=note)


def two_values(change: Change, first: tuple[str, str], second: tuple[str, str]) -> ValidationError:
    """Return the error for two entries that are the same person."""
    return ValidationError(
        f"{change.kind}s of {change.target}: {first[0]!r} and {second[0]!r} are the same person, with two values:"
        f" {first[1]} and {second[1]}; keep one of them",
        field=f"{change.kind}s",
    )
