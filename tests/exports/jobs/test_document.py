"""The manifest of a prefix, written and read."""

from __future__ import annotations

import datetime as dt
import json

import attrs
import msgspec
import pytest

from scarf_async.exports.jobs.document import Document, dump, is_ours, list_path, load, load_list, named
from scarf_async.exports.jobs.manifest import FileEntry, Manifest, UnusableManifestError, WindowEntry
from scarf_async.exports.jobs.windows import Window

UNIQUE = "0123456789abcdef"
NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


def entry(first: int, behind: int, **changes: object) -> WindowEntry:
    """Return a window of January."""
    start, end = dt.date(2024, 1, first), dt.date(2024, 1, behind)
    path = named(f"data/{start}--{end}.csv", "ab" * 32, UNIQUE)
    file = FileEntry(path, 5, "ab" * 32, 3)
    return msgspec.structs.replace(WindowEntry(start, end, 3, 0, 0, False, NOW, None, (file,)), **changes)


def document(*entries: WindowEntry) -> Document:
    """Return a document of windows, entered one after the other."""
    found = Document(Manifest({"what": "x"}, "http://x"))
    for one in entries:
        found = found.having(one, list_path(one.window, UNIQUE), NOW)
    return found


def test_it_is_read_as_it_was_written() -> None:
    """But for the windows themselves, which are in lists of their own; each is a line of it."""
    whole = document(entry(1, 3), entry(3, 5), entry(2, 4))
    data = dump(whole, "c1")
    manifest, lists, retired = load(data)
    assert manifest == attrs.evolve(whole.manifest, windows=())
    assert lists == [list_path(Window(dt.date(2024, 1, 2), dt.date(2024, 1, 4)), UNIQUE)]
    assert retired == whole.retired
    assert {one.path for one in retired} == {*document(entry(1, 3), entry(3, 5)).paths}
    assert dump(whole, "c2") != data
    assert len(data.splitlines()) == len(dump(document(), "c1").splitlines()) + 1 + 4
    assert load_list(list_path(entry(1, 3).window, UNIQUE), msgspec.json.encode(entry(1, 3))) == entry(1, 3)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"2024-01-01","end"', '"2024-01-09","end"'),
        ("windows/2024", "windows/../2024"),
        ("windows/2024-01-01", "windows/2024-01-02"),
        ('"server": ', '"server": 5, "x": '),
        ('"limit_days": null', '"limit_days": 0'),
        ('"version": 1', '"version": 2'),
        ('"format": "scarf-async-export-prefix"', '"format": "scarf-async-export"'),
        ('"retired": []', '"retired": [{"path": "manifest.json", "at": "2024-01-01T00:00:00Z"}]'),
        ('"retired": []', '"retired": [{"path": "lease.json", "at": "2024-01-01T00:00:00Z"}]'),
        ("{", "["),
    ],
)
def test_a_manifest_that_cannot_be_used(old: str, new: str) -> None:
    """It is refused: what it names would be deleted one day."""
    text = dump(document(entry(1, 3)), "c").decode()
    assert old in text
    with pytest.raises(UnusableManifestError):
        load(text.replace(old, new, 1).encode())


FILE = entry(1, 3).files[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"start": dt.date(2024, 1, 2)},
        {"rows": 4},
        {"files": (FILE, FILE), "rows": 6},
        {"files": (msgspec.structs.replace(FILE, path="data/../../x.csv"),)},
        {"files": (msgspec.structs.replace(FILE, path=FILE.path.replace("data/", "rejects/")),)},
        {"files": entry(3, 5).files},
        {"rejects": FILE},
    ],
)
def test_a_list_that_cannot_be_used(changes: dict[str, object]) -> None:
    """Nothing but a window's own files below the prefix is read, and none of them twice."""
    path = list_path(entry(1, 3).window, UNIQUE)
    with pytest.raises(UnusableManifestError, match="windows/"):
        load_list(path, msgspec.json.encode(entry(1, 3, **changes)))


def test_a_list_that_is_missing_or_damaged() -> None:
    """Each is said about the manifest that names it."""
    path = list_path(entry(1, 3).window, UNIQUE)
    with pytest.raises(UnusableManifestError, match="is missing"):
        load_list(path, None)
    for data in (b"", b"{}", json.dumps([1]).encode(), b"\xff"):
        with pytest.raises(UnusableManifestError, match="is damaged"):
            load_list(path, data)


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        (FILE.path, True),
        (f"data/artifact=acme%2F%57eb/2024-01-01--2024-01-03--abababababab-{UNIQUE}.parquet", True),
        (f"rejects/2024-01-01--2024-01-03--abababababab-{UNIQUE}.jsonl", True),
        (f"rejects/2024-01-01--2024-01-03--abababababab-{UNIQUE}.csv", False),
        (f"data/other=1/2024-01-01--2024-01-03--abababababab-{UNIQUE}.parquet", False),
        (f"probe-{UNIQUE}.json", True),
        ("manifest.json", False),
        ("lease.json", False),
        ("data/2024-01-01--2024-01-03.csv", False),
    ],
)
def test_names_that_only_a_job_gives(path: str, ours: bool) -> None:
    """Only these are ever deleted."""
    assert is_ours(path) is ours
