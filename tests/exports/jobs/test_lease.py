"""Who may write below a prefix, told without comparing clocks."""

from __future__ import annotations

import json
from collections.abc import Callable

import obstore
import pytest
from obstore.store import MemoryStore

from scarf_async import JobBusyError
from scarf_async.exports.jobs.stores.lease import Lease
from scarf_async.exports.jobs.stores.objects import ChangedError, Objects
from scarf_async.exports.jobs.stores.place import Prefix


class Clock:
    """A clock of its own; waiting by it lets the world go on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: dict[float, Callable[[], object]] = {}

    def monotonic(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        before, self.now = self.now, self.now + seconds
        for moment in [moment for moment in self.meanwhile if before < moment <= self.now]:
            self.meanwhile.pop(moment)()


@pytest.fixture
def objects() -> Objects:
    """A prefix of a store in memory."""
    return Objects(Prefix("s3", "bucket", "a"), MemoryStore())


def lease(objects: Objects, clock: Clock, told: list[float] | None = None) -> Lease:
    """Return a lease by a clock."""
    waiting = (lambda _: None) if told is None else told.append
    return Lease(objects, waiting, pause=clock.pause, monotonic=clock.monotonic)


def held(objects: Objects) -> dict[str, object]:
    """Return what the lease says."""
    found: dict[str, object] = json.loads(bytes(obstore.get(objects.store, "a/lease.json").bytes()))
    return found


def test_one_that_nobody_holds(objects: Objects) -> None:
    """It is taken without waiting, renewed with another text each time, and freed."""
    clock, told = Clock(), list[float]()
    for _ in range(2):
        one = lease(objects, clock, told)
        one.take()
        first = held(objects)
        one.renew()
        second = held(objects)
        assert first["run"] == second["run"]
        assert first["commit"] != second["commit"]
        one.free()
        assert held(objects)["run"] is None
        one.renew()
        assert held(objects)["run"] is None
    assert (clock.now, told) == (0.0, [])


def test_a_holder_that_is_alive(objects: Objects) -> None:
    """Its next sign of life ends the wait, whatever the clocks of the machines say."""
    clock = Clock()
    holder = lease(objects, clock)
    holder.take()
    clock.meanwhile[29.5] = holder.renew
    with pytest.raises(JobBusyError, match="s3://bucket/a is in use by another run"):
        lease(objects, clock).take()
    assert clock.now == 30.0 - 1.0 + 1.0
    holder.check()
    holder.free()


def test_a_holder_that_is_dead(objects: Objects) -> None:
    """After 30 s without a sign of life it is, and it is told so when it wakes up; it frees nothing any more."""
    clock, told = Clock(), list[float]()
    holder, other = lease(objects, clock), lease(objects, clock, told)
    holder.take()
    other.take()
    assert (clock.now, told[0], told[-1]) == (30.0, 30.0, 1.0)
    taken = held(objects)
    holder.renew()
    with pytest.raises(JobBusyError, match="another run has taken over s3://bucket/a"):
        holder.check()
    holder.free()
    assert held(objects) == taken
    other.check()
    other.free()


def test_a_holder_that_frees_it(objects: Objects) -> None:
    """Nobody waits any longer."""
    clock = Clock()
    holder, other = lease(objects, clock), lease(objects, clock)
    holder.take()
    clock.meanwhile[3.5] = holder.free
    other.take()
    assert clock.now == 4.0
    other.free()


def test_two_that_wait_for_a_dead_one(objects: Objects) -> None:
    """One of them takes it, and the other is told that it is busy."""
    clock = Clock()
    lease(objects, clock).take()
    first, second = lease(objects, clock), lease(objects, Clock())

    def overtaken() -> None:
        second.take()

    clock.meanwhile[30.0] = overtaken
    with pytest.raises(JobBusyError, match="is in use"):
        first.take()
    second.check()
    second.free()


@pytest.mark.parametrize("text", [b"", b"{", b'{"run": 5}', b"\xff"])
def test_one_that_cannot_be_read(objects: Objects, text: bytes) -> None:
    """It is held by someone, who is waited for."""
    obstore.put(objects.store, "a/lease.json", text)
    clock = Clock()
    one = lease(objects, clock)
    one.take()
    assert clock.now == 30.0
    one.free()


def test_only_what_was_read_is_replaced(objects: Objects) -> None:
    """Two who read the same version: the second is refused, and its text is not there."""
    first = objects.commit("x", b"1", None)
    second = objects.commit("x", b"2", first)
    for old in (None, first):
        with pytest.raises(ChangedError):
            objects.commit("x", b"3", old)
    assert objects.read("x") == second
    assert objects.commit("x", b"3", second).data == b"3"
