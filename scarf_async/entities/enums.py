"""The enums of the published description. Unknown words that the service sends stay plain strings."""

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
    """A user's level on a package; `blocked` exists only in v1, `owner` only in v2."""

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

    The published description lists the first five. The service also sends `file`, and v2 adds `python` and
    `repository-jvm`.

    Any other string is accepted and returned too. Python packages are `pypi` in v1 and `python` in v2; in v2 both
    words mean the same.
    """

    DOCKER = "docker"
    NPM = "npm"
    HACKAGE = "hackage"
    PYPI = "pypi"
    OTHER = "other"
    FILE = "file"
    PYTHON = "python"
    REPOSITORY_JVM = "repository-jvm"


# Known types without them. The list of types is open, and an unknown type may have both.
_WITHOUT_DOMAINS = frozenset({LibraryType.NPM, LibraryType.HACKAGE, LibraryType.OTHER})
_WITHOUT_ROUTES = _WITHOUT_DOMAINS | {LibraryType.DOCKER, LibraryType.PYPI, LibraryType.PYTHON}


def has_routes(library_type: str | None) -> bool:
    """Return whether a package of a type can have routes; True for unknown types."""
    return library_type not in _WITHOUT_ROUTES


def has_domains(library_type: str | None) -> bool:
    """Return whether a package of a type can have domains; True for unknown types."""
    return library_type not in _WITHOUT_DOMAINS


def address_fields(library_type: str | None) -> tuple[str, ...]:
    """Return the names of the URL fields that a package of a type has."""
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
    # The service spells it like this.
    GOVERNMENTAL_ORGANIZATION = "by-govermental-organization"


class ExportKind(StrEnum):
    """The kinds of exports, named after the methods of `scarf.exports`."""

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
"""An `ExportKind` or its plain string."""
ApiVersion: TypeAlias = Literal["v1", "v2"]
"""The version of the API that a client calls."""
DimensionLike: TypeAlias = Dimension | str
"""A `Dimension` or any string, since the service may support more dimensions."""
Rollup: TypeAlias = Literal["total", "daily", "weekly", "monthly", "yearly"]
"""The length of a bucket of an aggregation; `total` is the whole range."""
RoleLike: TypeAlias = Role | Literal["member", "admin", "owner"]
"""A `Role` or its plain string."""
PermissionLevelLike: TypeAlias = PermissionLevel | Literal["blocked", "default", "member", "admin", "owner"]
"""A `PermissionLevel` or its plain string."""
ImportanceLike: TypeAlias = Importance | Literal["low", "mid", "high"]
"""An `Importance` or its plain string."""
LibraryTypeLike: TypeAlias = LibraryType | str
"""A `LibraryType` or any string, since the service may support more types."""

_ROLES = {str(member): member for member in Role}
_LEVELS = {str(member): member for member in PermissionLevel}
_TYPES: dict[str | None, LibraryType] = {str(member): member for member in LibraryType}
_IMPORTANCES: dict[str | None, Importance] = {str(member): member for member in Importance}
_BREAKDOWNS = {str(member): member for member in Breakdown}
_DIMENSIONS = {str(member): member for member in Dimension}


def role(word: str) -> Role | str:
    """Convert a known word to its `Role`; return any other unchanged."""
    return _ROLES.get(word, word)


def permission_level(word: str) -> PermissionLevel | str:
    """Convert a known word to its `PermissionLevel`; return any other unchanged."""
    return _LEVELS.get(word, word)


def library_type(word: str | None) -> LibraryType | str | None:
    """Convert a known word to its `LibraryType`; return any other, and None, unchanged."""
    return _TYPES.get(word, word)


def importance(word: str | None) -> Importance | str | None:
    """Convert a known word to its `Importance`; return any other, and None, unchanged."""
    return _IMPORTANCES.get(word, word)


def breakdown(word: str) -> Breakdown | str:
    """Convert a known word to its `Breakdown`; return any other unchanged."""
    return _BREAKDOWNS.get(word, word)


def dimension(word: str) -> Dimension | str:
    """Convert a known word to its `Dimension`; return any other unchanged."""
    return _DIMENSIONS.get(word, word)
