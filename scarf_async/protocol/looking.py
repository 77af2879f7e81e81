"""Is it there already? What a create should have made, held against what the service shows. Pure."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Generic, TypeVar

import attrs

from scarf_async.entities import (
    UNSET,
    Collection,
    Domain,
    DomainCreate,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Route,
    RouteCreate,
    TrackingPixel,
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

E = TypeVar("E", Organization, Package, Route, Domain, TrackingPixel, Collection)

_WHERE_SHOWN: Final = {"repository_url", "importance"}
GRACE: Final = dt.timedelta(minutes=1)
"""How much older than the first send a package may seem: clocks and `Date` headers are coarse."""


@attrs.frozen
class Found(Generic[E]):
    """What is there under the identity that was asked for.

    Attributes:
        equal: one whose every comparable field is as asked for.
        different: one of the same identity that differs; looked at only where none is equal.
    """

    equal: E | None = None
    different: E | None = None

    def __bool__(self) -> bool:
        return self.there is not None

    @property
    def there(self) -> E | None:
        """The one that was found, equal or not."""
        return self.equal or self.different


def differing_fields(requested: attrs.AttrsInstance, found: attrs.AttrsInstance) -> list[str]:
    """Name the fields that were sent, are given back, and are not equal; `""`, None and absent are alike.

    Texts and addresses are equal if their keys are (`names`), since the service may spell them its own way. The
    name is left out: it is the identity. What only v2 shows is compared only where it is shown.
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
    """Hold an organization against the one of its name."""
    return _found(requested, [shown] if shown is not None else [])


class PackageIndex:
    """A list of packages in which many are looked for."""

    def __init__(self, shown: Iterable[Package]) -> None:
        self._named: dict[str, list[Package]] = defaultdict(list)
        self._uuids: dict[str, Package] = {}
        for package in shown:
            self._named[last_part(package.name)].append(package)
            self._uuids[package.uuid.casefold()] = package

    def named(self, name: str) -> Sequence[Package]:
        """Return those that may have a name, whatever their owner: all whose names end alike."""
        return self._named.get(last_part(name), ())

    def called(self, name: str, owner: str | None) -> list[Package]:
        """Return those of a name, with or without `owner/`; without an owner that of each counts."""
        return [package for package in self.named(name) if _is_called(package, name, owner)]

    def with_uuid(self, uuid: str) -> Package | None:
        """Return the one with a uuid."""
        return self._uuids.get(uuid.casefold())


def last_part(name: str) -> str:
    """Return the end of a package's name, which all its spellings share, whatever the owner.

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
    """Hold a package against a list: same name, with or without `owner/`, and same type where one was given.

    Args:
        requested: what was to be created.
        shown: the list.
        organization: the owner, if it is one; the user's own name is not known here.
        not_before: packages created more than a minute before are somebody else's.
    """

    def same(package: Package) -> bool:
        if not _is_called(package, requested.name, organization):
            return False
        if isinstance(requested.library_type, str) and package.library_type != requested.library_type:
            return False
        # Without a date it cannot be told apart, and taking it for another's would create it twice.
        return not_before is None or package.created_at is None or package.created_at >= not_before - GRACE

    def to_the_letter(package: Package) -> bool:
        owner = organization or package.owner
        return plain_name(package.name, owner) == plain_name(requested.name, owner)

    namesakes = list(filter(same, shown))
    # A service that keeps other spellings apart shows them beside ours.
    return _found(requested, list(filter(to_the_letter, namesakes)) or namesakes)


def find_route(requested: RouteCreate, shown: Iterable[Route]) -> Found[Route]:
    """Hold a route against a list: both addresses equal."""
    key = route_key(requested.template_path, requested.outgoing_url)
    # The youngest of equal ones is the likeliest to be ours.
    return _found(
        requested,
        [route for route in reversed(list(shown)) if route_key(route.template_path, route.outgoing_url) == key],
    )


def find_domain(requested: DomainCreate, shown: Iterable[Domain]) -> Found[Domain]:
    """Hold a domain against a list: names are equal where DNS knows one name only."""
    key = domain_key(requested.name)
    return _found(requested, [domain for domain in shown if domain_key(domain.name) == key])
