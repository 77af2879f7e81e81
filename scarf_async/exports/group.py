"""The calls `scarf.exports.*`."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeVar, cast

import attrs
from anyio.to_thread import run_sync

from scarf_async.checks import instance, whole, word
from scarf_async.dialects.exports import asks_for_owner, export_call
from scarf_async.entities import Aggregate, ApiVersion, Event, ExportKind, Package, PackageKey
from scarf_async.errors import ValidationError
from scarf_async.events import Hook
from scarf_async.exports.aggregate_reader import AggregateReader
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.formats import need_installed
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.report import ExportProgress, ExportReport
from scarf_async.exports.jobs.verify import FileProblem, verify_export
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.spec import Day, ExportClient, ExportSpec, OnMalformed, RecordReader, date_range
from scarf_async.exports.stream import Export
from scarf_async.resources.packages import package_key
from scarf_async.text import printable

__all__ = ["Exports"]

_ANY_DAY: Final = Window(dt.date(2024, 1, 1), dt.date(2024, 1, 2))

T = TypeVar("T")


def _check_on_malformed(value: object, *words: str) -> None:
    if not callable(value):
        word("on_malformed", value, words, ValidationError, other="a function")


class Exports:
    """Exports of aggregates and events, as streams of typed records or as files.

    Each call checks its arguments and returns an `Export`; nothing is sent before `async with` or `save`.

    ```python
    async with scarf.exports.package_events("acme", package_id, "2024-01-01", "2024-02-01") as events:
        async for event in events:
            print(event.time, event.type)
    ```

    In all of them `start` is the first day and `end` the first day after the range, each a `datetime.date` or
    `YYYY-MM-DD`, in UTC. Where the service may send more than that (all but the v1 events), records at or
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
        """Aggregates of an organization's packages."""
        return self._export(
            ExportKind.ORGANIZATION_AGGREGATES,
            AggregateReader,
            f"aggregates of organization {organization}",
            start,
            end,
            owner=organization,
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
        """Aggregates of a user's packages."""
        return self._export(
            ExportKind.USER_AGGREGATES,
            AggregateReader,
            f"aggregates of user {username}",
            start,
            end,
            owner=username,
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
        owner: str,
        start: Day,
        end: Day,
        *,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Event]:
        """Events of all packages of an owner, in no order; from v2."""
        return self._export(
            ExportKind.OWNER_EVENTS,
            EventReader,
            f"events of {owner}",
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
        api: ApiVersion | None = None,
        unfiltered: bool = False,
        on_malformed: OnMalformed = "raise",
    ) -> Export[Event]:
        """Events of pixels: of all that the token's user can see (v1), or of an owner's (v2).

        Args:
            start: the first day.
            end: the first day after the range.
            owner: whose pixels; for v2, and only there. None: the client's owner's.
            api: which version to ask; None: that of the client.
            unfiltered: keep what v2 sends from `end` on.
            on_malformed: what happens to a record that cannot be read.
        """
        api = self._client.api if api is None else api
        if owner is None and asks_for_owner(ExportKind.PIXEL_EVENTS, api):
            owner = self._client.owner
        return self._export(
            ExportKind.PIXEL_EVENTS,
            EventReader,
            "pixel events" if owner is None else f"pixel events of {owner}",
            start,
            end,
            owner=owner,
            api=api,
            unfiltered=unfiltered,
            on_malformed=on_malformed,
        )

    async def run(
        self,
        job: ExportJob,
        directory: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        progress: Callable[[ExportProgress], object] | None = None,
        refresh_days: int | None = None,
        on_malformed: OnMalformed | Literal["keep"] = "raise",
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

        Returns:
            What became of each window.

        Raises:
            ValidationError: an argument cannot be used; nothing was sent.
            ExportError: the directory is another job's or another server's, is in use by another run, or its
                manifest cannot be used; nothing was sent.
            OSError: something cannot be written.
            ImportError: the format is Parquet, and pyarrow is not installed.
            ClientClosedError: the client was closed meanwhile.
        """
        instance("job", job, ExportJob, ValidationError, wanted="an ExportJob")
        whole("concurrency", concurrency, ValidationError)
        if refresh_days is None:
            refresh_days = 3 if job.end is None else 0
        whole("refresh_days", refresh_days, ValidationError, least=0)
        _check_on_malformed(on_malformed, "raise", "skip", "keep")
        heard = on_malformed if callable(on_malformed) or on_malformed != "keep" else "skip"
        job = job.of_client(self._client.api, self._client.owner)
        spec = partial(self._spec_of, job, heard)
        need_installed("an export job", "scarf-async[data]", "pyarrow", "duckdb")
        from scarf_async.exports.jobs.run import run_job  # noqa: PLC0415 # the engine is large, and an extra

        # What the service's addresses cannot hold is refused before a directory is made.
        spec(_ANY_DAY)
        return await run_job(
            job,
            Path(directory),
            self._client.server_of(job.api or self._client.api),
            spec,
            concurrency=concurrency,
            refresh_days=refresh_days,
            progress=Hook("progress", progress),
            clock=self._client.clock,
            memory_limit=256 * 10**6,
            keep_rejects=on_malformed == "keep",
        )

    async def verify(self, directory: str | os.PathLike[str]) -> list[FileProblem]:
        """Compare the files of a job's directory with its manifest, in a thread; see `verify_export`."""
        return await run_sync(verify_export, directory)

    def _spec_of(self, job: ExportJob, on_malformed: OnMalformed, asked: Window) -> ExportSpec[Event | Aggregate]:
        """Return the export of what a job asks for, with nothing left out: the job does that."""
        start, end = asked.start, asked.end
        exports = _JobExports(self._client)
        owner, package = job.owner or "", job.package or ""
        export: Export[Event] | Export[Aggregate]
        match job.what:
            case ExportKind.ORGANIZATION_AGGREGATES:
                export = exports.organization_aggregates(owner, start, end, unfiltered=True)
            case ExportKind.USER_AGGREGATES:
                export = exports.user_aggregates(owner, start, end, unfiltered=True)
            case ExportKind.PACKAGE_EVENTS:
                export = exports.package_events(job.owner, package, start, end, api=job.api, unfiltered=True)
            case ExportKind.OWNER_EVENTS:
                export = exports.owner_events(owner, start, end, unfiltered=True)
            case ExportKind.PIXEL_EVENTS:
                export = exports.pixel_events(start, end, owner=job.owner, api=job.api, unfiltered=True)
        # Whoever only reads from it need not know which of the two it is.
        spec = cast("ExportSpec[Event | Aggregate]", export.spec)
        return attrs.evolve(spec, on_malformed=on_malformed)

    def _export(
        self,
        kind: ExportKind,
        reader: Callable[[dt.date | None], RecordReader[T]],
        description: str,
        start: Day,
        end: Day,
        *,
        owner: str | None,
        unfiltered: bool,
        on_malformed: OnMalformed,
        package: str | None = None,
        api: str = "v1",
    ) -> Export[T]:
        call = export_call(kind, api, owner)
        first, behind = date_range(start, end, one_day=self._one_day)
        _check_on_malformed(on_malformed, "raise", "skip")
        client = self._client
        request = call.request(first, behind, owner=owner, package=package)
        return Export(
            ExportSpec(
                description=printable(f"{description} {first}..{behind}"),
                open=partial(client.download, request),
                reader=reader,
                end=behind if call.end_may_be_included and not unfiltered else None,
                on_malformed=on_malformed,
                max_record_bytes=client.max_record_bytes,
                attempts=client.save_attempts,
                pause=partial(client.pause, request),
                redact=client.redact,
            )
        )


class _JobExports(Exports):
    """Those of jobs: a day that is both start and end is a range for a service that takes the end in."""

    _one_day = True
