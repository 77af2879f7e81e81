"""Adapts plans to a version that combines operations in one request, or does not support some. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import chain
from typing import Final

import attrs
import msgspec

from scarf_async.bulk.calls import CreatePackage, RemoveMember, UpdateOrganization, UpsertMember
from scarf_async.bulk.kinds import ANY_PACKAGE, Call, Kind, OnPackage, Ref, Root
from scarf_async.bulk.operations import Operation, Plan
from scarf_async.bulk.parts import CreateDomain, CreateRoute, SetPermission
from scarf_async.dialects import Dialect
from scarf_async.entities import LibraryType, MemberUpsert, Package, PackageKey, PermissionLevel, Role
from scarf_async.errors import UnsupportedError
from scarf_async.names import domain_key, organization_key
from scarf_async.protocol.steps import Creation, Steps

__all__ = [
    "CreateWithRoute",
    "UpsertListed",
    "adapted",
    "joins",
    "made_with_its_package",
    "owners_of",
    "package_of",
    "refuse_unsupported",
]

_SHOWN: Final = 20
_NOTHING_SENT: Final = "; nothing was sent"


@attrs.frozen
class CreateWithRoute(CreatePackage):
    """A file package to create together with its first route."""

    with_route: CreateRoute = attrs.field(kw_only=True)

    def build(self, dialect: Dialect, _: PackageKey, /) -> Creation[Package]:  # noqa: D102 # as in `Call`
        creation = dialect.create_package(self.package, self.organization, self.with_route.route)
        # If the package already exists, the route is a separate operation.
        return msgspec.structs.replace(creation, rest=None)


@attrs.frozen
class UpsertListed(UpsertMember):
    """A membership to create or update, for which the list of members is enough to decide."""

    # Skip the checks, which it has already passed.
    organization: str
    username: str
    role: Role

    def build(self, dialect: Dialect, _: PackageKey, /) -> Steps[object]:  # noqa: D102 # as in `Call`
        return dialect.upsert_member(self.organization, MemberUpsert(self.username, self.role), listed=True)


def joins(plan: Plan, dialect: Dialect, call: Call, befores: Sequence[int]) -> int | None:
    """Return the index of the package that is created together with a route; None if the route is created alone."""
    if not dialect.traits.routes_with_packages or not isinstance(call, CreateRoute) or len(befores) != 1:
        return None
    created = plan.calls[befores[0]]
    is_file = isinstance(created, CreatePackage) and created.package.library_type == LibraryType.FILE
    return befores[0] if is_file else None


def adapted(plan: Plan, dialect: Dialect, joined: Mapping[int, int], domains: Iterable[int]) -> dict[int, Call]:
    """Return the calls that replace those of some operations, by index.

    Args:
        plan: the operations.
        dialect: the dialect of the version.
        joined: for each package that is created together with a route, the index of the route.
        domains: the indices of the creations of domains.
    """
    calls: dict[int, Call] = {}
    for place, route in joined.items():
        created, first = plan.calls[place], plan.calls[route]
        assert isinstance(created, CreatePackage)  # noqa: S101 # as `joins` says
        assert isinstance(first, CreateRoute)  # noqa: S101
        calls[place] = CreateWithRoute(created.package, created.organization, created.if_exists, with_route=first)
    for operation in map(plan.__getitem__, domains):
        if isinstance(operation.call, CreateDomain) and made_with_its_package(plan, dialect, operation):
            calls[operation.index] = attrs.evolve(operation.call, if_exists="keep")
    if dialect.traits.members_by_verb:
        calls |= _listed(plan)
    return calls


def made_with_its_package(plan: Plan, dialect: Dialect, operation: Operation) -> bool:
    """Return whether the service creates a domain together with its package."""
    call, root = operation.call, operation.root
    if not isinstance(call, CreateDomain) or not isinstance(root, int):
        return False
    created = plan.calls[root]
    host = dialect.domain_of(created.package) if isinstance(created, CreatePackage) else None
    return host is not None and host == domain_key(call.domain.name)


def _listed(plan: Plan) -> dict[int, Call]:
    """Return the memberships that nothing else in the plan changes."""
    targets: Counter[Hashable] = Counter()
    upserts: list[tuple[int, UpsertMember, Hashable]] = []
    renamed: set[str] = set()
    for place, call in enumerate(plan.calls):
        if isinstance(call, UpsertMember):
            target = call.target(None, organization_key)
            targets[target] += 1
            upserts.append((place, call, target))
        elif isinstance(call, RemoveMember):
            targets[call.target(None, organization_key)] += 1
        elif isinstance(call, UpdateOrganization) and call.renames:
            renamed |= {organization_key(call.name), organization_key(call.organization.name)}
    return {
        place: UpsertListed(call.organization, call.username, call.role)
        for place, call, target in upserts
        if targets[target] == 1 and organization_key(call.organization) not in renamed
    }


def owners_of(plan: Plan) -> dict[str, str]:
    """Return the owners of packages that some operation names, by package id."""
    owners: dict[str, str] = {}
    last: PackageKey | Ref[Package] | None = None
    for call in plan.calls:
        # Operations on one package mostly follow each other and share its key.
        if isinstance(call, OnPackage) and call.package is not last:
            package = last = call.package
            if isinstance(package, PackageKey) and package.owner is not None:
                owners[package.id] = package.owner
    return owners


def package_of(plan: Plan, root: Root | None, owners: Mapping[str, str]) -> PackageKey:
    """Return the package that an operation acts on or creates; its id may not be known yet."""
    if isinstance(root, str):
        return PackageKey(owners.get(root), root)
    created = None if root is None else plan.calls[root]
    return PackageKey(created.organization, "new") if isinstance(created, CreatePackage) else ANY_PACKAGE


def refuse_unsupported(
    plan: Plan,
    dialect: Dialect,
    *,
    calls: Mapping[int, Call],
    twins: Mapping[int, int],
    owners: Mapping[str, str],
    by_kind: Mapping[Kind, Sequence[int]],
) -> None:
    """Refuse a plan with operations that a version does not support.

    Raises:
        UnsupportedError: `.operations` lists all of them.
    """
    reasons: dict[int, str] = {}
    packages: set[Root | None] = set()
    levels: dict[str, list[PermissionLevel]] = defaultdict(list)
    package = cache(partial(package_of, plan, owners=owners))
    planned, never_refused, by_email = plan.calls, dialect.traits.never_refused, dialect.traits.users_by_email
    for index in sorted(chain.from_iterable(by_kind[kind] for kind in by_kind if kind not in never_refused)):
        call = planned[index]
        user = ""
        if isinstance(call, SetPermission):
            # It is refused for its package, or for its user and level. Where any user may be named, whom it names
            # decides nothing.
            user = "" if by_email else call.user_query
            if call.level in levels[user] and call.root(index) in packages:
                continue
        place = twins.get(index, index)
        if place in reasons:
            reasons[index] = reasons[place]
        if place != index:
            continue
        build = partial(calls.get(place, call).build, dialect, package(call.root(index)))
        reason = dialect.refusal(build)
        if reason is not None:
            reasons[place] = reason.removesuffix(_NOTHING_SENT)
        elif isinstance(call, SetPermission):
            packages.add(call.root(index))
            if call.level not in levels[user]:
                levels[user].append(call.level)
    if not reasons:
        return
    shown = [f"{plan[place]}: {reason}" for place, reason in list(reasons.items())[:_SHOWN]]
    more = f"\nand {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
    what = "an operation" if len(reasons) == 1 else f"{len(reasons)} operations"
    raise UnsupportedError(
        f"{dialect.version} cannot do {what} of this plan{_NOTHING_SENT}:\n" + "\n".join(shown) + more,
        operations=[plan[place] for place in reasons],
    )
