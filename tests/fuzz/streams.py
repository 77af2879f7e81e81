"""Bodies of exports: the same is read however they arrive, and by the fast ways as by the slow ones."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import tempfile
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import attrs
from exports.fakes import (
    END,
    aggregates,
    aggregations,
    cuts,
    download,
    events,
    import_log,
    rollup,
    slow_split,
)
from exports.test_arrow_csv import Case, assert_twins, bodies
from hypothesis import strategies as st

from scarf_async.errors import ExportError
from scarf_async.exports import prefetch
from scarf_async.exports.csv import CsvSplitter, whole_records
from scarf_async.exports.lines import LineSplitter, bare
from scarf_async.exports.stream import Export, ExportStream
from scarf_async.http.inflate import BodyEncodingError, Inflater

from .made import Target

__all__ = ["TARGETS"]

_NO_LIMIT: Final = 2**20


@attrs.frozen
class Arriving:
    """A body, where it is cut, and the longest record."""

    body: bytes
    at: list[int]
    limit: int
    end: dt.date | None = None
    enough: int = 1
    size: int = 3


_LINES = st.lists(
    st.sampled_from(
        [b"a", b"bc", b",", b'"', b'""', b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b"\xff", b'"\n', b',"']
    )
)
_HEADS = st.sampled_from(
    [
        b"type,time\n",
        b"time,type\r\n",
        b'"type",time\n',
        b"\ntype,time,x\n",
        b'type,time,"a\nb"\n',
        b"type,time",
        b"",
    ]
)
_SCRAPS = st.lists(
    st.sampled_from(
        [
            *(
                b"t,2024-01-01 00:00:00\n",
                b"t,2024-01-02T00:00:00Z\r\n",
                b'"a\nb",2024-01-01T00:00:00Z\n',
                b"t",
                b",",
            ),
            *(
                b'"',
                b"\n",
                b"\r\n",
                b"\r",
                b"\xff",
                b't,"2024-01-01 00:00:00"\n',
                b'"a""b",2024\n',
                b"\xef\xbb\xbf",
            ),
        ]
    ),
    max_size=12,
)
_CSV = st.builds(
    lambda bom, head, scraps: bom + head + b"".join(scraps),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    _HEADS,
    _SCRAPS,
)
_ROWS = st.lists(
    st.sampled_from(
        [
            *(
                b'{"breakdown":"total","date":"2024-01-01","package":"p","total":1}\n',
                b"{",
                b"}",
                b'"date":',
                b"\r\n",
            ),
            *(
                b'{"breakdown":"total","date":"2024-01-02","package":7,"total":1,"x":[]}\r\n',
                b"\n",
                b"[]\n",
                b"\xff",
            ),
            *(
                b'{"breakdown":"\xff","date":"20240101","package":"p","total":1}\n',
                b"null\n",
                b"\xef\xbb\xbf",
                b"\r",
            ),
        ]
    ),
    max_size=8,
).map(b"".join)
_COUNTS = st.lists(
    st.sampled_from(
        [
            b'{"breakdown":"by-total","date":"2024-01-01","total":1}\n',
            b'{"breakdown":"by-x","date":null,"breakdowns":["a"],"company_sic_codes":[1,"2"],"new":{}}\r\n',
            b'{"breakdown":"by-x","date":"","artifact":7,"last_seen":"2024-01-03 10:11:12+00:00"}\n',
            b'{"breakdown":"by-x","last_seen":"0001-01-01 00:00:00+02:00"}\n',
            *(
                b'{"breakdown":7}\n',
                b'{"data":[',
                b'{"detail":"no"}',
                b"]}",
                b"{",
                b"}",
                b"\n",
                b"\r",
                b"\xff",
                b"null\n",
            ),
            *(b"\xef\xbb\xbf", b"[]\n", b'"breakdown":'),
        ]
    ),
    max_size=8,
).map(b"".join)
_LOG = st.lists(
    st.sampled_from(
        [
            b'{"type":"progress","class":"info","events_count":7}\n',
            b'{"type":"failed-to-decode","class":"error","line":3,"human_friendly_message":"\xff"}\r\n',
            b'{"type":7}\n',
            b'{"type":"","line":"3"}\n',
            b'{"class":"info"}\n',
            b'{"type":"x","package_id":5,"new":[null]}',
            b"[]\n",
            b"null\n",
            b"{",
            b"\n",
            b"\xef\xbb\xbf",
            b"<",
        ]
    ),
    max_size=8,
).map(b"".join)
_ROLLUP = st.lists(
    st.sampled_from(
        [
            b"date,pixel,total\n",
            b"date,date\n",
            b"total\n",
            b"2024-01-01,p,1\n",
            b"2024-01-02,,2\r\n",
            b'"2024-01-01","a\nb",3\n',
            b"x",
            b",",
            b"\n",
            b'"',
            b"\xff",
        ]
    ),
    max_size=8,
).map(b"".join)
_AT = st.lists(st.integers(0, 2000), max_size=6)
_LIMITS = st.integers(1, 60) | st.just(_NO_LIMIT)


def _arriving(body: st.SearchStrategy[bytes]) -> st.SearchStrategy[Arriving]:
    return st.builds(
        Arriving,
        body,
        _AT,
        _LIMITS,
        st.sampled_from([None, END]),
        st.sampled_from([1, 7, 50, 200, 10_000]),
        st.sampled_from([1, 3, 3000]),
    )


def _of_bytes(data: bytes) -> Arriving:
    first, *at = data[:4].ljust(4, b"\0")
    limit = first & 63 or _NO_LIMIT
    return Arriving(data[4:], list(at), limit, END if first & 64 else None, 1 if first & 128 else 50)


# Splitters


def _check_lines(case: Arriving) -> None:
    for make, quotes in ((LineSplitter, False), (CsvSplitter, True)):
        fast = make(case.limit)
        records: list[bytes] = []
        numbers: list[int] = []
        for piece in cuts(case.body, case.at):
            records += fast.feed(piece)
            numbers += fast.numbers
        records += fast.finish()
        numbers += fast.numbers
        slow = slow_split(case.body, case.limit, quotes=quotes)
        assert (records, numbers, fast.too_long) == (slow.records, slow.numbers, slow.too_long)
        keeping = make(len(case.body) + 1, keep_ends=True)
        lines = [line for piece in cuts(case.body, case.at) for line in keeping.feed(piece)] + keeping.finish()
        assert keeping.bom + b"".join(lines) == case.body


def _check_blocks(case: Arriving) -> None:
    data = b"\n" + case.body
    end = whole_records(data, 1, case.limit)
    assert end == 1 or data[end - 1] == 0x0A
    # The BOM here is in the middle of a body, where it is not a mark.
    slow = slow_split(b"\n" + data[:end], case.limit, quotes=True)
    assert slow.too_long is None
    assert not slow.in_quotes
    assert all(bare(record) == record for record in slow.records if b'"' not in record)


# Ways of reading


async def _read(
    export: Export[Any], way: Callable[[ExportStream[Any]], AsyncIterator[Any]]
) -> tuple[list[Any], object, object]:
    got: list[Any] = []
    error = None
    try:
        async with export as stream:
            try:
                async for item in way(stream):
                    got.append(item)  # noqa: PERF401 # a comprehension would lose them
            except ExportError as raised:
                error = (type(raised).__name__, str(raised))
            counts = (stream.records_received, stream.records_dropped, stream.records_malformed, stream.complete)
    except ExportError as raised:
        return got, (type(raised).__name__, str(raised)), None
    return got, error, counts


async def _ways(case: Arriving, make: Callable[..., Export[Any]], pieces: list[bytes]) -> list[object]:
    def export() -> Export[Any]:
        return make(download(pieces), end=case.end, on_malformed="skip", max_record_bytes=case.limit, attempts=1)

    typed = await _read(export(), aiter)
    batches = await _read(export(), lambda stream: stream.batches(case.size))
    assert ([item for batch in batches[0] for item in batch], *batches[1:]) == typed
    lines = await _read(export(), lambda stream: stream.lines())
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x")
        saved: object = None
        try:
            saved = (await export().save(path)).records
        except ExportError as error:
            saved = type(error).__name__, str(error)
        kept = _content(path)
    if kept is not None and case.end is None:
        assert kept == case.body
    # Lines are those of the file, but where the first of them was left out and the next looks like a BOM.
    if kept is not None and not (case.end and b"\xef\xbb\xbf" in case.body[3:]):
        again = slow_split(kept, _NO_LIMIT, quotes=make in {events, rollup})
        assert lines[0] == again.records
    return [typed, lines, saved, kept]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _check_ways(make: Callable[..., Export[Any]]) -> Callable[[Arriving], None]:
    async def compare(case: Arriving) -> None:
        whole = await _ways(case, make, cuts(case.body, []))
        assert await _ways(case, make, cuts(case.body, case.at)) == whole
        assert await _ways(case, make, cuts(case.body, range(len(case.body)))) == whole

    return lambda case: asyncio.run(compare(case))


def _check_columns(case: Arriving) -> None:
    with patch.multiple(prefetch, FEW=0, ENOUGH=case.enough):
        for pieces in (cuts(case.body, case.at), cuts(case.body, range(len(case.body)))):
            asyncio.run(assert_twins(Case(pieces, case.end, "skip", case.size, case.limit)))


# Content encodings


def _inflated(encoding: str, pieces: list[bytes]) -> tuple[bytes, bool | str]:
    inflater, got = Inflater(encoding), b""
    try:
        for piece in pieces:
            for part in inflater.feed(piece):
                assert len(part) <= 2**16
                got += part
    except BodyEncodingError as error:
        return got, str(error)
    return got, inflater.ended


def _check_inflate(case: Arriving) -> None:
    for encoding in ("gzip", "deflate"):
        whole = _inflated(encoding, cuts(case.body, []))
        bytewise = _inflated(encoding, cuts(case.body, range(len(case.body))))
        cut = _inflated(encoding, cuts(case.body, case.at))
        assert whole[1] == bytewise[1] == cut[1]
        assert whole[0] == bytewise[0] == cut[0] or isinstance(whole[1], str)
        if whole[1] is True and encoding == "gzip":
            assert gzip.decompress(case.body) == whole[0]


_MEMBERS = st.binary(max_size=40).map(gzip.compress) | st.sampled_from([b"", b"\0", b"x", b"\x1f\x8b", b"\x78\x9c"])
_COMPRESSED = (
    st.lists(_MEMBERS, max_size=3).map(b"".join)
    | st.binary(max_size=40).map(zlib.compress)
    | st.builds(
        lambda data, at, bit: _flip(gzip.compress(data), at, bit), st.binary(), st.integers(0), st.integers(0, 7)
    )
)


def _flip(data: bytes, at: int, bit: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


TARGETS: Final[dict[str, Target[Any]]] = {
    "lines": Target(_arriving(_LINES.map(b"".join) | st.binary()), _check_lines, _of_bytes),
    "blocks": Target(_arriving(_LINES.map(b"".join) | _CSV), _check_blocks, _of_bytes),
    "events": Target(_arriving(_CSV | bodies()), _check_ways(events), _of_bytes),
    "aggregates": Target(_arriving(_ROWS), _check_ways(aggregates), _of_bytes),
    "aggregations": Target(_arriving(_COUNTS), _check_ways(aggregations), _of_bytes),
    "log": Target(_arriving(_LOG), _check_ways(import_log), _of_bytes),
    "rollup": Target(_arriving(_ROLLUP), _check_ways(rollup), _of_bytes),
    "columns": Target(_arriving(_CSV | bodies()), _check_columns, _of_bytes),
    "inflate": Target(_arriving(_COMPRESSED), _check_inflate, _of_bytes),
}
