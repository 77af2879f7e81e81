"""One unit of a schedule as one call of the resources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from scarf_async.bulk.plan import Kind, Operation
from scarf_async.entities import PermissionSet
from scarf_async.resources import Domains, Members, Organizations, Packages, Permissions, Routes
from scarf_async.session import Session

__all__ = ["perform"]

_Call: TypeAlias = Callable[[Session, Operation, str], Awaitable[object]]
"""Takes the operation and the uuid of its package, `""` where it has none."""

_CALLS: dict[Kind, _Call] = {
    Kind.CREATE_ORGANIZATION: lambda session, op, _: Organizations(session).create(**op.arguments),
    Kind.UPDATE_ORGANIZATION: lambda session, op, _: Organizations(session).update(**op.arguments),
    Kind.UPSERT_MEMBER: lambda session, op, _: Members(session).upsert(**op.arguments),
    Kind.REMOVE_MEMBER: lambda session, op, _: Members(session).remove(**op.arguments),
    Kind.CREATE_PACKAGE: lambda session, op, _: Packages(session).create(**op.arguments),
    Kind.UPDATE_PACKAGE: lambda session, op, uuid: Packages(session).update(uuid, op.arguments["upsert"]),
    Kind.DELETE_PACKAGE: lambda session, _, uuid: Packages(session).delete(uuid),
    Kind.CREATE_ROUTE: lambda session, op, uuid: Routes(session).create(**{**op.arguments, "package": uuid}),
    Kind.DELETE_ROUTE: lambda session, op, uuid: Routes(session).delete(uuid, op.arguments["route_id"]),
    Kind.CREATE_DOMAIN: lambda session, op, uuid: Domains(session).create(**{**op.arguments, "package": uuid}),
    Kind.DELETE_DOMAIN: lambda session, op, uuid: Domains(session).delete(uuid, op.arguments["domain_id"]),
}


def perform(session: Session, operations: Sequence[Operation], uuid: str) -> Awaitable[object]:
    """Carry out the operations of one unit: an array of permissions, or one operation and its equals.

    Raises:
        ScarfError: as the call of the resource does.
    """
    first = operations[0]
    if first.kind is Kind.SET_PERMISSION:
        sets = [PermissionSet(op.arguments["user_query"], op.arguments["level"]) for op in operations]
        return Permissions(session).set(uuid, sets)
    return _CALLS[first.kind](session, first, uuid)
