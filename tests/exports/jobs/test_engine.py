"""The engine: which ids came before."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async import ExportError
from scarf_async.exports.jobs.engine import Engine, Ids, engine_told

IDS = st.none() | st.sampled_from(["a", "b", "", "A", "x" * 100, "x" * 101, "\0", "é"]) | st.uuids().map(str)
ROWS = st.tuples(IDS, st.sampled_from([None, "", "1", "2"]))


@pytest.fixture(scope="module")
def shared_engine() -> None:
    """None: the engine itself is what is tested here."""


@given(groups=st.lists(st.lists(ROWS, max_size=8), max_size=5))
def test_only_the_first_of_an_id_is_new(groups: list[list[tuple[str | None, str | None]]]) -> None:
    """Within a group and across them; what has no id is always new. Another value is told of."""
    engine = Engine(Path("unused"), 2**26)
    ids = Ids(engine, ["id", "value"])
    known: dict[str, str | None] = {}
    for group in groups:
        fresh = []
        differing = []
        for row, (one, value) in enumerate(group):
            fresh.append(not one or one not in known)
            if one and known.setdefault(one, value) != value:
                differing.append(row)
        columns = [pa.array([row[at] for row in group], pa.string()) for at in (0, 1)]
        found, different = ids.take_in(pa.table(columns, names=["id", "value"]))
        assert (found.to_pylist(), different) == (fresh, differing)
    ids.close()
    engine.close()


def test_many_ids_take_bounded_memory(tmp_path: Path) -> None:
    """What has no room is spilled into the folder, and gone with the engine."""
    engine = Engine(tmp_path / "spill", 24 * 2**20)
    ids = Ids(engine, ["id"])
    for group in range(12):
        names = pa.array([f"{group}/{number}" for number in range(100_000)])
        assert ids.take_in(pa.table([names], names=["id"]))[0].false_count == 0
    assert list((tmp_path / "spill").iterdir())
    assert ids.take_in(pa.table([pa.array(["0/0", "11/99999", "new"])], names=["id"]))[0].false_count == 2
    engine.close()
    assert not list(tmp_path.rglob("*.tmp"))


def test_too_little_memory_is_an_error_of_this_package() -> None:
    """With the engine's words."""
    engine = Engine(Path("/dev/null/nowhere"), 2**20)
    names = pa.array([f"{number}" for number in range(1_000_000)])
    with pytest.raises((ExportError, OSError)), engine_told("events"):
        Ids(engine, ["id"]).take_in(pa.table([names], names=["id"]))
    engine.close()
