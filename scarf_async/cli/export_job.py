"""`scarf-async export job` and `export verify`: long ranges, window by window, into a directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from scarf_async.cli.aggregations import QueryOptions
from scarf_async.cli.command import command
from scarf_async.cli.malformed import RejectFile
from scarf_async.cli.naming import as_typed
from scarf_async.cli.options import ExportClientOptions
from scarf_async.cli.output import StandardOutput, Status, say
from scarf_async.cli.progress import Meter, describe, size_of

if TYPE_CHECKING:
    from scarf_async.exports.jobs import ExportProgress
    from scarf_async.exports.spec import OnMalformed

__all__ = ["run", "verify"]

What = Literal[
    "organization_aggregates", "user_aggregates", "package_events", "owner_events", "pixel_events", "aggregations"
]


@command
async def run(
    *,
    what: Annotated[What, typer.Argument(metavar="WHAT", help=f"Which export: {', '.join(get_args(What))}.")],
    account: Annotated[
        str | None,
        typer.Argument(
            metavar="[OWNER]",
            help="The organization, user or owner; by default --owner, and in v1 whatever the token's user sees.",
        ),
    ] = None,
    package: Annotated[str | None, typer.Option(help="The package's uuid, for package_events.")] = None,
    start: Annotated[str, typer.Option(help="The first day, YYYY-MM-DD (UTC).", metavar="DAY")],
    end: Annotated[str, typer.Option(help="The first day after the range: it is not in it.", metavar="DAY")],
    directory: Annotated[Path, typer.Option(help="Where the files go; it is made where it is missing.")],
    format: Annotated[  # the option's name  # noqa: A002
        Literal["csv", "jsonl", "parquet"], typer.Option(help="What is written.")
    ] = "csv",
    partition_by: Annotated[
        Literal["month", "artifact"] | None,
        typer.Option(
            help="For Parquet: a folder for each month, or package or pixel. By default a window is one file."
        ),
    ] = None,
    window_days: Annotated[
        int | None, typer.Option(help="The longest window. By default as long as the service takes.")
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Windows fetched at the same time, at the most.")] = 4,
    refresh_days: Annotated[
        int,
        typer.Option(
            help="Fetch the windows again that overlap the last so many days of the range that have begun, since"
            " events may come late."
        ),
    ] = 0,
    on_malformed: Annotated[
        str,
        typer.Option(
            metavar="raise|skip|keep|FILE",
            help="What happens to a record that cannot be read: raise fails its window, the others leave it out and"
            " count it; keep writes it into the directory, below rejects/, and a FILE takes the raw records of this"
            " run, the first of which replaces an earlier file.",
        ),
    ] = "raise",
    allow_loss: Annotated[
        bool,
        typer.Option(
            "--allow-loss",
            help="Replace windows of aggregations also where the service now sends nothing, or looks at fewer days;"
            " else they fail and stay.",
        ),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            help="Go on with what the directory holds. With --no-resume a directory that holds anything is refused;"
            " nothing is ever deleted to start anew."
        ),
    ] = True,
    counted: QueryOptions,
    connection: ExportClientOptions,
) -> Status:
    """Fetch a long range window by window into a directory; the same command again goes on where it was.

    The events and the pixel events of an owner are always those of v2; aggregates are those of v1, and aggregations
    those of v3.

    Example: scarf-async export job owner_events acme --start 2024-01-01 --end 2025-01-01 --directory acme-2024
    """
    from scarf_async.exports.jobs import ExportJob  # noqa: PLC0415 # `--help` must not wait for it

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
    if not resume and directory.exists() and any(directory.iterdir()):
        say(f"{directory} is not empty, and --no-resume was given: nothing was done. Give another directory.")
        return Status.REFUSED
    with Meter() as meter:

        def show(progress: ExportProgress) -> None:
            windows = (progress.windows_done, progress.windows_total)
            failed, rows = progress.windows_failed, progress.rows
            meter.show(describe(progress.bytes, progress.elapsed, windows=windows, failed=failed, rows=rows))

        async with connection.client(read_only=True) as scarf:
            report = await scarf.exports.run(
                job,
                directory,
                concurrency=concurrency,
                refresh_days=refresh_days,
                progress=show,
                on_malformed=_on_malformed(on_malformed),
                allow_loss=allow_loss,
            )
    errors = filter(None, (window.error for window in report.windows))
    for line in as_typed(str(report), *errors).splitlines():
        say(line)
    size = size_of(report.bytes)
    say(f"{report.rows:,} rows, {report.bytes:,} bytes ({size}) in {directory}, {report.elapsed:.1f} s")
    return Status.FAILED if report.failed or report.stopped_by else Status.DONE


def _on_malformed(value: str) -> OnMalformed | Literal["keep"]:
    match value:
        case "raise" | "skip" | "keep":
            return value
        case _:
            return RejectFile(value).take


@command
def verify(
    *,
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="A directory that `export job` has written.")
    ],
) -> Status:
    """Check a directory of `export job` against its manifest: every file, every byte. Needs no token.

    Each difference is a line on standard output; the status is then 4.

    Example: scarf-async export verify acme-2024
    """
    from scarf_async.exports.jobs import verify_export  # noqa: PLC0415 # `--help` must not wait for it

    problems = verify_export(directory)
    if not problems:
        say(f"{directory} is whole.")
        return Status.DONE
    output = StandardOutput()
    for problem in problems:
        output.write_line(str(problem))
    return Status.DIFFERENT
