"""Lookups: compares what a create should have made with what the service shows."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Generic, TypeVar

import attrs
import msgspec

from scarf_async.entities import (
    UNSET,
    Domain,
    DomainCreate,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Route,
    RouteCreate,
)
from scarf_async.names import domain_key, field_key, package_key, plain_name, route_key

__all__ = [
    "E",
    "Found",
    "PackageIndex",
    "differing_fields",
    "find_domain",
    "find_organization",
    "find_package",
    "find_route",
    "last_part",
]

E = TypeVar("E", bound=attrs.AttrsInstance)

_WHERE_SHOWN: Final = {"repository_url", "importance"}
GRACE: Final = dt.timedelta(minutes=1)
"""How much older than the first attempt a package may seem: clocks and `Date` headers are coarse."""


class Found(msgspec.Struct, Generic[E], frozen=True):
    """The existing entity with the requested identity.

    Attributes:
        equal: an entity whose comparable fields are all as requested.
        different: an entity of the same identity that differs; only used if none is equal.
    """

    equal: E | None = None
    different: E | None = None

    def __bool__(self) -> bool:
        return self.there is not None

    @property
    def there(self) -> E | None:
        """The found entity, equal or not."""
        return self.equal or self.different


def differing_fields(requested: attrs.AttrsInstance, found: attrs.AttrsInstance) -> list[str]:
    """Return the names of sent fields that the service returns with a different value.

    `""`, None and a missing value are equal. Texts and URLs are equal if their keys are (see `names`), since the
    service may change their spelling. The name is left out, as it is the identity. Fields that only v2 returns are
    compared only if they are present.
    """
    shown = {field.name for field in attrs.fields(type(found))}
    sent = [field.name for field in attrs.fields(type(requested)) if field.name in shown - {"name"}]
    return [
        name
        for name in sent
        if (value := getattr(requested, name)) is not UNSET
        and not (name in _WHERE_SHOWN and not getattr(found, name))
        and field_key(name, value or "") != field_key(name, getattr(found, name) or "")
    ]


def _found(requested: attrs.AttrsInstance, candidates: Iterable[E]) -> Found[E]:
    different: E | None = None
    for candidate in candidates:
        if not differing_fields(requested, candidate):
            return Found(equal=candidate)
        different = different or candidate
    return Found(different=different)


def find_organization(requested: OrganizationUpsert, shown: Organization | None) -> Found[Organization]:
    """Compare an organization with the existing one of its name."""
    return _found(requested, [shown] if shown is not None else [])


class PackageIndex:
    """A list of packages, indexed for many lookups."""

    def __init__(self, shown: Iterable[Package]) -> None:
        self._named: dict[str, list[Package]] = defaultdict(list)
        self._uuids: dict[str, Package] = {}
        for package in shown:
            self._named[last_part(package.name)].append(package)
            self._uuids[package.uuid.casefold()] = package

    def named(self, name: str) -> Sequence[Package]:
        """Return the packages that may have a name, for any owner: all whose names have the same last part."""
        return self._named.get(last_part(name), ())

    def called(self, name: str, owner: str | None) -> list[Package]:
        """Return the packages with a name, with or without `owner/`; by default, each package's own owner."""
        return [package for package in self.named(name) if _is_called(package, name, owner)]

    def with_uuid(self, uuid: str) -> Package | None:
        """Return the package with a uuid."""
        return self._uuids.get(uuid.casefold())


def last_part(name: str) -> str:
    """Return the last part of a package's name, which all its spellings share for any owner.

    >>> last_part("acme/web")
    'web'
    """
    return package_key(name, None).rpartition("/")[2]


def _is_called(package: Package, name: str, owner: str | None) -> bool:
    owner = owner or package.owner
    return package_key(package.name, owner) == package_key(name, owner)


def find_package(
    requested: PackageUpsert,
    shown: Iterable[Package],
    *,
    organization: str | None = None,
    not_before: dt.datetime | None = None,
) -> Found[Package]:
    """Compare a package with a list: by name, with or without `owner/`, and by type if it is given.

    Args:
        requested: the package to create.
        shown: the list.
        organization: the owning organization, if any; the user's own name is not known here.
        not_before: packages created more than a minute earlier are not ours.
    """

    def same(package: Package) -> bool:
        if not _is_called(package, requested.name, organization):
            return False
        if isinstance(requested.library_type, str) and package.library_type != requested.library_type:
            return False
        # A package without a date counts as ours: otherwise it could be created twice.
        return not_before is None or package.created_at is None or package.created_at >= not_before - GRACE

    def to_the_letter(package: Package) -> bool:
        owner = organization or package.owner
        return plain_name(package.name, owner) == plain_name(requested.name, owner)

    namesakes = list(filter(same, shown))
    # A service that distinguishes other spellings shows them beside ours.
    return _found(requested, list(filter(to_the_letter, namesakes)) or namesakes)


def find_route(requested: RouteCreate, shown: Iterable[Route]) -> Found[Route]:
    """Compare a route with a list: both its path and its URL must be equal."""
    key = route_key(requested.template_path, requested.outgoing_url)
    # The newest of equal routes is most likely ours.
    return _found(
        requested,
        [route for route in reversed(list(shown)) if route_key(route.template_path, route.outgoing_url) == key],
    )


def find_domain(requested: DomainCreate, shown: Iterable[Domain]) -> Found[Domain]:
    """Compare a domain with a list: names are equal if they are the same name in DNS."""
    key = domain_key(requested.name)
    return _found(requested, [domain for domain in shown if domain_key(domain.name) == key])
