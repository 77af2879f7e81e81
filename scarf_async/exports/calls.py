"""The calls `scarf.exports.*` that return one export."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Final, TypeVar

from scarf_async.checks import instance, word
from scarf_async.dialects.exports import COMPANY_EVENTS, PIXEL_ROLLUP, asks_for_owner, export_call, names_text
from scarf_async.dialects.v2.arguments import check_pixel_id, needed_owner
from scarf_async.dialects.v3.requests import owner_of_query
from scarf_async.entities import (
    Aggregate,
    Aggregation,
    AggregationQuery,
    ApiVersion,
    Event,
    ExportKind,
    Package,
    PackageKey,
    TrackingPixel,
)
from scarf_async.errors import ValidationError
from scarf_async.exports.aggregate_reader import AggregateReader
from scarf_async.exports.aggregation_reader import AggregationReader
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.rollup_reader import RollupReader
from scarf_async.exports.spec import Day, ExportClient, ExportSpec, OnMalformed, RecordReader, date_range
from scarf_async.exports.stream import Export
from scarf_async.resources.packages import package_key
from scarf_async.resources.pixels import owned_pixel

__all__ = ["EVERYTHING", "ExportCalls"]

T = TypeVar("T")

EVERYTHING: Final = AggregationQuery()
"""Count all of an owner's traffic, by day."""


def _check_on_malformed(value: object) -> None:
    if not callable(value):
        word("on_malformed", value, ("raise", "skip"), ValidationError, other="a function")


class ExportCalls:
    """The calls of `Exports` that return one export."""

    _one_day: ClassVar[bool] = False

    def __init__(self, client: ExportClient) -> None:
        self._client = client

    def organization_aggregates(
        self,
        organization: str,
        start: Day,
        end: Day,
        *,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Aggregate]:
        """Return daily counts of an organization's packages (v1).

        Nothing is sent before the stream is opened, which raises as `ExportStream` says.

        Example:
            ```python
            async with scarf.exports.organization_aggregates("acme", "2024-01-01", "2024-02-01") as counts:
                async for count in counts:
                    print(count)
            ```

        Args:
            organization: the owner of the packages.
            start: the first day.
            end: the first day after the range.
            unfiltered: keep what the service sends from `end` on.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            UnsupportedError: the client calls v2, which has `aggregations` instead.
            ValidationError: a day or another argument is invalid; nothing was sent.
        """
        return self._export(
            ExportKind.ORGANIZATION_AGGREGATES,
            AggregateReader,
            f"aggregates of organization {organization}",
            start,
            end,
            owner=organization,
            api=self._client.api,
            unfiltered=unfiltered,
            on_malformed=on_malformed,
        )

    def user_aggregates(
        self,
        username: str,
        start: Day,
        end: Day,
        *,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Aggregate]:
        """Return daily counts of a user's packages (v1).

        Nothing is sent before the stream is opened, which raises as `ExportStream` says.

        Example:
            ```python
            async with scarf.exports.user_aggregates("acme", "2024-01-01", "2024-02-01") as counts:
                async for count in counts:
                    print(count)
            ```

        Args:
            username: the owner of the packages.
            start: the first day.
            end: the first day after the range.
            unfiltered: keep what the service sends from `end` on.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            UnsupportedError: the client calls v2, which has `aggregations` instead.
            ValidationError: a day or another argument is invalid; nothing was sent.
        """
        return self._export(
            ExportKind.USER_AGGREGATES,
            AggregateReader,
            f"aggregates of user {username}",
            start,
            end,
            owner=username,
            api=self._client.api,
            unfiltered=unfiltered,
            on_malformed=on_malformed,
        )

    def package_events(
        self,
        owner: str | None,
        package_id: str | Package | PackageKey,
        start: Day,
        end: Day,
        *,
        api: ApiVersion | None = None,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Event]:
        """Return the events of a package and of the pixels attached to it, in no order.

        The service may send an event more than once; `Event.id`, if it is set, shows that.

        Args:
            owner: the package's owner. None: in v1, the older URL that needs no owner; in v2, the owner of the
                `Package` or `PackageKey`, else the client's.
            package_id: its uuid, the `Package` or its key.
            start: the first day.
            end: the first day after the range.
            api: the version to call; None: that of the client.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            ValidationError: a day or another argument is invalid; nothing was sent.
            UnsupportedError: the version does not have this export; nothing was sent.
        """
        api = self._client.api if api is None else api
        key = package_key(package_id)
        if asks_for_owner(ExportKind.PACKAGE_EVENTS, api):
            owner = package_key(key, owner).owner or self._client.owner
        package = key.id
        return self._export(
            ExportKind.PACKAGE_EVENTS,
            EventReader,
            f"package events of {'' if owner is None else f'{owner}/'}{package}",
            start,
            end,
            owner=owner,
            package=package,
            api=api,
            unfiltered=unfiltered,
            on_malformed=on_malformed,
        )

    def owner_events(
        self,
        owner: str | None,
        start: Day,
        end: Day,
        *,
        names: str | Iterable[str] | None = None,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Event]:
        """Return the events of all packages of an owner, in no order (v2).

        Args:
            owner: the owner of the packages; None: the client's owner.
            start: the first day.
            end: the first day after the range.
            names: only packages with these names, as patterns of the service: `a,b` for either, `*` for any text,
                braces around alternatives (`io.dapr*`, `acme/{web,api}`). Several patterns are joined by commas.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            ValidationError: a day or another argument is invalid, or no owner is given; nothing was sent.
            UnsupportedError: the version does not have this export; nothing was sent.
        """
        owner = needed_owner(owner, self._client.owner)
        return self._export(
            ExportKind.OWNER_EVENTS,
            EventReader,
            f"events of {owner}",
            start,
            end,
            owner=owner,
            names=names_text(names),
            api="v2",
            unfiltered=unfiltered,
            on_malformed=on_malformed,
        )

    def company_events(
        self,
        domain: str,
        start: Day,
        end: Day,
        *,
        owner: str | None = None,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Event]:
        """Return the events of an owner's packages and pixels that come from one company, in no order (v2).

        Args:
            domain: the company's domain, such as `corp.example`.
            start: the first day.
            end: the first day after the range.
            owner: the owner of the packages and pixels; None: the client's owner.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            ValidationError: a day or another argument is invalid, or no owner is given; nothing was sent.
            UnsupportedError: the version does not have this export; nothing was sent.
        """
        return self._export(
            COMPANY_EVENTS,
            EventReader,
            f"events of company {domain}",
            start,
            end,
            owner=needed_owner(owner, self._client.owner),
            domain=instance("domain", domain, str, ValidationError, wanted="the domain of a company"),
            api="v2",
            unfiltered=unfiltered,
            on_malformed=on_malformed,
        )

    def pixel_rollup(
        self,
        start: Day,
        end: Day,
        *,
        owner: str | None = None,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Mapping[str, str | None]]:
        """Return how often companies have seen the pixels of an owner (v2).

        Its records are mappings of the columns that the service sends, which are not documented; an empty cell is
        None. If there is a `date`, records of `end` and later are left out. It can be saved as `csv` or `jsonl`.

        Args:
            start: the first day.
            end: the first day after the range.
            owner: the owner of the pixels; None: the client's owner.
            unfiltered: keep what the service sends from `end` on.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            ValidationError: a day or another argument is invalid, or no owner is given; nothing was sent.
            UnsupportedError: the version does not have this export; nothing was sent.
        """
        owner = needed_owner(owner, self._client.owner)
        return self._export(
            PIXEL_ROLLUP,
            RollupReader,
            f"pixel rollup of {owner}",
            start,
            end,
            owner=owner,
            api="v2",
            unfiltered=unfiltered,
            on_malformed=on_malformed,
        )

    def pixel_events(
        self,
        start: Day,
        end: Day,
        *,
        owner: str | None = None,
        pixel: str | TrackingPixel | None = None,
        api: ApiVersion | None = None,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Event]:
        """Return the events of all pixels that the user can see (v1), or of an owner's or one pixel (v2).

        Args:
            start: the first day.
            end: the first day after the range.
            owner: the owner of the pixels (v2 only); None: the client's owner.
            pixel: one pixel, or its id (v2 only).
            api: the version to call; None: that of the client, or v2 for one pixel.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            ValidationError: a day or another argument is invalid, or no owner is given; nothing was sent.
            UnsupportedError: the version does not have this export; nothing was sent.
        """
        pixel_id: str | None = None
        if pixel is not None:
            owner, pixel_id = owned_pixel(pixel, owner)
            check_pixel_id(pixel_id)
            api = api or "v2"
        api = self._client.api if api is None else api
        if owner is None and asks_for_owner(ExportKind.PIXEL_EVENTS, api):
            owner = self._client.owner
        whose = "/".join(str(name) for name in (owner, pixel_id) if name is not None)
        return self._export(
            ExportKind.PIXEL_EVENTS,
            EventReader,
            f"pixel events of {whose}" if whose else "pixel events",
            start,
            end,
            owner=owner,
            pixel=pixel_id,
            api=api,
            unfiltered=unfiltered,
            on_malformed=on_malformed,
        )

    def aggregations(
        self,
        start: Day,
        end: Day,
        query: AggregationQuery = EVERYTHING,
        *,
        owner: str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Aggregation]:
        """Return counts of an owner's traffic by one or two dimensions, in buckets of days (v3, from any client).

        The service excludes `end` itself, so the SDK drops no rows. An unknown id gives no rows and no error. A
        plan may cover fewer days than requested: `stream.effective_start` and `.effective_end` have the range that
        was covered, and a `ScarfWarning` names both ranges.

        ```python
        query = AggregationQuery(breakdown=("by-company", "by-version"), rollup="weekly", names="acme/*")
        async with scarf.exports.aggregations("2026-01-01", "2026-04-01", query, owner="acme") as rows:
            async for row in rows:
                print(row.date, row.company_name, row.version, row.total)
        ```

        Args:
            start: the first day.
            end: the first day after the range, at most 366 days after `start`.
            query: what to count, and by which dimensions.
            owner: the owner of the traffic, spelled exactly as the service does; None: that of the packages and
                pixels in the query, else the client's.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            ValidationError: no owner is given, the range is too long, or the query names something of another
                owner.
        """
        instance("query", query, AggregationQuery, ValidationError, wanted="an AggregationQuery")
        owner = owner_of_query(query, owner)
        owner = self._client.owner if owner is None else owner
        return self._export(
            ExportKind.AGGREGATIONS,
            lambda _: AggregationReader(),
            f"aggregations of {owner}",
            start,
            end,
            owner=owner,
            api="v3",
            unfiltered=True,
            on_malformed=on_malformed,
            query=query,
        )

    def _export(
        self,
        kind: str,
        reader: Callable[[dt.date | None], RecordReader[T]],
        description: str,
        start: Day,
        end: Day,
        *,
        owner: str | None,
        unfiltered: bool,
        on_malformed: OnMalformed,
        package: str | None = None,
        pixel: str | None = None,
        domain: str | None = None,
        names: str | None = None,
        api: str = "v1",
        query: AggregationQuery | None = None,
    ) -> Export[T]:
        call = export_call(kind, api, owner)
        first, behind = date_range(start, end, one_day=self._one_day)
        _check_on_malformed(on_malformed)
        request = call.request(
            first,
            behind,
            owner=owner,
            package=package,
            pixel=pixel,
            domain=domain,
            names=names,
            query=query,
        )
        return Export(
            ExportSpec.of(
                self._client,
                request,
                f"{description} {first}..{behind}",
                reader,
                end=behind if call.end_may_be_included and not unfiltered else None,
                on_malformed=on_malformed,
                asked=None if query is None else (first, behind),
            )
        )
