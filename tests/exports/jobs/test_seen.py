"""Which ids have been there."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.exports.jobs.output import Seen, key_of
from scarf_async.files import is_temporary

IDS = st.none() | st.sampled_from(["a", "b", "", "A", "x" * 100, "x" * 101]) | st.uuids().map(str)


@given(batches=st.lists(st.lists(IDS, max_size=8), max_size=5))
def test_only_the_first_is_fresh(tmp_path_factory: pytest.TempPathFactory, batches: list[list[str | None]]) -> None:
    """Within a batch and across them; what has no id is always fresh."""
    seen = Seen(tmp_path_factory.mktemp("seen"))
    known: set[str] = set()
    for batch in batches:
        expected = []
        for one in batch:
            expected.append(one is None or one not in known)
            known |= {one} - {None}  # type: ignore[arg-type] # None is taken out
        assert seen.fresh(batch) == expected
    seen.discard()
    assert not seen.path.exists()


@given(st.uuids())
def test_a_uuid_takes_16_bytes(one: UUID) -> None:
    """In its usual spelling; in another it is another id."""
    assert key_of(str(one)) == one.bytes
    assert key_of(one.hex) == one.hex
    spaced = f"{str(one)[:35]} "
    assert key_of(spaced) == spaced


def test_no_two_ids_share_a_key() -> None:
    """Neither a long one with its digest, nor text with the bytes of a UUID."""
    long = "x" * 1000
    digest = key_of(long)
    assert isinstance(digest, bytes)
    assert len(digest) == 32
    assert len({key_of(text) for text in (long, long + "x", "a" * 16, "A" * 16)}) == 4


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    """Most of it is on the disk: the cache has a limit, and the file's name is one that a later run removes."""
    seen = Seen(tmp_path)
    ((kibibytes,),) = seen._database.execute("PRAGMA cache_size")
    assert -32 * 1024 <= kibibytes < 0
    assert is_temporary(seen.path.name)
    seen.fresh([f"{number:032x}" for number in range(20_000)])
    assert seen.path.stat().st_size > 500_000
    seen.discard()


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    """Not one of the database, which nobody knows of."""
    seen = Seen(tmp_path)
    ((pages,),) = seen._database.execute("PRAGMA page_count")
    seen._database.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    with pytest.raises(OSError, match="full") as caught:
        seen.fresh([f"{number:032x}" for number in range(20_000)])
    assert caught.value.errno == errno.ENOSPC
    assert not isinstance(caught.value, sqlite3.Error)
    seen.discard()
