"""Sending events: what may be sent again, the limit of active imports, and what is known when it ends early."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
from acceptance.hostile import FAST, Act, JSONObject, answer, cut, drop, hang

from scarf_async import (
    APIError,
    ImportProgress,
    NotFoundError,
    PackageKey,
    ReadOnlyError,
    RetryPolicy,
    ValidationError,
)
from scarf_async.imports import source

from .service import NOW, Importer, Waits, connect, numbers, rows

LIMIT: Final = answer(422, {"message": "Too MANY active Imports"})

OPEN: Final = {
    "dropped before the effect": drop(),
    "dropped after the effect": drop(effect=True),
    **{f"status {status}": answer(status, effect=True) for status in (408, 425, 500, 502, 503, 504, 520, 524)},
    "403 that says when to come back": answer(403, headers={"Retry-After": "0"}),
}


@pytest.mark.parametrize("act", OPEN.values(), ids=OPEN)
async def test_an_open_batch_is_sent_again_only_if_each_row_has_a_unique_id(act: Act) -> None:
    """After silence, and after any status that is tried again but 429; else it is unknown, and the others go on."""
    for unique in (True, False):
        async with Importer({0: act}) as service, connect(service) as scarf:
            report = await scarf.imports.send(rows(3, unique=unique), package="p", batch=2, concurrency=1)
        assert numbers(service.posts) == [[0, 1], [0, 1], [2]] if unique else [[0, 1], [2]]
        assert [batch.status for batch in report.batches] == ["done" if unique else "unknown", "done"]
        assert (report.sent, report.imported, report.unknown) == ((3, 3, 0) if unique else (3, 1, 2))


async def test_one_row_without_a_unique_id_keeps_its_batch_from_being_sent_again() -> None:
    """All rows of a batch need one, and no text is none."""
    given = rows(4)
    given[1]["$unique_id"] = ""
    async with Importer({0: drop()}) as service, connect(service) as scarf:
        report = await scarf.imports.send(given, package="p", batch=4, unique_id=None)
    assert (report.unknown, len(service.posts)) == (4, 1)


async def test_unique_id_makes_what_a_row_lacks() -> None:
    """It is called once for a row, however often the row is sent, and leaves existing values alone."""
    given = rows(2)
    del given[1]["$unique_id"]
    made = iter(["made"])
    async with Importer({0: drop(effect=True)}) as service, connect(service) as scarf:
        report = await scarf.imports.send(given, package="p", unique_id=lambda _: next(made))
    assert [row["$unique_id"] for row in service.posts[1]] == ["r-0", "made"]
    assert report.imported == 2


@pytest.mark.parametrize("unique", [True, False])
async def test_a_429_takes_nothing(unique: bool) -> None:
    """The batch is sent again, with or without identifiers."""
    async with Importer({0: answer(429)}) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(2, unique=unique), package="p")
    assert (report.imported, len(service.posts)) == (2, 2)


@pytest.mark.parametrize(
    "body", [b"too many active imports", b'{"code": "TOO-MANY-ACTIVE-IMPORTS"}', b"<p>Too many Active imports!</p>"]
)
async def test_the_limit_of_active_imports_is_waited_out(body: bytes) -> None:
    """In whatever words and case it comes; nothing was taken, so rows without identifiers are sent again too."""
    clock = Waits()
    acts = dict.fromkeys(range(6), answer(422, body))
    async with Importer(acts) as service, connect(service, clock) as scarf:
        report = await scarf.imports.send(rows(2, unique=False), package="p", wait=False)
    assert (report.active, len(service.taken)) == (2, 1)
    assert clock.waited == [2, 4, 8, 16, 30, 30]


async def test_the_limit_is_waited_out_for_no_longer_than_patience() -> None:
    """The batch has then failed, and the others get a time of their own."""
    clock = Waits()
    async with Importer(dict.fromkeys(range(4), LIMIT)) as service, connect(service, clock) as scarf:
        report = await scarf.imports.send(
            rows(2, unique=False), package="p", batch=1, concurrency=1, patience=7, wait=False
        )
    assert clock.waited == [2, 4, 1]
    assert [(batch.status, batch.failed) for batch in report.batches] == [("failed", 1), ("importing", 0)]
    assert "too many" in str(report.batches[0].error).lower()


async def test_what_was_lost_stays_open_whatever_the_limit_says_later() -> None:
    """A batch that may be active itself is not said to have failed when its resend finds too many active."""
    acts = {0: drop(effect=True), **dict.fromkeys(range(1, 9), LIMIT)}
    async with Importer(acts) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(2), package="p", patience=7)
    assert (report.batches[0].status, report.unknown, report.failed) == ("unknown", 2, 0)
    assert len(service.posts) == 5


async def test_what_waited_for_the_limit_may_be_lost_then() -> None:
    """Without identifiers it is sent no third time."""
    async with Importer({0: LIMIT, 1: drop(effect=True)}) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(2, unique=False), package="p")
    assert (report.unknown, len(service.posts)) == (2, 2)


async def test_waiting_for_the_limit_takes_nothing_of_the_time_for_retries() -> None:
    """`max_elapsed` counts from the send that is tried again."""
    acts = {**dict.fromkeys(range(4), LIMIT), 4: answer(503)}
    retry = RetryPolicy(attempts=2, initial_delay=0.001, max_elapsed=10)
    async with Importer(acts) as service, connect(service, retry=retry) as scarf:
        report = await scarf.imports.send(rows(2), package="p")
    assert (report.imported, len(service.posts)) == (2, 6)


async def test_the_limit_may_say_when_to_come_back() -> None:
    """That is the least wait, within `patience`."""
    clock = Waits()
    told = answer(422, b"too many active imports", headers={"Retry-After": "20"})
    async with Importer(dict.fromkeys(range(9), told)) as service, connect(service, clock) as scarf:
        await scarf.imports.send(rows(1), package="p", patience=50)
    assert clock.waited == [20, 20, 10]


async def test_an_answer_about_another_import_says_nothing() -> None:
    """The batch keeps the id that it was given, and the outcome of it is unknown."""
    async with Importer() as service, connect(service) as scarf:
        service.shown = lambda _: {"id": "other", "status": "done", "events_successfully_imported": 1}
        report = await scarf.imports.send(rows(1), package="p")
    assert (report.batches[0].id, report.unknown, report.imported) == ("i-0", 1, 0)


async def test_a_refused_batch_has_failed() -> None:
    """A 400 says that nothing of it was taken; the others go on."""
    async with Importer({0: answer(400)}) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(3), package="p", batch=2, concurrency=1)
    assert [(batch.status, batch.failed) for batch in report.batches] == [("failed", 2), ("done", 0)]
    assert (report.sent, report.imported, report.failed) == (3, 1, 2)


@pytest.mark.parametrize("body", [b"OK", b"", b'{"status": "importing"}'])
async def test_a_2xx_without_an_id_is_not_sent_again(body: bytes) -> None:
    """It was taken, as which import nobody knows."""
    async with Importer({0: answer(200, body, effect=True)}) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(2), package="p")
    assert (report.unknown, len(service.arrivals)) == (2, 1)
    assert "accepted" in str(report.batches[0].error)


async def test_a_2xx_that_is_cut_off_is_not_sent_again() -> None:
    """The status says that it was taken."""
    async with Importer({0: cut(200, body=b'{"id": "i-0', effect=True)}) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(2), package="p")
    assert (report.unknown, len(service.arrivals)) == (2, 1)


async def test_an_import_is_followed_by_its_id_alone() -> None:
    """Also where the rest of the response is not what was promised; an id may be a number."""
    async with (
        Importer({0: answer(200, {"id": 0, "status": ["?"]}, effect=True)}) as service,
        connect(service) as scarf,
    ):
        service.shown = lambda import_id: {**service.done(f"i-{import_id}"), "id": 0}
        report = await scarf.imports.send(rows(2), package="p")
    assert (report.imported, service.arrivals[1].path) == (2, "/v2/imports/acme/0")


@pytest.mark.parametrize("import_id", ["", ".", "..", "i\n0"])
async def test_an_import_whose_id_no_address_can_hold(import_id: str, caplog: pytest.LogCaptureFixture) -> None:
    """The outcome of it is unknown; the others go on, and what is logged of it stays on one line."""
    odd = {0: answer(200, {"id": import_id, "status": "importing"})}
    async with Importer(odd) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(2), package="p", batch=1, concurrency=1)
        assert [(batch.id, batch.status) for batch in report.batches] == [(import_id, "unknown"), ("i-0", "done")]
    async with Importer(odd) as service, connect(service) as scarf:
        with pytest.raises(ValidationError, match="row 2"):
            await scarf.imports.send([*rows(1), {}], package="p", batch=1)
    assert len(caplog.records[-1].getMessage().splitlines()) == 1


async def test_an_import_is_polled_until_it_has_ended() -> None:
    """First after two seconds, then after twice as long, up to thirty; the last counters are the report's."""
    clock = Waits()
    async with Importer() as service, connect(service, clock) as scarf:

        def shown(import_id: str) -> JSONObject:
            return {**service.done(import_id), "status": "importing" if len(service.arrivals) < 7 else "aborted"}

        service.shown = shown
        report = await scarf.imports.send(rows(3), pixel="x")
    assert clock.waited == [2, 4, 8, 16, 30, 30]
    assert (report.batches[0].status, report.imported) == ("aborted", 3)
    assert service.arrivals[0].path == "/v2/tracking-pixels/acme/x/import"


async def test_counters_say_what_became_of_rows() -> None:
    """Rows that no counter names are unknown; a counter never says more than there are rows."""
    shown: JSONObject = {"status": "done", "events_successfully_imported": 5, "events_failed_to_import": 2}
    async with Importer() as service, connect(service) as scarf:
        service.shown = lambda import_id: {
            "id": import_id,
            **shown,
            "error_log_sample": [{"line": 3}, "no package"],
        }
        report = await scarf.imports.send(rows(13), package="p", batch=9)
    assert [(one.imported, one.failed, one.unknown) for one in report.batches] == [(5, 2, 2), (4, 0, 0)]
    assert report.batches[0].error_sample == ({"line": 3}, "no package")


async def test_what_says_nothing_is_polled_for_no_longer_than_patience() -> None:
    """A word that nobody knows, no word, or a 404, which may be a service that has not caught up."""
    clock = Waits()
    async with Importer(polls={0: answer(404)}) as service, connect(service, clock) as scarf:
        service.shown = lambda import_id: {"id": import_id, "status": "queued"}
        report = await scarf.imports.send(rows(2), package="p", patience=10)
    assert clock.waited == [2, 4, 8]
    assert (report.batches[0].status, report.active) == ("queued", 2)
    async with Importer(polls=dict.fromkeys(range(9), answer(404))) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(2), package="p", patience=10)
    assert (report.batches[0].id, report.batches[0].status, report.unknown) == ("i-0", "unknown", 2)
    assert isinstance(report.batches[0].error, NotFoundError)


async def test_a_poll_that_fails_does_not_end_the_others() -> None:
    """The import is there, and the outcome of it is unknown."""
    async with Importer(polls={0: answer(400)}) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(2), package="p", batch=1, concurrency=1)
    assert sorted(batch.status for batch in report.batches) == ["done", "unknown"]
    assert {batch.id for batch in report.batches} == {"i-0", "i-1"}


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_all_batches_would_be_told_is_raised(status: int) -> None:
    """Nothing more is sent then, and of the rows no more is read than the batch that was made meanwhile."""
    read = 0

    def endless() -> Iterator[JSONObject]:
        nonlocal read
        while True:
            read += 1
            yield {"$time": NOW}

    async with Importer({0: answer(status)}) as service, connect(service) as scarf:
        with pytest.raises(APIError) as caught:
            await scarf.imports.send(endless(), package="p", batch=1, concurrency=1)
    assert caught.value.status == status
    assert (len(service.arrivals), read) == (1, 2)


async def test_batches_are_sent_at_once_and_nothing_is_read_ahead() -> None:
    """As many as were asked for are in progress, and no more rows have been taken than those and one batch."""
    read = 0

    async def given() -> AsyncIterator[JSONObject]:
        nonlocal read
        for row in rows(20):
            read += 1
            yield row

    async with Importer(dict.fromkeys(range(3), hang())) as service, connect(service) as scarf:
        task = asyncio.create_task(scarf.imports.send(given(), package="p", batch=2, concurrency=3))
        while len(service.arrivals) < 3:
            service.arrived.clear()
            await service.arrived.wait()
        assert (len(service.arrivals), read) == (3, 8)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_what_is_known_is_logged_once_when_it_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """By the ids of the imports, with what may have been taken; no row is quoted."""
    async with Importer({1: hang(effect=True)}) as service, connect(service) as scarf:
        call = scarf.imports.send(rows(5), package="p", batch=3, concurrency=1, wait=False)
        task = asyncio.create_task(call)
        while len(service.arrivals) < 2:
            service.arrived.clear()
            await service.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert record.name == "scarf_async"
    said = record.getMessage()
    assert "i-0 (3 rows, importing)" in said
    assert "may have been taken: 1 (2 rows)" in said
    assert "r-0" not in said


async def test_a_bad_row_lets_what_is_under_way_end(caplog: pytest.LogCaptureFixture) -> None:
    """What was sent before it is in the log; the error names it by its number and does not quote it."""
    given: list[JSONObject] = [*rows(4), {"$time": "yesterday", "secret": "s3cret"}]
    async with Importer() as service, connect(service) as scarf:
        with pytest.raises(ValidationError, match=r"row 5: \$time") as caught:
            await scarf.imports.send(given, package="p", batch=2)
    assert "s3cret" not in str(caught.value)
    assert caught.value.field == "rows"
    assert len(service.taken) == 2
    assert [record.getMessage().count("importing") for record in caplog.records] == [2]


async def test_what_the_source_of_rows_raises_passes_through() -> None:
    """As itself."""

    def given() -> Iterator[JSONObject]:
        yield from rows(3)
        raise LookupError("no more")

    async with Importer() as service, connect(service) as scarf:
        with pytest.raises(LookupError, match="no more"):
            await scarf.imports.send(given(), package="p", batch=2)
    assert len(service.taken) <= 1


async def test_a_read_only_client_refuses() -> None:
    """Before a row is read."""
    async with Importer() as service, connect(service, read_only=True) as scarf:
        with pytest.raises(ReadOnlyError):
            await scarf.imports.send(iter(rows(1)), package="p")
        with pytest.raises(ReadOnlyError):
            await scarf.imports.abort("i")
        assert await scarf.imports.list() == []
    assert [one.method for one in service.arrivals] == ["GET"]


@pytest.mark.parametrize("name", ["events.ndjson", "events.ndjson.gz"])
async def test_a_file_is_sent_as_it_is(tmp_path: Path, name: str) -> None:
    """Line by line, blank ones left out, with a number of its line in errors; also gzipped."""
    text = b'{"$time":"2026-01-01T00:00:00+02:00" , "a":1.50}\r\n\n{"$time":"2026-01-01 00:00Z","\xc3\xa4":null}'
    path = tmp_path / name
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    async with Importer() as service, connect(service) as scarf:
        report = await scarf.imports.send(path, package="p")
        assert report.imported == 2
        path.write_bytes(gzip.compress(text + b"\n{]") if name.endswith(".gz") else text + b"\n{]")
        with pytest.raises(ValidationError, match="row 4: it is not JSON"):
            await scarf.imports.send(str(path), package="p")
    assert service.arrivals[0].body == text.replace(b"\r\n\n", b"\n")


async def test_a_file_that_is_no_gzip_is_refused(tmp_path: Path) -> None:
    """Or is cut off; what is not there is the system's error."""
    path = tmp_path / "events.gz"
    whole = gzip.compress(b'{"$time":"2026-01-01T00:00Z"}\n')
    async with Importer() as service, connect(service) as scarf:
        for data in (b"{}", whole[:-9]):
            path.write_bytes(data)
            with pytest.raises(ValidationError, match="not a whole gzip file"):
                await scarf.imports.send(path, package="p")
        with pytest.raises(FileNotFoundError):
            await scarf.imports.send(tmp_path / "none", package="p")
    assert service.arrivals == []


async def test_the_progress_adds_up() -> None:
    """The last word is the report's, and nothing ever goes back."""
    told: list[ImportProgress] = []
    async with Importer({1: answer(400)}) as service, connect(service) as scarf:
        report = await scarf.imports.send(rows(5), package="p", batch=2, concurrency=1, progress=told.append)
    last = told[-1]
    assert (last.sent, last.imported, last.failed, last.unknown) == (5, report.imported, report.failed, 0)
    assert (last.batches, last.batches_done) == (3, 3)
    assert [one.batches_done for one in told] == sorted(one.batches_done for one in told)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"package": "p", "pixel": "x"}, "pixel"),
        ({"package": "events"}, "package"),
        ({"pixel": "events"}, "pixel"),
        ({"owner": "packages"}, "owner"),
        ({"package": PackageKey("acme", "p"), "owner": "other"}, "owner"),
        ({"package": "p", "batch": 0}, "batch"),
        ({"package": "p", "concurrency": 0}, "concurrency"),
        ({"package": "p", "patience": -1}, "patience"),
        ({"package": "p", "rows": {"$time": NOW}}, "rows"),
        ({"package": "p", "rows": b"{}"}, "rows"),
        ({"package": "p", "rows": None}, "rows"),
        ({"package": "p", "unique_id": "id"}, "unique_id"),
        ({"package": "p", "wait": 1}, "wait"),
    ],
)
async def test_bad_arguments_are_refused_before_a_row_is_read(arguments: dict[str, object], field: str) -> None:
    """Each by its name, and nothing is sent."""
    async with Importer() as service, connect(service) as scarf:
        with pytest.raises(ValidationError) as caught:
            await scarf.imports.send(arguments.pop("rows", rows(1)), **arguments)  # type: ignore[arg-type] # on purpose
    assert caught.value.field == field
    assert service.arrivals == []


async def test_retries_end_and_the_batch_is_unknown_then() -> None:
    """Also with identifiers, where the service never says the outcome of it."""
    async with Importer(dict.fromkeys(range(9), answer(503))) as service, connect(service, retry=FAST) as scarf:
        report = await scarf.imports.send(rows(2), package="p")
    assert (report.unknown, len(service.posts)) == (2, FAST.attempts)


async def test_long_rows_make_shorter_batches() -> None:
    """A batch ends after some MB, whatever the number of its rows."""
    given = [{"$time": NOW, "n": n, "text": "x" * 900_000} for n in range(12)]
    async with Importer() as service, connect(service) as scarf:
        report = await scarf.imports.send(given, package="p")
    assert sorted(len(batch) for batch in numbers(service.posts)) == [2, 10]
    assert json.dumps(report.imported) == "12"


async def test_batches_of_a_file_do_not_depend_on_how_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece of it may end anywhere in a batch."""
    monkeypatch.setattr(source, "_PIECE", 200)
    file = tmp_path / "rows.ndjson"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(11)))
    async with Importer() as service, connect(service) as scarf:
        await scarf.imports.send(file, package="p", batch=4, concurrency=1)
    assert numbers(service.posts) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
