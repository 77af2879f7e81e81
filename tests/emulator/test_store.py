"""The database by itself: whole transactions on a thread of their own."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from pathlib import Path

import pytest

from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.store import Store, Transaction

INSERT = "INSERT INTO routes (uuid, package_id, outgoing_url, template_path) VALUES (?, 1, '', '')"


def prepare(db: Transaction) -> None:
    """Make a package for routes to belong to."""
    db.write(
        "INSERT INTO packages (username, uuid, name, library_type, short_description, created_at)"
        " VALUES ('ann', 'u', 'anvil', 'file', '', '')"
    )


def routes(db: Transaction) -> list[str]:
    """The routes that there are."""
    return [row["uuid"] for row in db.all("SELECT uuid FROM routes ORDER BY uuid")]


class Slow:
    """A transaction of two writes that waits between them until it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.go = threading.Event()

    def __call__(self, db: Transaction) -> None:
        db.write(INSERT, "a")
        self._loop.call_soon_threadsafe(self.begun.set)
        self.go.wait(10)
        db.write(INSERT, "b")


async def begin(store: Store, slow: Slow) -> asyncio.Task[None]:
    """Start a slow transaction, and return when it has written once."""
    task = asyncio.create_task(store.run(slow))
    await slow.begun.wait()
    return task


async def test_a_refusal_takes_back_what_was_written() -> None:
    """An exception in a transaction is raised, and the next one sees nothing of it."""
    store = await Store.open(":memory:")
    await store.run(prepare)

    def write_and_refuse(db: Transaction) -> None:
        db.write(INSERT, "a")
        raise Refusal(409, "no")

    with pytest.raises(Refusal, match="no"):
        await store.run(write_and_refuse)
    assert await store.run(routes) == []
    await store.close()


async def test_a_transaction_that_is_cancelled_midway_is_whole(tmp_path: Path) -> None:
    """Who waits for it is cancelled at once; what comes next sees both of its writes, and so does the file."""
    store = await Store.open(tmp_path / "state.db")
    await store.run(prepare)
    slow = Slow()
    task = await begin(store, slow)
    after = asyncio.create_task(store.run(routes))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.go.set()
    assert await after == ["a", "b"]
    await store.close()
    again = await Store.open(tmp_path / "state.db")
    assert await again.run(routes) == ["a", "b"]
    await again.close()


async def test_another_connection_sees_nothing_before_the_commit(tmp_path: Path) -> None:
    """Readers of the file see all of a transaction or nothing, and all of it once it has answered."""
    path = tmp_path / "state.db"
    store = await Store.open(path)
    await store.run(prepare)
    reader = sqlite3.connect(path)
    slow = Slow()
    task = await begin(store, slow)
    assert reader.execute("SELECT count(*) FROM routes").fetchone() == (0,)
    slow.go.set()
    await task
    assert reader.execute("SELECT count(*) FROM routes").fetchone() == (2,)
    reader.close()
    await store.close()


async def test_closing_waits_for_what_has_begun_and_can_be_cancelled(tmp_path: Path) -> None:
    """The database is closed and its thread gone, though the first closing was cancelled; more do no harm."""
    store = await Store.open(tmp_path / "state.db")
    await store.run(prepare)
    slow = Slow()
    task = await begin(store, slow)
    closing = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    slow.go.set()
    await task
    await asyncio.gather(store.close(), store.close())
    await store.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("scarf-emulator")]
    with pytest.raises(RuntimeError):
        await store.run(routes)
    # An open connection would complain as it is collected.
    del store
    gc.collect()
