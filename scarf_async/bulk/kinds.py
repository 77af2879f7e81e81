"""What all kinds of operations have in common: names, effects, references, fields, and what each must tell."""

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
"""What tells packages apart in a plan: the id, or the place of the operation that creates it."""

ANY_PACKAGE: Final = PackageKey(None, "any")
"""What an operation on no package is built and sent with."""

Differs: TypeAlias = tuple[object, object]
"""What should show, and what does; None for nothing."""


class Kind(StrEnum):
    """The kinds of operations, by the name of what adds them."""

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
    """What sending an operation a second time would do."""

    CREATES = auto()
    """Create another thing, so it is looked for first."""
    CHANGES = auto()
    """Nothing, but the first time may have changed what things are looked for by."""
    SETS = auto()
    """Nothing."""
    REMOVES = auto()
    """Be refused, since what it removes is gone."""


class _Planned(Protocol):
    """An operation, as far as a reference needs to know it."""

    @property
    def kind(self) -> Kind: ...

    @property
    def root(self) -> Root | None: ...


class _Plan(Protocol):
    def __getitem__(self, index: int, /) -> _Planned: ...


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
        return f"<Ref #{self.index} {self._plan[self.index].kind}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._plan is self._plan and other.index == self.index

    def __hash__(self) -> int:
        return hash((id(self._plan), self.index))

    def belongs_to(self, plan: _Plan) -> bool:
        """Tell whether this operation is one of a plan."""
        return self._plan is plan

    @property
    def root(self) -> Root | None:
        """The package that the operation creates, or is on."""
        return self._plan[self.index].root


# Fields


def segment(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Refuse what cannot be part of a path."""
    path_segment(attribute.name, value)


def is_if_exists(_: object, __: object, value: object) -> None:
    """Refuse what is none of `IfExists`."""
    check_if_exists(value)


@attrs.frozen
class Entity:
    """The check of a field that holds an entity."""

    of: type[attrs.AttrsInstance]

    def __call__(self, _: object, attribute: attrs.Attribute[T], value: T) -> None:
        """Refuse everything else."""
        instance(attribute.name, value, self.of, ValidationError, wanted=self.of.__name__)


def _package(value: str | Package | PackageKey | Ref[Package]) -> PackageKey | Ref[Package]:
    if isinstance(value, Ref):
        return value
    if isinstance(value, PackageKey):
        path_segment("package", value.id)
        return value
    if isinstance(value, Package):
        path_segment("package", value.uuid)
        return package_key(value)
    if type(value) is not str:
        # Refused, before it is asked for its hash.
        path_segment("package", value)
    return _key(value)


# One key for all operations on a package: a plan has many.
@lru_cache(maxsize=4096)
def _key(package: str) -> PackageKey:
    path_segment("package", package)
    return package_key(package)


def _identity(value: PackageKey | Ref[Package]) -> str | tuple[int]:
    """Compare packages by their id, and references by their place, so that those of two plans may be equal."""
    return (value.index,) if isinstance(value, Ref) else value.id


# What shows


def wanted(wanted: object, found: Found[E]) -> Differs | None:
    """Compare what a list should hold."""
    return None if found.equal is not None else (wanted, found.different)


def gone(found: object) -> Differs | None:
    """Compare what should not be there."""
    return None if found is None else (None, found)


# What all kinds have


Section: TypeAlias = Literal["organizations", "members", "packages", "permissions", "routes", "domains"]
"""The part of `Shown` that an operation is held against."""


@attrs.define
class Shown:
    """What the service shows, by the name of the organization or by the package.

    Attributes:
        dialect: holds what is wanted against it.
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
    """What an operation does, wherever it is in a plan. Its fields are the parameters of what adds it.

    Attributes:
        kind: what it is called.
        effect: what sending it a second time would do.
        gives_package: whether its `Ref` can be used as a package.
        shown_in: the part of `Shown` in which its effect shows.
        rank: of several on one thing the one of the highest rank has the last word, however they were added.
    """

    kind: ClassVar[Kind]
    effect: ClassVar[Effect]
    gives_package: ClassVar[bool] = False
    shown_in: ClassVar[Section]
    rank: ClassVar[int] = 0

    @property
    def arguments(self) -> Mapping[str, object]:
        """What it was added with, by parameter name."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}

    @classmethod
    def entities(cls) -> Mapping[str, type[attrs.AttrsInstance]]:
        """Return the classes of those fields that hold entities."""
        checks = {field.name: field.validator for field in attrs.fields(cls)}
        return {name: check.of for name, check in checks.items() if isinstance(check, Entity)}

    @property
    def part(self) -> Hashable | None:
        """What of a list it is about: `""` all of it, None something that no other operation is about."""
        return ""

    @property
    def uses(self) -> str | None:
        """The organization that must be there for it."""
        return None

    @property
    def makes(self) -> str | None:
        """The organization that is there because of it."""
        return None

    @abstractmethod
    def root(self, index: int, /) -> Root | None:
        """Return the package that it creates, or is on, when it is at a place of a plan."""

    def target(self, _: Root | None, __: Callable[[str], str], /) -> Hashable | None:
        """Name what it gives a value to, by its package and a key of organizations; None: nothing that has one."""
        return None

    @property
    def value(self) -> Hashable:
        """What it gives its target."""
        return self

    @abstractmethod
    def build(self, dialect: Dialect, package: PackageKey, /) -> object:
        """Build what is sent, without sending it.

        Raises:
            UnsupportedError: the version cannot do it.
        """

    @abstractmethod
    def perform(self, session: Session, package: PackageKey, unit: Sequence[Call], /) -> Awaitable[object]:
        """Send it, and with it all that shares its request; what is on no package is given any."""

    @abstractmethod
    def differs(self, shown: Shown, where: Root, /) -> Differs | None:
        """Compare it with what shows, at the last name of its organization or at its package."""


class Changes(Call):
    """What is sent as it is, and may be sent again."""

    __slots__ = ()

    @abstractmethod
    def build(self, dialect: Dialect, package: PackageKey, /) -> Steps[object]:  # noqa: D102 # as in `Call`
        ...

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        """Send it."""
        return session.run(self.build(session.dialect, package))


class Creates(Call, Generic[E]):
    """What creates a thing, unless it is there and may be kept."""

    __slots__ = ()

    effect = Effect.CREATES
    if_exists: IfExists

    @abstractmethod
    def build(self, dialect: Dialect, package: PackageKey, /) -> Creation[E]:  # noqa: D102 # as in `Call`
        ...

    def perform(self, session: Session, package: PackageKey, _: Sequence[Call], /) -> Awaitable[object]:
        """Look for it where it may be there, and send it."""
        return create(session, self.build(session.dialect, package), self.if_exists)

    def looks_at(self, root: Root | None, /) -> Hashable | None:
        """Name the list that it looks at first; None: it looks at no list."""
        return self.kind, root

    @abstractmethod
    def identity(self, package: str | None, /) -> Hashable | None:
        """Return what it has in common with every other that may make the same thing, by the id of its package."""


class OnAccount(Call):
    """What is done on an organization, or for the token's user."""

    __slots__ = ()

    def root(self, _: int, /) -> Root | None:
        """Return None: it is on no package."""
        return None


@attrs.frozen
class OnPackage(Call):
    """What is done on a package.

    Attributes:
        before: the kinds that wait for it, of those on the same package.
    """

    before: ClassVar[frozenset[Kind]] = frozenset({Kind.DELETE_PACKAGE})

    package: PackageKey | Ref[Package] = attrs.field(converter=_package, eq=_identity)

    @property
    def arguments(self) -> Mapping[str, object]:
        """What it was added with, by parameter name; of a package the id alone, which is its identity in a plan."""
        package = self.package if isinstance(self.package, Ref) else self.package.id
        return {**super().arguments, "package": package}

    def root(self, _: int, /) -> Root | None:
        """Return the package, however many changes lie between it and its creation."""
        return self.package.root if isinstance(self.package, Ref) else self.package.id

    @property
    def details(self) -> Hashable:
        """All that it says besides its package."""
        return tuple(value for name, value in super().arguments.items() if name != "package")

    @property
    def value(self) -> Hashable:
        """What it says of its package."""
        return self.kind, self.details
