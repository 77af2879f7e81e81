"""A whole export in hand: `to_arrow` and `to_pandas`."""

from __future__ import annotations

import sys

import pandas as pd  # type: ignore[import-untyped] # it ships no types
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pytest

from scarf_async import ConfigurationError, ExportError, MalformedRecordError, TruncatedExportError
from scarf_async.entities import Aggregate, Event
from scarf_async.exports.arrow import schema_of

from .fakes import BODY, Shop, aggregates, download, events, ndjson, row
from .jobs.service import END, START, service
from .test_sockets import CUT, RANGE, WHOLE, Server, scarf_of

TYPED = (
    b"type,time,dnt,confidence,new\npull,2024-01-02 03:04:05.6,t,0.5,x\npush,2024-01-02 03:04:05,,,\n"
    b",2024-01-02 03:04:05,f,1,\n"
)
EMPTY = b"type,time\n"
OTHERS = {
    "time": "datetime64[us, UTC]",
    **dict.fromkeys(("dnt", "mtc_quota_exceeded"), "boolean"),
    **dict.fromkeys(("confidence", "origin_latitude", "origin_longitude"), "float64"),
}


async def test_the_table_is_the_batches() -> None:
    """From a real service: the schema and the rows of `record_batches`, and so of the frames made of it."""
    async with service(events_per_day=50) as some:
        export = some.scarf.exports.package_events("acme", some.web, START, END)
        async with export as stream:
            batches = [batch async for batch in stream.record_batches()]
        table, frame = await export.to_arrow(), await export.to_pandas()
    assert table.equals(pa.Table.from_batches(batches))
    assert table.num_rows == 400
    assert list(frame["id"]) == table["id"].to_pylist()
    polar = pl.from_arrow(table)
    assert isinstance(polar, pl.DataFrame)
    assert polar["time"].to_list() == table["time"].to_pylist()


@pytest.mark.parametrize("body", [TYPED, EMPTY])
async def test_events_of_pandas(body: bytes) -> None:
    """The types do not depend on the rows: not on what is missing, and not on whether there are rows."""
    frame = await events(download(body)).to_pandas()
    text = str(pd.DataFrame({"text": ["x"]}).dtypes["text"])
    expected = {name: OTHERS.get(name, text) for name in schema_of(Event).names}
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == expected


async def test_values_of_pandas() -> None:
    """A truth value that is missing stays so, `extra` is JSON text, and times are those of the records."""
    frame = await events(download(TYPED)).to_pandas()
    assert frame["time"][0] == pd.Timestamp("2024-01-02T03:04:05.600Z")
    assert [None if value is pd.NA else value for value in frame["dnt"]] == [True, None, False]
    assert list(frame["extra"]) == ['{"new":"x"}', '{"new":null}', '{"new":null}']
    assert list(frame["type"]) == ["pull", "push", ""]
    assert frame["package"].isna().all()


async def test_aggregates() -> None:
    """Totals are integers, also beside one that is missing, and days are dates."""
    large = 2**62 + 1
    body = ndjson(row(large, unique_total=large), row(8))
    frame = await aggregates(download(body)).to_pandas()
    assert list(frame["total"]) == [large, 8]
    assert frame["unique_total"][0] == large
    assert frame["unique_total"].isna()[1]
    assert str(frame["date"][0]) == "2024-01-01"


@pytest.mark.parametrize("body", [b"", EMPTY])
async def test_nothing_has_the_schema_too(body: bytes) -> None:
    """Of a body without a record, with a header or without one."""
    export = events(download(body)) if body else aggregates(download(body))
    table = await export.to_arrow()
    assert (table.num_rows, table.schema) == (0, schema_of(Event if body else Aggregate))


@pytest.mark.parametrize("whole", WHOLE)
async def test_whole_answers(whole: bytes) -> None:
    """However the end is proven."""
    server = Server(whole)
    server.hang.set()
    async with scarf_of(server) as scarf:
        assert (await scarf.exports.package_events("acme", "p", *RANGE).to_arrow()).num_rows == 5


@pytest.mark.parametrize("call", ["to_arrow", "to_pandas"])
@pytest.mark.parametrize("cut", CUT)
async def test_a_stream_that_ends_early(cut: bytes, call: str) -> None:
    """It raises its error, is not asked for again, and what came of it is not to be had."""
    server = Server(cut, WHOLE[0])
    server.hang.set()
    async with scarf_of(server) as scarf:
        export = scarf.exports.package_events("acme", "p", *RANGE)
        with pytest.raises(TruncatedExportError):
            await getattr(export, call)()
    assert len(server.requests) == 1


@pytest.mark.parametrize("call", ["to_arrow", "to_pandas"])
async def test_a_record_that_cannot_be_read(call: str) -> None:
    """It raises, or is left out where the export says so."""
    with pytest.raises(MalformedRecordError):
        await getattr(events(download(BODY + b"bad\n")), call)()
    assert len(await getattr(events(download(BODY + b"bad\n"), on_malformed="skip"), call)()) == 5
    with pytest.raises(ExportError, match="'total' does not fit"):
        await getattr(aggregates(download(ndjson(row(2**63)))), call)()


@pytest.mark.parametrize(
    ("call", "missing", "install"),
    [
        ("to_arrow", "pyarrow", r"pip install 'scarf-async\[arrow\]'"),
        ("to_pandas", "pyarrow", r"pip install 'scarf-async\[arrow\]'"),
        ("to_pandas", "pandas", "pip install 'pandas'"),
    ],
)
async def test_what_is_not_installed(
    call: str, missing: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install, before anything is sent."""
    monkeypatch.setitem(sys.modules, missing, None)
    shop = Shop([])
    with pytest.raises(ConfigurationError, match=rf"{call}\(\) needs {missing}: {install}"):
        await getattr(events(shop=shop), call)()
    assert shop.opened == []
