"""`scarf-async export`: write an export to standard output or a file."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, TypeVar

import attrs
import typer

from scarf_async.cli import export_job
from scarf_async.cli.aggregations import QueryOptions, warnings_said
from scarf_async.cli.command import command
from scarf_async.cli.days import Days, Month, Since, days_before, read_range, refuse_future, today
from scarf_async.cli.finding import package_id, pixel_id, with_ids
from scarf_async.cli.malformed import on_malformed_of
from scarf_async.cli.options import ExportClientOptions
from scarf_async.cli.output import StandardOutput, Status, say
from scarf_async.cli.progress import Meter, describe, size_of
from scarf_async.cli.records import AsJson, write_json
from scarf_async.cli.writes import Type
from scarf_async.entities import JSON
from scarf_async.errors import GuardError, ValidationError
from scarf_async.files import refuse_open_stream
from scarf_async.text import counted

if TYPE_CHECKING:
    from scarf_async.exports.spec import OnMalformed
    from scarf_async.exports.stream import Export, ExportStream

__all__ = ["app"]

T = TypeVar("T")

app: typer.Typer = typer.Typer(
    help="Fetch events and counts to standard output or a file, or window by window into a directory or a bucket.",
    no_args_is_help=True,
)
app.command("job")(export_job.run)
app.command("verify")(export_job.verify)
app.command("gc")(export_job.gc)


class _Span(TypedDict):
    start: dt.date
    end: dt.date
    on_malformed: OnMalformed


class _Range(_Span):
    unfiltered: bool


@attrs.frozen(kw_only=True)
class SpanOptions:
    """The range of days of an export."""

    start: Annotated[str | None, typer.Option(help="The first day, YYYY-MM-DD (UTC).", metavar="DAY")] = None
    end: Annotated[
        str | None, typer.Option(help="The first day after the range, by default today (UTC).", metavar="DAY")
    ] = None
    days: Days = None
    since: Since = None
    month: Month = None
    on_malformed: Annotated[
        str,
        typer.Option(
            metavar="raise|skip|FILE",
            help="What to do with a record that cannot be converted: skip leaves it out and reports it; a FILE"
            " also receives the raw record (the first one replaces an earlier file).",
        ),
    ] = "raise"

    def of(self, target: OutputOptions) -> _Span:
        """Return the arguments for the SDK, for an export to this output."""
        start, end = self.range
        return _Span(start=start, end=end, on_malformed=on_malformed_of(self.on_malformed, target.output))

    @property
    def range(self) -> tuple[dt.date, dt.date]:
        """The first day and the day after the last.

        Raises:
            ValidationError: the range is missing, invalid, or in the future.
        """
        from scarf_async.exports.spec import date_range  # noqa: PLC0415 # `--help` must not wait for it

        start, end = read_range(self.start, self.end, days=self.days, since=self.since, month=self.month)
        if start is None and self.days is None:
            raise ValidationError("no days: give --start DAY, --days N, --since 30d or --month 2024-01")
        # `--days` before an invalid day is not worth an error of its own.
        behind = today() if end is None else date_range(dt.date.min, end)[1]
        first, behind = date_range(start or days_before(behind, self.days or 0), behind)
        refuse_future(first, behind)
        return first, behind


@attrs.frozen(kw_only=True)
class RangeOptions(SpanOptions):
    """The options of an export for which the service may send more than the range."""

    unfiltered: Annotated[
        bool,
        typer.Option(
            "--unfiltered", help="Keep records from --end on if the service sends any; otherwise they are left out."
        ),
    ] = False

    def of_range(self, target: OutputOptions) -> _Range:
        """Return the arguments for the SDK, for an export to this output."""
        return _Range(**self.of(target), unfiltered=self.unfiltered)


_NAMES = typer.Option(
    help="Only packages with these names: a,b for either, * for any text, {a,b} within a name.",
    metavar="NAMES",
)


@attrs.frozen(kw_only=True)
class OutputOptions:
    """The output of an export."""

    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file, which appears under its name once it is complete; - is standard output. The"
            " ending chooses the format: .csv, .jsonl, .ndjson, .parquet; .gz and .zst compress the text formats.",
        ),
    ] = "-"
    replace: Annotated[bool, typer.Option("--replace", help="Replace FILE if it exists.")] = False
    format: Annotated[
        Literal["csv", "jsonl", "parquet"] | None,
        typer.Option(
            help="The format; overrides the ending of FILE. Without either: csv for events and jsonl for"
            " everything else, as the service sends them."
        ),
    ] = None

    as_json: AsJson = False

    async def write(self, export: Export[T]) -> Status:
        """Fetch an export to the output."""
        if self.output == "-":
            if self.as_json:
                raise ValidationError(
                    "--json describes the written file: give -o FILE; for records as JSON, give --format jsonl"
                )
            return await self._print(export, StandardOutput())
        path = self._free(Path(self.output))
        with _Transfer() as meter:
            done = await export.save(path, format=self.format, overwrite=self.replace, progress=meter.received)
        if self.as_json:
            counts: dict[str, JSON] = {"rows": done.records, "bytes": done.bytes, "elapsed": meter.elapsed}
            write_json({"file": self.output, "sha256": done.sha256, **counts})
        return meter.summarize(done.bytes, done.records, done.sha256, self.output)

    def _free(self, path: Path) -> Path:
        """Return the path of the file, unless it exists and may not be replaced."""
        if path.is_file() and not self.replace:
            refuse_open_stream(path)
            raise GuardError(f"{path} exists, and nothing was requested; give --replace to replace it")
        return path

    async def _print(self, export: Export[T], target: StandardOutput) -> Status:
        from anyio.to_thread import run_sync  # noqa: PLC0415 # `--help` must not wait for it

        from scarf_async.exports.formats import need_arrow  # noqa: PLC0415

        if self.format == "parquet" and target.is_terminal:
            raise ValidationError("Parquet cannot be shown on a terminal: give -o FILE, or use a pipe")
        need_arrow(self.format, export.spec.reader(None).record)
        write = target.show if target.is_terminal else target.write
        digest = hashlib.sha256()
        size = 0
        with _Transfer(shown=not target.is_terminal) as meter:
            async with export as stream:
                async for chunk in stream.chunks(self.format):
                    # A slow reader must not block Ctrl-C.
                    await run_sync(write, chunk, abandon_on_cancel=True)
                    digest.update(chunk)
                    size += len(chunk)
                    meter.received(stream)
        return meter.summarize(size, stream.records_kept, digest.hexdigest(), "standard output")


class _Transfer(Meter):
    """Shows the bytes of one export."""

    def received(self, stream: ExportStream[T]) -> None:
        self.show(describe(stream.bytes_received, self.elapsed, total=stream.bytes_total))

    def summarize(self, size: int, records: int, sha256: str, place: str) -> Status:
        """Print what was written where."""
        written = f"{counted(records, 'row')}, {counted(size, 'byte')} ({size_of(size)}) to {place}"
        say(f"{written}, sha256 {sha256}, {self.elapsed:.1f} s")
        return Status.DONE


@app.command()
@command
async def aggregates(
    *,
    account: Annotated[str | None, typer.Argument(metavar="ORG", help="The organization.")] = None,
    organization: Annotated[str | None, typer.Option(help="The same as ORG.")] = None,
    user: Annotated[str | None, typer.Option(help="A user, instead of ORG.")] = None,
    span: RangeOptions,
    target: OutputOptions,
    connection: ExportClientOptions,
) -> Status:
    """Export daily counts of all packages of an organization or a user (v1; with v2 use aggregations).

    Example: scarf-async export aggregates acme --start 2024-01-01 --end 2024-02-01 | jq .total
    """
    named = [name for name in (account, organization, user) if name is not None]
    if len(named) != 1:
        raise ValidationError("give exactly one of ORG, --organization and --user")
    async with connection.client(read_only=True) as scarf:
        call = scarf.exports.organization_aggregates if user is None else scarf.exports.user_aggregates
        export = call(named[0], **span.of_range(target))
        return await target.write(export)


@app.command()
@command
async def aggregations(
    *,
    span: SpanOptions,
    what: QueryOptions,
    target: OutputOptions,
    connection: ExportClientOptions,
) -> Status:
    """Export counts of an owner's traffic per day, week, month or year, by one or two dimensions (v3).

    --end is not included. If the owner's subscription limits the days, a line on standard error says so.

    Example: scarf-async export aggregations --owner acme --start 2026-01-01 --end 2026-04-01 --rollup weekly
    --breakdown by-company --breakdown by-version
    """
    from scarf_async.entities import AggregationQuery  # noqa: PLC0415 # `--help` must not wait for it

    async with connection.client(read_only=True) as scarf:
        export = scarf.exports.aggregations(
            query=await with_ids(scarf, what.query or AggregationQuery()), owner=connection.owner, **span.of(target)
        )
        with warnings_said():
            return await target.write(export)


@app.command()
@command
async def package_events(
    *,
    account: Annotated[
        str, typer.Argument(metavar="OWNER|OWNER/NAME", help="The package's owner, or owner and name.")
    ],
    package: Annotated[
        str | None, typer.Argument(metavar="PACKAGE", help="The package's name or uuid, after its owner.")
    ] = None,
    type: Type = None,  # the option's name  # noqa: A002
    span: RangeOptions,
    target: OutputOptions,
    connection: ExportClientOptions,
) -> Status:
    """Export the events of a package, in no particular order; an event may occur more than once.

    Example: scarf-async export package-events acme/web --start 2024-01-01 --end 2024-02-01 -o events.csv
    """
    owner, _, name = account.partition("/") if package is None else (account, "", package)
    if not (owner and name):
        raise ValidationError("give the package: OWNER/NAME, or OWNER and a name or uuid")
    async with connection.client(read_only=True) as scarf:
        wanted = await package_id(scarf, name, owner, type)
        return await target.write(scarf.exports.package_events(owner, wanted, **span.of_range(target)))


@app.command()
@command
async def owner_events(
    *,
    account: Annotated[
        str | None,
        typer.Argument(metavar="OWNER", help="The organization or user; by default --owner."),
    ] = None,
    names: Annotated[str | None, _NAMES] = None,
    span: RangeOptions,
    target: OutputOptions,
    connection: ExportClientOptions,
) -> Status:
    """Export the events of all packages of an owner, in no particular order; an event may occur more than once.

    Example: scarf-async export owner-events acme --start 2024-01-01 --end 2024-02-01 --format parquet -o a.parquet
    """
    async with connection.client(read_only=True) as scarf:
        return await target.write(scarf.exports.owner_events(account, names=names, **span.of_range(target)))


@app.command()
@command
async def company_events(
    *,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The company's domain, such as corp.example.")],
    span: RangeOptions,
    target: OutputOptions,
    connection: ExportClientOptions,
) -> Status:
    """Export the events of an owner's packages and pixels that come from one company.

    Example: scarf-async export company-events corp.example --owner acme --start 2024-01-01 --end 2024-02-01
    """
    async with connection.client(read_only=True) as scarf:
        return await target.write(scarf.exports.company_events(domain, **span.of_range(target)))


@app.command()
@command
async def pixel_rollup(*, span: RangeOptions, target: OutputOptions, connection: ExportClientOptions) -> Status:
    """Export how often companies saw an owner's pixels, as csv or jsonl.

    Example: scarf-async export pixel-rollup --owner acme --start 2024-01-01 --end 2024-02-01 -o rollup.csv
    """
    async with connection.client(read_only=True) as scarf:
        return await target.write(scarf.exports.pixel_rollup(**span.of_range(target)))


@app.command()
@command
async def pixel_events(
    *,
    pixel: Annotated[str | None, typer.Option(help="Only the events of this pixel, by name or id (v2).")] = None,
    span: RangeOptions,
    target: OutputOptions,
    connection: ExportClientOptions,
) -> Status:
    """Export the events of pixels, in no particular order; an event may occur more than once.

    With --owner they are those of that owner's pixels, through v2 unless --api says otherwise; in v1 those of all
    pixels that the token's user can see.

    Example: scarf-async export pixel-events --owner acme --start 2024-01-01 --end 2024-02-01 | head -1
    """
    async with connection.client(read_only=True) as scarf:
        return await target.write(
            scarf.exports.pixel_events(
                owner=connection.owner,
                pixel=None if pixel is None else await pixel_id(scarf, pixel),
                api=connection.api or ("v2" if connection.owner else None),
                **span.of_range(target),
            )
        )
