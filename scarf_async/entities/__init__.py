"""Scarf's data: frozen, slotted attrs classes and their enums."""

from importlib import import_module
from typing import TYPE_CHECKING

from scarf_async.entities.check import Check
from scarf_async.entities.enums import (
    ApiVersion,
    Breakdown,
    Dimension,
    DimensionLike,
    ExportKind,
    ExportKindLike,
    Importance,
    ImportanceLike,
    LibraryType,
    LibraryTypeLike,
    PermissionLevel,
    PermissionLevelLike,
    Role,
    RoleLike,
    Rollup,
)
from scarf_async.entities.fields import JSON, UNSET, Unset
from scarf_async.entities.organizations import Member, MemberUpsert, Organization, OrganizationUpsert
from scarf_async.entities.packages import (
    Domain,
    DomainCreate,
    DomainStatus,
    Package,
    PackageKey,
    PackageOverview,
    PackageUpsert,
    Permission,
    PermissionSet,
    Route,
    RouteCreate,
)

if TYPE_CHECKING:
    from scarf_async.entities.accounts import Membership, SearchResult, User
    from scarf_async.entities.aggregations import Aggregation, AggregationQuery
    from scarf_async.entities.collections import Collection, CollectionUpsert
    from scarf_async.entities.exports import Aggregate, Event
    from scarf_async.entities.imports import EventImport, ImportLogEntry
    from scarf_async.entities.pixels import TrackingPixel, TrackingPixelUpsert

__all__ = [
    "JSON",
    "UNSET",
    "Aggregate",
    "Aggregation",
    "AggregationQuery",
    "ApiVersion",
    "Breakdown",
    "Check",
    "Collection",
    "CollectionUpsert",
    "Dimension",
    "DimensionLike",
    "Domain",
    "DomainCreate",
    "DomainStatus",
    "Event",
    "EventImport",
    "ExportKind",
    "ExportKindLike",
    "ImportLogEntry",
    "Importance",
    "ImportanceLike",
    "LibraryType",
    "LibraryTypeLike",
    "Member",
    "MemberUpsert",
    "Membership",
    "Organization",
    "OrganizationUpsert",
    "Package",
    "PackageKey",
    "PackageOverview",
    "PackageUpsert",
    "Permission",
    "PermissionLevel",
    "PermissionLevelLike",
    "PermissionSet",
    "Role",
    "RoleLike",
    "Rollup",
    "Route",
    "RouteCreate",
    "SearchResult",
    "TrackingPixel",
    "TrackingPixelUpsert",
    "Unset",
    "User",
]

# A class takes long to make, and what never calls v2 or exports anything needs none of these.
_LATER = {
    "Aggregate": "exports",
    "Aggregation": "aggregations",
    "AggregationQuery": "aggregations",
    "Collection": "collections",
    "CollectionUpsert": "collections",
    "Event": "exports",
    "EventImport": "imports",
    "ImportLogEntry": "imports",
    "Membership": "accounts",
    "SearchResult": "accounts",
    "TrackingPixel": "pixels",
    "TrackingPixelUpsert": "pixels",
    "User": "accounts",
}

if not TYPE_CHECKING:  # for a type checker it would turn every misspelt name into an object

    def __getattr__(name: str) -> object:
        if name in _LATER:
            return globals().setdefault(name, getattr(import_module(f"{__name__}.{_LATER[name]}"), name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
