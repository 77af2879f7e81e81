"""The closed word lists of the published description. Unknown words that the service sends stay plain strings."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

__all__ = [
    "ApiVersion",
    "Breakdown",
    "Dimension",
    "DimensionLike",
    "ExportKind",
    "ExportKindLike",
    "Importance",
    "ImportanceLike",
    "LibraryType",
    "LibraryTypeLike",
    "PermissionLevel",
    "PermissionLevelLike",
    "Role",
    "RoleLike",
    "Rollup",
    "address_fields",
    "breakdown",
    "dimension",
    "has_domains",
    "has_routes",
    "importance",
    "library_type",
    "permission_level",
    "role",
]


class Role(StrEnum):
    """A member's role in an organization."""

    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


class PermissionLevel(StrEnum):
    """A user's level on a package; `blocked` is v1's alone, `owner` v2's."""

    BLOCKED = "blocked"
    DEFAULT = "default"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


class Importance(StrEnum):
    """How important a package is to its owner (v2)."""

    LOW = "low"
    MID = "mid"
    HIGH = "high"


class LibraryType(StrEnum):
    """A package's type.

    The published description has the first five; the service was seen to send `file`; v2 adds `python` and
    `repository-jvm`.

    The list is open: every string is taken and given. Python packages are `pypi` in v1 and `python` in v2, where
    both words mean the same.
    """

    DOCKER = "docker"
    NPM = "npm"
    HACKAGE = "hackage"
    PYPI = "pypi"
    OTHER = "other"
    FILE = "file"
    PYTHON = "python"
    REPOSITORY_JVM = "repository-jvm"


# Types that are known and lack them; the list of types is open, and what is not known may have both.
_WITHOUT_DOMAINS = frozenset({LibraryType.NPM, LibraryType.HACKAGE, LibraryType.OTHER})
_WITHOUT_ROUTES = _WITHOUT_DOMAINS | {LibraryType.DOCKER, LibraryType.PYPI, LibraryType.PYTHON}


def has_routes(library_type: str | None) -> bool:
    """Tell whether a package of a type may have routes; a type that is not known may."""
    return library_type not in _WITHOUT_ROUTES


def has_domains(library_type: str | None) -> bool:
    """Tell whether a package of a type may have domains; a type that is not known may."""
    return library_type not in _WITHOUT_DOMAINS


def address_fields(library_type: str | None) -> tuple[str, ...]:
    """Name the addresses that a package of a type has."""
    match library_type:
        case LibraryType.DOCKER:
            return "backend_url", "public_url"
        case LibraryType.PYPI | LibraryType.PYTHON:
            return ("repository_url",)
        case _:
            return ()


class Breakdown(StrEnum):
    """What an aggregate counts by."""

    COMPANY = "company"
    CLOUD_PROVIDER = "cloud_provider"
    COUNTRY = "country"
    PLATFORM = "platform"
    VERSION = "version"
    CLIENT = "client"
    VARIABLE = "variable"
    TOTAL = "total"


class Dimension(StrEnum):
    """What an aggregation counts by (v3)."""

    TOTAL = "by-total"
    TOTAL_DO_NOT_TRACK = "by-total-do-not-track"
    COMPANY = "by-company"
    COUNTRY = "by-country"
    CLOUD_PROVIDER = "by-cloudprovider"
    PLATFORM = "by-platform"
    VERSION = "by-version"
    CLIENT = "by-client"
    VARIABLE = "by-variable"
    DOMAIN = "by-domain"
    REFERER = "by-referer"
    USER_AGENT = "by-user-agent"
    ENDPOINT = "by-endpoint"
    ORIGIN = "by-origin"
    FILE_EXTENSION = "by-file-extension"
    IMPORTANCE = "by-importance"
    EDUCATIONAL_ORGANIZATION = "by-educational-organization"
    # As the service spells it.
    GOVERNMENTAL_ORGANIZATION = "by-govermental-organization"


class ExportKind(StrEnum):
    """Which export: the names of the calls of `scarf.exports`."""

    ORGANIZATION_AGGREGATES = "organization_aggregates"
    USER_AGGREGATES = "user_aggregates"
    PACKAGE_EVENTS = "package_events"
    OWNER_EVENTS = "owner_events"
    PIXEL_EVENTS = "pixel_events"
    AGGREGATIONS = "aggregations"


ExportKindLike: TypeAlias = (
    ExportKind
    | Literal[
        "organization_aggregates",
        "user_aggregates",
        "package_events",
        "owner_events",
        "pixel_events",
        "aggregations",
    ]
)
"""What serves as an `ExportKind`: the plain string too."""
ApiVersion: TypeAlias = Literal["v1", "v2"]
"""Which version of the service the calls of a client speak."""
DimensionLike: TypeAlias = Dimension | str
"""What serves as a `Dimension`: any string, since the service may know more dimensions."""
Rollup: TypeAlias = Literal["total", "daily", "weekly", "monthly", "yearly"]
"""How long a bucket of an aggregation is; `total` is the whole range."""
RoleLike: TypeAlias = Role | Literal["member", "admin", "owner"]
"""What serves as a `Role`: the plain string too."""
PermissionLevelLike: TypeAlias = PermissionLevel | Literal["blocked", "default", "member", "admin", "owner"]
"""What serves as a `PermissionLevel`: the plain string too."""
ImportanceLike: TypeAlias = Importance | Literal["low", "mid", "high"]
"""What serves as an `Importance`: the plain string too."""
LibraryTypeLike: TypeAlias = LibraryType | str
"""What serves as a `LibraryType`: any string, since the service may know more types."""

_ROLES = {str(member): member for member in Role}
_LEVELS = {str(member): member for member in PermissionLevel}
_TYPES: dict[str | None, LibraryType] = {str(member): member for member in LibraryType}
_IMPORTANCES: dict[str | None, Importance] = {str(member): member for member in Importance}
_BREAKDOWNS = {str(member): member for member in Breakdown}
_DIMENSIONS = {str(member): member for member in Dimension}


def role(word: str) -> Role | str:
    """Take a known word to its `Role`; leave any other as it is."""
    return _ROLES.get(word, word)


def permission_level(word: str) -> PermissionLevel | str:
    """Take a known word to its `PermissionLevel`; leave any other as it is."""
    return _LEVELS.get(word, word)


def library_type(word: str | None) -> LibraryType | str | None:
    """Take a known word to its `LibraryType`; leave any other, and None, as it is."""
    return _TYPES.get(word, word)


def importance(word: str | None) -> Importance | str | None:
    """Take a known word to its `Importance`; leave any other, and None, as it is."""
    return _IMPORTANCES.get(word, word)


def breakdown(word: str) -> Breakdown | str:
    """Take a known word to its `Breakdown`; leave any other as it is."""
    return _BREAKDOWNS.get(word, word)


def dimension(word: str) -> Dimension | str:
    """Take a known word to its `Dimension`; leave any other as it is."""
    return _DIMENSIONS.get(word, word)
