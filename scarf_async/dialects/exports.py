"""Every export of the service: one table for all versions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

import msgspec

from scarf_async.checks import word
from scarf_async.dialects.bare import VERSIONS, AnyVersion, bare_endpoint
from scarf_async.dialects.v2.arguments import check_package_id
from scarf_async.dialects.v3.requests import parameters
from scarf_async.entities import Aggregate, Aggregation, AggregationQuery, Event, ExportKind
from scarf_async.errors import UnsupportedError, ValidationError
from scarf_async.protocol.messages import Endpoint, Request, Resend

__all__ = [
    "COMPANY_EVENTS",
    "EXPORTS",
    "PIXEL_ROLLUP",
    "ExportCall",
    "ExportVersion",
    "asks_for_owner",
    "export_call",
    "names_text",
    "only_version",
]

ExportVersion: TypeAlias = AnyVersion
"""A version that has exports."""


class ExportCall(msgspec.Struct, frozen=True, kw_only=True):
    """One export of one version.

    Attributes:
        version: the version whose URL it is below.
        template: the path below that URL.
        owner: the name of the owner in the path; None if it has none.
        record: the class of its records; None for mappings.
        dates: the names of the first day, and of the first day after the range, in the query.
        end_may_be_included: whether the service may send the day `end` too (F §6.2).
        longest: the maximum number of days in one request; None for no limit.
        without_owner: the path without an owner; None if an owner is required.
        of_pixel: the path for one pixel; None if only all pixels of an owner can be requested.
        names: the query parameter for the names of packages; None if there is none.
    """

    version: str
    template: str
    owner: str | None
    record: type[Aggregate | Event | Aggregation] | None
    dates: tuple[str, str]
    end_may_be_included: bool
    longest: int | None = None
    without_owner: str | None = None
    of_pixel: str | None = None
    names: str | None = None

    def request(
        self,
        start: dt.date,
        end: dt.date,
        *,
        owner: str | None,
        package: str | None = None,
        pixel: str | None = None,
        domain: str | None = None,
        names: str | None = None,
        query: AggregationQuery | None = None,
    ) -> Request[None]:
        """Build the request for the days from `start` to before `end`.

        Raises:
            ValidationError: a value cannot be part of a path, or the range is too long.
        """
        if query is not None and self.longest is not None and (end - start).days > self.longest:
            raise ValidationError(
                f"start and end are {(end - start).days} days apart, and {self.version} allows at most"
                f" {self.longest}; nothing was sent",
                field="end",
            )
        if self.version == "v2" and package is not None:
            check_package_id(package)
        template, values = self.template, {"package": package, "pixel": pixel, "domain": domain, self.owner: owner}
        if owner is None and self.without_owner is not None:
            template = self.without_owner
        if pixel is not None:
            if self.of_pixel is None:
                raise ValidationError(f"{self.version} has no events of one pixel; api='v2' has", field="pixel")
            template = self.of_pixel
        endpoint: Endpoint[None] = bare_endpoint("GET", template, Resend.EXPORT, None, self.version)
        first, behind = self.dates
        asked: dict[str, str | Sequence[str]] = {first: start.isoformat(), behind: end.isoformat()}
        if self.names is not None and names is not None:
            asked[self.names] = names
        if query is not None:
            asked |= parameters(query)
        return endpoint.request(
            query=asked,
            **{name: value for name, value in values.items() if name is not None and value is not None},
        )


COMPANY_EVENTS: Final = "company_events"
PIXEL_ROLLUP: Final = "pixel_rollup"
"""The exports that jobs do not support."""

_V1_DATES: Final = ("startDate", "endDate")
_DATES: Final = ("start_date", "end_date")

_v1 = partial(ExportCall, version="v1", dates=_V1_DATES)
_v2 = partial(
    ExportCall, version="v2", dates=_DATES, owner="owner", record=Event, end_may_be_included=True, longest=31
)

# In paths of v1, the service ignores the name of the file.
EXPORTS: Final[Mapping[tuple[str, str], ExportCall]] = {
    ("v1", ExportKind.ORGANIZATION_AGGREGATES): _v1(
        template="/organizations/{organization}/aggregates",
        owner="organization",
        record=Aggregate,
        end_may_be_included=True,
    ),
    ("v1", ExportKind.USER_AGGREGATES): _v1(
        template="/users/{username}/aggregates", owner="username", record=Aggregate, end_may_be_included=True
    ),
    ("v1", ExportKind.PACKAGE_EVENTS): _v1(
        template="/packages/{owner}/{package}/events/events.csv",
        without_owner="/packages/{package}/events/events.csv",
        owner="owner",
        record=Event,
        end_may_be_included=False,
    ),
    ("v1", ExportKind.PIXEL_EVENTS): _v1(
        template="/pixels/events/events.csv", owner=None, record=Event, end_may_be_included=False
    ),
    ("v2", ExportKind.PACKAGE_EVENTS): _v2(template="/packages/{owner}/{package}/events"),
    ("v2", ExportKind.OWNER_EVENTS): _v2(template="/packages/{owner}/events", names="query"),
    ("v2", ExportKind.PIXEL_EVENTS): _v2(
        template="/tracking-pixels/{owner}/events", of_pixel="/tracking-pixels/{owner}/{pixel}/events"
    ),
    ("v2", COMPANY_EVENTS): _v2(template="/companies/{owner}/{domain}/events"),
    ("v2", PIXEL_ROLLUP): _v2(template="/companies/{owner}/pixel-rollup", record=None, longest=None),
    ("v3", ExportKind.AGGREGATIONS): ExportCall(
        version="v3",
        template="/insights/{owner}/aggregations/export",
        owner="owner",
        record=Aggregation,
        dates=_DATES,
        end_may_be_included=False,
        longest=366,
    ),
}
_INSTEAD: Final[Mapping[str, str]] = {
    ExportKind.ORGANIZATION_AGGREGATES: "exports.aggregations",
    ExportKind.USER_AGGREGATES: "exports.aggregations",
}
"""What a later version has instead of an export."""


def names_text(names: str | Iterable[str] | None) -> str | None:
    """Return the patterns of package names in the syntax of the service.

    Raises:
        ValidationError: a value is not a string, or is empty, which would mean all packages.
    """
    if names is None:
        return None
    several: object = names
    given = list(several) if isinstance(several, Iterable) and not isinstance(several, str) else [several]
    texts = [text for text in given if isinstance(text, str) and text.strip()]
    if not texts or len(texts) < len(given):
        raise ValidationError(f"names must be a text that is not empty, or several; got {names!r}", field="names")
    return ",".join(texts)


def asks_for_owner(kind: str, version: object) -> bool:
    """Return whether an export of a version needs an owner, which defaults to the client's."""
    call = EXPORTS.get((str(version), kind))
    return call is not None and call.version != "v1"


def only_version(kind: ExportKind, owner: str | None) -> ExportVersion | None:
    """Return the only version that has an export, with or without this owner; None if several have it."""
    versions = [
        version
        for version in VERSIONS
        if (call := EXPORTS.get((version, kind))) is not None and (owner is None or call.owner is not None)
    ]
    return versions[0] if len(versions) == 1 else None


def export_call(kind: str, version: object, owner: str | None, *, owner_may_follow: bool = False) -> ExportCall:
    """Return the call of an export in a version.

    Args:
        kind: the export.
        version: the version.
        owner: the owner, if given.
        owner_may_follow: whether a required owner may be given later.

    Raises:
        UnsupportedError: the version does not have it, but has another export instead.
        ValidationError: the version does not have it, or has it only with or only without an owner.
    """
    name = kind.replace("_", " ")
    word("api", version, VERSIONS, ValidationError)
    call = EXPORTS.get((str(version), kind))
    if call is None:
        others = " and ".join(other for other, what in EXPORTS if what == kind)
        if kind in _INSTEAD:
            raise UnsupportedError(
                f"{version} has no {name}, which are exports of {others}: use {_INSTEAD[kind]}; nothing was sent",
                field="api",
            )
        raise ValidationError(f"{name} are exports of {others} only", field="api")
    needs_owner = call.owner is not None and call.without_owner is None
    if owner is None and needs_owner and not (owner_may_follow and asks_for_owner(kind, version)):
        ways = ", create the client with Scarf(owner=...), or set $SCARF_OWNER" if call.version != "v1" else ""
        raise ValidationError(
            f"{name} of {version} need an owner: give owner={ways}; nothing was sent", field="owner"
        )
    if owner is not None and call.owner is None:
        raise ValidationError(
            f"{name} of {version} are those of the token's user; an owner needs api='v2'", field="owner"
        )
    return call
