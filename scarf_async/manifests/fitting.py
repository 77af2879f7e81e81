"""What the service cannot do: its dialect is asked for what would be sent, and nothing is sent. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import attrs

from scarf_async.dialects import Dialect
from scarf_async.entities import (
    DomainCreate,
    MemberUpsert,
    PackageKey,
    PermissionLevel,
    PermissionSet,
    RouteCreate,
)
from scarf_async.entities.enums import role
from scarf_async.errors import ValidationError
from scarf_async.manifests.change import SENT, Change
from scarf_async.manifests.fields import (
    MemberFields,
    OrganizationFields,
    PackageFields,
    PermissionFields,
    RouteFields,
    Subject,
    stated,
)

__all__ = ["blocked", "fitting"]

_NEW: Final = "new"
"""The identifier of what is yet to be created."""


def blocked(change: Change, note: str) -> Change:
    """Return a change as one that cannot be done."""
    return attrs.evolve(change, action="blocked", note=note)


def fitting(change: Change, dialect: Dialect, route: RouteCreate | None = None) -> Change:
    """Return a change, blocked with the reason if it cannot be sent.

    Args:
        change: the change.
        dialect: how the version is spoken.
        route: the first route of a new package, where that is created with it.
    """
    if change.action == "uncompared" and change.kind == "package":
        asked = fitting(attrs.evolve(change, action="set"), dialect)
        return asked if asked.action == "blocked" else change
    if change.action not in SENT:
        return change
    asks: Mapping[Subject, Callable[[Change, Dialect], object]] = {
        "organization": _organization,
        "member": _member,
        "package": partial(_package, route=route),
        "permission": _permission,
        "route": _route,
        "domain": _domain,
    }
    try:
        asks[change.kind](change, dialect)
    except ValidationError as error:
        return blocked(change, str(error))
    return change


def _organization(change: Change, dialect: Dialect) -> None:
    name = change.organization or ""
    upsert = stated(OrganizationFields, change.after).upsert(name)
    if change.action == "create":
        dialect.create_organization(upsert)
    else:
        dialect.update_organization(name, upsert)


def _member(change: Change, dialect: Dialect) -> None:
    organization, username = change.organization or "", change.name or ""
    if change.action == "remove":
        dialect.remove_member(organization, username)
    else:
        word = role(stated(MemberFields, change.after).role or "")
        dialect.upsert_member(organization, MemberUpsert(username, word))  # type: ignore[arg-type] # it checks


def _package(change: Change, dialect: Dialect, route: RouteCreate | None) -> None:
    after = stated(PackageFields, change.after)
    if change.action == "remove":
        dialect.delete_package(_key(change))
        return
    upsert = after.beyond(stated(PackageFields, change.before)).upsert(change.package or "", change.library_type)
    if change.action == "create":
        dialect.create_package(upsert, change.organization or change.owner, route)
    else:
        dialect.update_package(_key(change), upsert)


def _permission(change: Change, dialect: Dialect) -> None:
    level = stated(PermissionFields, change.after).level or PermissionLevel.DEFAULT
    dialect.set_permissions(
        _key(change),
        [PermissionSet(change.name or "", level)],  # type: ignore[arg-type] # it checks
    )


def _route(change: Change, dialect: Dialect) -> None:
    if change.action == "remove":
        dialect.delete_route(_key(change), change.id or _NEW)
    elif change.action == "create":
        dialect.create_route(_key(change), stated(RouteFields, change.after).upsert())
    else:
        dialect.update_route(_key(change), change.id or _NEW, stated(RouteFields, change.after).upsert())


def _domain(change: Change, dialect: Dialect) -> None:
    if change.action == "remove":
        dialect.delete_domain(_key(change), change.id or _NEW)
    else:
        dialect.create_domain(_key(change), DomainCreate(change.name or ""))


def _key(change: Change) -> PackageKey:
    return change.key or PackageKey(change.organization or change.owner, _NEW)
