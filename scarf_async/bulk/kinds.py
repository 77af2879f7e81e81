"""The base of all kinds of operations: their names, effects, references, fields and interface."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from enum import Enum, StrEnum, auto
from functools import lru_cache
from typing import ClassVar, Final, Generic, Literal, Protocol, TypeAlias, TypeVar

import attrs

from scarf_async.checks import instance
from scarf_async.dialects import Dialect
from scarf_async.entities import (
    Domain,
    Member,
    Organization,
    Package,
    PackageKey,
    Permission,
    Route,
)
from scarf_async.errors import ValidationError
from scarf_async.protocol.looking import E, Found
from scarf_async.protocol.messages import path_segment
from scarf_async.protocol.steps import Creation, Steps
from scarf_async.resources.packages import package_key
from scarf_async.sending.creates import IfExists, check_if_exists, create
from scarf_async.sending.session import Session

__all__ = [
    "ANY_PACKAGE",
    "Call",
    "Changes",
    "Creates",
    "Differs",
    "Effect",
    "Entity",
    "Kind",
    "OnAccount",
    "OnPackage",
    "Ref",
    "Root",
    "Section",
    "Shown",
    "gone",
    "is_if_exists",
    "segment",
    "wanted",
]

T = TypeVar("T")

Root: TypeAlias = str | int
"""The identity of a package in a plan: its id, or the index of the operation that creates it."""

ANY_PACKAGE: Final = PackageKey(None, "any")
"""The placeholder package for operations that act on none."""

Differs: TypeAlias = tuple[object, object]
"""The expected and the live state; None for nothing."""


class Kind(StrEnum):
    """The kinds of operations, named after the methods that add them."""

    CREATE_ORGANIZATION = "create_organization"
    UPDATE_ORGANIZATION = "update_organization"
    UPSERT_MEMBER = "upsert_member"
    REMOVE_MEMBER = "remove_member"
    CREATE_PACKAGE = "create_package"
    UPDATE_PACKAGE = "update_package"
    DELETE_PACKAGE = "delete_package"
    SET_PERMISSION = "set_permission"
    CREATE_ROUTE = "create_route"
    UPDATE_ROUTE = "update_route"
    DELETE_ROUTE = "delete_route"
    CREATE_DOMAIN = "create_domain"
    DELETE_DOMAIN = "delete_domain"


class Effect(Enum):
    """The effect of sending an operation a second time."""

    CREATES = auto()
    """It would create a duplicate, so its result is looked up first."""
    CHANGES = auto()
    """None, but the first time may have changed the name that lookups use."""
    SETS = auto()
    """None."""
    REMOVES = auto()
    """The service would refuse it, since the target is gone."""


class _Plan(Protocol):
    """The part of a plan that a reference needs."""

    @property
    def calls(self) -> Sequence[Call]: ...

    def root(self, index: int, /) -> Root | None: ...


class Ref(Generic[T]):
    """A reference to an operation of a plan, and to what that operation will return.

    The adders of `BulkPlan` return it. A reference to the creation of a package is accepted as the package of later
    operations, and any reference in `after`. It belongs to its plan: another plan refuses it.

    Attributes:
        index: the place of the operation in its plan.
    """

    __slots__ = ("_plan", "index")

    def __init__(self, plan: _Plan, index: int) -> None:
        self._plan = plan
        self.index: int = index

    def __repr__(self) -> str:
        return f"<Ref #{self.index} {self._plan.calls[self.index].kind}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._plan is self._plan and other.index == self.index

    def __hash__(self) -> int:
        return hash((id(self._plan), self.index))

    def belongs_to(self, plan: _Plan) -> bool:
        """Return whether the reference belongs to a plan.

        Args:
            plan: the plan; an equal plan is not the same plan.
        """
        return self._plan is plan

    @property
    def root(self) -> Root | None:
        """The package that the operation creates or acts on."""
        return self._plan.root(self.index)


# Fields


def segment(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Reject values that cannot be part of a path."""
    path_segment(attribute.name, value)


def is_if_exists(_: object, __: object, value: object) -> None:
    """Reject values that are not an `IfExists`."""
    check_if_exists(value)


@attrs.frozen
class Entity:
    """The validator of a field that holds an entity."""

    of: type[attrs.AttrsInstance]

    def __call__(self, _: object, attribute: attrs.Attribute[T], value: T) -> None:
        """Reject everything else."""
        instance(attribute.name, value, self.of, ValidationError, wanted=self.of.__name__)


def _package(value: str | Package | PackageKey | Ref[Package]) -> PackageKey | Ref[Package]:
    if type(value) is str:
        return _key(value)
    if isinstance(value, Ref):
        return value
    if isinstance(value, PackageKey):
        path_segment("package", value.id)
        return value
    if isinstance(value, Package):
        path_segment("package", value.uuid)
        return package_key(value)
    # Rejected here, before `lru_cache` hashes it.
    path_segment("package", value)
    return _key(value)


# Plans have many operations on one package, which share this key.
@lru_cache(maxsize=4096)
def _key(package: str) -> PackageKey:
    path_segment("package", package)
    return package_key(package)


def _identity(value: PackageKey | Ref[Package]) -> str | tuple[int]:
    """Compare packages by id and references by index, so that operations of different plans can be equal."""
    return (value.index,) if isinstance(value, Ref) else value.id


# Comparison with the live state


def wanted(wanted: object, found: Found[E]) -> Differs | None:
    """Compare a wanted entity with what was found in a list."""
    return None if found.equal is not None else (wanted, found.different)


def gone(found: object) -> Differs | None:
    """Compare an entity that should be gone with what was found."""
    return None if found is None else (None, found)


# The interface of all kinds


Section: TypeAlias = Literal["organizations", "members", "packages", "permissions", "routes", "domains"]
"""The part of `Shown` that an operation is compared with."""


@attrs.define
class Shown:
    """The live state, by organization name or by package.

    Attributes:
        dialect: compares wanted entities with it.
    """

    dialect: Dialect
    organizations: dict[Root, Organization] = attrs.field(factory=dict)
    members: dict[Root, list[Member]] = attrs.field(factory=dict)
    packages: dict[Root, Package] = attrs.field(factory=dict)
    permissions: dict[Root, list[Permission]] = attrs.field(factory=dict)
    routes: dict[Root, list[Route]] = attrs.field(factory=dict)
    domains: dict[Root, list[Domain]] = attrs.field(factory=dict)


@attrs.frozen
class Call:
    """The call of an operation, independent of its index. Its fields are the parameters of the method that adds it.

    Attributes:
        kind: the kind of operation.
        effect: the effect of sending it a second time.
        gives_package: whether its `Ref` can be used as a package.
        shown_in: the part of `Shown` that shows its effect.
        rank: among calls on one target, the highest rank has the last word, in whatever order they were added.
    """

    kind: ClassVar[Kind]
    effect: ClassVar[Effect]
    gives_package: ClassVar[bool] = False
    shown_in: ClassVar[Section]
    rank: ClassVar[int] = 0

    @property
    def arguments(self) -> Mapping[str, object]:
        """The arguments that it was added with, by parameter name."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}

    @classmethod
    def entities(cls) -> Mapping[str, type[attrs.AttrsInstance]]:
        """Return the classes of the fields that hold entities."""
        checks = {field.name: field.validator for field in attrs.fields(cls)}
        return {name: check.of for name, check in checks.items() if isinstance(check, Entity)}

    @property
    def part(self) -> Hashable | None:
        """The part of a list that it affects: `""` for all of it, None for a part that no other call affects."""
        return ""

    @property
    def uses(self) -> str | None:
        """The organization that must exist before it."""
        return None

    @property
    def makes(self) -> str | None:
        """The organization that exists after it."""
        return None

    @abstractmethod
    def root(self, index: int, /) -> Root | None:
        """Return the package that it creates or acts on, if it has this index in a plan."""

    def target(self, _: Root | None, __: Callable[[str], str], /) -> Hashable | None:
        """Return the target that it sets, from its package and a key of organizations; None if it sets none."""
        return None

    @property
    def value(self) -> Hashable:
        """The value that it sets its target to."""
        return self

    @abstractmethod
    def build(self, dialect: Dialect, package: PackageKey, /) -> object:
        """Build the request without sending it.

        Raises:
            UnsupportedError: the version does not support it.
        """

    @abstractmethod
    def perform(self, session: Session, package: PackageKey, unit: Sequence[Call], /) -> Awaitable[object]:
        """Send it with all calls that share its request. A call that acts on no package gets a placeholder."""

    @abstractmethod
    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        """Compare it with the live state, under the final name of its organization or under its package."""


class Changes(Call):
    """A call that is sent without a lookup and may be sent again."""

    __slots__ = ()

    @abstractmethod
    def build(self, dialect: Dialect, package: PackageKey, /) -> Steps[object]:  # noqa: D102 # as in `Call`
        ...

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        """Send it."""
        return session.run(self.build(session.dialect, package))


class Creates(Call, Generic[E]):
    """A call that creates an entity, unless it exists and may be kept."""

    __slots__ = ()

    effect = Effect.CREATES
    if_exists: IfExists

    @abstractmethod
    def build(self, dialect: Dialect, package: PackageKey, /) -> Creation[E]:  # noqa: D102 # as in `Call`
        ...

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        """Look it up if it may exist, and send it."""
        return create(session, self.build(session.dialect, package), self.if_exists)

    def looks_at(self, root: Root | None, /) -> Hashable | None:
        """Return a key of the list that it looks at first; None if it looks at no list."""
        return self.kind, root

    @abstractmethod
    def identity(self, package: str | None, /) -> Hashable | None:
        """Return a key shared by all calls that may create the same entity, from the id of its package."""


class OnAccount(Call):
    """A call on an organization, or for the token's user."""

    __slots__ = ()

    def root(self, _: int, /) -> Root | None:
        """Return None: it acts on no package."""
        return None


@attrs.frozen
class OnPackage(Call):
    """A call on a package.

    Attributes:
        before: the kinds of calls on the same package that wait for it.
    """

    before: ClassVar[frozenset[Kind]] = frozenset({Kind.DELETE_PACKAGE})

    package: PackageKey | Ref[Package] = attrs.field(converter=_package, eq=_identity)

    @property
    def arguments(self) -> Mapping[str, object]:
        """The arguments, by parameter name. A package is given by its id alone, which identifies it in a plan."""
        package = self.package if isinstance(self.package, Ref) else self.package.id
        return {**super().arguments, "package": package}

    def root(self, _: int, /) -> Root | None:
        """Return the package, even if updates lie between this call and its creation."""
        return self.package.root if isinstance(self.package, Ref) else self.package.id

    @property
    def details(self) -> Hashable:
        """All its arguments except the package."""
        return tuple(value for name, value in super().arguments.items() if name != "package")

    @property
    def value(self) -> Hashable:
        """The value that it sets on its package."""
        return self.kind, self.details
