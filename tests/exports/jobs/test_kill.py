"""Real processes, really killed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped] # it ships no types
import pytest
from processes import fork_with_pipes

from scarf_async import verify_export

from .killed_child import job_of, main
from .service import Service, manifest, names, service


async def run_child(some: Service, directory: Path, form: str, days: int, *, killed_after: int = 0) -> str:
    """Run a process; kill it at a random moment after so many requests, or return what it printed."""
    child = fork_with_pipes(
        main, some.emulator.url, some.emulator.token, some.web.uuid, str(directory), form, str(days)
    )
    if killed_after:
        first = len(some.emulator.requests) + killed_after
        ended = asyncio.create_task(child.wait())
        moment = asyncio.create_task(some.emulator.wait_until(lambda requests: len(requests) >= first))
        await asyncio.wait([ended, moment], return_when=asyncio.FIRST_COMPLETED)
        moment.cancel()
        # Somewhere between two requests: while a window is read, written, synced, put in its place or entered.
        await asyncio.sleep(random.uniform(0, 0.02))
        assert child.returncode is None, "it was done before it was killed"
        child.kill()
    output, errors = await child.communicate()
    assert child.returncode == (-9 if killed_after else 0), errors
    return output.decode().strip()


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_a_job_that_is_killed_again_and_again_ends_whole(tmp_path: Path, form: str, soak: bool) -> None:
    """As if nobody had killed it, and no window that the manifest had is fetched again."""
    kills, days = (20, 200) if soak else (2, 16)
    directory, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    final: dict[tuple[str, str], int] = {}
    async with service(events_per_day=100, duplicate_events=0.05) as some:
        for number in range(kills):
            # Two windows are in progress at a time: with the third request the first one is entered.
            await run_child(some, directory, form, days, killed_after=4 - number % 4)
            if (directory / "manifest.json").exists():
                counts = Counter(some.asked())
                for entry in manifest(directory).windows:
                    key = (str(entry.start), str(entry.end))
                    final.setdefault(key, counts[key])
        assert 0 < len(final) < days
        assert await run_child(some, directory, form, days) == "complete"
        counts = Counter(some.asked())
        assert {key: counts[key] for key in final} == final
        assert len(counts) == days
        assert sum(counts.values()) <= days + 2 * kills
        assert (await some.scarf.exports.run(job_of(some.web.uuid, form, days), undisturbed)).complete
    assert verify_export(directory) == []
    assert names(directory) == names(undisturbed)
    for name in names(undisturbed):
        if name.endswith(".csv"):
            assert (directory / name).read_bytes() == (undisturbed / name).read_bytes()
        elif name.endswith(".parquet"):
            # How many rows a group has depends on how the bytes arrived.
            # Older versions of pyarrow stumble over a column that the path names too.
            killed, whole = (pq.read_table(some / name, partitioning=None) for some in (directory, undisturbed))
            assert killed.equals(whole)
