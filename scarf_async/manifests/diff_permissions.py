"""Compare permissions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scarf_async.entities import Permission, PermissionLevel
from scarf_async.manifests.change import Change
from scarf_async.manifests.fields import PermissionFields
from scarf_async.manifests.live import LivePackage
from scarf_async.manifests.rules import Make, Rules, blocked, two_values
from scarf_async.names import user_key

__all__ = ["permissions"]


def permissions(
    wanted: Mapping[str, PermissionLevel] | None, live: LivePackage | None, make: Make, rules: Rules
) -> Iterator[Change]:
    """Compare the permissions of a package, if the manifest mentions them."""
    if wanted is None:
        return
    if live is not None and live.refusal is not None:
        for user, level in wanted.items():
            after = PermissionFields(level=level)
            yield blocked(make(action="set", kind="permission", name=user.strip(), after=after), live.refusal)
        return
    shown = {user_key(entry.username): entry for entry in (live.permissions if live else None) or ()}
    said: dict[str, tuple[str, PermissionLevel]] = {}
    for user, level in wanted.items():
        key = user_key(user)
        key = rules.people.usernames.get(key, key)
        if said.setdefault(key, (user, level))[1] != level:
            raise two_values(make(action="blocked", kind="permission"), said[key], (user, level))
    changes = [rules.fitting(change) for change in _wanted(said, shown, make, rules, is_new=live is None)]
    yield from changes
    if rules.prune:
        # A user who is named by e-mail address may be any of those that are shown.
        strangers = [
            change.name for change in changes if change.action in {"set", "blocked"} and "@" in (change.name or "")
        ]
        yield from _pruned(said, shown, strangers, make, rules)


def _wanted(
    said: Mapping[str, tuple[str, PermissionLevel]],
    shown: Mapping[str, Permission],
    make: Make,
    rules: Rules,
    *,
    is_new: bool,
) -> Iterator[Change]:
    by_email = rules.traits.users_by_email
    for key, (user, level) in said.items():
        after = PermissionFields(level=level)
        # If e-mail addresses are not accepted, use the username from `people`.
        name = user.strip() if by_email else rules.people.spelled.get(key, user).strip()
        if key in shown:
            entry = shown[key]
            if entry.permission_level != level:
                before = PermissionFields(level=entry.permission_level)
                yield make(action="update", kind="permission", name=entry.username, before=before, after=after)
        elif by_email and "@" in key and not is_new:
            note = "the service shows usernames only: name this address in people to have it compared"
            yield make(action="set", kind="permission", name=name, after=after, note=note)
        elif level != PermissionLevel.DEFAULT:
            yield make(action="create", kind="permission", name=name, after=after)


def _pruned(
    said: Mapping[str, tuple[str, PermissionLevel]],
    shown: Mapping[str, Permission],
    strangers: list[str | None],
    make: Make,
    rules: Rules,
) -> Iterator[Change]:
    kept = {PermissionLevel.DEFAULT, *([PermissionLevel.OWNER] if rules.traits.levels_of_owners else [])}
    for key, entry in shown.items():
        if key in said or entry.permission_level in kept:
            continue
        before = PermissionFields(level=entry.permission_level)
        change = make(action="remove", kind="permission", name=entry.username, before=before)
        if strangers and key not in rules.people.identified:
            change = blocked(change, f"this may be the same person as {strangers[0]}: give the address in people")
        yield rules.fitting(change)
