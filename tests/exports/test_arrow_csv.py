"""Event CSV read as columns: exactly what the slow way gives, whatever comes."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scarf_async.emulator.generator import EVENT_COLUMNS, EventSource, csv_line, event_lines
from scarf_async.entities import Event
from scarf_async.errors import ExportError, StreamClosedError
from scarf_async.exports.csv import CsvSplitter, whole_records
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.parsers import Run
from scarf_async.exports.spec import Counters, OnMalformed
from scarf_async.exports.stream import Export

from .fakes import BODY, COLUMNS, END, TYPES, Hanging, cuts, download, events

pa = pytest.importorskip("pyarrow")
from scarf_async.exports import prefetch  # noqa: E402 # needs pyarrow
from scarf_async.exports.arrow import Part, PartParser, SentRecords, schema_of  # noqa: E402 # needs pyarrow
from scarf_async.exports.arrow_csv import ColumnReader, Rows, proven_records  # noqa: E402 # needs pyarrow
from scarf_async.exports.prefetch import Block, BlockParser, SentBlock  # noqa: E402 # needs pyarrow


@pytest.fixture(autouse=True)
def small_blocks() -> Iterator[pytest.MonkeyPatch]:
    """Let every block, however small, be read as columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefetch, "FEW", 0)
        patch.setattr(prefetch, "ENOUGH", 200)
        yield patch


@attrs.define
class Seen:
    """All that a consumer can see of one reading."""

    batches: list[str]
    error: tuple[str, str, int | None] | None
    counts: tuple[int, int, int]
    end: tuple[bool, bool, str | None]


@attrs.frozen
class Case:
    """An export, how it arrives, and how it is read."""

    pieces: list[bytes]
    end: dt.date | None = None
    on_malformed: OnMalformed = "raise"
    size: int = 5
    max_record_bytes: int = 2**20
    proven: bool = True


class SlowReader:
    """Reads events, and is none of those whose blocks Arrow reads: the slow twin."""

    def __init__(self, end: dt.date | None) -> None:
        self._reader = EventReader(end)

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)


async def look(case: Case, *, fast: bool) -> Seen:
    """Read to the end, or to the error."""
    export = events(
        download(case.pieces, proven=case.proven),
        end=case.end,
        on_malformed=case.on_malformed,
        max_record_bytes=case.max_record_bytes,
    )
    if not fast:
        reader: Any = SlowReader
        export = Export(attrs.evolve(export.spec, reader=reader))
    seen: list[str] = []
    error = None
    async with export as stream:
        try:
            async for batch in stream.record_batches(case.size):
                batch.validate(full=True)
                assert batch.schema == schema_of(Event)
                seen.append(repr(batch.to_pylist()))
        except ExportError as raised:
            error = (type(raised).__name__, str(raised), getattr(raised, "line_number", None))
        return Seen(
            seen,
            error,
            (
                stream.records_received,
                stream.records_dropped,
                stream.records_malformed,
            ),
            (stream.complete, stream.complete and stream.ended_with_newline, stream.sha256),
        )


async def assert_twins(case: Case) -> Seen:
    """Read in both ways, and compare."""
    fast, slow = await look(case, fast=True), await look(case, fast=False)
    assert fast == slow
    return fast


# Any table

TEXTS = st.text(
    st.sampled_from('ab,"\r\n\\ \t\0é\u2028\ufeff\U0001f600\x85\x1c') | st.characters(codec="utf-8"), max_size=6
)
PLAIN = st.text(st.sampled_from("ab0 -é"), max_size=6)
DAYS = st.dates(dt.date(2023, 12, 31), dt.date(2024, 1, 3)).map(str) | st.sampled_from(
    ["0001-01-01", "9999-12-31", "0000-01-01", "2024-02-30"]
)
FRACTIONS = st.just("") | st.text("0123456789", min_size=1, max_size=13).map(".{}".format)
ZONES = st.sampled_from(
    (
        *(
            "",
            "Z",
            "z",
            " UTC",
            "UTC",
            " utc",
            " Z",
            "  UTC",
            "+00:00",
            "-00:00",
            "+01",
            "-0130",
            "+23:59",
            "-12:00",
        ),
        *("+24:00", "+1", " +02:00", "\t+02:00", "\v-02", "+01:60", "Zulu", "+010", "X"),
    )
)
CLOCKS = st.times().map(lambda time: time.isoformat("seconds")) | st.sampled_from(
    ["24:00:00", "24:00:01", "23:59:60", "00:60:00", "00:00:60", "00:00", "00", "0:00:00", "\u0660\u0660:00:00"]
)
GOOD_TIMES = st.sampled_from(
    (
        *("2024-01-01T13:58:26.021037Z", "2024-01-02 13:58:26 UTC", "2024-01-01 13:58:26.021037123 UTC"),
        *("2024-01-02T00:30:00+01:00", "2024-01-01T23:30:00.5-0100", "2024-01-01 13:58:26", "2024-01-01t01:02:03Z"),
    )
)
TIMES = st.builds("{}{}{}{}{}".format, DAYS, st.sampled_from("T t_"), CLOCKS, FRACTIONS, ZONES)
NUMBERS = (
    st.floats(width=64).map(repr)
    | st.decimals(allow_nan=False, places=3, min_value=-180, max_value=180).map(str)
    | st.sampled_from(
        (
            *("", "1.", ".5", "+1", " 1", "1 ", "1e5", "1E+5", "1e", "1e999", "1e-999", "-0", "nan", "inf", "-inf"),
            *(
                "infinity",
                "0x1p3",
                "1_0",
                "1,0",
                "\u0663",
                "-",
                ".",
                "9007199254740993",
                "1e400",
                "4.9e-324",
                "\t1",
            ),
            *("179769313486231580793728971405301e276", "0." + "0" * 320 + "1", "1" * 400),
        )
    )
)
FLAGS = st.sampled_from(
    ["", "true", "True", "TRUE", "tRuE", "t", "T", "1", "false", "f", "F", "0", "no", " t", "\u017f"]
)
_OTHERS = st.one_of(TEXTS, PLAIN)
CELLS = dict.fromkeys(COLUMNS, _OTHERS) | {
    "type": st.sampled_from(["pull", "push", "file, download", 'a "kind"', ""] + ["fetch"] * 8),
    "origin_latitude": NUMBERS,
    "origin_longitude": NUMBERS,
    "confidence": NUMBERS,
    "dnt": FLAGS,
    "mtc_quota_exceeded": FLAGS,
}
BAD_ROWS = st.sampled_from(
    (
        *(b"bad\n", b'"a"b,c\n', b"\xff\xfe,2024-01-01 00:00:00\n", b"a\rb,2024-01-01 00:00:00\n", b"\n", b"\r\n"),
        *(b'5" disk,2024-01-01 00:00:00\n', b'a,"2024-01-01 00:00:00\n', b'"a,\n",2024-01-01 00:00:00\n', b"\r"),
        *(
            b",,,,,,,,\n",
            b'""\n',
            b'"\n',
            b'a"\n',
            b"a,2024-01-01 00:00:00\r\r\n",
            b"x" * 300 + b"\n",
            b"\xef\xbb\xbf",
        ),
    )
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Write a table, in one of the ways to write it, perhaps with what does not belong there."""
    tame = draw(st.booleans())
    names = draw(st.permutations(COLUMNS))[: draw(st.integers(0, 8))]
    names = [name for name in names if name not in {"type", "time"}]
    unknown = draw(st.lists(TEXTS, max_size=2, unique=True))
    names += [name for name in unknown if name and name not in COLUMNS]
    names = draw(st.permutations([*names, "type", "time"]))
    times = draw(st.sampled_from([GOOD_TIMES, TIMES, GOOD_TIMES.map(lambda _: "2024-01-01T00:00:00.000001Z")]))
    cells: dict[str, st.SearchStrategy[str]] = CELLS | {"time": times}
    if tame:
        cells = dict.fromkeys(CELLS, PLAIN) | {"time": GOOD_TIMES, "type": st.just("t"), "dnt": st.just("T")}
        cells |= dict.fromkeys(("confidence", "origin_latitude", "origin_longitude"), st.just("1.5"))
        cells["mtc_quota_exceeded"] = st.just("")
    row = st.tuples(*(cells.get(name, _OTHERS) for name in names))
    parts = [written([names], draw(st.sampled_from(["\n", "\r\n"])), csv.QUOTE_MINIMAL)]
    for _ in range(draw(st.integers(1, 4))):
        rows = draw(st.lists(row, max_size=6))
        end, quoting = (
            draw(st.sampled_from(["\n", "\r\n"])),
            draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        )
        parts.append(written(rows, end, quoting))
        if draw(st.integers(0, 3)) == 0 and not tame:
            parts.append(draw(BAD_ROWS))
    body = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\r\n\n"])) + b"".join(parts)
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 5)) == 0 else body


def written(rows: Sequence[Sequence[str]], end: str, quoting: int) -> bytes:
    """Write as Python does."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type] # a plain int
    return text.getvalue().encode()


@given(
    body=bodies(),
    at=st.lists(st.integers(0, 2000), max_size=5),
    end=st.sampled_from([None, END]),
    on_malformed=st.sampled_from(["raise", "skip", "skip"]),
    size=st.sampled_from([1, 3, 5, 3000]),
    limit=st.sampled_from([2**20, 2**20, 80]),
    proven=st.sampled_from([True, True, False]),
    enough=st.sampled_from([1, 50, 200, 10_000]),
)
def test_any_table(  # noqa: PLR0917 # what is drawn
    body: bytes,
    at: list[int],
    end: dt.date | None,
    on_malformed: OnMalformed,
    size: int,
    limit: int,
    proven: bool,
    enough: int,
) -> None:
    """Columns, errors and counters are those of the slow way, however the body is written, spoiled and cut."""
    case = Case(cuts(body, at), end, on_malformed, size, limit, proven)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefetch, "FEW", 0)
        patch.setattr(prefetch, "ENOUGH", enough)
        asyncio.run(assert_twins(case))


@pytest.mark.parametrize("limit", [9, 10])
@pytest.mark.parametrize("at", range(1, 15))
def test_a_header_as_long_as_a_record_may_be(limit: int, at: int) -> None:
    """Its BOM and line end do not count, wherever it is cut: it is read, or too long; nothing is lost."""
    body = b"\xef\xbb\xbftime,type\r\n2024,t\r\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefetch, "FEW", 0)
        seen = asyncio.run(assert_twins(Case(cuts(body, [at]), on_malformed="skip", max_record_bytes=limit)))
    assert (seen.error, seen.counts) == (None, (1, 0, 1))
    too_long = body.replace(b"type", b"types" + b"s" * (limit - 9))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefetch, "FEW", 0)
        seen = asyncio.run(assert_twins(Case(cuts(too_long, [at]), max_record_bytes=limit)))
    assert seen.error is not None
    assert seen.error[0] == "RecordTooLongError"


def _column_twins(name: str, cells: list[str]) -> None:
    rows = [["t", "2024-01-01 00:00:00", cell] for cell in cells]
    header = ["type", "time", name]
    if name == "time":
        header, rows = ["type", "time"], [["t", cell] for cell in cells]
    body = written([header, *rows], "\n", csv.QUOTE_MINIMAL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefetch, "FEW", 0)
        for end in (None, END):
            for pieces in ([body], cuts(body, range(0, len(body), 40))):
                asyncio.run(assert_twins(Case(pieces, end, "skip")))


@given(cells=st.lists(TIMES, min_size=1, max_size=3) | st.lists(TIMES | GOOD_TIMES, min_size=1, max_size=3))
@example(cells=["2024-01-01T00+00:00"])
@example(cells=["2024-01-01T00:00+0000"])
@example(cells=["2024-01-01T00:00:00.1234567Z", "2024-01-01 00:00:00"])
def test_any_time(cells: list[str]) -> None:
    """What is a time, and which, does not depend on the way of reading."""
    _column_twins("time", cells)


@given(cells=st.lists(NUMBERS, min_size=1, max_size=3))
def test_any_number(cells: list[str]) -> None:
    """So with numbers, to the last bit."""
    _column_twins("confidence", cells)


@given(cells=st.lists(FLAGS, min_size=1, max_size=3))
def test_any_flag(cells: list[str]) -> None:
    """And with truth values."""
    _column_twins("dnt", cells)


# The way that it takes


def emulated(rows: int) -> bytes:
    """Write events as the emulator does: with quotes, and line breaks in them."""
    source = EventSource("key", "file", "sources")
    lines = event_lines(source, dt.date(2024, 1, 1), 2, per_day=rows // 2, seed=1, columns=EVENT_COLUMNS)
    return (csv_line(EVENT_COLUMNS) + "".join(lines)).encode()


class Watched:
    """Tells which blocks were read fast, and holds the fast reader back on demand."""

    def __init__(self, patch: pytest.MonkeyPatch, *, held: bool = False) -> None:
        self._read = ColumnReader.read
        self._feed = BlockParser.feed
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()
        self.released = threading.Event()
        self.fast: list[bool] = []
        self.reading = 0
        self.both = asyncio.Event()
        if not held:
            self.released.set()

        def read(reader: ColumnReader, data: bytes) -> Rows | None:
            return self.read(reader, data)

        def feed(parser: BlockParser[object], block: Block) -> Iterator[Run[Part]]:
            return self.feed(parser, block)

        patch.setattr(ColumnReader, "read", read)
        patch.setattr(BlockParser, "feed", feed)

    def read(self, reader: ColumnReader, data: bytes) -> Rows | None:
        self.reading += 1
        self._loop.call_soon_threadsafe((self.both if self.reading == 2 else self.begun).set)
        assert self.released.wait(10)
        return self._read(reader, data)

    def feed(self, parser: BlockParser[object], block: Block) -> Iterator[Run[Part]]:
        if not isinstance(parser.reader, SlowReader):
            self.fast.append(block.rows is not None)
        return self._feed(parser, block)


async def test_what_the_service_sends_is_read_fast(small_blocks: pytest.MonkeyPatch) -> None:
    """Every block, with and without filter, and the values are those of the slow way."""
    watched = Watched(small_blocks)
    small_blocks.setattr(prefetch, "ENOUGH", 20_000)
    body = emulated(1000)
    for end in (None, END):
        watched.fast.clear()
        seen = await assert_twins(Case(cuts(body, range(0, len(body), 7000)), end, size=300))
        assert seen.counts == (1000, 0 if end is None else 500, 0)
        # The first is the header.
        assert len(watched.fast) > 10
        assert all(watched.fast[1:])


async def test_only_the_block_that_needs_it_is_read_slowly(small_blocks: pytest.MonkeyPatch) -> None:
    """After a bad record, even one that opens quotes, the next blocks are read as columns again."""
    watched = Watched(small_blocks)
    header, _, rest = BODY.partition(b"\r\n")
    for bad in (b"bad\n", b'x,"2024"y\n', b'5" disk,2024-01-01 00:00:00\n', b'"\n\n",\n'):
        watched.fast.clear()
        body = header + b"\n" + rest * 40 + bad + rest * 80
        await assert_twins(Case(cuts(body, range(0, len(body), 100)), None, "skip"))
        assert watched.fast[1:].count(False) in {1, 2}
        assert watched.fast.count(True) > 10


async def test_bytes_that_are_no_utf8(small_blocks: pytest.MonkeyPatch) -> None:
    """They are replaced, as in the slow way; UTF-8 around them is read fast."""
    watched = Watched(small_blocks)
    small_blocks.setattr(prefetch, "ENOUGH", 2000)
    row = "t,2024-01-01 00:00:00,é\U0001f600\n".encode()
    for bad in (b"\xff", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\xc0\x80"):
        watched.fast.clear()
        body = b"type,time,platform\n" + row * 200 + b"t,2024-01-01 00:00:00," + bad + b"\n" + row * 200
        seen = await assert_twins(Case(cuts(body, range(0, len(body), 500)), size=1000))
        assert seen.counts == (401, 0, 0)
        assert "\ufffd" in seen.batches[0]
        assert watched.fast[1:].count(False) == 1


@pytest.mark.parametrize(("size", "block"), [(None, 200), (5000, 100)])
async def test_two_blocks_at_once(small_blocks: pytest.MonkeyPatch, size: int | None, block: int) -> None:
    """While two blocks are read one more waits for a thread, and nothing comes in after that."""
    watched = Watched(small_blocks, held=True)
    body = BODY + BODY.split(b"\r\n", 1)[1] * 100
    async with events(download(body, step=50)) as stream:
        task = asyncio.ensure_future(anext(stream.record_batches(size)))
        await watched.both.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert 3 * block <= stream.bytes_received <= 4 * block
        assert watched.reading == 2
        watched.released.set()
        assert (await task).num_rows == 505


async def test_cancelled_while_a_block_is_read(small_blocks: pytest.MonkeyPatch) -> None:
    """The reader does not wait for the thread, and goes on later as if nothing had been."""
    watched = Watched(small_blocks, held=True)
    body = BODY + BODY.split(b"\r\n", 1)[1] * 20
    async with events(download(body, step=30)) as stream:
        batches = stream.record_batches(3)
        task = asyncio.ensure_future(anext(batches))
        await watched.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        watched.released.set()
        got = [name for batch in [batch async for batch in batches] for name in batch["type"].to_pylist()]
        assert got == TYPES * 21
        assert stream.records_received == len(got)
        assert stream.complete


async def test_cancelled_while_nothing_comes(small_blocks: pytest.MonkeyPatch) -> None:
    """What was gathered stays."""
    answer = Hanging(BODY[:70])
    async with events(answer) as stream:
        batches = stream.record_batches(100)
        task = asyncio.ensure_future(anext(batches))
        await answer.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        answer.pieces.append(BODY[70:])
        answer.released.set()
        assert (await anext(batches))["type"].to_pylist() == TYPES


async def test_closed_while_a_block_is_read(small_blocks: pytest.MonkeyPatch) -> None:
    """The block is dropped, and so is the connection."""
    watched = Watched(small_blocks, held=True)
    answer = download(BODY * 20, step=100)
    async with events(answer) as stream:
        task = asyncio.ensure_future(anext(stream.record_batches()))
        await watched.begun.wait()
    watched.released.set()
    with pytest.raises(StreamClosedError):
        await task
    assert answer.closed


async def test_closed_while_nothing_comes(small_blocks: pytest.MonkeyPatch) -> None:
    """What was gathered is dropped: no thread begins to read it."""
    small_blocks.setattr(prefetch, "ENOUGH", 2000)
    answer = Hanging(BODY + BODY.split(b"\r\n", 1)[1])
    async with events(answer) as stream:
        task = asyncio.ensure_future(anext(stream.record_batches()))
        await answer.waiting.wait()
    answer.released.set()
    with pytest.raises(StreamClosedError):
        await task


async def test_closed_before_a_thread_takes_a_block(small_blocks: pytest.MonkeyPatch) -> None:
    """The task that waits for it is told that the stream is closed, and not cancelled."""
    released = threading.Event()
    submitted = asyncio.Event()

    class Busy(ThreadPoolExecutor):
        """Both threads have something else to do first."""

        def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
            for _ in range(2):
                super().submit(released.wait, 10)
            submitted.set()
            return super().submit(*args, **kwargs)

    small_blocks.setattr(prefetch, "ThreadPoolExecutor", Busy)
    async with events(download(BODY * 20, step=100)) as stream:
        task = asyncio.ensure_future(anext(stream.record_batches()))
        await submitted.wait()
    released.set()
    with pytest.raises(StreamClosedError):
        await task


async def test_threads_end_with_the_stream(small_blocks: pytest.MonkeyPatch) -> None:
    """A stream that was left early keeps no thread, even while its reader is still referenced."""
    watched = Watched(small_blocks)
    before = set(threading.enumerate())
    async with events(download(BODY + BODY.split(b"\r\n", 1)[1] * 50, step=30)) as stream:
        batches = stream.record_batches(3)
        await anext(batches)
        started = set(threading.enumerate()) - before
        assert watched.begun.is_set()
    for thread in started:
        thread.join(10)
    assert started
    assert not any(thread.is_alive() for thread in started)
    with pytest.raises(StreamClosedError):
        await anext(batches)


async def test_few_rows_come_soon() -> None:
    """Who wants few rows at once does not wait until a block is full."""
    answer = Hanging(BODY)
    async with events(answer) as stream:
        batches = stream.record_batches(2)
        assert (await asyncio.wait_for(anext(batches), 5)).num_rows == 2
        answer.released.set()


async def test_rows_before_an_error_that_comes_ahead() -> None:
    """What was lost behind a block is told after the block, with all that came counted."""
    body = BODY + BODY.split(b"\r\n", 1)[1] * 20
    seen = await assert_twins(Case(cuts(body, range(0, len(body), 100)), size=1000, proven=False))
    assert seen.error is not None
    assert "after 105 records" in seen.error[1]


@example(text='a,""\n' * 9, limit=7)
@example(text='a,"b\n' * 9, limit=7)
@example(text='a","b\n', limit=100)
@given(
    text=st.lists(st.sampled_from(['"', '"a"', ",", "\n", "\r\n", "\r", "a"]), min_size=1).map("".join),
    limit=st.sampled_from([2, 7, 100]),
)
def test_what_is_proven_with_and_without_the_lock(text: str, limit: int) -> None:
    """How far a block is whole records in regular quotes, none too long, is said alike."""
    data = b"\n" + text.encode()
    assert proven_records(data, limit) == whole_records(data, 1, limit)


REGULAR = [b"a", b"1,2", b'"a"', b'1,"a""b"', b'"\n"', b'"a\r\nb",2', b'1,"",2', b'"\n\n\r\n",""""', b"", b""]


@given(
    records=st.lists(st.sampled_from(REGULAR), min_size=1, max_size=12),
    ends=st.sampled_from([[b"\n"], [b"\r\n"], [b"\n", b"\r\n"]]),
    chosen=st.sets(st.integers(0, 11)),
)
def test_records_of_a_block_come_as_they_were_sent(
    records: list[bytes], ends: list[bytes], chosen: set[int]
) -> None:
    """All or some, without blank lines, with a LF behind each; and each with the number of its line."""
    data = b"".join(record + ends[at % len(ends)] for at, record in enumerate(records))
    assert whole_records(b"\n" + data, 1, 1000) == len(data) + 1
    splitter = CsvSplitter(1000)
    expected = SentRecords(splitter.feed(data), splitter.numbers)
    rows = range(len(expected.records))
    block = SentBlock(b"\n" + data, 1)
    assert [block.line(row) for row in rows] == list(expected.numbers)
    assert bytes(block.lines(None)) == expected.lines(None)
    some = pa.array([row for row in rows if row in chosen], pa.int64())
    assert bytes(block.lines(some)) == expected.lines(some)


NAMES = ",".join(["type", "time", *(f"{'x' * 1000}{at}" for at in range(30))])
LONG_NAMES = NAMES.encode() + (b"\nt,2024-01-01T00:00:00Z" + b"," * 30) * 500 + b"\n"


@pytest.mark.parametrize("few", [0, 2**20])
async def test_long_names_of_columns_make_short_blocks(small_blocks: pytest.MonkeyPatch, few: int) -> None:
    """`extra` repeats them for each record: a few bytes must not become very many, in either way of reading."""
    small_blocks.setattr(prefetch, "FEW", few)
    small_blocks.setattr(prefetch, "ENOUGH", 2**14)
    small_blocks.setattr("scarf_async.exports.arrow._LEAST", 1)
    async with events(download(LONG_NAMES)) as stream:
        batches = [batch async for batch in stream.record_batches()]
    assert sum(batch.num_rows for batch in batches) == 500
    assert max(batch.nbytes for batch in batches) < 10 * 2**14


def test_long_names_of_columns_make_short_batches() -> None:
    """So it is for who reads the records of a whole body at once."""
    runs = PartParser(EventReader(None), Counters("x"), 2**20).feed(LONG_NAMES)
    parts = [part.batch for parts, _ in runs for part in parts]
    assert sum(batch.num_rows for batch in parts) == 500
    assert max(batch.nbytes for batch in parts) < 2**23
