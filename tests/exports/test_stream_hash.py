"""The hash of a stream's body."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator, Callable

import pytest

from scarf_async.entities import Event
from scarf_async.errors import TruncatedExportError
from scarf_async.exports.stream import ExportStream

from .fakes import BODY, END, aggregates, download, drain, events, ndjson, row

WAYS: dict[str, Callable[[ExportStream[Event]], AsyncIterator[object]]] = {
    "records": aiter,
    "batches": ExportStream.batches,
    "lines": ExportStream.lines,
    "record_batches": ExportStream.record_batches,
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
# A BOM, blank lines, a bad record, and late ones: all of it counts.
ODD = b"\xef\xbb\xbf\r\n" + BODY + b"bad\n\n" + b"late,2024-05-01 00:00:00"
HASH = hashlib.sha256(ODD).hexdigest()


@every_way
@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("end", [None, END])
async def test_every_byte_counts(
    step: int, end: None, way: Callable[[ExportStream[Event]], AsyncIterator[object]]
) -> None:
    """Whatever the way of reading, and whatever is left out."""
    for body, encoding in ((ODD, ""), (gzip.compress(ODD), "gzip")):
        async with events(download(body, step=step, encoding=encoding), end=end, on_malformed="skip") as stream:
            assert stream.sha256 is None
            async for _ in way(stream):
                assert stream.sha256 is None or stream.complete
            assert stream.complete
            assert stream.sha256 == HASH
        assert stream.sha256 == HASH


@every_way
async def test_no_hash_of_a_part(way: Callable[[ExportStream[Event]], AsyncIterator[object]]) -> None:
    """What was cut has none."""
    async with events(download(BODY, proven=False)) as stream:
        with pytest.raises(TruncatedExportError):
            await drain(way(stream), [])
        assert stream.sha256 is None


async def test_no_hash_of_what_is_left_early() -> None:
    """Though all bytes may have come: nobody has looked at them to the end."""
    async with events(download(BODY, step=10)) as stream:
        await anext(aiter(stream))
    assert stream.sha256 is None


async def test_ndjson_too() -> None:
    """The hash is of the body, in either format."""
    body = ndjson(row(1), row(2))
    async with aggregates(download(body)) as stream:
        assert len([batch async for batch in stream.record_batches()]) == 1
        assert stream.sha256 == hashlib.sha256(body).hexdigest()
