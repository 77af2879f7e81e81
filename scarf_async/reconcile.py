"""Is it there already? What a create should have made, held against what the service shows. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterable
from typing import Final, Generic, TypeVar

import attrs

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

__all__ = [
    "Found",
    "differing_fields",
    "find_domain",
    "find_organization",
    "find_package",
    "find_route",
    "plain_name",
    "user_key",
]

E = TypeVar("E", Organization, Package, Route, Domain)

GRACE: Final = dt.timedelta(minutes=1)
"""How much older than the first send a package may seem: clocks and `Date` headers are coarse."""


@attrs.frozen
class Found(Generic[E]):
    """What stands under the identity that was asked for.

    Attributes:
        equal: one whose every comparable field is as asked for.
        different: one of the same identity that differs; looked at only where none is equal.
    """

    equal: E | None = None
    different: E | None = None

    def __bool__(self) -> bool:
        return self.equal is not None or self.different is not None


def differing_fields(requested: attrs.AttrsInstance, found: attrs.AttrsInstance) -> list[str]:
    """Name the fields that were sent, are given back, and are not equal; `""`, None and absent are alike.

    The name is left out: it is the identity, compared as the service compares it.
    """
    shown = {field.name for field in attrs.fields(type(found))}
    sent = [field.name for field in attrs.fields(type(requested)) if field.name in shown - {"name"}]
    return [
        name
        for name in sent
        if (value := getattr(requested, name)) is not UNSET and (value or "") != (getattr(found, name) or "")
    ]


def user_key(user: str) -> str:
    """Return what two spellings of one username or e-mail address have in common.

    >>> user_key(" Ann ") == user_key("ann")
    True
    """
    return user.strip().casefold()


def is_scarfs_domain(name: str) -> bool:
    """Tell whether a domain is one of Scarf's own, as packages have them from the start.

    >>> is_scarfs_domain("acme.docker.scarf.sh"), is_scarfs_domain("dl.acme.example")
    (True, False)
    """
    return user_key(name).rstrip(".").endswith(".scarf.sh")


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


def plain_name(name: str, owner: str | None) -> str:
    """Return a package's name without its owner: docker names come with and without it in front.

    >>> plain_name("acme/web", "acme"), plain_name("other/web", "acme")
    ('web', 'other/web')
    """
    return name.removeprefix(f"{owner}/") if owner else name


def find_package(
    requested: PackageUpsert,
    shown: Iterable[Package],
    *,
    organization: str | None = None,
    not_of: Container[str] = (),
    not_before: dt.datetime | None = None,
) -> Found[Package]:
    """Hold a package against a list: same name, with or without `owner/`, and same type where one was given.

    Args:
        requested: what was to be created.
        shown: the list.
        organization: the owner, if it is one; the user's own name is not known here.
        not_of: case-folded names of organizations, whose packages are not the user's own.
        not_before: packages created more than a minute before are somebody else's.
    """

    def same(package: Package) -> bool:
        if package.owner.casefold() in not_of:
            return False
        owner = organization or package.owner
        if plain_name(package.name, owner) != plain_name(requested.name, owner):
            return False
        if isinstance(requested.library_type, str) and package.library_type != requested.library_type:
            return False
        # Without a date it cannot be told apart, and taking it for another's would create it twice.
        return not_before is None or package.created_at is None or package.created_at >= not_before - GRACE

    return _found(requested, filter(same, shown))


def find_route(requested: RouteCreate, shown: Iterable[Route]) -> Found[Route]:
    """Hold a route against a list: both addresses equal."""
    # The youngest of equal ones is the likeliest to be ours.
    return _found(
        requested,
        [
            route
            for route in reversed(list(shown))
            if (route.outgoing_url, route.template_path) == (requested.outgoing_url, requested.template_path)
        ],
    )


def find_domain(requested: DomainCreate, shown: Iterable[Domain]) -> Found[Domain]:
    """Hold a domain against a list: names are equal whatever their case."""
    return _found(requested, [domain for domain in shown if domain.name.casefold() == requested.name.casefold()])
