"""What a plan will take, said before anything is sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

import attrs

from scarf_async.bulk.calls import CreatePackage, SetPermission, UpdatePackage
from scarf_async.bulk.kinds import Creates
from scarf_async.bulk.looks import list_of
from scarf_async.bulk.operations import Plan
from scarf_async.bulk.schedule import compile_plan
from scarf_async.entities import Unset
from scarf_async.entities.enums import address_fields

__all__ = ["PlanEstimate", "estimate"]

_SHOWN = 3


@attrs.frozen
class PlanEstimate:
    """What a plan will take if nothing has to be sent twice.

    Attributes:
        requests: how many requests of each kind of operation; `look` counts the reads of those that look first, for
            `if_exists="keep"`: one for all that look at the same list.
        warnings: what is allowed and may still not be what was meant, one sentence each.
    """

    requests: Mapping[str, int]
    warnings: Sequence[str]


def estimate(plan: Plan, permission_batch: int = 100) -> PlanEstimate:
    """Count the requests of a plan, and look it over.

    Raises:
        ValidationError: the plan contradicts itself or goes round in a circle.
    """
    schedule = compile_plan(plan, permission_batch)
    requests: Counter[str] = Counter()
    looks: set[Hashable] = set()
    for unit, places in enumerate(schedule.units):
        if places[0] >= len(plan):
            continue
        operation = plan[places[0]]
        requests[operation.kind] += 1
        if isinstance(operation.call, Creates) and operation.call.if_exists == "keep":
            # Those that wait for the same look at a list at the same time, and share the read.
            shown = list_of(operation)
            looks.add((unit if shown is None else shown, schedule.needs.get(unit)))
    requests += Counter(look=len(looks))
    return PlanEstimate(dict(requests), [*_cleared(plan), *_untyped(plan), *_two_ways(plan)])


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _cleared(plan: Plan) -> list[str]:
    """The service may clear what an update leaves out, and does not give addresses back to put them in again."""
    bare = []
    for operation in plan:
        if not isinstance(operation.call, UpdatePackage):
            continue
        upsert = operation.call.upsert
        addresses = (upsert.backend_url, upsert.public_url, upsert.repository_url)
        library_type = upsert.library_type if isinstance(upsert.library_type, str) else None
        if address_fields(library_type) and all(isinstance(address, Unset) for address in addresses):
            bare.append(upsert.name)
    return [f"updates without addresses may clear those that are set: {_some(bare)}"] if bare else []


def _untyped(plan: Plan) -> list[str]:
    """No document says which type a package gets that is created without one."""
    calls = (operation.call for operation in plan)
    created = [call.package for call in calls if isinstance(call, CreatePackage)]
    names = [package.name for package in created if not isinstance(package.library_type, str)]
    return [f"packages created without a library_type: {_some(names)}"] if names else []


def _two_ways(plan: Plan) -> list[str]:
    """An e-mail address and a username on one package may be one person."""
    ways: dict[object, set[bool]] = defaultdict(set)
    for operation in plan:
        if isinstance(operation.call, SetPermission):
            ways[operation.root].add("@" in operation.call.user_query)
    mixed = sum(len(both) > 1 for both in ways.values())
    if not mixed:
        return []
    packages_get = "1 package gets" if mixed == 1 else f"{mixed} packages get"
    warning = (
        f"{packages_get} permissions by e-mail address and by username: if both name one person, the last"
        " in the plan's order counts"
    )
    return [warning]
