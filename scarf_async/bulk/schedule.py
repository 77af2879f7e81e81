"""Compiles a plan to requests and their dependencies. Pure functions, linear in the plan's size.

The requests of a plan are *units*: the places of the operations that one request carries out. Some units contain no
operation: they are barriers between many earlier and many later operations, so that n creations and m deletions
need n + m edges and not n times m.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import pairwise

import attrs

from scarf_async.bulk.adapting import adapted, joins, owners_of, package_of
from scarf_async.bulk.calls import CALLS, RemoveMember, SetPermission, UpdateOrganization
from scarf_async.bulk.kinds import Call, Effect, Kind, OnPackage, Ref, Root
from scarf_async.bulk.operations import Operation, Plan
from scarf_async.checks import whole
from scarf_async.dialects import V1, Dialect
from scarf_async.entities import PackageKey
from scarf_async.errors import ValidationError
from scarf_async.names import organization_key, user_key

__all__ = ["Schedule", "compile_plan"]

_SHOWN_IN_CYCLE = 10


@attrs.frozen
class Schedule:
    """The requests to send and their order.

    Attributes:
        units: for each unit, the places of its operations; a barrier has one place beyond the plan's end.
        waits: for each unit, the number of edges that lead to it.
        followers: the units that wait for a unit; units without followers are missing.
        needs: the places that must succeed before a unit is sent; units without needs are missing.
        twins: for each operation that is equal to an earlier one, the place of the earlier one.
        settles: the places whose outcome must be known before a barrier passes; barriers without any are missing.
        joined: for each package that is created together with a route, the place of the route.
        calls: the calls that replace those of some operations, by place.
        owners: the owners of packages that the plan names, by package id.
        by_kind: the places of the operations of each kind.
    """

    units: list[tuple[int, ...]]
    waits: list[int]
    followers: dict[int, list[int]]
    needs: dict[int, tuple[int, ...]]
    twins: dict[int, int]
    settles: dict[int, tuple[int, ...]] = attrs.field(factory=dict)
    joined: dict[int, int] = attrs.field(factory=dict)
    calls: dict[int, Call] = attrs.field(factory=dict)
    owners: dict[str, str] = attrs.field(factory=dict)
    by_kind: dict[Kind, list[int]] = attrs.field(factory=dict)

    @property
    def places(self) -> int:
        """The number of places, including those of barriers."""
        return max((unit[-1] for unit in self.units), default=-1) + 1


def compile_plan(plan: Plan, permission_batch: int = 100, dialect: Dialect | None = None) -> Schedule:
    """Merge, check and order the operations of a plan.

    Args:
        plan: the operations.
        permission_batch: the maximum number of permissions in one request, if the version supports several.
        dialect: the dialect of the version that will run the plan; by default v1.

    Raises:
        ValidationError: two operations set one target to different values and no `after` orders them, or the
            dependencies contain a cycle; the message names the operations. Nothing was sent.
    """
    whole("permission_batch", permission_batch, ValidationError)
    compiler = _Compiler(plan, permission_batch, V1() if dialect is None else dialect)
    compiler.merge()
    compiler.refuse_contradictions()
    compiler.order()
    return compiler.schedule()


@attrs.define
class _Array:
    """The array of permissions that is being filled for a package."""

    unit: int
    after: tuple[int, ...]
    places: list[int]
    size: int = 0


class _Compiler:
    def __init__(self, plan: Plan, permission_batch: int, dialect: Dialect) -> None:
        self.plan = plan
        self.calls, self.afters = plan.calls, plan.afters
        self.batch = permission_batch if dialect.traits.permission_arrays else 1
        self.dialect = dialect
        self.by_kind: dict[Kind, list[int]] = defaultdict(list)
        for place, call in enumerate(self.calls):
            self.by_kind[call.kind].append(place)
        self.owners = owners_of(plan)
        self.joined: dict[int, int] = {}
        self.twins: dict[int, int] = {}
        self.befores: dict[int, tuple[int, ...]] = {}
        self.unit_of: list[int] = []
        self.units: list[tuple[int, ...] | list[int]] = []
        self.edges: dict[int, list[int]] = defaultdict(list)
        self.waits: list[int] = []
        self.needs: dict[int, tuple[int, ...]] = {}
        self.settles: dict[int, tuple[int, ...]] = {}
        self.last: dict[Hashable, int] = {}
        self.values: dict[Hashable, list[int]] = {}
        self.changed: dict[Hashable, int] = {}
        self.respelled = {
            organization_key(call.name)
            for call in (self.calls[place] for place in self.by_kind.get(Kind.UPDATE_ORGANIZATION, ()))
            if isinstance(call, UpdateOrganization)
            and call.renames
            and organization_key(call.name) == organization_key(call.organization.name)
        }

    # Merging operations into units

    def merge(self) -> None:
        """Assign every operation to a unit."""
        first: dict[Hashable, int] = {}
        arrays: dict[Root, _Array] = {}
        key, last = self._name, self.last
        for place, call in enumerate(self.calls):
            if isinstance(call, OnPackage) and isinstance(call.package, PackageKey):
                # The same as below with fewer calls, for most of the operations of long plans.
                root: Root | None = call.package.id
                after = self._befores_of(place, call) if place in self.afters else ()
            else:
                root = self._root(call, call.root(place))
                after = self._befores_of(place, call)
            target = call.target(root, key)
            earlier = None if target is None else last.get(target)
            # Equal operations have one target, so only those are compared that have a target in common.
            if target is None or earlier is not None:
                if earlier is not None and target not in self.values:
                    first[self._identity(earlier)] = earlier
                identity = _identity(call, root, after)
                original = first.get(identity)
                # It is not a twin if the target was set to another value in between.
                if original is not None and self.changed.get(target, -1) <= original:
                    self.twins[place] = original
                    self._join(self.unit_of[original], place)
                    continue
                first[identity] = place
            if after:
                self.befores[place] = after
            if root is not None and isinstance(call, SetPermission):
                array = arrays.get(root)
                if array is None or array.size == self.batch or array.after != after:
                    array = self._new_array(arrays, root, after)
                array.size += 1
                array.places.append(place)
                self.unit_of.append(array.unit)
            else:
                self._send_alone(place, call, root, after)
            if earlier is not None:
                self._give(target, place, earlier)
            if target is not None:
                last[target] = place

    def _send_alone(self, place: int, call: Call, root: Root | None, after: tuple[int, ...]) -> None:
        """Give an operation a unit of its own, unless it is the first route of a package that the plan creates."""
        created = joins(self.plan, self.dialect, call, after)
        if created is not None and created == root and created not in self.joined:
            self.joined[created] = place
            self._join(self.unit_of[created], place)
        else:
            self.unit_of.append(self._new_unit((place,)))

    def _identity(self, place: int) -> Hashable:
        call = self.calls[place]
        return _identity(call, self._root(call, call.root(place)), self.befores.get(place, ()))

    def _give(self, target: Hashable, place: int, earlier: int) -> None:
        """Record that an operation sets a target that an earlier one has set."""
        self.values.setdefault(target, [earlier]).append(place)
        if self.calls[earlier].value != self.calls[place].value:
            self.changed[target] = place

    def _join(self, unit: int, place: int) -> None:
        members = self.units[unit]
        if not isinstance(members, list):
            members = self.units[unit] = list(members)
        members.append(place)
        self.unit_of.append(unit)

    def _new_array(self, arrays: dict[Root, _Array], root: Root, after: tuple[int, ...]) -> _Array:
        """Return a new array for permissions of a package.

        An e-mail address and a username may be the same person, so the arrays of a package keep the plan's order.
        """
        last, places = arrays.get(root), list[int]()
        array = arrays[root] = _Array(self._new_unit(places), after, places)
        if last is not None:
            self._edge(last.unit, array.unit)
        return array

    def _new_unit(self, places: tuple[int, ...] | list[int]) -> int:
        self.units.append(places)
        self.waits.append(0)
        return len(self.units) - 1

    def _befores_of(self, place: int, call: Call) -> tuple[int, ...]:
        """Return the places that an operation explicitly depends on, by `after` or by using their `Ref`."""
        places = self.afters.get(place, ())
        if isinstance(call, OnPackage) and isinstance(call.package, Ref):
            places = (*places, call.package.index)
        if not places:
            return ()
        twins = self.twins
        return tuple(sorted({twins.get(place, place) for place in places}))

    def _root(self, call: Call, root: Root | None) -> Root | None:
        """Return the package that an operation acts on; for equal creates, the first one's."""
        if isinstance(root, int):
            return self.twins.get(root, root) if isinstance(call, OnPackage) else None
        return root

    # Contradictions

    def _name(self, organization: str) -> str:
        """Return the key of an organization, or its exact name if the plan changes only its spelling."""
        key = organization_key(organization)
        return organization if key in self.respelled else key

    def refuse_contradictions(self) -> None:
        """Refuse two values for one target if no `after` orders them."""
        for places in self.values.values():
            # Each value must come after all places of the previous value; order with older ones then follows.
            before: list[int] = []
            same = places[:1]
            for earlier, later in pairwise(places):
                if self.calls[earlier].value != self.calls[later].value:
                    before, same = same, []
                same.append(later)
                for other in before:
                    self._refuse_unless_ordered(other, later)
        self.last.clear()
        self.values.clear()

    def _refuse_unless_ordered(self, earlier: int, later: int) -> None:
        if not self._comes_after(later, earlier):
            raise ValidationError(
                "two operations set one target to different values, and no after= says which comes last:"
                f" {self.plan[earlier]} and {self.plan[later]}; nothing was sent"
            )

    def _comes_after(self, later: int, earlier: int) -> bool:
        """Return whether one operation explicitly depends on another, directly or indirectly."""
        path, seen = [iter((later,))], set[int]()
        while path:
            # Dependencies are sorted and lead only to earlier places: a place before `earlier` cannot lead to it.
            place = next(path[-1], -1)
            if place <= earlier:
                path.pop()
            elif place not in seen:
                seen.add(place)
                befores = self.befores.get(place, ())
                at = bisect_left(befores, earlier)
                if befores[at : at + 1] == (earlier,):
                    return True
                path.append(reversed(befores))
        return False

    # Edges

    def order(self) -> None:
        """Add the edges between units."""
        creators = self._organization_creators()
        self._wait_for_creators(creators)
        self._delete_last()
        self._rename_last(creators)
        self._remove_members_last()

    def _edge(self, before: int, after: int) -> None:
        self.edges[before].append(after)
        self.waits[after] += 1

    def _used(self, operation: Operation) -> str | None:
        """Return the organization that must exist before an operation."""
        organization = operation.call.uses
        if organization is None and operation.root is not None:
            organization = self.dialect.owner_of(package_of(self.plan, operation.root, self.owners))
        return None if organization is None else self._name(organization)

    def _organization_creators(self) -> dict[str, list[int]]:
        creators: dict[str, list[int]] = defaultdict(list)
        for operation in self._of(Kind.CREATE_ORGANIZATION, Kind.UPDATE_ORGANIZATION):
            made = operation.call.makes
            if made is not None and self._name(made) != self._used(operation):
                creators[self._name(made)].append(operation.index)
        return creators

    def _originals(self) -> Iterable[Operation]:
        return (
            (operation for operation in self.plan if operation.index not in self.twins) if self.twins else self.plan
        )

    def _of(self, *kinds: Kind) -> list[Operation]:
        """Return the originals of some kinds in the plan's order."""
        found = sorted(place for kind in kinds for place in self.by_kind.get(kind, ()))
        return [self.plan[place] for place in found if place not in self.twins]

    def _wait_for_creators(self, creators: dict[str, list[int]]) -> None:
        if not creators and not self.befores:
            return
        for operation in self._originals():
            places = list(self.befores.get(operation.index, ()))
            if creators:
                organization = self._used(operation)
                places += creators.get(organization, ()) if organization is not None else ()
            unit = self.unit_of[operation.index]
            # A route that is created with its package waits for the same operations as the package.
            if self.units[unit][0] in self.joined and operation.index != self.units[unit][0]:
                continue
            if places and unit not in self.needs:
                # All operations of an array wait for the same ones.
                self.needs[unit] = tuple(places)
                for place in places:
                    self._edge(self.unit_of[place], unit)

    def _barrier(self, before: Iterable[int], after: Iterable[int], *, strict: bool, settled: bool = False) -> None:
        """Make some operations wait for others.

        With `strict`, they are skipped if one of the others did not succeed; with `settled`, if the outcome of one
        is unknown.
        """
        before = list(before)
        if not before:
            return
        # It gets a place beyond the plan's end, so that it can succeed or fail like an operation.
        place = len(self.plan) + len(self.units)
        barrier = self._new_unit((place,))
        for unit in {self.unit_of[earlier] for earlier in before}:
            self._edge(unit, barrier)
        if strict:
            self.needs[barrier] = tuple(before)
        if settled:
            self.settles[barrier] = tuple(before)
        for later in after:
            unit = self.unit_of[later]
            self._edge(barrier, unit)
            if strict or settled:
                self.needs[unit] = (*self.needs.get(unit, ()), place)

    def _delete_last(self) -> None:
        """Delete routes and domains of a package after others are created, and the package last."""
        deletes: dict[tuple[Root | None, Kind], list[int]] = defaultdict(list)
        kinds = (CALLS[kind] for kind in self.by_kind)
        removes = (kind.kind for kind in kinds if issubclass(kind, OnPackage) and kind.effect is Effect.REMOVES)
        for operation in self._of(*removes):
            deletes[self._root(operation.call, operation.root), operation.kind].append(operation.index)
        if not deletes:
            return
        befores: dict[tuple[Root | None, Kind], list[int]] = defaultdict(list)
        for operation in self._originals():
            if isinstance(operation.call, OnPackage):
                for kind in operation.call.before:
                    befores[self._root(operation.call, operation.root), kind].append(operation.index)
        for target, places in deletes.items():
            self._barrier(befores[target], places, strict=True)

    def _rename_last(self, creators: dict[str, list[int]]) -> None:
        """Rename an organization after the operations that use its old name."""
        renames = {
            place: self._name(call.name)
            for places in creators.values()
            for place in places
            if isinstance(call := self.calls[place], UpdateOrganization)
        }
        if not renames:
            return
        befores: dict[str | None, list[int]] = {name: [] for name in renames.values()}
        for operation in self._originals():
            organization = self._used(operation)
            if organization in befores:
                befores[organization].append(operation.index)
        for place, name in renames.items():
            # An operation that `after` puts behind the rename means the organization that has the old name then.
            # A package is reachable under the new name, so operations on it may come after the rename.
            behind = self._units_behind(self.unit_of[place]) if self.dialect.traits.owners_in_paths else ()
            earlier = [
                before
                for before in befores[name]
                if before != place
                and not self._comes_after(before, place)
                and not (self.unit_of[before] in behind and isinstance(self.calls[before], OnPackage))
            ]
            # After the rename, lookups under the old name would fail.
            self._barrier(earlier, [place], strict=False, settled=True)

    def _units_behind(self, unit: int) -> set[int]:
        """Return the units that wait for a unit, directly or indirectly."""
        behind: set[int] = set()
        left = [unit]
        while left:
            further = [unit for unit in self.edges.get(left.pop(), ()) if unit not in behind]
            behind.update(further)
            left += further
        return behind

    def _remove_members_last(self) -> None:
        """Remove a member after the permissions set for the same name, unless `after` says otherwise."""
        removals: dict[str, list[int]] = defaultdict(list)
        for operation in self._of(Kind.REMOVE_MEMBER):
            if isinstance(operation.call, RemoveMember):
                removals[user_key(operation.call.username)].append(operation.index)
        if not removals:
            return
        befores: dict[str, list[int]] = defaultdict(list)
        for operation in self._of(Kind.SET_PERMISSION):
            if isinstance(operation.call, SetPermission):
                user = user_key(operation.call.user_query)
                if user in removals and not any(
                    self._comes_after(operation.index, place) for place in removals[user]
                ):
                    befores[user].append(operation.index)
        for user, places in removals.items():
            self._barrier(befores[user], places, strict=False)

    # Result

    def schedule(self) -> Schedule:
        """Return the schedule; raise `ValidationError` if it has a cycle."""
        self._refuse_cycles()
        return Schedule(
            units=[tuple(unit) for unit in self.units],
            waits=self.waits,
            followers=dict(self.edges),
            needs=self.needs,
            twins=self.twins,
            settles=self.settles,
            joined=self.joined,
            calls=adapted(self.plan, self.dialect, self.joined, self.by_kind.get(Kind.CREATE_DOMAIN, ())),
            owners=self.owners,
            by_kind=dict(self.by_kind),
        )

    def _refuse_cycles(self) -> None:
        waits = list(self.waits)
        ready = [unit for unit, count in enumerate(waits) if not count]
        done = 0
        while ready:
            done += 1
            for follower in self.edges.get(ready.pop(), ()):
                waits[follower] -= 1
                if not waits[follower]:
                    ready.append(follower)
        if done == len(self.units):
            return
        members = [place for unit in self._cycle(waits) for place in self.units[unit] if place < len(self.plan)]
        shown = "; ".join(str(self.plan[place]) for place in members[:_SHOWN_IN_CYCLE])
        more = f"; and {len(members) - _SHOWN_IN_CYCLE} more" if len(members) > _SHOWN_IN_CYCLE else ""
        raise ValidationError(f"operations wait for each other in a cycle: {shown}{more}; nothing was sent")

    def _cycle(self, waits: list[int]) -> list[int]:
        """Follow the units that still wait until one repeats."""
        before: dict[int, int] = {}
        for unit, followers in self.edges.items():
            if waits[unit]:
                before.update(dict.fromkeys((after for after in followers if waits[after]), unit))
        step_of: dict[int, int] = {}
        unit = next(iter(before))
        while unit not in step_of:
            step_of[unit] = len(step_of)
            unit = before[unit]
        return list(step_of)[step_of[unit] :][::-1]


def _identity(call: Call, root: Root | None, after: tuple[int, ...]) -> Hashable:
    """Return what equal operations have in common."""
    return call.kind, root, after, call.details if isinstance(call, OnPackage) else call
