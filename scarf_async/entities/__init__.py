"""The data of Scarf: frozen, slotted attrs classes and the enums they use."""

from scarf_async.entities.check import Check
from scarf_async.entities.enums import (
    ApiVersion,
    Breakdown,
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
)
from scarf_async.entities.exports import Aggregate, Event
from scarf_async.entities.fields import JSON, UNSET, Unset
from scarf_async.entities.imports import EventImport, ImportLogEntry
from scarf_async.entities.organizations import Member, MemberUpsert, Organization, OrganizationUpsert
from scarf_async.entities.packages import (
    Domain,
    DomainCreate,
    Package,
    PackageKey,
    PackageUpsert,
    Permission,
    PermissionSet,
    Route,
    RouteCreate,
)

__all__ = [
    "JSON",
    "UNSET",
    "Aggregate",
    "ApiVersion",
    "Breakdown",
    "Check",
    "Domain",
    "DomainCreate",
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
    "Organization",
    "OrganizationUpsert",
    "Package",
    "PackageKey",
    "PackageUpsert",
    "Permission",
    "PermissionLevel",
    "PermissionLevelLike",
    "PermissionSet",
    "Role",
    "RoleLike",
    "Route",
    "RouteCreate",
    "Unset",
]
