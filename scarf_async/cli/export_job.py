"""`scarf-async export job`, `export verify` and `export gc`: long ranges, window by window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import attrs
import typer

from scarf_async.cli.aggregations import QueryOptions
from scarf_async.cli.command import command
from scarf_async.cli.days import Days, Month, Since, days_before, read_range, refuse_future
from scarf_async.cli.ending import NOTHING, has_failed, tell_end
from scarf_async.cli.finding import job_with_ids
from scarf_async.cli.log import LogOption, logging_to
from scarf_async.cli.options import ExportClientOptions
from scarf_async.cli.output import StandardOutput, Status, say
from scarf_async.cli.progress import Meter, describe, size_of
from scarf_async.cli.records import AsJson, write_json
from scarf_async.cli.writes import Type
from scarf_async.errors import GuardError, ScarfError, ValidationError
from scarf_async.text import counted as in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from scarf_async.entities import JSON
    from scarf_async.exports.jobs import ExportJob, ExportProgress, ExportReport

__all__ = ["gc", "run", "verify"]

What = Literal[
    "organization_aggregates", "user_aggregates", "package_events", "owner_events", "pixel_events", "aggregations"
]


@command
async def run(
    *,
    what: Annotated[
        What, typer.Argument(metavar="WHAT", help=f"Which export: {', '.join(get_args(What)).replace('_', '-')}.")
    ],
    account: Annotated[
        str | None,
        typer.Argument(
            metavar="OWNER",
            help="The organization, user or owner; by default --owner, and in v1 everything that the token's"
            " user can see.",
        ),
    ] = None,
    package: Annotated[
        str | None, typer.Option(help="For package-events: the package, as OWNER/NAME, its name, or its uuid.")
    ] = None,
    type: Type = None,  # the option's name  # noqa: A002
    to: Annotated[
        str,
        typer.Option(
            "--to",
            "--directory",
            metavar="DEST",
            help="Where the files go: a directory, created if it is missing, or s3://BUCKET/PREFIX (gs://,"
            " az://, abfs://).",
        ),
    ],
    start: Annotated[
        str | None,
        typer.Option(
            help="The first day, YYYY-MM-DD (UTC). Without it and without --days: continue from the first gap in"
            " the destination, or else from its end.",
            metavar="DAY",
        ),
    ] = None,
    days: Days = None,
    since: Since = None,
    month: Month = None,
    end: Annotated[
        str | None,
        typer.Option(help="The day after the last one (not included). By default today (UTC).", metavar="DAY"),
    ] = None,
    format: Annotated[  # the option's name  # noqa: A002
        Literal["csv", "jsonl", "parquet"], typer.Option(help="The format of the files.")
    ] = "csv",
    partition_by: Annotated[
        Literal["month", "artifact"] | None,
        typer.Option(
            help="For Parquet: a folder for each month, or for each package or pixel. By default each window is"
            " one file."
        ),
    ] = None,
    window_days: Annotated[
        int | None,
        typer.Option(help="The longest window, in days. By default the longest that the service accepts."),
    ] = None,
    concurrency: Annotated[int, typer.Option(help="How many windows to fetch at once.")] = 4,
    refresh_days: Annotated[
        int | None,
        typer.Option(
            help="Fetch windows again that overlap the last N days of the range that have begun, since events"
            " may arrive late. By default 3 without --end, otherwise 0."
        ),
    ] = None,
    on_malformed: Annotated[
        Literal["raise", "keep"],
        typer.Option(
            help="What to do with a record that cannot be read: raise fails its window; keep leaves it out, counts"
            " it and writes it into the directory, below rejects/."
        ),
    ] = "raise",
    allow_loss: Annotated[
        bool,
        typer.Option(
            "--allow-loss",
            help="Replace windows of aggregations even if the service now sends nothing, or looks at fewer"
            " days; otherwise such windows fail and their files stay.",
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            help="Continue from what the destination holds. With --no-resume, a directory that is not empty or"
            " a prefix that holds a job is refused; nothing is ever deleted to start over."
        ),
    ] = True,
    counted: QueryOptions,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Write the result as one JSON object, also if it fails or is busy."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing unless something fails.")] = False,
    log: LogOption = None,
    connection: ExportClientOptions,
) -> Status:
    """Fetch a long range window by window into a directory or an object store; run it again to continue.

    Events and pixel events of an owner always come from v2, aggregates from v1 and aggregations from v3. On a
    terminal a line shows the progress; in a pipe there is a line for each window. Status 5: another run is at work
    on the same destination.

    Example: scarf-async export job owner-events acme --days 90 --to acme
    """
    from scarf_async.exports.jobs import ExportJob  # noqa: PLC0415 # `--help` must not wait for it

    try:
        start, end = read_range(start, end, days=days, since=since, month=month)
        job = ExportJob(
            what,
            connection.owner if account is None else account,
            start,
            end,
            format,
            window_days,
            package=package,
            partition_by=partition_by,
            **counted.of_job(what),
        )
        if days is not None:
            job = attrs.evolve(job, start=days_before(job.end, days))
        refuse_future(job.start, job.end)
        if not resume and _holds_something(to):
            raise GuardError(
                f"{to} is not empty, and --no-resume was given: nothing was done; give another destination"
            )
        with logging_to(log) as note:
            report = await _run(
                job,
                to,
                connection,
                concurrency=concurrency,
                refresh_days=refresh_days,
                on_malformed=on_malformed,
                allow_loss=allow_loss,
                quiet=quiet,
                note=note,
                type=type,
            )
            note(str(report))
    except (ScarfError, OSError) as error:
        if as_json:
            write_json(NOTHING | {"error": str(error)})
        raise
    failed = has_failed(report)
    if as_json:
        write_json(report.to_dict() | {"error": report.stopped_by})
    if failed or not quiet:
        tell_end(report)
        size = size_of(report.bytes)
        written = f"{in_words(report.rows, 'row')}, {in_words(report.bytes, 'byte')} ({size})"
        say(f"{written} in {to}, {report.elapsed:.1f} s")
    return Status.FAILED if failed else Status.DONE


def _holds_something(to: str) -> bool:
    from scarf_async.exports.jobs.manifest import MANIFEST  # noqa: PLC0415 # `--help` must not wait for it
    from scarf_async.exports.jobs.source import objects_at  # noqa: PLC0415
    from scarf_async.exports.jobs.stores.place import place_of  # noqa: PLC0415

    place = place_of(to)
    if isinstance(place, Path):
        return place.exists() and any(place.iterdir())
    return objects_at(place).first(MANIFEST) is not None


async def _run(
    job: ExportJob,
    to: str,
    connection: ExportClientOptions,
    *,
    concurrency: int,
    refresh_days: int | None,
    on_malformed: Literal["raise", "keep"],
    allow_loss: bool,
    quiet: bool,
    note: Callable[[str], None],
    type: str | None,  # as the option  # noqa: A002
) -> ExportReport:
    from scarf_async.exports.jobs.stores.place import place_of  # noqa: PLC0415 # `--help` must not wait for it

    place = place_of(to)
    with Meter(shown=not quiet) as meter:
        waiting = False

        def show(progress: ExportProgress) -> None:
            nonlocal waiting
            if progress.waiting_for is not None:
                line = f"waiting {progress.waiting_for}"
                if not waiting:
                    note(line)
                    if not (quiet or meter.is_shown):
                        say(line)
                meter.show(line)
                waiting = True
                return
            for window in progress.finished:
                rows, size = in_words(window.rows, "row"), size_of(window.bytes)
                line = f"{window.start}..{window.end}: {window.status}, {rows}, {size}"
                note(line if window.error is None else f"{line}: {window.error}")
                if not (quiet or meter.is_shown):
                    say(line)
            windows = (progress.windows_done, progress.windows_total)
            failed, written = progress.windows_failed, progress.rows
            line = describe(progress.bytes, progress.elapsed, windows=windows, failed=failed, rows=written)
            meter.show(f"{progress.stage}  {line}")

        async with connection.client(read_only=True) as scarf:
            if isinstance(place, Path):
                place.parent.mkdir(parents=True, exist_ok=True)
            try:
                return await scarf.exports.run(
                    await job_with_ids(scarf, job, type),
                    to,
                    concurrency=concurrency,
                    refresh_days=refresh_days,
                    progress=show,
                    on_malformed=on_malformed,
                    allow_loss=allow_loss,
                )
            except ValidationError as error:
                if error.field != "start" or job.start is not None:
                    raise
                problem = f"{to} holds nothing to continue from"
    raise ValidationError(f"{problem}: give --start DAY or --days N")


@command
def verify(
    *,
    directory: Annotated[
        str,
        typer.Argument(metavar="DEST", help="A directory, or s3://BUCKET/PREFIX, that `export job` has written."),
    ],
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read the rows, and look for ids that occur in two windows.")
    ] = False,
    as_json: AsJson = False,
) -> Status:
    """Check what `export job` has written against its manifest: every file, every byte. Needs no token.

    Each difference is a line on standard output; the status is then 4.

    Example: scarf-async export verify acme-2024
    """
    from scarf_async.exports.jobs import verify_export  # noqa: PLC0415 # `--help` must not wait for it

    problems = verify_export(directory, deep=deep)
    if as_json:
        found: list[JSON] = [{"path": str(problem.path), "problem": problem.problem} for problem in problems]
        write_json({"whole": not problems, "problems": found})
    if not problems:
        say(f"{directory} is whole.")
        return Status.DONE
    if not as_json:
        output = StandardOutput()
        for problem in problems:
            output.write_line(str(problem))
    return Status.DIFFERENT


@command
def gc(
    *,
    destination: Annotated[
        str,
        typer.Argument(
            metavar="DEST",
            help="The prefix that `export job` wrote to: s3://BUCKET/PREFIX (gs://, az://, abfs://).",
        ),
    ],
    as_json: AsJson = False,
) -> Status:
    """Delete from a bucket what `export job` replaced, or left when killed, over a day ago. Needs no token.

    Each deleted object is a line on standard output. Status 5: a run is at work on this prefix. A directory needs
    no such cleaning.

    Example: scarf-async export gc s3://bucket/events
    """
    from scarf_async.exports.jobs.stores.garbage import collect_garbage  # noqa: PLC0415 # `--help` must not wait for it

    paths = collect_garbage(destination)
    if as_json:
        write_json({"deleted": list(paths)})
        return Status.DONE
    output = StandardOutput()
    for path in paths:
        output.write_line(path)
    say(f"{in_words(len(paths), 'object')} deleted in {destination}.")
    return Status.DONE
