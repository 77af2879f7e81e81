"""`scarf-async load`: load events into PostgreSQL or DuckDB, from the service or the directory of a job."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypedDict

import attrs
import typer

from scarf_async.cli.command import command
from scarf_async.cli.days import Days, Month, Since, days_before, read_range, refuse_future
from scarf_async.cli.ending import NOTHING, has_failed, tell_end
from scarf_async.cli.finding import job_with_ids
from scarf_async.cli.log import LogOption, logging_to
from scarf_async.cli.options import ExportClientOptions
from scarf_async.cli.output import StandardOutput, Status, say
from scarf_async.cli.progress import Meter, describe
from scarf_async.cli.records import write_json
from scarf_async.cli.writes import Type
from scarf_async.errors import ConfigurationError, ScarfError, ValidationError
from scarf_async.text import counted

if TYPE_CHECKING:
    from scarf_async.exports import ExportJob, ExportProgress, LoadReport
    from scarf_async.settings import Secret

__all__ = ["load"]

_VARIABLE: Final = "SCARF_LOAD_URL"
_STATUS: Final = {"fetched": "loaded", "kept": "unchanged"}

What = Literal["package_events", "owner_events", "pixel_events"]


class _Table(TypedDict):
    table: str
    columns: Literal["scarf", "official"]


@attrs.frozen(kw_only=True)
class RangeOptions:
    """What to fetch from the service."""

    package: Annotated[
        str | None, typer.Option(help="For package-events: the package, as OWNER/NAME, its name, or its uuid.")
    ] = None
    type: Type = None
    start: Annotated[
        str | None,
        typer.Option(
            help="The first day, YYYY-MM-DD (UTC). Without it and without --days: continue from the first gap"
            " in the ledger, or else from its end.",
            metavar="DAY",
        ),
    ] = None
    days: Days = None
    since: Since = None
    month: Month = None
    end: Annotated[
        str | None,
        typer.Option(help="The day after the last one (not included). By default today (UTC).", metavar="DAY"),
    ] = None
    window_days: Annotated[
        int | None,
        typer.Option(help="The longest window, in days. By default the longest that the service accepts."),
    ] = None
    concurrency: Annotated[int, typer.Option(help="How many windows to fetch at once.")] = 4
    refresh_days: Annotated[
        int | None,
        typer.Option(
            help="Fetch windows again that overlap the last N days of the range that have begun. By default 3"
            " without --end and with --columns official, otherwise 0."
        ),
    ] = None
    on_malformed: Annotated[
        Literal["raise", "keep"],
        typer.Option(
            help="What to do with a record that cannot be read: raise fails its window; keep leaves it out and"
            " counts it, and writes it below --temp-dir, if that is given."
        ),
    ] = "raise"
    temp_dir: Annotated[
        Path | None, typer.Option(help="Where windows are kept until they are loaded.", metavar="DIRECTORY")
    ] = None

    def job(self, what: What, owner: str | None) -> ExportJob:
        """Return the job that these describe.

        Raises:
            ValidationError: an option is invalid.
        """
        from scarf_async.exports.jobs import ExportJob  # noqa: PLC0415 # `--help` must not wait for it

        start, end = read_range(self.start, self.end, days=self.days, since=self.since, month=self.month)
        job = ExportJob(what, owner, start, end, "csv", self.window_days, package=self.package)
        if self.days is not None:
            job = attrs.evolve(job, start=days_before(job.end, self.days))
        refuse_future(job.start, job.end)
        return job


@command
async def load(
    *,
    what: Annotated[
        What | None,
        typer.Argument(
            metavar="WHAT", help="Which export: package-events, owner-events, pixel-events. Not with --from."
        ),
    ] = None,
    account: Annotated[
        str | None,
        typer.Argument(
            metavar="OWNER", help="The organization, user or owner; by default --owner. Not with --from."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Load a directory or prefix that `export job` has written, without a token.",
            metavar="SOURCE",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="Where to load: postgresql://..., service=NAME, postgresql:// alone (libpq's variables) or"
            f" duckdb:PATH; by default ${_VARIABLE}. A password in it is refused: every user of the machine could"
            " read it.",
            metavar="TARGET",
        ),
    ] = None,
    table: Annotated[str, typer.Option(help="The table, as NAME or SCHEMA.NAME.")] = "scarf_events",
    columns: Annotated[
        Literal["scarf", "official"],
        typer.Option(help="The layout of the table; official is that of Scarf's own PostgreSQL exporter."),
    ] = "scarf",
    ddl: Annotated[
        bool,
        typer.Option("--ddl", help="Only print the SQL that creates what is missing; create and load nothing."),
    ] = False,
    fetched: RangeOptions,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Write the result as one JSON object, also if it fails or is busy."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing unless something fails.")] = False,
    log: LogOption = None,
    connection: ExportClientOptions,
) -> Status:
    """Load events into a PostgreSQL or DuckDB table, window by window; run it again to continue.

    Each window is one transaction together with its row in the ledger, the table scarf_windows. Missing tables are
    created. Status 5: another load holds the table, or another process the file.

    Example: scarf-async load owner-events acme --days 90 --to postgresql://
    """
    from scarf_async.exports.loading.targets import hidden  # noqa: PLC0415 # `--help` must not wait for it

    address = hidden(to)
    del to
    try:
        target = _target(address)
        where: _Table = {"table": table, "columns": columns}
        if ddl:
            return await _write_ddl(target, where)
        with logging_to(log) as note, _Windows(note, quiet=quiet) as meter:
            if source is not None:
                if what is not None or fetched != RangeOptions():
                    raise ValidationError(
                        "--from loads what a job has written: WHAT, OWNER and the options of what to fetch"
                        " cannot be combined with it"
                    )
                from scarf_async.data import load as load_directory  # noqa: PLC0415 # as above

                report = await load_directory(source, target.reveal(), **where, progress=meter.tell)
            elif what is None:
                raise ValidationError("give WHAT, to load from the service, or --from SOURCE")
            else:
                job = fetched.job(what, connection.owner if account is None else account)
                report = await _fetched(job, target, where, fetched, connection, meter)
            note(str(report))
    except (ScarfError, OSError) as error:
        if as_json:
            write_json(NOTHING | {"error": str(error)})
        raise
    failed = has_failed(report)
    if as_json:
        write_json(NOTHING | report.to_dict() | {"error": report.stopped_by})
    if failed or not quiet:
        tell_end(report)
    return Status.FAILED if failed else Status.DONE


def _target(given: Secret | None) -> Secret:
    """Return the target, from the command line or the environment; create the directory of a new file.

    Raises:
        ConfigurationError: it is missing, invalid, or has a password that others can read.
    """
    from scarf_async.exports.loading.targets import DuckDBFile, hidden, read_target  # noqa: PLC0415 # as above

    address = given or hidden(os.environ.get(_VARIABLE) or None)
    if address is None:
        raise ConfigurationError(f"give --to TARGET, or set ${_VARIABLE}")
    target = read_target(address)
    if isinstance(target, DuckDBFile):
        target.path.parent.mkdir(parents=True, exist_ok=True)
    elif given is not None and target.passwords:
        raise ConfigurationError(
            "--to has a password, which every user of the machine can read: put it into $PGPASSWORD or"
            f" libpq's passfile (~/.pgpass), or set ${_VARIABLE} to the whole address in place of --to"
        )
    return address


async def _write_ddl(target: Secret, where: _Table) -> Status:
    from anyio.to_thread import run_sync  # noqa: PLC0415 # as above

    from scarf_async.exports.loading.run import database_of  # noqa: PLC0415 # as above
    from scarf_async.exports.loading.tables import read_table  # noqa: PLC0415 # as above
    from scarf_async.exports.loading.targets import read_target  # noqa: PLC0415 # as above

    database = database_of(read_target(target), read_table(where["table"]), where["columns"], "")
    missing = await run_sync(database.missing)
    StandardOutput().write(missing.encode())
    if not missing:
        say("nothing is missing")
    return Status.DONE


async def _fetched(  # noqa: PLR0917 # all that it depends on
    job: ExportJob,
    target: Secret,
    where: _Table,
    fetched: RangeOptions,
    connection: ExportClientOptions,
    meter: _Windows,
) -> LoadReport:
    async with connection.client(read_only=True) as scarf:
        try:
            return await scarf.exports.load(
                await job_with_ids(scarf, job, fetched.type),
                target.reveal(),
                **where,
                concurrency=fetched.concurrency,
                refresh_days=fetched.refresh_days,
                on_malformed=fetched.on_malformed,
                temp_dir=fetched.temp_dir,
                progress=meter.tell,
            )
        except ValidationError as error:
            if error.field != "start" or job.start is not None:
                raise
    raise ValidationError("the table has nothing to continue from: give --start DAY or --days N")


class _Windows(Meter):
    """Shows the progress of a load: a line on a terminal, else one for each window."""

    def __init__(self, note: Callable[[str], None], *, quiet: bool) -> None:
        super().__init__(shown=not quiet)
        self._note = note
        self._quiet = quiet

    def tell(self, progress: ExportProgress) -> None:
        """Show it."""
        for window in progress.finished:
            status = _STATUS.get(window.status, window.status)
            line = f"{window.start}..{window.end}: {status}, {counted(window.rows, 'row')}"
            self._note(line if window.error is None else f"{line}: {window.error}")
            if not (self._quiet or self.is_shown):
                say(line)
        windows = (progress.windows_done, progress.windows_total)
        failed, rows = progress.windows_failed, progress.rows
        line = describe(progress.bytes, progress.elapsed, windows=windows, failed=failed, rows=rows)
        self.show(f"{progress.stage}  {line}")
