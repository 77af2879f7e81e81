"""What exports cost and hold: no call twice for what is whole, no wait that nothing ends."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
import pytest

from scarf_async import (
    BulkPlan,
    ConfigurationError,
    Export,
    ExportError,
    ExportJob,
    RetryPolicy,
    RetryScheduled,
    Scarf,
    ScarfEvent,
    TransportError,
    TruncatedExportError,
)

from .hostile import FAST, TOKEN, Act, Hostile, answer, connect, cut

RANGE: Final = ("2024-01-01", "2024-01-03")
CSV: Final = b"type,time\nbinary-download,2024-01-01T08:00:00Z\n"
LINE: Final = b'{"breakdown": "total", "date": "2024-01-01", "package": "web", "total": 3}'


def _events(scarf: Scarf) -> Export[object]:
    return scarf.exports.pixel_events(*RANGE)  # type: ignore[return-value] # only read from


def _aggregates(scarf: Scarf) -> Export[object]:
    return scarf.exports.organization_aggregates("acme", *RANGE)  # type: ignore[return-value] # as above


def _contents(directory: Path) -> list[bytes]:
    return [file.read_bytes() for file in directory.glob("*.csv")]


Make = Callable[[Scarf], Export[object]]
BOTH: Final = pytest.mark.parametrize("make", [_events, _aggregates], ids=["events", "aggregates"])
WHOLE: Final[dict[str, tuple[Make, bytes, int]]] = {
    "a JSON array": (_events, b"[]", 0),
    "words": (_events, b"no such thing", 0),
    "nothing": (_events, b"", 0),
    "half a record": (_events, CSV + b"pixel-view", 0),
    "open quotes": (_events, CSV + b'"pixel-view,', 0),
    "a header": (_events, b"type,time", 1),
    "no line end": (_events, CSV.rstrip(), 1),
    "no line end in lines": (_aggregates, LINE, 1),
    "half a line": (_aggregates, LINE + b"\n" + LINE[:-9], 0),
    "no lines": (_aggregates, b"", 1),
}


class TestWhatIsWhole:
    """A response whose end is proven is never asked for again."""

    @pytest.mark.parametrize(("make", "body", "saved"), WHOLE.values(), ids=WHOLE)
    async def test_saved(self, make: Make, body: bytes, saved: int, tmp_path: Path) -> None:
        """It is saved, or is an error at once: one request in either case."""
        async with Hostile() as service, connect(service) as scarf:
            service.on("GET", "*", answer(200, body))
            if saved:
                done = await make(scarf).save(tmp_path / "file")
                assert done.path.read_bytes() == body
            else:
                with pytest.raises(ExportError) as caught:
                    await make(scarf).save(tmp_path / "file")
                assert getattr(caught.value, "proven_end", True)
                assert "ask for it again" not in str(caught.value)
            assert len(service.arrivals) == 1

    @pytest.mark.parametrize("job", [False, True], ids=["save", "job"])
    async def test_compressed_and_cut(self, *, job: bool, tmp_path: Path) -> None:
        """A gzip body that was cut before its length was told ends too soon, and is fetched once."""
        async with Hostile() as service, connect(service) as scarf:
            packed = gzip.compress(CSV)[:-9]
            service.on("GET", "*", *[answer(200, packed, headers={"Content-Encoding": "gzip"})] * 9)
            if job:
                report = await scarf.exports.run(ExportJob("pixel_events", None, *RANGE), tmp_path)
                error = report.windows[0].error
            else:
                with pytest.raises(TruncatedExportError) as caught:
                    await scarf.exports.pixel_events(*RANGE).save(tmp_path / "file")
                error = caught.value
            assert isinstance(error, TruncatedExportError)
            assert error.proven_end
            assert "ask for it again" not in str(error)
            assert len(service.arrivals) == 1

    @BOTH
    async def test_no_content(self, make: Make, tmp_path: Path) -> None:
        """A 204 is an export without a record, however it is read."""
        async with Hostile() as service, connect(service) as scarf:
            service.on("GET", "*", *[answer(204)] * 4)
            async with make(scarf) as stream:
                assert [record async for record in stream] == []
                assert stream.complete
            async with make(scarf) as stream:
                assert [batch async for batch in stream.record_batches()] == []
            assert (await make(scarf).save(tmp_path / "as sent")).records == 0
            assert (await make(scarf).save(tmp_path / "converted", format="parquet")).records == 0
            assert len(service.arrivals) == 4

    @pytest.mark.parametrize("body", [b"[]", b"", CSV + b"pixel-view"])
    async def test_in_a_job(self, body: bytes, tmp_path: Path) -> None:
        """So it is in a job: the window fails at once; without content it is fetched."""
        job = ExportJob("pixel_events", None, *RANGE)
        async with Hostile() as service, connect(service) as scarf:
            service.on("GET", "*", answer(200, body), answer(204))
            (window,) = (await scarf.exports.run(job, tmp_path)).windows
            assert (window.status, len(service.arrivals)) == ("failed", 1)
            (window,) = (await scarf.exports.run(job, tmp_path)).windows
            assert (window.status, window.rows, len(service.arrivals)) == ("fetched", 0, 2)
        assert _contents(tmp_path / "data") == [b""]

    async def test_json_lines_of_a_job_are_json(self, tmp_path: Path) -> None:
        """What our reader tolerates in a line, other readers of the file need not."""
        good = b'{"breakdown":"total","date":"2024-01-01","package":"p","total":1}'
        odd = b'{"breakdown":"total","date":"2024-01-01","package":"p","total":2,"client":"a\x01\xff","score":NaN}'
        async with Hostile() as service, connect(service) as scarf:
            service.on("GET", "*", answer(200, good + b"\n" + odd + b"\n"))
            await scarf.exports.run(ExportJob("organization_aggregates", "acme", *RANGE, format="jsonl"), tmp_path)
        (file,) = tmp_path.joinpath("data").glob("*.jsonl")
        first, second = file.read_bytes().splitlines()
        assert first == good
        assert msgspec.json.decode(second) == {
            **msgspec.json.decode(good),
            "total": 2,
            "client": "a\x01\ufffd",
            "score": None,
        }


class TestWhatIsCut:
    """What was cut off is fetched again, and says what that costs."""

    @pytest.mark.parametrize("job", [False, True], ids=["save", "job"])
    async def test_counted(self, *, job: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """As often as the policy has attempts, each time with an event and a line of the log that name the cost."""
        events: list[ScarfEvent] = []
        async with (
            Hostile() as service,
            Scarf(TOKEN, base_url=service.url, retry=FAST, on_event=events.append) as scarf,
        ):
            service.on("GET", "*", *[cut(body=CSV)] * 9)
            with caplog.at_level(logging.WARNING, "scarf_async"):
                if job:
                    report = await scarf.exports.run(ExportJob("pixel_events", None, *RANGE), tmp_path)
                    assert isinstance(report.windows[0].error, TruncatedExportError)
                else:
                    with pytest.raises(TruncatedExportError) as caught:
                        await scarf.exports.pixel_events(*RANGE).save(tmp_path / "file")
                    assert not caught.value.proven_end
            assert len(service.arrivals) == FAST.attempts
        retries = [event for event in events if isinstance(event, RetryScheduled)]
        assert [event.attempt for event in retries] == [1, 2, 3]
        assert all("costs another call" in event.reason for event in retries)
        assert [record.getMessage().count("costs another call") for record in caplog.records] == [1, 1, 1]

    async def test_turned_off(self, tmp_path: Path) -> None:
        """With one attempt it is fetched once."""
        async with Hostile() as service, connect(service, retry=RetryPolicy(attempts=1)) as scarf:
            service.on("GET", "*", *[cut(body=CSV)] * 9)
            with pytest.raises(TruncatedExportError):
                await scarf.exports.pixel_events(*RANGE).save(tmp_path / "file")
            assert len(service.arrivals) == 1


def _cutting(count: int) -> list[Act]:
    return [cut(body=CSV, stall=True)] * count


class TestPlaces:
    """Open exports hold no place that a call may wait for."""

    @pytest.mark.parametrize("places", [1, 3])
    async def test_calls_inside(self, places: int) -> None:
        """Inside as many open exports as there are connections calls, a bulk run and more exports go on."""
        async with (
            Hostile() as service,
            Scarf(TOKEN, base_url=service.url, retry=FAST, max_connections=places) as scarf,
            asyncio.timeout(10),
            AsyncExitStack() as stack,
        ):
            service.on("GET", "/pixels/*", *_cutting(2 * places))
            for _ in range(places):
                await stack.enter_async_context(scarf.exports.pixel_events(*RANGE))
            assert await scarf.packages.list() == []
            plan = BulkPlan()
            for name in range(5):
                plan.upsert_member("acme", f"ann{name}", "member")
            assert len((await scarf.bulk.run(plan)).succeeded) == 5
            async with asyncio.TaskGroup() as group:
                for _ in range(places):
                    group.create_task(stack.enter_async_context(scarf.exports.pixel_events(*RANGE)))

    async def test_the_pool_of_a_callers_session(self) -> None:
        """A call that the caller's own pool has no connection for ends, and says why."""
        async with (
            Hostile() as service,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session,
            Scarf(
                TOKEN,
                base_url=service.url,
                retry=RetryPolicy(attempts=1),
                export_timeout=0.2,
                session=session,
            ) as scarf,
        ):
            service.on("GET", "/pixels/*", *_cutting(1))
            async with asyncio.timeout(10), scarf.exports.pixel_events(*RANGE):
                with pytest.raises(TransportError, match="1 open exports hold connections of the session"):
                    await scarf.packages.list()
            assert await scarf.packages.list() == []


V1, V2 = "http://127.0.0.1:9/api/v1", "http://127.0.0.1:9/v2"


class TestAddresses:
    """A client with an address of its own sends its token nowhere else."""

    @pytest.mark.parametrize("variable", [False, True])
    async def test_only_v1(self, *, variable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given that of v1, by argument or variable, it refuses what v2 alone has, and sends nothing."""
        async with Hostile() as service:
            monkeypatch.delenv("SCARF_V2_URL", raising=False)
            if variable:
                monkeypatch.setenv("SCARF_BASE_URL", service.url)
            events: list[ScarfEvent] = []
            url = None if variable else service.url
            async with Scarf(TOKEN, base_url=url, retry=FAST, on_event=events.append) as scarf:
                for export in (
                    scarf.exports.owner_events("acme", *RANGE),
                    scarf.exports.package_events("acme", "p", *RANGE, api="v2"),
                    scarf.exports.pixel_events(*RANGE, owner="acme", api="v2"),
                ):
                    with pytest.raises(ConfigurationError, match="v2_url"):
                        async with export:
                            pass
                with pytest.raises(ConfigurationError, match="v2_url"):
                    await scarf.exports.owner_events("acme", *RANGE).save(tmp_path / "file.csv")
                with pytest.raises(ConfigurationError, match="v2_url"):
                    await scarf.exports.run(ExportJob("owner_events", "acme", *RANGE), tmp_path / "job")
                assert _contents(tmp_path) == []
                assert events == []
                assert await scarf.packages.list() == []

    @pytest.mark.parametrize("variable", [False, True])
    async def test_only_v2(self, *, variable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Given that of v2, it refuses the calls of v1."""
        async with Hostile() as service:
            monkeypatch.delenv("SCARF_BASE_URL", raising=False)
            if variable:
                monkeypatch.setenv("SCARF_V2_URL", service.url)
            async with Scarf(TOKEN, v2_url=None if variable else service.url, retry=FAST) as scarf:
                assert service.url in repr(scarf)
                plan = BulkPlan()
                plan.upsert_member("acme", "ann", "member")
                for call in (
                    scarf.packages.list,
                    lambda: scarf.members.upsert("acme", "ann", "member"),
                    lambda: scarf.bulk.run(plan),
                    lambda: scarf.bulk.run(plan, journal=tmp_path / "journal"),
                    lambda: scarf.exports.pixel_events(*RANGE).save(tmp_path / "file"),
                ):
                    with pytest.raises(ConfigurationError, match="base_url"):
                        await call()
                service.on("GET", "*", answer(200, CSV))
                async with scarf.exports.owner_events("acme", *RANGE) as stream:
                    assert len([event async for event in stream]) == 1
            assert len(service.arrivals) == 1

    def test_neither_and_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without any it uses Scarf's own, with both these."""
        for name in ("SCARF_BASE_URL", "SCARF_V2_URL"):
            monkeypatch.delenv(name, raising=False)
        assert Scarf(TOKEN).base_url == "https://scarf.sh/api/v1"
        assert Scarf(TOKEN, base_url=V1, v2_url=V2).base_url == V1
