"""What a plan asks for, said a second time: slowly, pair by pair, without looking at how it is scheduled."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import combinations, product

from scarf_async import BulkPlan, Operation, OrganizationUpsert, PackageUpsert, Ref
from scarf_async.bulk import Kind

from .plans import arguments

__all__ = ["Model"]

_DELETES = {
    Kind.CREATE_ROUTE: {Kind.DELETE_ROUTE},
    Kind.UPDATE_ROUTE: {Kind.DELETE_ROUTE},
    Kind.CREATE_DOMAIN: {Kind.DELETE_DOMAIN},
}


def _fold(user: str) -> str:
    return user.strip().casefold()


class Model:
    """A plan's operations, and the rules over each pair of them.

    Attributes:
        first_of: for each place that of the first operation that is equal to it, maybe itself.
        befores: for each such first one the places that it was explicitly put behind.
        arrays: for each permission the number of the array it travels in.
    """

    def __init__(self, plan: BulkPlan, batch: int) -> None:
        self.operations = list(plan)
        self.first_of: dict[int, int] = {}
        self.befores: dict[int, set[int]] = {}
        self._packages: dict[int, Hashable] = {}
        seen: dict[Hashable, int] = {}
        for op in self.operations:
            package = arguments(op).get("package")
            befores = {self.first_of[place] for place in op.after}
            if isinstance(package, Ref):
                befores.add(self.first_of[package.index])
                self._packages[op.index] = self._packages[package.index]
            elif isinstance(package, str):
                self._packages[op.index] = package
            elif op.kind is Kind.CREATE_PACKAGE:
                self._packages[op.index] = op.index
            others = tuple(
                value for value in arguments(op).values() if value is not package or op.kind is Kind.CREATE_PACKAGE
            )
            package_key = None if op.kind is Kind.CREATE_PACKAGE else self._packages.get(op.index)
            identity = (op.kind, package_key, others, frozenset(befores))
            first = seen.get(identity, op.index)
            if self._other_value_since(first, op):
                first = op.index
            seen[identity] = first
            self.first_of[op.index] = first
            if first == op.index:
                self.befores[first] = befores
            elif op.index in self._packages:
                self._packages[op.index] = self._packages[first]
        self.firsts = [op for op in self.operations if self.first_of[op.index] == op.index]
        self.arrays = self._arrays(batch)

    def _arrays(self, batch: int) -> dict[int, int]:
        arrays: dict[int, int] = {}
        last: dict[Hashable, tuple[int, set[int], int]] = {}
        for op in self.firsts:
            if op.kind is not Kind.SET_PERMISSION:
                continue
            package, befores = self._packages[op.index], self.befores[op.index]
            array, wanted, size = last.get(package, (-1, set[int](), batch))
            if size == batch or wanted != befores:
                array, size = op.index, 0
            last[package] = array, befores, size + 1
            arrays[op.index] = array
        return arrays

    def package(self, op: Operation) -> Hashable:
        """What tells the package apart on which an operation works; None where there is none."""
        return None if op.kind is Kind.CREATE_PACKAGE else self._packages.get(op.index)

    def is_behind(self, later: int, earlier: int) -> bool:
        """Whether one operation was put behind another, over however many steps."""
        return any(step == earlier or self.is_behind(step, earlier) for step in self.befores[later])

    def contradictions(self) -> list[tuple[int, int]]:
        """The pairs that give one target two values in no order."""
        return [
            (one.index, other.index)
            for one, other in combinations(self.firsts, 2)
            if (target := self._target(one)) is not None
            and target == self._target(other)
            and self._value(one) != self._value(other)
            and not self.is_behind(other.index, one.index)
        ]

    def _other_value_since(self, first: int, op: Operation) -> bool:
        """Whether an operation after the first gave the target of this one another value."""
        target = self._target(op)
        return target is not None and any(
            self._target(other) == target and self._value(other) != self._value(op)
            for other in self.operations[first + 1 : op.index]
        )

    def _target(self, op: Operation) -> Hashable:
        told, package = arguments(op), self.package(op)
        match op.kind:
            case Kind.SET_PERMISSION:
                return "permission", package, _fold(told["user_query"])
            case Kind.UPSERT_MEMBER | Kind.REMOVE_MEMBER:
                return "member", told["organization"], _fold(told["username"])
            case Kind.CREATE_ORGANIZATION:
                return op.kind, told["organization"].name
            case Kind.UPDATE_ORGANIZATION:
                return op.kind, told["name"]
            case Kind.CREATE_PACKAGE:
                return op.kind, told["organization"], told["package"].name, told["package"].library_type
            case Kind.UPDATE_PACKAGE:
                return op.kind, package
            case Kind.UPDATE_ROUTE:
                return op.kind, package, told["route_id"]
            case Kind.CREATE_DOMAIN:
                return op.kind, package, told["domain"].name.casefold()
        return None

    def _value(self, op: Operation) -> Hashable:
        told = arguments(op)
        match op.kind:
            case Kind.SET_PERMISSION:
                return str(told["level"])
            case Kind.UPSERT_MEMBER:
                return str(told["role"])
            case Kind.REMOVE_MEMBER:
                return None
        return (
            tuple(value for value in told.values() if isinstance(value, OrganizationUpsert | PackageUpsert)),
            str(told.get("domain")),
            str(told.get("route")),
            told.get("if_exists"),
        )

    def pairs(self) -> Iterator[tuple[int, int]]:
        """All pairs of which the first must be done before the second begins."""
        for later, befores in self.befores.items():
            yield from ((earlier, later) for earlier in befores)
        for one, other in product(self.firsts, repeat=2):
            if one is not other and self._goes_first(one, other):
                yield one.index, other.index

    def _goes_first(self, one: Operation, other: Operation) -> bool:
        if self.makes(one) is not None and self.makes(one) == self.uses(other):
            return True
        if (renamed := self._unmakes(other)) is not None and renamed == self.uses(one):
            return not self.is_behind(one.index, other.index)
        if self.package(one) is not None and self.package(one) == self.package(other):
            if other.kind in _DELETES.get(one.kind, ()):
                return True
            if other.kind is Kind.DELETE_PACKAGE and one.kind is not Kind.DELETE_PACKAGE:
                return True
        if one.kind is Kind.SET_PERMISSION and other.kind is Kind.REMOVE_MEMBER:
            user = _fold(arguments(one)["user_query"])
            removals = [
                op.index
                for op in self.firsts
                if op.kind is Kind.REMOVE_MEMBER and _fold(arguments(op)["username"]) == user
            ]
            return other.index in removals and not any(self.is_behind(one.index, place) for place in removals)
        return False

    @staticmethod
    def makes(op: Operation) -> str | None:
        """The organization's name that is there because of an operation."""
        if op.kind not in {Kind.CREATE_ORGANIZATION, Kind.UPDATE_ORGANIZATION}:
            return None
        name: str = arguments(op)["organization"].name
        return None if name == arguments(op).get("name") else name

    def _unmakes(self, op: Operation) -> str | None:
        """The organization's name that is gone because of an operation: the last of its renamings."""
        if op.kind is not Kind.UPDATE_ORGANIZATION or self.makes(op) is None:
            return None
        name: str = arguments(op)["name"]
        return name

    @staticmethod
    def uses(op: Operation) -> str | None:
        """The organization's name that must be there for an operation."""
        name = arguments(op).get("name", arguments(op).get("organization"))
        return name if isinstance(name, str) else None

    def unit(self, place: int) -> int:
        """The request that an operation travels in, by the place of its first operation."""
        first = self.first_of[place]
        return self.arrays.get(first, first)

    def has_cycle(self) -> bool:
        """Whether the requests wait for each other in a circle."""
        waiting: dict[int, set[int]] = {self.unit(op.index): set() for op in self.firsts}
        last: dict[Hashable, int] = {}
        for op in self.firsts:
            if op.kind is Kind.SET_PERMISSION:
                array = self.unit(op.index)
                waiting[array] |= {last.get(self.package(op), array)} - {array}
                last[self.package(op)] = array
        for earlier, later in self.pairs():
            waiting[self.unit(later)].add(self.unit(earlier))
        while free := [unit for unit, befores in waiting.items() if not befores & waiting.keys()]:
            for unit in free:
                del waiting[unit]
        return bool(waiting)
