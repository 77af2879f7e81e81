"""`scarf-async imports`: send your own events to Scarf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from scarf_async.cli.command import command
from scarf_async.cli.finding import package_id, pixel_id
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import Status, say
from scarf_async.cli.progress import Meter
from scarf_async.cli.records import RecordOptions, write_json
from scarf_async.cli.writes import WriteOptions
from scarf_async.entities import JSON
from scarf_async.text import counted

if TYPE_CHECKING:
    from scarf_async.imports.report import ImportBatch, ImportProgress, ImportReport

__all__ = ["app"]

app: typer.Typer = typer.Typer(
    help="Send your own events, and follow their imports (always through v2).",
    no_args_is_help=True,
)

Import = Annotated[str, typer.Argument(metavar="ID", help="The import's id, as `imports list` shows it.")]
_COLUMNS = ("id", "status", "events_total", "events_successfully_imported", "events_failed_to_import", "created_at")
_BATCH_COLUMNS = ("id", "status", "rows", "imported", "failed")
_LOG_COLUMNS = ("line", "class_", "type", "human_friendly_message")


@attrs.frozen(kw_only=True)
class TargetOptions:
    """The target of rows, and how to send them."""

    package: Annotated[
        str | None,
        typer.Option(
            help="The package of all rows (OWNER/NAME, name or uuid); without it each row has its $package."
        ),
    ] = None
    pixel: Annotated[
        str | None,
        typer.Option(help="The pixel of all rows (name or id); without it each row has its $tracking_pixel."),
    ] = None
    batch: Annotated[int, typer.Option(help="Rows per batch.")] = 10_000
    concurrency: Annotated[int, typer.Option(help="How many batches to send at once.")] = 4
    patience: Annotated[
        float, typer.Option(help="How many seconds a batch waits while the owner has too many active imports.")
    ] = 600.0
    wait: Annotated[bool, typer.Option(help="Wait until each import has ended.")] = True


@app.command()
@command
async def send(
    *,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="Rows of JSON, one per line; .gz is decompressed, and - is standard input."
        ),
    ],
    target: TargetOptions,
    writes: WriteOptions,
    shown: RecordOptions,
    connection: ClientOptions,
) -> Status:
    """Send events in batches; the output has a line for each batch.

    A batch whose response is lost is sent again only if each of its rows has a $unique_id. The status is 1 if a row
    was not imported, or may not have been.

    Example: scarf-async imports send events.ndjson.gz --owner acme --package 1f0c9a52-7f0e-4a3b-9a43-52d4c1b7e6a9
    """
    with Meter() as meter:

        def show(progress: ImportProgress) -> None:
            meter.show(
                f"{counted(progress.sent, 'row')}, {progress.imported:,} imported, {progress.failed:,} failed"
            )

        async with writes.client(connection) as scarf:
            call = scarf.imports.send(
                "/dev/stdin" if file == "-" else file,
                package=None if target.package is None else await package_id(scarf, target.package),
                pixel=None if target.pixel is None else await pixel_id(scarf, target.pixel),
                batch=target.batch,
                concurrency=target.concurrency,
                patience=target.patience,
                wait=target.wait,
                progress=show,
            )
            report = await writes.carry_out(call, f"send {file}")
    if report is None:
        if shown.as_json:
            write_json({"dry_run": True, "change": f"send {file}"})
        return Status.DONE
    _write(report, shown)
    return Status.FAILED if report.failed or report.unknown else Status.DONE


def _write(report: ImportReport, shown: RecordOptions) -> None:
    counts = {
        name: getattr(report, name) for name in ("sent", "imported", "failed", "unknown", "active", "too_old")
    }
    if shown.as_json:
        write_json({**counts, "batches": [_plain(batch) for batch in report.batches]})
    else:
        shown.write_all(report.batches, _BATCH_COLUMNS)
    for number, batch in enumerate(report.batches, 1):
        if batch.error is not None:
            say(f"batch {number}: {batch.status}: {batch.error}")
    say(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()))


def _plain(batch: ImportBatch) -> dict[str, JSON]:
    values: dict[str, JSON] = attrs.asdict(batch, filter=lambda field, _: field.name != "error")
    return {**values, "error": None if batch.error is None else str(batch.error)}


@app.command("list")
@command
async def list_(
    *,
    status: Annotated[
        list[str] | None, typer.Option(help="Only imports with this status: importing, done, aborted; repeatable.")
    ] = None,
    shown: RecordOptions,
    connection: ClientOptions,
) -> None:
    """List the imports of an owner.

    Example: scarf-async imports list --owner acme --status importing
    """
    async with connection.client(read_only=True) as scarf:
        shown.write_all(await scarf.imports.list(status or ()), _COLUMNS)


@app.command()
@command
async def get(*, event_import: Import, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show an import.

    Example: scarf-async imports get 7b2d5c1e-0c0f-4f6e-8a55-3f4f0f4d7c11 --owner acme
    """
    async with connection.client(read_only=True) as scarf:
        shown.write(await scarf.imports.get(event_import))


@app.command()
@command
async def abort(
    *, event_import: Import, writes: WriteOptions, shown: RecordOptions, connection: ClientOptions
) -> None:
    """Abort an import; rows that were imported stay.

    Example: scarf-async imports abort 7b2d5c1e-0c0f-4f6e-8a55-3f4f0f4d7c11 --owner acme
    """
    async with writes.client(connection) as scarf:
        await writes.carry_out(scarf.imports.abort(event_import), f"end the import {event_import}", shown)


@app.command()
@command
async def log(*, event_import: Import, shown: RecordOptions, connection: ClientOptions) -> None:
    """Show the service's messages about the rows of an import.

    Example: scarf-async imports log 7b2d5c1e-0c0f-4f6e-8a55-3f4f0f4d7c11 --owner acme
    """
    async with connection.client(read_only=True) as scarf, scarf.imports.log(event_import) as entries:
        shown.write_all([entry async for entry in entries], _LOG_COLUMNS)
