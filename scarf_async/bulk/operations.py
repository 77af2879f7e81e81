"""Operations: a call at its place in a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import attrs

from scarf_async.bulk.calls import CALLS
from scarf_async.bulk.kinds import Call, Kind, Ref, Root
from scarf_async.entities import DomainCreate, OrganizationUpsert, PackageUpsert, RouteCreate
from scarf_async.entities.fields import without_user
from scarf_async.text import printable

__all__ = ["Operation", "Plan"]


@attrs.frozen(init=False, repr=False, str=False)
class Operation:
    """One operation of a plan. Operations with equal index, kind, arguments and `after` are equal, in any plan.

    Attributes:
        index: its index in the plan, from 0.
        kind: the kind of operation.
        arguments: the arguments that it was added with, by parameter name; a package is a uuid or a `Ref`.
        after: the indices of the operations that must succeed before it.
        call: kind and arguments, typed.
        root: the package that it acts on or creates; None if there is none.
    """

    index: int
    call: Call
    after: tuple[int, ...]

    def __init__(
        self, index: int, kind: Kind, arguments: Mapping[str, object], after: tuple[int, ...] = ()
    ) -> None:
        build: Callable[..., Call] = CALLS[kind]
        self.__attrs_init__(index, build(**arguments), after)

    @classmethod
    def of(cls, index: int, call: Call, after: tuple[int, ...]) -> Operation:
        """Return the operation of a call at an index of a plan.

        Args:
            index: its place in the plan, from 0.
            call: the call with its arguments.
            after: the indexes of operations that must succeed first.
        """
        operation = cls.__new__(cls)
        operation.__attrs_init__(index, call, after)
        return operation

    @property
    def root(self) -> Root | None:
        """The package that it acts on or creates; None if there is none."""
        return self.call.root(self.index)

    @property
    def kind(self) -> Kind:
        """The kind of operation."""
        return self.call.kind

    @property
    def arguments(self) -> Mapping[str, object]:
        """The arguments that it was added with, by parameter name; a package is a uuid or a `Ref`."""
        return self.call.arguments

    def __repr__(self) -> str:
        said = f"kind={self.kind!r}, arguments={self.arguments!r}"
        return f"Operation(index={self.index}, {said}, after={self.after})"

    def __str__(self) -> str:
        values = ", ".join(
            _shown(value) for name, value in self.arguments.items() if value is not None and name != "if_exists"
        )
        return printable(f"#{self.index} {self.kind} {values}")


class Plan(Protocol):
    """The operations of a plan, which only ever grows."""

    @property
    def calls(self) -> Sequence[Call]:
        """The calls of the operations, in their order."""

    @property
    def afters(self) -> Mapping[int, tuple[int, ...]]:
        """The `after` of the operations that have one, by their index."""

    def root(self, index: int, /) -> Root | None:
        """Return the package that an operation acts on or creates."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Operation]: ...

    def __getitem__(self, index: int, /) -> Operation: ...


def _shown(value: object) -> str:
    if isinstance(value, OrganizationUpsert | PackageUpsert | DomainCreate):
        return value.name
    if isinstance(value, RouteCreate):
        leads = f" -> {without_user(value.outgoing_url)}" if isinstance(value.outgoing_url, str) else ""
        return f"{value.template_path}{leads}"
    return f"#{value.index}" if isinstance(value, Ref) else str(value)
