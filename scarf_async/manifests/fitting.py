"""What the service cannot do: its dialect is asked for what would be sent, and nothing is sent. Pure."""

from __future__ import annotations

from typing import Final

import attrs

from scarf_async.bulk.calls import CreatePackage
from scarf_async.dialects import Dialect
from scarf_async.entities import PackageKey, RouteCreate
from scarf_async.errors import ValidationError
from scarf_async.manifests.change import SENT, Change
from scarf_async.manifests.planning import Planner

__all__ = ["blocked", "fitting"]

_NEW: Final = "new"
"""The identifier of what is yet to be created."""
_UNCOMPARED: Final = ("uncompared", "package")


def blocked(change: Change, note: str) -> Change:
    """Return a change as one that cannot be done."""
    return attrs.evolve(change, action="blocked", note=note)


def fitting(change: Change, dialect: Dialect, route: RouteCreate | None = None) -> Change:
    """Return a change, blocked with the reason if it cannot be sent.

    Args:
        change: the change; one that is not sent is asked about as if it were, where it has fields to send.
        dialect: how the version is spoken.
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
            dialect.create_package(call.package, call.organization, route)
        else:
            call.build(dialect, key)
    except ValidationError as error:
        return blocked(change, str(error).removesuffix("; nothing was sent"))
    return change
