"""Checks that refuse dangerous changes before anything is sent. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from scarf_async.entities import Role
from scarf_async.errors import GuardError
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.fields import MemberFields, stated
from scarf_async.manifests.live import Live
from scarf_async.names import user_key
from scarf_async.text import printable

__all__ = ["check", "check_owners", "created_organizations", "loosens_members", "loses_owners", "refused"]

_FEW: Final = 5
_SHARE: Final = 0.25


def check(changes: Changes, *, max_removals: int | None = None, me: str | None = None) -> None:
    """Refuse changes that are likely to be a mistake.

    Args:
        changes: the changes.
        max_removals: the maximum number of removals, of all kinds together; None: for each kind, five or a quarter
            of the existing ones, whichever is more.
        me: the username that the token belongs to; None protects no user.

    Raises:
        GuardError: too much would be removed, an organization would be left without an owner, or the token's user
            would be removed or no longer be an owner. The message names all problems.
    """
    problems = [*_removals(changes, max_removals), *map(_without_owner, changes.ownerless)]
    if me is not None:
        problems += _oneself(changes, me)
    if problems:
        raise refused(problems)


def refused(problems: Iterable[str]) -> GuardError:
    """Return the error that names some problems."""
    return GuardError("\n- ".join(["refused, and nothing was sent:", *map(printable, problems)]))


def _removals(changes: Changes, most: int | None) -> Iterator[str]:
    removals = changes.removals
    if most is not None:
        if len(removals) > most:
            yield (
                f"{len(removals)} removals, max_removals as given is {most}: check them, and raise it if all"
                " are intended"
            )
        return
    for kind, count in Counter(change.kind for change in removals).items():
        there = changes.there.get(kind, 0)
        if count > max(_FEW, _SHARE * there):
            yield (
                f"{count} of {there} {kind}s would be removed: check them, and pass"
                f" max_removals={len(removals)} with the same changes if all are intended"
            )


def _without_owner(organization: str) -> str:
    return f"organization {organization} would be left without an owner: make someone else its owner first"


def _oneself(changes: Changes, me: str) -> Iterator[str]:
    created = created_organizations(changes)
    for change in changes.applicable:
        if change.kind != "member" or change.name is None or user_key(change.name) != user_key(me):
            continue
        # The creator of an organization is its owner.
        was_owner = change.organization in created or stated(MemberFields, change.before).role == Role.OWNER
        if change.action == "remove":
            yield f"{me}, whose token this is, would be removed from {change.organization}: let another owner do it"
        elif was_owner and stated(MemberFields, change.after).role != Role.OWNER:
            yield f"{me}, whose token this is, would no longer own {change.organization}: let another owner do it"


def created_organizations(changes: Changes) -> set[str | None]:
    """Return the names of the organizations that changes create."""
    return {change.organization for change in changes if (change.kind, change.action) == ("organization", "create")}


def loosens_members(changes: Changes) -> bool:
    """Return whether any user is removed or gets another role, so that the token's user matters."""
    return any(change.kind == "member" and change.action in {"update", "remove"} for change in changes)


def check_owners(changes: Iterable[Change], live: Live) -> None:
    """Refuse changes after which an organization, as it is now, has no owner.

    Raises:
        GuardError: an organization has an owner and would have none.
    """
    of: dict[str | None, list[Change]] = defaultdict(list)
    for change in changes:
        of[change.organization].append(change)
    problems = [
        _without_owner(name)
        for name in sorted(live.organizations)
        if loses_owners({one.username: one.role for one in live.organizations[name].members or ()}, of[name])
    ]
    if problems:
        raise refused(problems)


def loses_owners(roles: Mapping[str, str], changes: Iterable[Change]) -> bool:
    """Return whether an organization has an owner and would have none.

    Args:
        roles: username -> current role.
        changes: the changes of the organization.
    """
    after = {user_key(username): role for username, role in roles.items()}
    for change in changes:
        if change.kind == "member" and change.name is not None:
            after[user_key(change.name)] = stated(MemberFields, change.after).role or ""
    return Role.OWNER in roles.values() and Role.OWNER not in after.values()
