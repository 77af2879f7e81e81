"""The journal of a run: what was about to be sent, and what became of it, so that a killed run can go on.

JSON lines, append-only. A header binds the file to one plan and one server; then

```
{"intent":[17],"at":1700000000.25}
{"outcome":[17],"status":"succeeded","result":{...},"attempts":1}
```

An intent is in the file before its request leaves, and on the disk before a create leaves. Many waiting for the
disk share one sync. A line that a crash cut short can only be the last, and is dropped.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import anyio.to_thread
import attrs
import msgspec

from scarf_async.bulk.report import Outcome, Status
from scarf_async.entities import Domain, Member, Organization, Package, Route
from scarf_async.errors import JournalError

__all__ = ["Journal", "Known"]

FORMAT: Final = "scarf-async-journal"
VERSION: Final = 1

_Entity: TypeAlias = Organization | Member | Package | Route | Domain
_RESULTS: Final = {cls.__name__: cls for cls in (Organization, Member, Package, Route, Domain)}
_encode = msgspec.json.Encoder().encode


@attrs.frozen
class Known:
    """What a journal knows of one operation.

    Attributes:
        status: its last outcome; None for an intent without one.
        result: what it gave.
        attempts: how often its request was sent.
        intended_at: when its last request was about to leave, in seconds since the epoch.
    """

    status: Status | None = None
    result: object = None
    attempts: int = 0
    intended_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether a request may have left whose effect is not known."""
        return self.intended_at is not None and self.status in {None, "unknown"}


class Journal:
    """An open journal, locked against every other run.

    Attributes:
        known: what it held when it was opened, by the operation's place.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.known: dict[int, Known] = {}
        self._descriptor = descriptor
        self._written = 0
        self._synced = 0
        self._syncing: asyncio.Event | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, plan: str, operations: int, server: str) -> Self:
        """Open a journal, or begin one.

        Args:
            path: the file; made with mode 0600 where it is missing.
            plan: the plan's digest.
            operations: how many the plan has.
            server: the base address of the service.

        Raises:
            JournalError: it is in use, is no journal, belongs to another plan or server, is damaged, or cannot
                be read or written.
        """
        target = Path(path)
        header = {"format": FORMAT, "version": VERSION, "plan": plan, "operations": operations, "server": server}
        try:
            descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(f"journal {target} cannot be opened: {error.strerror}", path=str(target)) from None
        journal = cls(target, descriptor)
        try:
            journal._lock()
            journal._load(header)
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    def _error(self, problem: str) -> JournalError:
        return JournalError(f"journal {self.path} {problem}", path=str(self.path))

    def _lock(self) -> None:
        import fcntl  # noqa: PLC0415 # there is none on Windows, where all but journals works

        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise self._error("is in use by another run") from None

    def _load(self, header: Mapping[str, object]) -> None:
        with open(self._descriptor, "rb", closefd=False) as file:
            first = file.readline()
            begin = _encode(header) + b"\n"
            if not first or (not first.endswith(b"\n") and begin.startswith(first)):
                # New, or killed while the first line was written.
                self._begin(begin)
                return
            self._check(first, header)
            good = len(first)
            for number, line in enumerate(file, start=2):
                if not self._take(line, int(str(header["operations"]))):
                    if line.endswith(b"\n") and file.read(1):
                        raise self._error(f"is damaged: line {number} cannot be read, and lines follow it")
                    os.ftruncate(self._descriptor, good)
                    break
                good += len(line)

    def _begin(self, line: bytes) -> None:
        os.ftruncate(self._descriptor, 0)
        self._append(line)
        try:
            os.fsync(self._descriptor)
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise self._error(f"cannot be written: {error.strerror}") from None

    def _check(self, first: bytes, header: Mapping[str, object]) -> None:
        found = _read(first)
        if found is None or found.get("format") != FORMAT:
            raise self._error("is no journal: its first line is not a journal's")
        for name, problem in (
            ("version", "was written by another version of this package"),
            ("plan", "belongs to another plan"),
            ("operations", "belongs to another plan"),
            ("server", f"belongs to another server ({found.get('server')})"),
        ):
            if found.get(name) != header[name]:
                raise self._error(f"{problem}; give another file, or run what it was written for")

    def _take(self, line: bytes, operations: int) -> bool:
        """Take one line in; False where it cannot be read."""
        values = _read(line) if line.endswith(b"\n") else None
        if values is None:
            return False
        places = values.get("intent", values.get("outcome"))
        if not isinstance(places, list) or not all(type(p) is int and 0 <= p < operations for p in places):
            return False
        for place in places:
            known = self.known.get(place, Known())
            if "intent" in values:
                self.known[place] = attrs.evolve(known, status=None, intended_at=values.get("at"))
            else:
                self.known[place] = attrs.evolve(
                    known,
                    status=values.get("status"),
                    result=_restore(values.get("result")),
                    attempts=values.get("attempts", 0),
                )
        return True

    def intend(self, places: Sequence[int]) -> None:
        """Write that the request of these operations is about to leave.

        Raises:
            JournalError: it cannot be written.
        """
        self._append(_encode({"intent": places, "at": time.time()}) + b"\n")

    def record(self, places: Sequence[int], outcome: Outcome[object]) -> None:
        """Write what became of operations that shared a request.

        Raises:
            JournalError: it cannot be written.
        """
        values: dict[str, object] = {"outcome": places, "status": outcome.status}
        if outcome.result is not None:
            values["result"] = _keep(outcome.result)
        if outcome.attempts:
            values["attempts"] = outcome.attempts
        if outcome.error is not None:
            values["error"] = str(outcome.error)
        self._append(_encode(values) + b"\n")

    def _append(self, line: bytes) -> None:
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                # Half a line is worse than none: the next would be glued to it.
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
        except OSError as error:
            raise self._error(f"cannot be written: {error.strerror}") from None
        if written < len(line):
            raise self._error("cannot be written: the disk is full")
        self._written += 1

    async def sync(self) -> None:
        """Return when all that was written so far is on the disk.

        Raises:
            JournalError: the disk refuses.
        """
        wanted = self._written
        while self._synced < wanted:
            if self._syncing is not None:
                await self._syncing.wait()
                continue
            covered = self._written
            done = self._syncing = asyncio.Event()
            try:
                await anyio.to_thread.run_sync(os.fsync, self._descriptor)
                self._synced = covered
            except OSError as error:
                raise self._error(f"cannot be written: {error.strerror}") from None
            finally:
                self._syncing = None
                done.set()

    def close(self) -> None:
        """Sync and close; the lock goes with it."""
        try:
            if self._synced < self._written:
                os.fsync(self._descriptor)
        except OSError as error:
            raise self._error(f"cannot be written: {error.strerror}") from None
        finally:
            os.close(self._descriptor)


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        value: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _keep(result: object) -> object:
    if not isinstance(result, _Entity):
        return None
    return {"class": type(result).__name__, **attrs.asdict(result)}


def _restore(value: object) -> object:
    if not isinstance(value, dict) or value.get("class") not in _RESULTS:
        return None
    fields = dict(value)
    kind = _RESULTS[fields.pop("class")]
    for name in ("created_at", "updated_at"):
        if isinstance(fields.get(name), str):
            fields[name] = datetime.fromisoformat(fields[name])
    return kind(**fields)
