"""Reports: one outcome for each operation, and what can be asked of them."""

from __future__ import annotations

import json

import pytest

from scarf_async import (
    BulkError,
    BulkPlan,
    BulkReport,
    NotFoundError,
    Outcome,
    OutcomeUnknownError,
    ScarfError,
    ValidationError,
)
from scarf_async.bulk.report import Settled, SettledOutcomes


def refused(user: str) -> NotFoundError:
    """What the service said about a user."""
    return NotFoundError(f"there is no user {user}", status=404, method="DELETE", url="https://scarf.example/x")


@pytest.fixture
def plan() -> BulkPlan:
    """Five operations of two kinds."""
    plan = BulkPlan()
    for user in ("ann", "bob", "eve", "zoe"):
        plan.remove_member("acme", user)
    plan.delete_package("p", after=plan.delete_package("q"))
    return plan


@pytest.fixture
def report(plan: BulkPlan) -> BulkReport:
    """One of each status, two of success."""
    unknown = OutcomeUnknownError("it may still come", requested=None)
    outcomes: list[Outcome[object]] = [
        Outcome(plan[0], "succeeded", attempts=1),
        Outcome(plan[1], "failed", error=refused("bob"), attempts=2),
        Outcome(plan[2], "unknown", error=unknown, attempts=3, reconciled=True),
        Outcome(plan[3], "succeeded", unchanged=True),
        Outcome(plan[4], "failed", error=refused("q"), attempts=1),
        Outcome(plan[5], "skipped", error=ScarfError("not sent: #4 did not succeed")),
    ]
    return BulkReport(plan=plan, outcomes=outcomes, requests=9, elapsed=1.25)


def test_outcomes_by_status(report: BulkReport) -> None:
    """Sequences in the plan's order, and how many there are of each, those of which there are none too."""
    assert [[outcome.operation.index for outcome in group] for group in groups(report)] == [
        [0, 3],
        [1, 4],
        [2],
        [5],
    ]
    assert report.counts == {"succeeded": 2, "failed": 2, "unknown": 1, "skipped": 1}
    nothing = BulkReport(plan=BulkPlan(), outcomes=[], requests=0, elapsed=0.0)
    assert nothing.counts == {"succeeded": 0, "failed": 0, "unknown": 0, "skipped": 0}


def groups(report: BulkReport) -> list[list[Outcome[object]]]:
    """The outcomes of each status."""
    return [list(group) for group in (report.succeeded, report.failed, report.unknown, report.skipped)]


def test_outcome_of_a_ref(plan: BulkPlan, report: BulkReport) -> None:
    """The one at its place; a `Ref` of another plan is refused."""
    own, other = BulkPlan(), BulkPlan()
    ref, foreign = own.remove_member("acme", "ann"), other.remove_member("acme", "ann")
    outcome: Outcome[object] = Outcome(own[0], "succeeded")
    small = BulkReport(plan=own, outcomes=[outcome], requests=1, elapsed=0.0)
    assert small[ref] is outcome
    with pytest.raises(ValidationError, match="another plan"):
        _ = small[foreign]


def test_report_is_neither_true_nor_false(report: BulkReport) -> None:
    """`if report:` could mean anything; the error says what to ask instead."""
    with pytest.raises(TypeError, match="raise_for_failures"):
        bool(report)


def test_success_raises_nothing(plan: BulkPlan) -> None:
    """Nor does what was only skipped."""
    outcomes: list[Outcome[object]] = [Outcome(plan[0], "succeeded"), Outcome(plan[1], "skipped")]
    BulkReport(plan=plan, outcomes=outcomes, requests=1, elapsed=0.0).raise_for_failures()


def test_failures_are_raised_as_a_group_of_ours(report: BulkReport) -> None:
    """`except ScarfError` catches it, `except*` takes it apart, and each error says which operation it is of."""
    with pytest.raises(BulkError, match="3 of 6") as caught:
        report.raise_for_failures()
    error = caught.value
    assert isinstance(error, ScarfError)
    assert isinstance(error, ExceptionGroup)
    assert error.exceptions == tuple(report.outcomes[place].error for place in (1, 2, 4))
    assert [note for each in error.exceptions for note in each.__notes__] == [
        f"in a bulk run: {report.outcomes[place].operation}" for place in (1, 2, 4)
    ]
    missing, rest = error.split(NotFoundError)
    assert isinstance(missing, BulkError)
    assert len(missing.exceptions) == 2
    assert isinstance(rest, BulkError)


def test_each_operation_that_shared_a_request_has_an_error_of_its_own(plan: BulkPlan) -> None:
    """With a note that says which operation it is of, however often it is raised."""
    one, other = refused("ann"), refused("bob")
    outcomes: list[Outcome[object]] = [
        Outcome(plan[place], "failed", error=error) for place, error in enumerate((one, other, one, other))
    ]
    report = BulkReport(plan=plan, outcomes=outcomes, requests=2, elapsed=0.0)
    for _ in range(2):
        with pytest.raises(BulkError, match="4 of 4") as caught:
            report.raise_for_failures()
        errors = caught.value.exceptions
        assert errors[:2] == (one, other)
        assert [str(error) for error in errors] == [str(one), str(other)] * 2
        assert [error.__notes__ for error in errors] == [[f"in a bulk run: {plan[place]}"] for place in range(4)]


def test_report_as_data(report: BulkReport) -> None:
    """JSON all through, with everything but the results."""
    told = json.loads(json.dumps(report.to_dict()))
    assert told["counts"] == {"succeeded": 2, "failed": 2, "unknown": 1, "skipped": 1}
    assert (told["requests"], told["elapsed"], told["stopped_by"]) == (9, 1.25, None)
    assert len(told["outcomes"]) == 6
    assert told["outcomes"][1] == {
        "index": 1,
        "kind": "remove_member",
        "operation": "#1 remove_member acme, bob",
        "status": "failed",
        "error": "DELETE https://scarf.example/x: 404 Not Found: there is no user bob",
        "attempts": 2,
        "reconciled": False,
        "unchanged": False,
    }


def test_report_as_a_table(report: BulkReport) -> None:
    """A row for each kind, a sum, what it cost, and what went wrong."""
    assert str(report).splitlines() == [
        "operation       succeeded  failed  unknown  skipped",
        "remove_member           2       1        1        0",
        "delete_package          0       1        0        1",
        "all                     2       2        1        1",
        "9 requests in 1.2 s",
        "failed: #1 remove_member acme, bob: DELETE https://scarf.example/x: 404 Not Found: there is no user bob",
        "unknown: #2 remove_member acme, eve: it may still come",
        "failed: #4 delete_package q: DELETE https://scarf.example/x: 404 Not Found: there is no user q",
    ]
    assert repr(report) == "<BulkReport: 2 succeeded, 2 failed, 1 unknown, 1 skipped>"


def test_long_list_of_failures_is_cut_short() -> None:
    """Twenty are shown, and how many more there are; and why the run stopped."""
    plan = BulkPlan()
    for number in range(25):
        plan.remove_member("acme", f"user{number}")
    outcomes: list[Outcome[object]] = [Outcome(op, "failed", error=refused("x")) for op in plan]
    report = BulkReport(plan=plan, outcomes=outcomes, requests=25, elapsed=1.0, stopped_by="the token is refused")
    lines = str(report).splitlines()
    assert "stopped: the token is refused" in lines
    assert sum(line.startswith("failed: ") for line in lines) == 20
    assert lines[-1] == "... and 5 more"


def test_empty_report() -> None:
    """It can be shown and turned into data like any other."""
    report = BulkReport(plan=BulkPlan(), outcomes=[], requests=0, elapsed=0.0)
    assert repr(report) == "<BulkReport: no operations>"
    assert str(report).splitlines()[-1] == "0 requests in 0.0 s"
    assert report.to_dict()["outcomes"] == []


def test_operations_of_one_request_have_outcomes_of_their_own(plan: BulkPlan) -> None:
    """Made when they are read, once: by index, from the end, by slice, by status and one after another."""
    done = Settled("succeeded", None, None, 2, reconciled=False, unchanged=False)
    lost = Settled("failed", None, refused("q"), 1, reconciled=False, unchanged=False)
    own = Outcome[object](plan[1], "succeeded", attempts=2)
    outcomes = SettledOutcomes(plan, [done, own, done, done, lost, lost])
    report = BulkReport(plan=plan, outcomes=outcomes, requests=3, elapsed=1.0)
    assert outcomes[1] is own
    assert outcomes[3] is outcomes[3] is report.succeeded[3]
    assert outcomes[-1].operation is plan[5]
    assert [outcome.operation.index for outcome in report.failed] == [4, 5]
    assert outcomes[1:3] == [own, Outcome(plan[2], "succeeded", attempts=2)]
    assert list(report) == outcomes == [*report.succeeded, *report.failed]
    assert [outcome.operation.index for outcome in outcomes] == list(range(len(plan)))
    assert report.counts["succeeded"] == 4
    with pytest.raises(IndexError):
        _ = outcomes[6]


def test_table_of_a_report_makes_no_outcome_that_it_does_not_show(plan: BulkPlan) -> None:
    """Counts and the table of a long plan are ready at once, also when the plan has grown since."""
    done = Settled("succeeded", None, None, 2, reconciled=False, unchanged=False)
    lost = Settled("failed", None, refused("q"), 1, reconciled=False, unchanged=False)
    by_place: list[Settled | Outcome[object]] = [done, lost, *[done] * (len(plan) - 2)]
    report = BulkReport(plan=plan, outcomes=SettledOutcomes(plan, by_place), requests=3, elapsed=1.0)
    plan.remove_member("acme", "eve")
    assert report.counts["succeeded"] == len(report) - 1
    assert f"failed: {plan[1]}: " in str(report)
    assert [isinstance(outcome, Settled) for outcome in by_place] == [True, False, *[True] * (len(report) - 2)]
