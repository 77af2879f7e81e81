"""The requests that a plan needs, estimated before anything is sent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import get_args

import attrs

from scarf_async.bulk.adapting import CreateWithRoute, UpsertListed, made_with_its_package
from scarf_async.bulk.calls import CreateDomain, CreatePackage, SetPermission, UpdatePackage
from scarf_async.bulk.kinds import Call, Creates, Effect
from scarf_async.bulk.looks import list_of
from scarf_async.bulk.operations import Plan
from scarf_async.bulk.schedule import compile_plan
from scarf_async.checks import word
from scarf_async.dialects import Dialect, dialect_of
from scarf_async.entities import ApiVersion, Unset
from scarf_async.entities.enums import address_fields
from scarf_async.errors import ValidationError
from scarf_async.names import organization_key

__all__ = ["PlanEstimate", "estimate"]

_SHOWN = 3


@attrs.frozen
class PlanEstimate:
    """The requests that a plan needs if nothing is retried.

    Attributes:
        requests: the number of requests for each kind of operation. `look` counts the lookups for
            `if_exists="keep"`, one for each list. `read` counts the other reads that a version needs: before an
            update, of the routes of a package that is created with one, and of lists of members. A paginated list
            counts as one.
        warnings: sentences about operations that are valid but may not be intended.
    """

    requests: Mapping[str, int]
    warnings: Sequence[str]


def estimate(plan: Plan, permission_batch: int = 100, api: ApiVersion = "v1") -> PlanEstimate:
    """Count the requests of a plan, and collect warnings about it.

    Raises:
        ValidationError: the plan contradicts itself or has a dependency cycle.
    """
    word("api", api, get_args(ApiVersion), ValidationError)
    dialect = dialect_of(api, None)
    schedule = compile_plan(plan, permission_batch, dialect)
    requests: Counter[str] = Counter()
    reads: Counter[str] = Counter()
    member_lists: set[str] = set()
    looks: set[Hashable] = set()
    for unit, places in enumerate(schedule.units):
        if places[0] >= len(plan):
            continue
        operation = plan[places[0]]
        call = schedule.calls.get(places[0], operation.call)
        if isinstance(call, CreateDomain) and made_with_its_package(plan, dialect, operation):
            reads["read"] += 1
            continue
        requests[operation.kind] += 1
        if isinstance(call, UpsertListed):
            member_lists.add(organization_key(call.organization))
        reads["read"] += _reads_of(call, dialect)
        if isinstance(operation.call, Creates) and operation.call.if_exists == "keep":
            # Creates that wait for the same operations look at a list at the same time, and share the read.
            shown = list_of(operation)
            looks.add((unit if shown is None else shown, schedule.needs.get(unit)))
    requests += Counter(look=len(looks))
    requests += reads + Counter(read=len(member_lists))
    cleared = [] if dialect.traits.updates_read else _cleared(plan)
    return PlanEstimate(dict(requests), [*cleared, *_untyped(plan), *_two_ways(plan)])


def _reads_of(call: Call, dialect: Dialect) -> int:
    """Count the reads that serve a single operation."""
    if isinstance(call, CreateWithRoute):
        return 1
    if not dialect.traits.updates_read or call.effect is not Effect.CHANGES:
        return 0
    asks_for_domain = isinstance(call, UpdatePackage) and dialect.domain_of(call.upsert) is not None
    return 1 + asks_for_domain


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _cleared(plan: Plan) -> list[str]:
    """Warn about updates without URLs: v1 may clear them, and does not return them for restoring."""
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
    """Warn about packages created without a type: the default is not documented."""
    calls = (operation.call for operation in plan)
    created = [call.package for call in calls if isinstance(call, CreatePackage)]
    names = [package.name for package in created if not isinstance(package.library_type, str)]
    return [f"packages created without a library_type: {_some(names)}"] if names else []


def _two_ways(plan: Plan) -> list[str]:
    """Warn about permissions by e-mail address and username on one package: both may be the same person."""
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
