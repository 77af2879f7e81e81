"""The calls `scarf.exports.*`."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeVar, cast

import attrs
from anyio.to_thread import run_sync

from scarf_async.checks import flag, instance, whole, word
from scarf_async.dialects.exports import COMPANY_EVENTS, PIXEL_ROLLUP, asks_for_owner, export_call, names_text
from scarf_async.dialects.v2.arguments import check_pixel_id, needed_owner
from scarf_async.dialects.v3.requests import owner_of_query, read_artifacts
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
from scarf_async.events import Hook
from scarf_async.exports.aggregate_reader import AggregateReader
from scarf_async.exports.aggregation_reader import AggregationReader
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.formats import need_arrow
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.report import ExportProgress, ExportReport
from scarf_async.exports.jobs.run import run_job
from scarf_async.exports.jobs.text_output import Record
from scarf_async.exports.jobs.verify import FileProblem, verify_export
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.rollup_reader import RollupReader
from scarf_async.exports.spec import Day, ExportClient, ExportSpec, OnMalformed, RecordReader, date_range
from scarf_async.exports.stream import Export
from scarf_async.resources.packages import package_key
from scarf_async.resources.pixels import owned_pixel

__all__ = ["Exports"]

T = TypeVar("T")

_EVERYTHING: Final = AggregationQuery()


def _check_on_malformed(value: object, *words: str) -> None:
    if not callable(value):
        word("on_malformed", value, words, ValidationError, other="a function")


class Exports:
    """Exports of events, aggregates and aggregations, as streams of typed records or as files.

    Each call checks its arguments and returns an `Export`; nothing is sent before `async with` or `save`.

    ```python
    async with scarf.exports.package_events("acme", package_id, "2024-01-01", "2024-02-01") as events:
        async for event in events:
            print(event.time, event.type)
    ```

    In all of them `start` is the first day and `end` the first day after the range, each a `datetime.date` or
    `YYYY-MM-DD`, in UTC. Where the service may send more than that (aggregates, and events of v2), records at or
    after `end` are left out and counted in `.records_dropped`; `unfiltered=True` keeps them. `on_malformed`
    says what happens to a record that cannot be read: `"raise"`, `"skip"`, or a function that is given the
    `MalformedRecordError`, whose `.record` holds its bytes. In typed reading that goes for a record longer than
    `max_record_bytes`, too, of which the function gets the first 4 KiB; it is never held whole.

    Raises:
        ValidationError: an argument cannot be sent. Nothing was.
    """

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
        """Aggregates of an organization's packages, of v1.

        Raises:
            UnsupportedError: the client speaks v2; use `aggregations`.
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
        """Aggregates of a user's packages, of v1.

        Raises:
            UnsupportedError: the client speaks v2; use `aggregations`.
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
        """Events of a package and of the pixels attached to it, in no order.

        The same event may come more than once; where `Event.id` is set, it tells.

        Args:
            owner: the package's owner. None asks at the older v1 address, which has none; in v2 it is the owner of
                the `Package` or `PackageKey`, else the client's.
            package_id: its uuid, the `Package` or its key.
            start: the first day.
            end: the first day after the range.
            api: which version to ask; None: that of the client.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.
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
        """Events of all packages of an owner, in no order; from v2.

        Args:
            owner: whose packages; None: the client's owner's.
            start: the first day.
            end: the first day after the range.
            names: only packages of these names, in the service's own words: `a,b` for one or the other, `*` for any
                text, braces around alternatives (`io.dapr*`, `acme/{web,api}`). Several are joined by commas.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.
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
        """Events of an owner's packages and pixels that come from one company, in no order; from v2.

        Args:
            domain: the company's domain, such as `corp.example`.
            start: the first day.
            end: the first day after the range.
            owner: whose packages and pixels; None: the client's owner's.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.
        """
        return self._export(
            COMPANY_EVENTS,
            EventReader,
            f"events of company {domain}",
            start,
            end,
            owner=needed_owner(owner, self._client.owner),
            domain=domain,
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
        """How often companies have seen the pixels of an owner; from v2.

        Its records are mappings of the columns that the service sends, an empty cell None: no document says which
        they are. Where there is a `date`, records of `end` and later are left out. It is saved as `csv` or `jsonl`.

        Args:
            start: the first day.
            end: the first day after the range.
            owner: whose pixels; None: the client's owner's.
            unfiltered: keep what the service sends from `end` on.
            on_malformed: what happens to a record that cannot be read.
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
        """Events of pixels: of all that the token's user can see (v1), or of an owner's, or of one (v2).

        Args:
            start: the first day.
            end: the first day after the range.
            owner: whose pixels; for v2, and only there. None: the client's owner's.
            pixel: the one pixel, or its id; for v2, and only there.
            api: which version to ask; None: that of the client, but v2 for one pixel.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.
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
        query: AggregationQuery = _EVERYTHING,
        *,
        owner: str | None = None,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Aggregation]:
        """Counts of an owner's traffic, by one dimension or two and in buckets of days; of v3, on every client.

        The service leaves `end` out, and no row is left out here. An id that it does not know brings no rows, and
        not an error. A plan may look at fewer days than were asked for: `stream.effective_start` and
        `.effective_end` tell, and a `ScarfWarning` names both ranges.

        ```python
        query = AggregationQuery(breakdown=("by-company", "by-version"), rollup="weekly", names="acme/*")
        async with scarf.exports.aggregations("2026-01-01", "2026-04-01", query, owner="acme") as rows:
            async for row in rows:
                print(row.date, row.company_name, row.version, row.total)
        ```

        Args:
            start: the first day.
            end: the first day after the range, 366 days later at the most.
            query: what is counted, and by what.
            owner: whose traffic, in the very letters of the service; None: that of the packages and pixels that the
                query names, else the client's.
            on_malformed: what happens to a record that cannot be read.

        Raises:
            ValidationError: nobody says whose, the range is too long, or the query names what is another owner's.
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

    async def run(
        self,
        job: ExportJob,
        directory: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        progress: Callable[[ExportProgress], object] | None = None,
        refresh_days: int = 0,
        on_malformed: OnMalformed | Literal["keep"] = "raise",
        allow_loss: bool = False,
    ) -> ExportReport:
        """Fetch a job into a directory, window by window; run it again to fetch what is missing.

        Each window is a request. Its records are checked as typed ones; those outside of the window are dropped,
        and so are those events whose `id` has been there. It is written under another name, synced, put in its
        place and entered in `manifest.json`: whenever the run is killed, what the manifest names is whole, and the
        next run goes on from there. A window that is cut off is fetched again from its start, as often as the
        client's `RetryPolicy` allows. One that fails does not stop the others, unless all would fail as it did
        (401, 403, 404, or a 429 that outlasts the retries). Where the service refuses a range for its length, the
        windows become shorter.

        Days are UTC. A window that has not begun is not asked for. One that has not been over for an hour is
        fetched, and again by the next run. What has begun and ended is for the service's clock to say, by the
        `Date` of its answers; for the machine's before the first one, and where there is none to be read.

        v2 has been seen to send the end day, too. Where the first window shows that, the others are asked for up
        to their last day alone, and those of 30 days become 31. A window whose last day then brings nothing is
        asked for that day once more, up to the day after, so that nothing is missing whatever the service does.

        Windows of aggregations are whole buckets of the rollup, but for the first and the last one. What the query
        names by id is read once before the first of them. Their rows are all kept, equal ones too. A window that
        holds rows fails where the service now sends none, or has looked at fewer days than before: plans forget,
        and what is there stays, unless `allow_loss`.

        A record that cannot be read, or is longer than `max_record_bytes`, fails its window, unless
        `on_malformed` says otherwise: `"skip"` leaves it out; `"keep"` leaves it out and writes it to
        `rejects/<window>.jsonl` in the directory, a JSON object with its `line`, the `reason` and the `record`
        (`record_base64` where it is not UTF-8; of one that is too long the first 4 KiB); a function is given the
        `MalformedRecordError`, again if the window is fetched again. The report and the manifest count them as
        `malformed`.

        `csv` and `jsonl` are one file for a window: events in CSV and aggregates in JSON lines as the service sent
        them (a record on which readers of CSV differ is quoted), the others by the names of their attributes, all
        of them in each line; `extra` is then a JSON object of its own. `parquet` (extra `arrow`) is one file for a
        window, too, or with `partition_by` one for each month or each package or pixel of it, in folders
        `month=YYYY-MM/` or `artifact=.../`.

        The files lie in `data/`, and nothing else does, so that pandas, pyarrow, polars and DuckDB read that folder
        as one table, also while a run is under way: `pandas.read_parquet("events/data")`.

        ```python
        job = ExportJob("owner_events", "acme", "2024-01-01", "2024-04-01", format="parquet")
        report = await scarf.exports.run(job, "events")
        report.raise_for_failures()
        ```

        Args:
            job: what to fetch; the version, and in v2 the owner, that it leaves out are the client's.
            directory: where to; made where it is missing, but not those above it. For this job alone, its version,
                owner and server included.
            concurrency: windows under way at the most.
            progress: called at most ten times a second, and once at the end.
            refresh_days: fetch the windows again that have any of the last so many days of the range that have
                begun, and replace them.
            on_malformed: what happens to a record that cannot be read; what a function raises ends the run, but a
                `ScarfError` fails the window.
            allow_loss: replace a window of aggregations also by nothing, or by fewer days.

        Returns:
            What became of each window.

        Raises:
            ValidationError: an argument cannot be used; nothing was sent.
            UnsupportedError: they are aggregates, and the client speaks v2.
            NotFoundError: a package or pixel that aggregations are to be of is not there.
            ExportError: the directory is another job's or another server's, is in use by another run, or its
                manifest cannot be used; nothing was sent.
            OSError: something cannot be written.
            ImportError: the format is Parquet, and pyarrow is not installed.
            ClientClosedError: the client was closed meanwhile.
        """
        instance("job", job, ExportJob, ValidationError, wanted="an ExportJob")
        whole("concurrency", concurrency, ValidationError)
        whole("refresh_days", refresh_days, ValidationError, least=0)
        flag("allow_loss", allow_loss, ValidationError)
        _check_on_malformed(on_malformed, "raise", "skip", "keep")
        heard = on_malformed if callable(on_malformed) or on_malformed != "keep" else "skip"
        job = job.of_client(self._client.api, self._client.owner)
        spec = partial(self._spec_of, job, heard)
        need_arrow(job.format)
        # What the service's addresses cannot hold is refused before a directory is made.
        spec(Window(job.start, job.start + dt.timedelta(1)))
        reads = [] if job.query is None else list(read_artifacts(job.query, job.owner or ""))

        async def check() -> None:
            for read in reads:
                await self._client.tell(read)

        return await run_job(
            job,
            Path(directory),
            self._client.server_of(job.api or self._client.api),
            spec,
            concurrency=concurrency,
            refresh_days=refresh_days,
            progress=Hook("progress", progress),
            clock=self._client.clock,
            keep_rejects=on_malformed == "keep",
            allow_loss=allow_loss,
            check=check,
        )

    async def verify(self, directory: str | os.PathLike[str]) -> list[FileProblem]:
        """Compare the files of a job's directory with its manifest, in a thread; see `verify_export`."""
        return await run_sync(verify_export, directory)

    def _spec_of(self, job: ExportJob, on_malformed: OnMalformed, asked: Window) -> ExportSpec[Record]:
        """Return the export of what a job asks for, with nothing left out: the job does that."""
        start, end = asked.start, asked.end
        exports = _JobExports(self._client)
        owner, package = job.owner or "", job.package or ""
        export: Export[Event] | Export[Aggregate] | Export[Aggregation]
        match job.what:
            case ExportKind.ORGANIZATION_AGGREGATES:
                export = exports.organization_aggregates(owner, start, end, unfiltered=True)
            case ExportKind.USER_AGGREGATES:
                export = exports.user_aggregates(owner, start, end, unfiltered=True)
            case ExportKind.PACKAGE_EVENTS:
                export = exports.package_events(job.owner, package, start, end, api=job.client_api, unfiltered=True)
            case ExportKind.OWNER_EVENTS:
                export = exports.owner_events(owner, start, end, names=job.names, unfiltered=True)
            case ExportKind.PIXEL_EVENTS:
                export = exports.pixel_events(start, end, owner=job.owner, api=job.client_api, unfiltered=True)
            case ExportKind.AGGREGATIONS:
                export = exports.aggregations(start, end, job.query or _EVERYTHING, owner=job.owner)
        # Whoever only reads from it need not know which of them it is.
        spec = cast("ExportSpec[Record]", export.spec)
        return attrs.evolve(spec, on_malformed=on_malformed)

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
        _check_on_malformed(on_malformed, "raise", "skip")
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


class _JobExports(Exports):
    """Those of jobs: a day that is both start and end is a range for a service that takes the end in."""

    _one_day = True
