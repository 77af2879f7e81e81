"""What the name of a file says of its format."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path, PurePath

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pytest

from scarf_async.errors import ValidationError
from scarf_async.exports.endings import read_ending
from scarf_async.exports.formats import ExportFormatLike

from .fakes import Shop, csv_body, download, event_rows, events

BODY = csv_body(event_rows(3))


def expand(data: bytes) -> bytes:
    """Return what zstd has compressed."""
    with pa.input_stream(pa.BufferReader(data), compression="zstd") as stream:
        found: bytes = stream.read()
    return found


@pytest.mark.parametrize(
    ("name", "form", "unpack", "begins"),
    [
        ("a.csv", None, bytes, b"type,"),
        ("a", None, bytes, b"type,"),
        ("a.JSONL", None, bytes, b"{"),
        ("a.ndjson.gz", None, gzip.decompress, b"{"),
        ("a.csv.gz", None, gzip.decompress, b"type,"),
        ("a.gz", None, gzip.decompress, b"type,"),
        ("a.csv.zst", None, expand, b"type,"),
        ("a.parquet", None, bytes, b"PAR1"),
        ("a.csv", "jsonl", bytes, b"{"),
        ("a.xlsx", "csv", bytes, b"type,"),
        ("a.xlsx.gz", "jsonl", gzip.decompress, b"{"),
    ],
)
async def test_the_ending_chooses(
    tmp_path: Path, name: str, form: ExportFormatLike | None, unpack: Callable[[bytes], bytes], begins: bytes
) -> None:
    """The format, unless one is given, and the compression; size and digest are the file's."""
    saved = await events(download(BODY)).save(tmp_path / name, format=form)
    data = saved.path.read_bytes()
    assert unpack(data).startswith(begins)
    assert (saved.bytes, saved.records) == (len(data), 3)
    if form is None and begins == b"type,":
        assert unpack(data) == BODY


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet.gz", "a.parquet.zst", "a.csv.bz2", "a.2024.gz"])
async def test_an_unknown_ending_is_refused_before_anything_is_asked_for(tmp_path: Path, name: str) -> None:
    """Exports cost money; the message names the file."""
    shop = Shop([download(BODY)])
    with pytest.raises(ValidationError, match=name):
        await events(shop=shop).save(tmp_path / name)
    assert shop.opened == []
    assert not (tmp_path / name).exists()


async def test_without_pyarrow_a_zst_file_is_refused_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    shop = Shop([download(BODY)])
    with pytest.raises(ImportError, match=r"pip install 'scarf-async\[arrow\]'"):
        await events(shop=shop).save(tmp_path / "a.csv.zst")
    assert shop.opened == []


def test_a_dot_at_the_beginning_is_not_an_ending() -> None:
    """As everywhere; a name without an ending says nothing."""
    assert read_ending(PurePath(".csv"), None) == read_ending(PurePath("a"), None) == (None, None)
