"""What a change states of a thing, typed: one class for each kind of thing, each readable as a mapping of texts."""

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
    """What is stated of a thing. None: the field is not stated, and is not in the mapping."""

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
        """Return what the service shows of a thing, or what a manifest says of it."""
        # Not every version of the service gives addresses back.
        return cls(**{name: getattr(thing, name, None) for name in names_of(cls)})

    @property
    def comparable(self) -> Mapping[str, str]:
        """The fields as they are compared: what all spellings of one text have in common."""
        return {field: field_key(field, text) for field, text in self.items()}


@cache
def names_of(kind: type[Fields]) -> tuple[str, ...]:
    """Return what a class of fields may state."""
    return tuple(field.name for field in attrs.fields(kind))


@attrs.frozen(kw_only=True, eq=False, repr=False)
class OrganizationFields(Fields):
    """Of an organization."""

    description: str | None = None
    billing_email: str | None = None
    website: str | None = None

    @classmethod
    def shown(cls, organization: Organization, traits: Traits) -> OrganizationFields:
        """Return what the service shows of one: a text that is not there is empty."""
        texts = {name: getattr(organization, name) or "" for name in names_of(cls)}
        if traits.empty_is_hidden and not organization.billing_email:
            del texts["billing_email"]
        return cls(**texts)

    def upsert(self, name: str) -> OrganizationUpsert:
        """Return what an organization is sent as; an empty website is null, and what is not stated left out.

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
    """Of a member."""

    role: Role | str | None = attrs.field(default=None, converter=_role)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PackageFields(Fields):
    """Of a package."""

    short_description: str | None = None
    long_description: str | None = None
    website: str | None = None
    backend_url: str | None = None
    public_url: str | None = None
    repository_url: str | None = None
    importance: Importance | str | None = attrs.field(default=None, converter=_importance)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The names of the addresses that are stated."""
        return tuple(name for name in _ADDRESSES if name in self)

    @classmethod
    def shown(cls, package: Package, traits: Traits) -> PackageFields:
        """Return what the service shows of one: a text that is not there is empty."""
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
        """Return what of it a service shows, as it is compared: what is not there is empty."""
        names = [*_TEXTS]
        if traits.addresses_shown:
            names += _SHOWN_ADDRESSES
        if traits.importances:
            names.append("importance")
        return {name: field_key(name, self.get(name, "")) for name in names}

    def beyond(self, before: PackageFields) -> PackageFields:
        """Return what a change has to say where `before` shows: addresses and importance only where they differ."""
        same = [
            name
            for name in (*_ADDRESSES, "importance")
            if name in before and field_key(name, before[name]) == field_key(name, self.get(name, ""))
        ]
        return attrs.evolve(self, **dict.fromkeys(same))

    def upsert(self, name: str, library_type: str | None) -> PackageUpsert:
        """Return what a package is sent as; what is not stated is left out, an empty text is sent as null.

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
    """Of a permission."""

    level: PermissionLevel | str | None = attrs.field(default=None, converter=_level)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RouteFields(Fields):
    """Of a route."""

    template_path: str | None = None
    outgoing_url: str | None = None

    @classmethod
    def said(cls, route: RouteCreate) -> RouteFields:
        """Return what is said about a route; one that only counts leads to `""`."""
        return cls(template_path=route.template_path, outgoing_url=route.outgoing_url or "")

    @classmethod
    def shown(cls, route: Route, traits: Traits) -> RouteFields:
        """Return what the service shows of a route."""
        hidden = traits.empty_is_hidden and not route.outgoing_url
        return cls(template_path=route.template_path, outgoing_url=None if hidden else route.outgoing_url)

    def upsert(self) -> RouteCreate:
        """Return what a route is sent as.

        Raises:
            ValidationError: a field cannot be sent.
        """
        return RouteCreate(self.outgoing_url or None, self.template_path or "")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DomainFields(Fields):
    """Of a domain."""

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
    """Return texts by name as the fields of a kind of thing.

    Raises:
        ValidationError: there is no such field.
    """
    of_kind = _KINDS[kind]
    if texts is None or isinstance(texts, of_kind):
        return texts
    for name in texts:
        if name not in names_of(of_kind):
            raise ValidationError(f"a change of a {kind} has no field {name!r}", field=name)
    return of_kind(**texts)


def stated(kind: type[F], fields: Mapping[str, str] | None) -> F:
    """Return fields of a change as what they are; of a thing that is not there nothing is stated."""
    return fields if isinstance(fields, kind) else kind()
