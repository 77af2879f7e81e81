"""The typed fields of changes: one class for each kind, each also a mapping of strings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, Literal, Self, TypeAlias, TypeVar

import attrs

from scarf_async.dialects.dialect import Traits
from scarf_async.entities import (
    UNSET,
    Importance,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    PermissionLevel,
    Role,
    Route,
    RouteCreate,
    Unset,
)
from scarf_async.entities.enums import importance as _importance
from scarf_async.entities.enums import permission_level, role
from scarf_async.entities.fields import one_of
from scarf_async.errors import ValidationError
from scarf_async.names import field_key

__all__ = [
    "DomainFields",
    "Fields",
    "MemberFields",
    "OrganizationFields",
    "PackageFields",
    "PermissionFields",
    "RouteFields",
    "Subject",
    "names_of",
    "stated",
    "typed",
]

F = TypeVar("F", bound="Fields")

Subject: TypeAlias = Literal["organization", "member", "package", "permission", "route", "domain"]

_TEXTS: Final = ("short_description", "long_description", "website")
_ADDRESSES: Final = ("backend_url", "public_url", "repository_url")
_SHOWN_ADDRESSES: Final = ("backend_url", "repository_url")


def _role(value: str | None) -> Role | str | None:
    return None if value is None else role(value)


def _level(value: str | None) -> PermissionLevel | str | None:
    return None if value is None else permission_level(value)


@attrs.frozen(eq=False, repr=False)
class Fields(Mapping[str, str]):
    """The fields of an entity in a change. A field of None is not part of the change, and not in the mapping."""

    def __getitem__(self, name: str) -> str:
        value: str | None = getattr(self, name) if name in names_of(type(self)) else None
        if value is None:
            raise KeyError(name)
        return str(value)

    def __iter__(self) -> Iterator[str]:
        return (name for name in names_of(type(self)) if getattr(self, name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))

    @classmethod
    def of(cls, thing: attrs.AttrsInstance) -> Self:
        """Return the fields of an entity of the service or a manifest."""
        # Not every version of the service returns URLs.
        return cls(**{name: getattr(thing, name, None) for name in names_of(cls)})

    @property
    def comparable(self) -> Mapping[str, str]:
        """The keys of the fields, by which they are compared."""
        return {field: field_key(field, text) for field, text in self.items()}


@cache
def names_of(kind: type[Fields]) -> tuple[str, ...]:
    """Return the names of the fields of a class."""
    return tuple(field.name for field in attrs.fields(kind))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class OrganizationFields(Fields):
    """The fields of an organization."""

    description: str | None = None
    billing_email: str | None = None
    website: str | None = None

    @classmethod
    def shown(cls, organization: Organization, traits: Traits) -> OrganizationFields:
        """Return the fields that the service shows; missing strings are empty."""
        texts = {name: getattr(organization, name) or "" for name in names_of(cls)}
        if traits.empty_is_hidden and not organization.billing_email:
            del texts["billing_email"]
        return cls(**texts)

    def upsert(self, name: str) -> OrganizationUpsert:
        """Return the upsert of an organization; an empty website becomes null, and missing fields are omitted.

        Raises:
            ValidationError: a field cannot be sent.
        """
        return OrganizationUpsert(
            name=name,
            description=self.description or "",
            billing_email=UNSET if self.billing_email is None else self.billing_email,
            website=_sent(self.website),
        )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class MemberFields(Fields):
    """The fields of a member."""

    role: Role | str | None = attrs.field(default=None, converter=_role)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PackageFields(Fields):
    """The fields of a package."""

    short_description: str | None = None
    long_description: str | None = None
    website: str | None = None
    backend_url: str | None = None
    public_url: str | None = None
    repository_url: str | None = None
    importance: Importance | str | None = attrs.field(default=None, converter=_importance)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The names of the URL fields that are set."""
        return tuple(name for name in _ADDRESSES if name in self)

    @classmethod
    def shown(cls, package: Package, traits: Traits) -> PackageFields:
        """Return the fields that the service shows; missing strings are empty."""
        fields = cls(**{name: getattr(package, name) or "" for name in _TEXTS})
        if traits.addresses_shown:
            registry, image = package.backend_registry, package.repository_name or package.name
            fields = attrs.evolve(
                fields,
                backend_url=f"https://{registry}/{image}" if registry else None,
                repository_url=package.repository_url or None,
            )
        return attrs.evolve(fields, importance=package.importance) if traits.importances else fields

    def compared(self, traits: Traits) -> Mapping[str, str]:
        """Return the keys of the fields that a service shows; missing ones are empty."""
        names = [*_TEXTS]
        if traits.addresses_shown:
            names += _SHOWN_ADDRESSES
        if traits.importances:
            names.append("importance")
        return {name: field_key(name, self.get(name, "")) for name in names}

    def beyond(self, before: PackageFields) -> PackageFields:
        """Return the fields of an update from `before`: URLs and importance only if they differ."""
        same = [
            name
            for name in (*_ADDRESSES, "importance")
            if name in before and field_key(name, before[name]) == field_key(name, self.get(name, ""))
        ]
        return attrs.evolve(self, **dict.fromkeys(same))

    def upsert(self, name: str, library_type: str | None) -> PackageUpsert:
        """Return the upsert of a package; missing fields are omitted, and empty strings become null.

        Raises:
            ValidationError: a field cannot be sent.
        """
        said = self.importance
        return PackageUpsert(
            name=name,
            short_description=self.short_description or "",
            long_description=_sent(self.long_description),
            website=_sent(self.website),
            library_type=UNSET if library_type is None else library_type,
            backend_url=_sent(self.backend_url),
            public_url=_sent(self.public_url),
            repository_url=_sent(self.repository_url),
            importance=UNSET if said is None else one_of(Importance, "importance", said),
        )


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PermissionFields(Fields):
    """The fields of a permission."""

    level: PermissionLevel | str | None = attrs.field(default=None, converter=_level)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RouteFields(Fields):
    """The fields of a route."""

    template_path: str | None = None
    outgoing_url: str | None = None

    @classmethod
    def said(cls, route: RouteCreate) -> RouteFields:
        """Return the fields of a route; the URL of one that only counts is `""`."""
        return cls(template_path=route.template_path, outgoing_url=route.outgoing_url or "")

    @classmethod
    def shown(cls, route: Route, traits: Traits) -> RouteFields:
        """Return the fields of a route that the service shows."""
        hidden = traits.empty_is_hidden and not route.outgoing_url
        return cls(template_path=route.template_path, outgoing_url=None if hidden else route.outgoing_url)

    def upsert(self) -> RouteCreate:
        """Return the request values of a route.

        Raises:
            ValidationError: a field cannot be sent.
        """
        return RouteCreate(self.outgoing_url or None, self.template_path or "")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainFields(Fields):
    """The fields of a domain."""

    name: str | None = None


_KINDS: Final[Mapping[Subject, type[Fields]]] = {
    "organization": OrganizationFields,
    "member": MemberFields,
    "package": PackageFields,
    "permission": PermissionFields,
    "route": RouteFields,
    "domain": DomainFields,
}


def _sent(text: str | None) -> str | None | Unset:
    return UNSET if text is None else text or None


def typed(kind: Subject, texts: Mapping[str, str] | None) -> Fields | None:
    """Return strings by name as the fields of a kind.

    Raises:
        ValidationError: a field is unknown.
    """
    of_kind = _KINDS[kind]
    if texts is None or isinstance(texts, of_kind):
        return texts
    for name in texts:
        if name not in names_of(of_kind):
            raise ValidationError(f"a change of a {kind} has no field {name!r}", field=name)
    return of_kind(**texts)


def stated(kind: type[F], fields: Mapping[str, str] | None) -> F:
    """Return the typed fields of a change; None for a missing entity."""
    return fields if isinstance(fields, kind) else kind()
