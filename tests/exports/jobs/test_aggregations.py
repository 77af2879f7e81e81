"""Jobs of aggregations: whole buckets, all rows, and no window that held rows is ever lost."""

from __future__ import annotations

import datetime as dt
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import pytest

from scarf_async import (
    AggregationQuery,
    APIError,
    ExportError,
    ExportJob,
    ExportReport,
    MalformedRecordError,
    NotFoundError,
    PackageKey,
    PermissionDeniedError,
    RetryPolicy,
    Rollup,
    Scarf,
    ScarfError,
    TransportError,
    TruncatedExportError,
    UnprocessableError,
    UnsupportedError,
    ValidationError,
    verify_export,
)
from scarf_async.emulator import Emulator, FaultRule
from scarf_async.emulator.loading import Document
from scarf_async.exports.jobs.windows import Window, cut, longest_bucket

from ..aggregations import Service, answer, row
from ..fakes import FakeDownload, ndjson
from .service import manifest

START, END = "2024-01-15", "2024-04-10"
MONTHS = [(START, "2024-02-01"), ("2024-02-01", "2024-03-01"), ("2024-03-01", "2024-04-01"), ("2024-04-01", END)]
JOB = ExportJob("aggregations", "acme", START, END, "jsonl", 31, query=AggregationQuery(rollup="monthly"))


def job(rollup: Rollup = "daily", start: str = START, end: str = END, days: int | None = None) -> ExportJob:
    """Return a job with buckets of this length."""
    return ExportJob("aggregations", "acme", start, end, window_days=days, query=AggregationQuery(rollup=rollup))


async def run(service: Service, directory: Path, some: ExportJob = JOB, **options: Any) -> ExportReport:
    """Run a job, one window after another."""
    return await service.exports.run(some, directory, concurrency=1, **options)


def data(directory: Path) -> dict[str, bytes]:
    """Return what is in the files of the windows."""
    return {path.name: path.read_bytes() for path in sorted((directory / "data").rglob("*")) if path.is_file()}


def again(directory: Path, answers: Callable[[str, str], FakeDownload | ScarfError]) -> Any:
    """Return what runs the job once more, all windows, with other responses."""
    return lambda **options: run(Service(answers), directory, refresh_days=1000, **options)


# Windows


@pytest.mark.parametrize(
    ("rollup", "days", "windows"),
    [
        ("daily", None, ["2023-01-01", "2024-01-02", "2024-06-01"]),
        ("daily", 2, [START, "2024-01-17", "2024-01-18"]),
        ("weekly", 15, ["2024-01-03", "2024-01-15", "2024-01-29", "2024-01-31"]),
        ("weekly", None, ["2023-01-04", "2024-01-01", "2024-01-31"]),
        ("monthly", 61, [START, "2024-03-01", END]),
        ("monthly", 31, [START, "2024-02-01", "2024-03-01", "2024-04-01", END]),
        ("yearly", None, ["2023-06-01", "2024-01-01", "2025-01-01", "2025-03-01"]),
        ("yearly", 365, ["2022-06-01", "2023-01-01", "2024-01-01"]),
        ("total", None, ["2024-01-01", "2025-01-01"]),
        ("total", 86, [START, END]),
    ],
)
async def test_windows_are_whole_buckets(
    rollup: Rollup, days: int | None, windows: list[str], tmp_path: Path
) -> None:
    """As many as fit; the first and the last one are cut where the range is, and asked for as they are."""
    service = Service()
    report = await run(service, tmp_path, job(rollup, windows[0], windows[-1], days))
    assert service.asked == list(pairwise(windows))
    assert report.complete
    assert (await run(service, tmp_path, job(rollup, windows[0], windows[-1], days))).complete
    assert len(service.asked) == len(windows) - 1


@pytest.mark.parametrize(
    ("rollup", "start", "end", "days"),
    [
        ("weekly", START, END, 6),
        ("monthly", START, END, 30),
        ("yearly", "2023-06-01", "2025-03-01", 365),
        ("total", START, END, 85),
        ("total", "2024-01-01", "2025-01-02", None),
        ("daily", START, END, 367),
        ("daily", START, END, 0),
    ],
)
def test_a_window_holds_a_bucket_at_least(rollup: Rollup, start: str, end: str, days: int | None) -> None:
    """And 366 days at most."""
    with pytest.raises(ValidationError) as caught:
        job(rollup, start, end, days)
    assert caught.value.field == "window_days"


@pytest.mark.parametrize("rollup", ["daily", "weekly", "monthly", "yearly"])
def test_windows_at_the_ends_of_time(rollup: Rollup) -> None:
    """Neither the first day nor the last one is a reason to fail, and every day is in one window."""
    for whole in (
        Window(dt.date.min, dt.date(3, 2, 5)),
        Window(dt.date(9997, 11, 5), dt.date.max),
        Window(dt.date(2023, 1, 30), dt.date(2023, 3, 2)),
    ):
        parts = list(cut(whole, 3, rollup))
        assert [part.start for part in parts] == [whole.start, *(part.end for part in parts[:-1])]
        assert parts[-1].end == whole.end
        assert max(part.days for part in parts) == max(longest_bucket(whole, rollup), min(3, whole.days))


async def test_windows_become_shorter_by_whole_buckets(tmp_path: Path) -> None:
    """Where the service refuses a range for its length; one bucket that is too long fails."""

    def answers(start: str, end: str) -> FakeDownload | ScarfError:
        days = (dt.date.fromisoformat(end) - dt.date.fromisoformat(start)).days
        return answer(1) if days < 31 else APIError("", status=400, method="GET", url="", code="range-too-long")

    report = await run(Service(answers), tmp_path, attrs.evolve(JOB, window_days=100))
    assert [(str(one.start), str(one.end), one.status) for one in report.windows] == [
        (*window, "failed" if window[0] == "2024-03-01" else "fetched") for window in MONTHS
    ]


def test_what_a_job_refuses() -> None:
    """A query of another export, something else in its place, what is another owner's, and another version."""
    wrong: list[dict[str, Any]] = [
        {"what": "owner_events", "query": AggregationQuery()},
        {"query": "by-total"},
        {"query": AggregationQuery(packages=PackageKey("other", "p"))},
        {"api": "v2"},
        {"package": "p"},
    ]
    for values in wrong:
        with pytest.raises(ValidationError):
            ExportJob(**{"what": "aggregations", "owner": "acme", "start": START, "end": END} | values)


def test_a_job_without_words() -> None:
    """It is of v3, of everything, and of the owner of what its query names."""
    some = ExportJob("aggregations", None, START, END)
    assert (some.api, some.window_days, some.query) == ("v3", 366, AggregationQuery())
    named = ExportJob("aggregations", None, START, END, query=AggregationQuery(packages=PackageKey("acme", "p")))
    assert named.owner == "acme"


async def test_a_job_is_bound_to_its_query_and_owner(tmp_path: Path) -> None:
    """Another query's is refused; one that is written otherwise and means the same is not."""
    service = Service(owner="acme")
    query = AggregationQuery(breakdown="by-company", packages=["a", "b"])
    mine = ExportJob("aggregations", None, START, END, query=query)
    await run(service, tmp_path, mine)
    query = AggregationQuery(breakdown=["by-company"], packages=["b", "a", "b"])
    same = ExportJob("aggregations", "acme", START, END, query=query)
    assert (await run(service, tmp_path, same)).complete
    with pytest.raises(ExportError, match=r"query was '.*by-company.*' and is '.*by-total"):
        await run(service, tmp_path, attrs.evolve(mine, query=AggregationQuery()))
    with pytest.raises(ValidationError, match="owner"):
        await run(Service(), tmp_path / "none", mine)


async def test_aggregates_of_a_client_of_v2_are_refused(tmp_path: Path) -> None:
    """Before a directory is made."""
    with pytest.raises(UnsupportedError, match=r"exports\.aggregations"):
        await run(Service(api="v2"), tmp_path / "none", ExportJob("user_aggregates", "ann", START, END))
    assert not (tmp_path / "none").exists()


# Rows


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_no_row_is_left_out(form: Any, tmp_path: Path) -> None:
    """Neither an equal one, nor one whose date is not in the window, or has none."""
    body = ndjson(row(1), row(1), row(1, date="2024-01-08"), row(2, date=None), row(3, date="2030-01-01"))
    service = Service(lambda _start, _end: answer(body=body))
    report = await run(service, tmp_path, ExportJob("aggregations", "acme", START, END, form))
    assert (report.rows, report.duplicates, report.dropped, report.complete) == (5, 0, 0, True)
    assert verify_export(tmp_path) == []
    if form == "jsonl":
        assert data(tmp_path) == {f"{START}--{END}.jsonl": body}


@pytest.mark.parametrize(
    ("by", "folders"),
    [("month", {"month=2024-01": 3, "month=2030-01": 1}), ("artifact", {"artifact=p": 3, "artifact=": 1})],
)
async def test_partitions(by: Any, folders: dict[str, int], tmp_path: Path) -> None:
    """By the month of the bucket, where it has one, else of the window; or by the package or pixel."""
    body = ndjson(
        row(1), row(1), row(2, date=None), row(3, date="2030-01-01", artifact="" if by == "artifact" else "p")
    )
    some = ExportJob("aggregations", "acme", START, END, "parquet", partition_by=by)
    await run(Service(lambda _start, _end: answer(body=body)), tmp_path, some)
    (entry,) = manifest(tmp_path).windows
    assert {file.path.split("/")[1]: file.rows for file in entry.files} == folders


# Existing packages and pixels


IDS = AggregationQuery(packages=["p1", "p2", "p1"], pixels="x1")


async def test_ids_are_read_once_before_the_first_window(tmp_path: Path) -> None:
    """And not where there is nothing to fetch."""
    service = Service()
    some = attrs.evolve(JOB, query=attrs.evolve(IDS, rollup="monthly"))
    await run(service, tmp_path, some)
    assert service.read == ["/packages/acme/p1", "/packages/acme/p2", "/tracking-pixels/acme/x1"]
    assert len(service.asked) == 4
    await run(service, tmp_path, some)
    assert (len(service.read), len(service.asked)) == (3, 4)


@pytest.mark.parametrize(
    ("query", "missing"),
    [(IDS, "p2"), (IDS, "x1"), (AggregationQuery(pixels_of_package="p3", pixels="all"), "p3")],
)
async def test_an_unknown_id_is_an_error(query: AggregationQuery, missing: str, tmp_path: Path) -> None:
    """Since v3 answers it with success and nothing: no window is asked for."""
    service = Service(missing={missing})
    with pytest.raises(NotFoundError):
        await run(service, tmp_path, ExportJob("aggregations", "acme", START, END, query=query))
    assert service.asked == []


@pytest.mark.parametrize("query", [AggregationQuery(packages="overview"), AggregationQuery(pixels="events")])
async def test_an_id_that_is_a_word_of_the_router_is_refused(query: AggregationQuery, tmp_path: Path) -> None:
    """Its read would be another, paid call."""
    service = Service()
    with pytest.raises(ValidationError, match="v2 has a call of this name"):
        await run(service, tmp_path / "none", ExportJob("aggregations", "acme", START, END, query=query))
    assert (service.read, (tmp_path / "none").exists()) == ([], False)


# Nothing is lost


def narrower(start: str, end: str) -> FakeDownload:
    """A response that has looked at a day less than asked for, at one end or the other."""
    first, behind = dt.date.fromisoformat(start), dt.date.fromisoformat(end)
    day = dt.timedelta(1)
    looked_at = (first + day, behind) if first.month % 2 else (first, behind - day)
    return answer(7, looked_at=(str(looked_at[0]), str(looked_at[1])))


def half(_start: str, _end: str) -> FakeDownload:
    """A response that is cut in the middle of a line."""
    return answer(body=ndjson(row(1), row(2))[:-20])


def refused(error: type[APIError], status: int) -> Callable[[str, str], ScarfError]:
    """A response that is none."""
    return lambda _start, _end: error("no", status=status, method="GET", url="")


LOSSES: dict[str, tuple[Callable[[str, str], FakeDownload | ScarfError], type[ScarfError]]] = {
    "empty": (lambda _start, _end: answer(), ExportError),
    "narrower": (narrower, ExportError),
    "unreadable": (lambda _start, _end: answer(body=b"junk\n"), ExportError),
    "a document": (lambda _start, _end: answer(body=b'{"data":[]}'), MalformedRecordError),
    "half": (half, TruncatedExportError),
    "cut": (lambda _start, _end: answer(body=[ndjson(row(1)), TruncatedExportError("cut")]), TruncatedExportError),
    "422": (refused(UnprocessableError, 422), UnprocessableError),
    "403": (refused(PermissionDeniedError, 403), PermissionDeniedError),
    "lost": (lambda _start, _end: TransportError("lost"), TransportError),
}


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("loss", LOSSES)
async def test_what_is_there_stays(loss: str, form: Any, tmp_path: Path) -> None:
    """Whatever comes in place of rows: the window fails, its files and its entry are as they were."""
    some = attrs.evolve(JOB, format=form)
    await run(Service(), tmp_path, some)
    files, before = data(tmp_path), manifest(tmp_path)
    answers, error = LOSSES[loss]
    skipping = {"on_malformed": "keep"} if loss == "unreadable" else {}
    report = await run(Service(answers), tmp_path, some, refresh_days=1000, **skipping)
    assert [window.rows for window in report.windows] == [2] * 4
    assert {type(window.error) for window in report.failed} == {error}
    with pytest.raises(ExportError):
        report.raise_for_failures()
    assert (data(tmp_path), manifest(tmp_path)) == (files, before)
    assert verify_export(tmp_path) == []
    assert (await run(Service(), tmp_path, some)).complete


@pytest.mark.parametrize("loss", ["empty", "narrower"])
async def test_a_loss_may_be_allowed(loss: str, tmp_path: Path) -> None:
    """Then the response takes the window's place; the words of the failure say how."""
    await run(Service(), tmp_path)
    rerun = again(tmp_path, LOSSES[loss][0])
    report = await rerun()
    assert len(report.failed) == 4
    assert all("allow_loss=True" in str(window.error) for window in report.failed)
    report = await rerun(allow_loss=True)
    assert [window.status for window in report.windows] == ["fetched"] * 4
    assert report.rows == (0 if loss == "empty" else 4)


async def test_what_takes_the_place_of_rows(tmp_path: Path) -> None:
    """A response with rows of as many days or more, also fewer rows; of a window without rows, any."""
    clamped = [answer(1, looked_at=(start, "2024-01-20")) for start in ("2024-01-18", "2024-01-17", "2024-01-17")]
    last = answer(looked_at=("2024-01-01", "2024-01-30"))
    given = [answer(looked_at=(START, END)), *clamped, last]
    some = attrs.evolve(JOB, end=dt.date(2024, 1, 31))
    service = Service(lambda _start, _end: given.pop(0))
    looked_at = []
    for _ in range(4):
        (window,) = (await run(service, tmp_path, some, refresh_days=1000)).windows
        looked_at.append((window.status, window.rows, str(window.effective_start)))
    assert looked_at == [
        ("fetched", 0, START),
        ("fetched", 1, "2024-01-18"),
        ("fetched", 1, "2024-01-17"),
        ("fetched", 1, "2024-01-17"),
    ]
    report = await run(service, tmp_path, some, refresh_days=1000)
    assert report.failed[0].rows == 1
    assert "clamped: 2024-01-15..2024-01-31: the service looked at 2024-01-17..2024-01-20 only" in str(report)
    shown = report.to_dict()["windows"]
    assert isinstance(shown, list)
    assert isinstance(shown[0], dict)
    assert shown[0]["effective_start"] == "2024-01-17"


async def test_days_outside_of_the_window_are_no_loss(tmp_path: Path) -> None:
    """A service that once looked at more than was asked for does not keep the window from being replaced."""
    some = attrs.evolve(JOB, window_days=366)
    wide = ("2023-12-25", "2025-01-06")
    given = [answer(1, looked_at=looked_at) for looked_at in (wide, (START, END), wide, None)]
    service = Service(lambda _start, _end: given.pop(0))
    for _ in range(4):
        assert (await run(service, tmp_path, some, refresh_days=1000)).complete


async def test_parts_do_not_take_the_place_of_a_whole(tmp_path: Path) -> None:
    """A service that takes only shorter ranges now, and has forgotten one of them, costs nothing."""
    some = attrs.evolve(JOB, window_days=100)
    await run(Service(), tmp_path, some)
    files = data(tmp_path)

    def answers(start: str, end: str) -> FakeDownload | ScarfError:
        if (start, end) == (START, END):
            return APIError("", status=400, method="GET", url="", code="range-too-long")
        return answer(1) if start > "2024-02" else answer()

    report = await run(Service(answers), tmp_path, some, refresh_days=1000)
    assert {window.status for window in report.windows} == {"failed"}
    assert data(tmp_path) == files


async def test_files_that_somebody_removed_do_not_come_back_as_nothing(tmp_path: Path) -> None:
    """The window fails as long as the service knows of less than the manifest does."""
    await run(Service(), tmp_path)
    (tmp_path / "data" / f"{START}--2024-02-01.jsonl").unlink()
    report = await run(Service(lambda _start, _end: answer()), tmp_path)
    assert [window.status for window in report.windows] == ["failed", "kept", "kept", "kept"]


@attrs.define
class Disk:
    """Lets so many renames happen; then it fails, or the process is gone and nothing is tidied up.

    Attributes:
        left: how many may still happen.
        gone: whether it is the process that is gone.
    """

    left: int
    gone: bool
    replace: Callable[[Path, Path], Path] = Path.replace
    unlink: Callable[..., None] = Path.unlink

    def renamed(self, path: Path, target: Path) -> Path:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.EIO, "broken")
        return self.replace(path, target)

    def removed(self, path: Path, *, missing_ok: bool = False) -> None:
        if self.left >= 0 or not self.gone:
            self.unlink(path, missing_ok=missing_ok)

    @contextmanager
    def used(self) -> Iterator[None]:
        with (
            patch.object(Path, "replace", lambda *paths: self.renamed(*paths)),  # noqa: PLW0108 # a method of a path
            patch.object(Path, "unlink", lambda path, **options: self.removed(path, **options)),  # noqa: PLW0108
        ):
            yield


@pytest.mark.parametrize(
    ("form", "by", "gone"), [("jsonl", None, True), ("jsonl", None, False), ("parquet", "artifact", True)]
)
async def test_a_run_that_ends_while_it_replaces_a_window(form: Any, by: Any, gone: bool, tmp_path: Path) -> None:
    """The next one finds the old rows or the new ones, whole, though the service has forgotten all of them."""
    some = attrs.evolve(JOB, end=dt.date(2024, 1, 31), format=form, partition_by=by)
    older, newer = (ndjson(*(row(number, artifact=one) for one in ids)) for number, ids in ((1, "abc"), (2, "bcd")))
    kept = []
    for renames in range(7):
        directory = tmp_path / str(renames)
        await run(Service(lambda _start, _end: answer(body=older)), directory, some)
        with Disk(renames, gone).used(), suppress(OSError):
            await run(Service(lambda _start, _end: answer(body=newer)), directory, some, refresh_days=1000)
        report = await run(Service(lambda _start, _end: answer()), directory, some)
        assert (report.rows, report.complete, verify_export(directory)) == (3, True, [])
        if form == "jsonl":
            kept.append("old" if set(data(directory).values()) == {older} else "new")
        else:
            kept.append(
                "old" if "artifact=a" in {path.parent.name for path in directory.rglob("*.parquet")} else "new"
            )
    # The first renames are those of the manifest; what is about to be replaced is in the journal before its own.
    assert kept == sorted(kept, reverse=True)
    assert set(kept) == {"old", "new"}


async def test_a_job_over_sockets(tmp_path: Path) -> None:
    """What was cut is fetched again, an empty answer and a plan that forgets lose nothing; an unknown id fails."""
    now = dt.datetime(2024, 4, 20, 12, tzinfo=dt.UTC)
    load: Document = {"organizations": [{"name": "acme", "packages": [{"name": "web", "libraryType": "npm"}]}]}
    policy = RetryPolicy(attempts=3, initial_delay=0, max_delay=0)
    async with (
        Emulator(clock=lambda: now, events_per_day=5, load=load) as emulator,
        Scarf(emulator.token, api="v2", owner="acme", v2_url=emulator.v2_url, retry=policy) as scarf,
    ):
        (web,) = await scarf.packages.list()
        query = AggregationQuery(packages=web, breakdown=("by-company", "by-version"), rollup="monthly")
        some = ExportJob("aggregations", None, START, END, "jsonl", 31, query=query)
        export = "*/aggregations/export"
        emulator.faults.add(FaultRule("GET", export, 1, "cut_download"))
        emulator.requests.clear()
        first = await scarf.exports.run(some, tmp_path / "acme")
        paths = [request.path for request in emulator.requests]
        assert paths == [f"/v2/packages/acme/{web.uuid}", *["/v3/insights/acme/aggregations/export"] * 5]
        files = data(tmp_path / "acme")
        for nth in range(1, 5):
            emulator.faults.add(FaultRule("GET", export, nth, "empty"))
        empty = await scarf.exports.run(some, tmp_path / "acme", refresh_days=1000)
        emulator.retention_days = 30
        clamped = await scarf.exports.run(some, tmp_path / "acme", refresh_days=1000)
        unknown = attrs.evolve(query, packages="11111111-2222-4333-8444-555555555555")
        with pytest.raises(NotFoundError):
            await scarf.exports.run(attrs.evolve(some, query=unknown), tmp_path / "unknown")
    assert first.complete
    assert [window.status for window in empty.windows] == ["failed"] * 4
    assert [window.status for window in clamped.windows] == ["failed", "failed", "failed", "fetched"]
    assert data(tmp_path / "acme") == files
    assert first.rows == empty.rows == clamped.rows > 0
