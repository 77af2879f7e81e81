"""Packages and what belongs to them: permissions, routes, domains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import attrs

from scarf_async.entities.enums import (
    Importance,
    ImportanceLike,
    LibraryType,
    PermissionLevel,
    PermissionLevelLike,
    address_fields,
)
from scarf_async.entities.enums import importance as _importance
from scarf_async.entities.enums import library_type as _library_type
from scarf_async.entities.enums import permission_level as _permission_level
from scarf_async.entities.fields import (
    JSON,
    UNSET,
    Unset,
    absolute_url,
    docker_url,
    extra,
    one_of,
    optional_text,
    some_text,
    text_or_unset,
    without_user,
)
from scarf_async.errors import ValidationError

__all__ = [
    "Domain",
    "DomainCreate",
    "DomainStatus",
    "Package",
    "PackageKey",
    "PackageOverview",
    "PackageUpsert",
    "Permission",
    "PermissionSet",
    "Route",
    "RouteCreate",
    "known_level",
    "upsert_importance",
]


T = TypeVar("T")


def _not_empty(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValidationError(
            f"the {attribute.name} of a package must be a string that is not empty; got {value!r}",
            field=attribute.name,
        )


@attrs.frozen
class PackageKey:
    """What identifies a package.

    Attributes:
        owner: the account that it belongs to; None if the id alone is enough, or to use the client's owner.
        id: its identifier.

    Raises:
        ValidationError: a value is empty or not a string.
    """

    owner: str | None = attrs.field(validator=attrs.validators.optional(_not_empty))
    id: str = attrs.field(validator=_not_empty)


@attrs.frozen(kw_only=True)
class Package:
    """A package. v1 does not return its URLs.

    Attributes:
        uuid: its identifier, which every call uses.
        owner: the name of its owner, a user or an organization.
        name: its name; docker names may contain `/` and start with the owner.
        short_description: one line; `""` if the service leaves it out.
        created_at: when it was created (aware, UTC).
        long_description: a longer text.
        website: its website.
        library_type: a `LibraryType`, or a plain string for an unknown one.
        updated_at: when it was last changed (aware, UTC; v2).
        backend_registry: for a docker package, the host that its images come from (v2).
        repository_name: for a docker package, the path of its images on that host (v2).
        repository_url: for a python package, the index that its files come from (v2).
        importance: an `Importance`, or a plain string for an unknown one (v2).
        extra: other fields that the service sends, by their names on the wire.
    """

    uuid: str
    owner: str = ""
    name: str
    short_description: str = ""
    created_at: datetime | None = None
    long_description: str | None = None
    website: str | None = None
    library_type: LibraryType | str | None = attrs.field(default=None, converter=_library_type)
    updated_at: datetime | None = None
    backend_registry: str | None = None
    repository_name: str | None = None
    repository_url: str | None = attrs.field(default=None, repr=without_user)
    importance: Importance | str | None = attrs.field(default=None, converter=_importance)
    extra: Mapping[str, JSON] = extra()

    @property
    def key(self) -> PackageKey:
        """The key that identifies it."""
        return PackageKey(self.owner or None, self.uuid)


def _upsert_library_type(value: LibraryType | str | None | Unset) -> LibraryType | str | None | Unset:
    return _library_type(value) if isinstance(value, str) else value


def upsert_importance(value: ImportanceLike | str | None | Unset) -> Importance | None | Unset:
    """Convert a word to an `Importance`, and reject unknown words; keep None and UNSET."""
    return one_of(Importance, "importance", value) if isinstance(value, str) else value


@attrs.frozen(kw_only=True)
class PackageUpsert:
    """The values to create or update a package with. Its type cannot change.

    In v1, `UNSET` fields are not sent, and None is sent as null. In v2, an update keeps `UNSET` fields and clears
    fields that are None; a create omits both. v1 calls raise `UnsupportedError` for `importance`, and for a
    `short_description` that is `UNSET`.

    URLs must have the form that the published description gives: `backend_url` and `public_url` (docker) are
    absolute and have the same path, whose components match `[a-z0-9]+(?:[._-][a-z0-9]+)*`; `repository_url` (pypi,
    python) is absolute.

    Raises:
        ValidationError: a field is invalid; `.field` names it.
    """

    name: str = attrs.field(validator=some_text)
    short_description: str | Unset = attrs.field(validator=text_or_unset)
    long_description: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)
    website: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)
    library_type: LibraryType | str | None | Unset = attrs.field(
        default=UNSET, converter=_upsert_library_type, validator=optional_text
    )
    backend_url: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)
    public_url: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)
    repository_url: str | None | Unset = attrs.field(default=UNSET, validator=optional_text, repr=without_user)
    importance: Importance | None | Unset = attrs.field(
        default=UNSET, converter=upsert_importance, validator=optional_text
    )

    def __attrs_post_init__(self) -> None:
        backend = docker_url("backend_url", self.backend_url) if isinstance(self.backend_url, str) else None
        public = docker_url("public_url", self.public_url) if isinstance(self.public_url, str) else None
        if isinstance(self.repository_url, str):
            absolute_url("repository_url", self.repository_url)
        if backend is not None and public is not None and backend != public:
            raise ValidationError(
                f"public_url must have the path of backend_url; got {public!r} and {backend!r}",
                field="public_url",
            )
        if isinstance(self.library_type, str):
            self._check_addresses_fit(self.library_type)

    def _check_addresses_fit(self, library_type: str) -> None:
        for field, value in (
            ("backend_url", self.backend_url),
            ("public_url", self.public_url),
            ("repository_url", self.repository_url),
        ):
            if isinstance(value, str) and field not in address_fields(library_type):
                raise ValidationError(f"{field} does not fit a package of type {library_type}", field=field)


@attrs.frozen
class Permission:
    """What a user may do with a package.

    Attributes:
        username: the user.
        permission_level: a `PermissionLevel`, or a plain string for an unknown one.
        user_id: the identifier of the user (v2).
        extra: other fields that the service sends, by their names on the wire.
    """

    username: str
    permission_level: PermissionLevel | str = attrs.field(converter=_permission_level)
    user_id: str | None = attrs.field(default=None, kw_only=True)
    extra: Mapping[str, JSON] = extra()


def known_level(value: PermissionLevelLike) -> PermissionLevel:
    """Convert a level or its word to a `PermissionLevel`; raise `ValidationError` for anything else."""
    return one_of(PermissionLevel, "permission_level", value)


@attrs.frozen
class PermissionSet:
    """A permission to set.

    Attributes:
        user_query: the e-mail address or username of the user; v2 accepts only usernames.
        permission_level: the level; `default` removes a special level.

    Raises:
        ValidationError: the query is empty, or the level is not a `PermissionLevel`.
    """

    user_query: str = attrs.field(validator=some_text)
    permission_level: PermissionLevel = attrs.field(converter=known_level)


@attrs.frozen
class Route:
    """A route of a file package: a path template and the URL that it redirects to.

    Attributes:
        id: its identifier.
        outgoing_url: the URL that it redirects to; in v2 `""` if the service shows none, as it may only count.
        template_path: the path that clients request.
        owner: the account that its package belongs to (v2).
        package_id: its package (v2).
        created_at: when it was created (aware, UTC; v2).
        type: the type of its template (v2).
        extra: other fields that the service sends, by their names on the wire.
    """

    id: str
    outgoing_url: str
    template_path: str
    owner: str | None = attrs.field(default=None, kw_only=True)
    package_id: str | None = attrs.field(default=None, kw_only=True)
    created_at: datetime | None = attrs.field(default=None, kw_only=True)
    type: str | None = attrs.field(default=None, kw_only=True)
    extra: Mapping[str, JSON] = extra()


_ABSOLUTE = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def _some_url(instance: object, attribute: attrs.Attribute[T], value: T) -> None:
    if value is not None and value is not UNSET:
        some_text(instance, attribute, value)  # type: ignore[arg-type] # attrs has no covariant Attribute


@attrs.frozen
class RouteCreate:
    """A route to create: `RouteCreate("https://example.org/{version}.tgz", "/dl/{version}.tgz")`.

    Attributes:
        outgoing_url: the URL that it redirects to. In v2, None for a route that only counts; UNSET keeps the value
            in an update, and means None in a create. v1 calls raise `UnsupportedError` for both.
        template_path: the path that clients request.

    Raises:
        ValidationError: a value is empty or not a string, the template is an absolute URL, or the URL is a path.
    """

    outgoing_url: str | None | Unset = attrs.field(validator=_some_url)
    template_path: str = attrs.field(validator=some_text)

    def __attrs_post_init__(self) -> None:
        # The two are easily swapped, and the service would accept that.
        if _ABSOLUTE.match(self.template_path):
            raise ValidationError(
                f"template_path is the path that clients request, such as /{{version}}.tgz, and"
                f" {without_user(self.template_path)} is an address: are template_path and outgoing_url swapped?",
                field="template_path",
            )
        if isinstance(self.outgoing_url, str) and self.outgoing_url.startswith("/"):
            raise ValidationError(
                f"outgoing_url is the address that the route leads to, such as https://example.org/{{version}}.tgz,"
                f" and {self.outgoing_url!r} is a path: are template_path and outgoing_url swapped?",
                field="outgoing_url",
            )


@attrs.frozen
class Domain:
    """A domain that serves a package.

    Attributes:
        id: its identifier.
        name: the host name.
        owner: the account that its package belongs to (v2).
        package_id: its package (v2).
        created_at: when it was created (aware, UTC; v2).
        extra: other fields that the service sends, by their names on the wire.
    """

    id: str
    name: str
    owner: str | None = attrs.field(default=None, kw_only=True)
    package_id: str | None = attrs.field(default=None, kw_only=True)
    created_at: datetime | None = attrs.field(default=None, kw_only=True)
    extra: Mapping[str, JSON] = extra()


@attrs.frozen
class DomainCreate:
    """The values to create a domain with.

    Raises:
        ValidationError: the name is empty or not a string.
    """

    name: str = attrs.field(validator=some_text)


@attrs.frozen(kw_only=True)
class DomainStatus:
    """The setup status of a domain (v2). The service does not document the possible values.

    Attributes:
        cname_status: whether its name points to Scarf.
        verification_status: whether its ownership is verified.
        certificate_status: whether it has a certificate.
        verification_challenge_hostname: the name to create a TXT record for.
        verification_challenge_txt_record: the value of that record.
        extra: other fields that the service sends, by their names on the wire.
    """

    cname_status: str | None = None
    verification_status: str | None = None
    certificate_status: str | None = None
    verification_challenge_hostname: str | None = None
    verification_challenge_txt_record: str | None = None
    extra: Mapping[str, JSON] = extra()


@attrs.frozen(kw_only=True)
class PackageOverview:
    """A package with its domains and download count (v2).

    Attributes:
        package: the package.
        domains: its domains.
        total_installs: the number of events in about the last month; None if the service does not say.
        extra: other fields that the service sends, by their names on the wire.
    """

    package: Package
    domains: tuple[Domain, ...] = ()
    total_installs: int | None = None
    extra: Mapping[str, JSON] = extra()
