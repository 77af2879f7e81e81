"""Apply changes: check them, check for drift once more, and send them as a bulk run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from scarf_async import checks
from scarf_async.bulk.group import Bulk, open_journal
from scarf_async.bulk.journal import NOTHING_KNOWN, Journal, Known
from scarf_async.bulk.kinds import Effect
from scarf_async.bulk.plan import BulkPlan
from scarf_async.bulk.report import BulkProgress, Outcome
from scarf_async.errors import JournalError, ReadOnlyError, ValidationError
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.drift import Verdict, touched, verdicts
from scarf_async.manifests.guards import check, check_owners, created_organizations, loosens_members, refused
from scarf_async.manifests.live import Live, read_live
from scarf_async.manifests.report import ApplyReport
from scarf_async.sending.session import Session

__all__ = ["ApplyReport", "Sending", "apply"]

_NAMED: Final = 20


@attrs.frozen(kw_only=True)
class Sending:
    """How to send changes: the options of `Bulk.run`."""

    journal: str | os.PathLike[str] | None = None
    concurrency: int = 32
    patience: float = 600.0
    stop: asyncio.Event | None = None
    progress: Callable[[BulkProgress], object] | None = None
    on_outcome: Callable[[Outcome[object]], object] | None = None

    async def run(
        self, session: Session, report: ApplyReport, plan: BulkPlan, opened: Callable[[], Journal] | None = None
    ) -> ApplyReport:
        """Send the changes of a report, and add their outcomes.

        Args:
            session: the session to send with.
            report: the report to complete.
            plan: the plan of the changes.
            opened: returns the journal, if it is already open.
        """
        if not len(plan):
            return report
        bulk = await Bulk(session, opened=opened).run(
            plan,
            journal=self.journal,
            concurrency=self.concurrency,
            patience=self.patience,
            stop=self.stop,
            progress=self.progress,
            on_outcome=self.on_outcome,
        )
        return attrs.evolve(report, bulk=bulk)


async def apply(
    session: Session,
    changes: Changes,
    sending: Sending,
    *,
    max_removals: int | None,
    me: str | None,
    whole: bool,
) -> ApplyReport:
    """Apply changes, as `Manifests.apply` says."""
    if max_removals is not None:
        checks.whole("max_removals", max_removals, ValidationError, least=0)
    changes.check_version(session.dialect.version, session.server)
    if session.dialect.traits.owners_in_paths:
        changes = changes.owned_by(session.owner)
    check(changes, max_removals=max_removals, me=me)
    if me is not None:
        changes = attrs.evolve(changes, me=me)
    plan = changes.to_plan()
    if session.read_only:
        raise ReadOnlyError("the changes were not applied: this client is read-only")
    report = ApplyReport(changes=changes, me_unchecked=me is None and loosens_members(changes))
    if sending.journal is None and not whole:
        held, live = await _held_against(session, changes.applicable, changes, me)
        report = _without_drifted(report, held)
        check_owners(report.sent.applicable, live)
        return await sending.run(session, report, report.sent.to_plan())
    journal = None if sending.journal is None else _begun(session, sending.journal, plan)
    with ExitStack() as closing:
        if journal is not None:
            closing.callback(journal.close)
        await _hold_whole(session, changes, plan, me, journal)
        given = None if journal is None else partial(_given, journal, closing)
        return await sending.run(session, attrs.evolve(report, sent=changes), plan, given)


def _given(journal: Journal, closing: ExitStack) -> Journal:
    """Pass a journal to the run, which closes it."""
    closing.pop_all()
    return journal


async def _hold_whole(
    session: Session, changes: Changes, plan: BulkPlan, me: str | None, journal: Journal | None
) -> None:
    """Check all changes for drift that are not known to be done.

    Raises:
        GuardError: a change has drifted, or an organization would be left without an owner.
    """
    known: Mapping[int, Known] = {} if journal is None else journal.known
    left = [place for place in range(len(plan)) if known.get(place, NOTHING_KNOWN).status != "succeeded"]
    held, live = await _held_against(session, [changes.applicable[place] for place in left], changes, me)
    _refuse_drift(
        verdict
        for place, verdict in zip(left, held, strict=True)
        if not _is_ours(verdict, plan[place].call.effect, known, place)
    )
    check_owners((verdict.change for verdict in held), live)
    if journal is not None:
        held_at = zip(left, held, strict=True)
        gone = [
            place for place, now in held_at if now.state == "done" and plan[place].call.effect is Effect.REMOVES
        ]
        if gone:
            _take_for_done(journal, plan, gone)


async def _held_against(
    session: Session, applicable: Sequence[Change], changes: Changes, me: str | None
) -> tuple[list[Verdict], Live]:
    """Read the live state of some of the changes, and compare them with it."""
    manifest = touched(applicable, me)
    live = await read_live(session, manifest)
    traits = session.dialect.traits
    return verdicts(applicable, manifest, live, created=created_organizations(changes), traits=traits), live


def _begun(session: Session, path: str | os.PathLike[str], plan: BulkPlan) -> Journal | None:
    """Open the journal of an earlier run of the same changes; None if there is none.

    Raises:
        JournalError: the journal cannot be used.
    """
    # A journal is created only when there is something to send: changes refused for drift must not leave one.
    if not (Path(path).is_file() and Path(path).stat().st_size):
        return None
    try:
        return open_journal(session, path, plan)
    except JournalError as error:
        raise JournalError(
            f"{error} (a journal continues only the changes that it was started with, saved in a file: changes"
            " that were compared again need a new journal; they leave out what was done)",
            path=error.path,
        ) from None


def _take_for_done(journal: Journal, plan: BulkPlan, places: Sequence[int]) -> None:
    """Record removals without a target as done: sent again, they would find nothing, or something that moved."""
    journal.record(places, Outcome[object](operation=plan[places[0]], status="succeeded", reconciled=True))
    for place in places:
        earlier = journal.known.get(place, NOTHING_KNOWN)
        journal.known[place] = attrs.evolve(
            earlier, status="succeeded", result=None, attempts=0, reconciled=True, unchanged=False
        )


def _is_ours(verdict: Verdict, effect: Effect, known: Mapping[int, Known], place: int) -> bool:
    """Return whether the live state is that of the comparison, or the result of an earlier run."""
    if verdict.state == "done":
        # A removal may be sent before its intent is synced, and it does not matter who removed something. Sending a
        # value that is already applied is harmless. Only a created entity could belong to someone else.
        return bool(known) and (effect is not Effect.CREATES or known.get(place, NOTHING_KNOWN).open)
    return verdict.state == "open"


def _without_drifted(report: ApplyReport, held: Sequence[Verdict]) -> ApplyReport:
    open_changes = tuple(verdict.change for verdict in held if verdict.state == "open")
    return attrs.evolve(
        report,
        sent=Changes(open_changes, there=report.changes.there, me=report.changes.me, api=report.changes.api),
        found=tuple(verdict.change for verdict in held if verdict.state == "done"),
        drifted=tuple(
            attrs.evolve(verdict.change, note=verdict.now) for verdict in held if verdict.state == "moved"
        ),
    )


def _refuse_drift(moved: Iterable[Verdict]) -> None:
    problems = [f"{verdict.change.kind} {verdict.change.target}: {verdict.now}" for verdict in moved]
    if not problems:
        return
    if len(problems) > _NAMED:
        problems[_NAMED:] = [f"and {len(problems) - _NAMED} more"]
    raise refused([*problems, "the live organization has changed since these changes were made: compare again"])
