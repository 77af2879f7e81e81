"""Apply a difference: show it, ask, carry it out with a progress line, and report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from scarf_async.cli.asking import confirm, stoppable
from scarf_async.cli.naming import as_typed
from scarf_async.cli.options import ClientOptions, spelled
from scarf_async.cli.output import StandardOutput, Status, data_console, print_table, say
from scarf_async.cli.progress import Meter
from scarf_async.cli.records import write_json
from scarf_async.cli.signals import name_of_first
from scarf_async.errors import GuardError
from scarf_async.text import counted, printable

if TYPE_CHECKING:
    from rich.table import Table

    from scarf_async.bulk import BulkProgress
    from scarf_async.client import Scarf
    from scarf_async.manifests import Changes
    from scarf_async.manifests.report import ApplyReport

__all__ = ["ApplyOptions", "failures", "failures_table", "other_ends", "progress_line", "say_stopping"]

_ROWS: Final = 20


@attrs.frozen(kw_only=True)
class ApplyOptions:
    """The options for applying a difference."""

    yes: Annotated[bool, typer.Option("--yes", help="Skip confirmation.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference without changing anything.")] = (
        False
    )
    full: Annotated[
        bool,
        typer.Option("--full", help="Do not shorten long lists and values on a terminal."),
    ] = False
    journal: Annotated[
        Path | None,
        typer.Option(help="A file that lets an interrupted run continue where it stopped.", metavar="FILE"),
    ] = None
    max_removals: Annotated[
        int | None, typer.Option(min=0, help="Refuse to remove more things than this.", metavar="N")
    ] = None
    me: Annotated[
        str | None,
        typer.Option(help="The username that the token belongs to; changes that take its access away are refused."),
    ] = None
    concurrency: Annotated[int, typer.Option(min=1, help="How many requests to have in flight at once.")] = 32
    patience: Annotated[
        float,
        typer.Option(
            help="Start nothing new after this many seconds without a success; also the longest wait that the"
            " service may ask for."
        ),
    ] = 600.0
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the result as JSON; for a dry run, the difference.")
    ] = False

    @property
    def _kept_plan(self) -> Path | None:
        """Return where changes are saved with a journal, which can only be resumed with the same changes."""
        return None if self.journal is None else self.journal.with_name(f"{self.journal.name}.plan")

    def check_journal_is_new(self, connection: ClientOptions) -> None:
        """Refuse a journal that was started with other changes.

        Raises:
            GuardError: it is not empty.
        """
        if self.journal is not None and self.journal.exists() and self.journal.stat().st_size:
            raise GuardError(
                f"nothing was changed: the journal {self.journal} belongs to other changes; to continue them:"
                f" {self._again(self._kept_plan, connection)}; to compare again, use another journal"
            )

    async def carry_out(
        self, scarf: Scarf, changes: Changes, *, connection: ClientOptions, plan: Path | None = None
    ) -> Status:
        """Show a difference, ask, apply it, and report failures.

        Args:
            scarf: the client.
            changes: the difference.
            connection: the options of the client.
            plan: the file with the saved changes; they are then applied completely or not at all.

        Raises:
            GuardError: it was refused, or not confirmed.
            ScarfError: it could not be applied.
        """
        from scarf_async.cli.difference import show_difference  # noqa: PLC0415 # it takes rich
        from scarf_async.manifests.saved import write_changes  # noqa: PLC0415

        show_difference(changes, notes=True, full=self.full)
        if self.dry_run:
            if self.as_json:
                write_json(changes.to_dict())
            say("Dry run: nothing was changed.")
            return Status.DONE
        if count := len(changes.applicable):
            await confirm(f"Make {'this change' if count == 1 else f'these {count:,} changes'}?", yes=self.yes)
        kept = plan or self._kept_plan
        if plan is None and kept is not None:
            # While the question waited, another run may have started the journal, and needs the plan that it saved.
            self.check_journal_is_new(connection)
            write_changes(changes, kept, server=connection.server)
        report, interrupted = await self._apply(scarf, changes, whole=plan is not None)
        if report is not None:
            self._tell(report)
        if interrupted:
            say(f"Interrupted; to continue: {self._again(kept, connection)}")
            return Status.INTERRUPTED
        return Status.DONE if report is not None and report.ok else Status.FAILED

    async def _apply(self, scarf: Scarf, changes: Changes, *, whole: bool) -> tuple[ApplyReport | None, bool]:
        """Apply changes; return the report, None after a second Ctrl-C, and whether there was a first."""
        with stoppable(say_stopping) as stop, Meter() as meter:
            report = await scarf.manifests.apply(
                changes,
                journal=self.journal,
                concurrency=self.concurrency,
                patience=self.patience,
                max_removals=self.max_removals,
                me=self.me,
                whole=whole,
                stop=stop,
                progress=lambda progress: meter.show(progress_line(progress)),
            )
            return report, stop.is_set()
        return None, True

    def _tell(self, report: ApplyReport) -> None:
        if self.as_json:
            write_json(report.to_dict())
        elif failed := failures(report):
            _write_failures(failed)
        counts = ", ".join(f"{count:,} {end}" for end, count in report.counts.items() if count)
        bulk = report.bulk
        sent = "" if bulk is None else f"; {counted(bulk.requests, 'request')} in {bulk.elapsed:.1f} s"
        say(f"{counts or 'There was nothing to change'}{sent}")
        if bulk is not None and bulk.stopped_by is not None:
            say(f"Stopped: {as_typed(bulk.stopped_by, *filter(None, (outcome.error for outcome in bulk)))}")
        if report.me_unchecked:
            say("Not checked: whether the token's user loses access; give --me to have it checked")

    def _again(self, plan: Path | None, connection: ClientOptions) -> str:
        """Return the command that continues; without a journal it is the same one."""
        words = sys.argv[1:]
        if plan is not None and self.journal is not None:
            words = ["apply", str(plan), *spelled(self), *spelled(connection)]
        return shlex.join(["scarf-async", *words])


def say_stopping() -> None:
    """Print what the first signal does."""
    say(f"Stopping once the requests in flight have finished; {name_of_first()} again stops at once")


def progress_line(progress: BulkProgress) -> str:
    """Describe the progress of a run, in the words and counts of its report."""
    done = progress.done - progress.skipped
    share = 100 * done // max(progress.total, 1)
    parts = [f"{done:,} of {counted(progress.total, 'change')} ({share}%)", *other_ends(progress)]
    parts.append(counted(progress.requests, "request"))
    if progress.eta is not None and progress.done < progress.total:
        parts.append(f"{progress.eta:.0f} s left")
    return "  ".join(parts)


def other_ends(progress: BulkProgress) -> list[str]:
    """Return how many operations did not succeed."""
    ends = {
        "failed": progress.failed - progress.unknown,
        "unknown": progress.unknown,
        "skipped": progress.skipped,
    }
    return [f"{count:,} {end}" for end, count in ends.items() if count]


def failures(report: ApplyReport) -> list[tuple[str, str, str]]:
    """Return the changes that did not succeed: the result, the change, and the reason."""
    return [
        *(
            (outcome.status, str(change), printable(as_typed(str(outcome.error), *filter(None, [outcome.error]))))
            for change, outcome in report.failures
        ),
        *(("drifted", str(attrs.evolve(change, note="")), printable(change.note)) for change in report.drifted),
    ]


def failures_table(failed: Sequence[tuple[str, str, str]]) -> Table:
    """Return the changes that did not succeed as a table; long lists are shortened."""
    from rich.table import Table  # noqa: PLC0415 # pipes end without it
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for name in ("outcome", "change", "why"):
        table.add_column(name, overflow="fold")
    for status, change, why in failed[:_ROWS]:
        table.add_row(Text(status, "red"), Text(change), Text(why))
    if len(failed) > _ROWS:
        table.add_row("", Text(f"… and {len(failed) - _ROWS:,} more", "dim"), "")
    return table


def _write_failures(failed: Sequence[tuple[str, str, str]]) -> None:
    output = StandardOutput()
    if output.is_terminal:
        print_table(failures_table(failed), data_console())
        return
    for row in failed:
        output.write_line(*row)
