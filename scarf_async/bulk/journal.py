"""The journal of a run, a write-ahead log of intents and outcomes from which a killed run can resume.

It is an append-only JSON Lines file. Its header binds it to one plan, version and server, and to the client's owner
if the plan omits an owner. Then come

```
{"intent":[17],"at":1700000000.25,"crc":2293421507}
{"outcome":[17],"status":"succeeded","result":{"Package":{...}},"attempts":1,"crc":3790210422}
```

`crc` is the CRC-32 of the line without the `crc` field; a line without one is not checked.

An intent is written before its request is sent, and synced before a create is sent. Concurrent waiters share one
sync. Only the last line can be truncated by a crash; it is dropped.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import anyio.to_thread
import attrs
import msgspec

from scarf_async.bulk.report import Outcome, Settled, Status
from scarf_async.entities import Domain, Member, Organization, Package, Route
from scarf_async.errors import JournalError
from scarf_async.files import lock, sync_directory
from scarf_async.names import organization_key

__all__ = ["NOTHING_KNOWN", "Journal", "Known"]

FORMAT: Final = "scarf-async-journal"
VERSION: Final = 1
_LONGEST_HEADER: Final = 2**16
_GATHERING: Final = 0.001

_RESULTS: Final[Mapping[str, Callable[..., object]]] = {
    cls.__name__: cls for cls in (Organization, Member, Package, Route, Domain)
}
_UNSAID: Final = {"api": "v1"}
_CRC: Final = b',"crc":'
_encode = msgspec.json.Encoder().encode


class _Line(msgspec.Struct):
    """A line after the header: an intent or an outcome. Unknown fields of later versions are ignored."""

    intent: list[int] | None = None
    at: float | None = None
    outcome: list[int] | None = None
    status: Status | None = None
    # By its class.
    result: dict[str, msgspec.Raw] | None = None
    attempts: int = 0
    reconciled: bool = False
    unchanged: bool = False


_decode_line = msgspec.json.Decoder(_Line).decode


@attrs.frozen
class Known:
    """The journal's state of one operation.

    Attributes:
        status: its last outcome; None for an intent without one.
        result: its result.
        attempts: how often its request was sent.
        reconciled: whether its outcome was recovered by a lookup.
        unchanged: whether nothing was sent for it.
        opened_at: the time of the first intent whose effect is unknown, in seconds since the epoch.
        intended_at: the time of the last such intent.
    """

    status: Status | None = None
    result: object = None
    attempts: int = 0
    reconciled: bool = False
    unchanged: bool = False
    opened_at: float | None = None
    intended_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether a request with unknown effect may have been sent."""
        return self.intended_at is not None and self.status in {None, "unknown"}

    def intended(self, at: float) -> Known:
        """Return the state after another intent."""
        return attrs.evolve(self, status=None, opened_at=self.opened_at if self.open else at, intended_at=at)


NOTHING_KNOWN: Final = Known()


class Journal:
    """An open journal, locked against other runs.

    Attributes:
        known: its state when it was opened, by the index of the operation.
    """

    def __init__(self, path: Path, descriptor: int, redact: Callable[[bytes], bytes]) -> None:
        self.path = path
        self.known: dict[int, Known] = {}
        self._descriptor = descriptor
        self._redact = redact
        self._held: list[bytes] = []
        self._written = 0
        self._synced = 0
        self._syncing: asyncio.Event | None = None
        self._broken: JournalError | None = None

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        plan: str,
        operations: int,
        server: str,
        api: str = "v1",
        owner: str | None = None,
        redact: Callable[[bytes], bytes] = bytes,
    ) -> Self:
        """Open a journal, or create one.

        Args:
            path: the file; created with mode 0600 if it does not exist.
            plan: the digest of the plan.
            operations: the number of operations in the plan.
            server: the base URL of the service.
            api: the version of the service; a journal that names none belongs to v1.
            owner: the default owner of packages for which the plan names none; None if it names all of them, or in
                v1.
            redact: removes secrets from the service's texts.

        Raises:
            JournalError: the file is in use, is not a journal, belongs to another plan, version, server or owner,
                is damaged, or cannot be read or written.
        """
        target = Path(path)
        header = {"format": FORMAT, "version": VERSION, "plan": plan, "operations": operations, "server": server}
        header |= {"api": api} if api != "v1" else {}
        header |= {"owner": owner} if owner is not None else {}
        try:
            descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise JournalError(f"journal {target} cannot be opened: {error.strerror}", path=str(target)) from None
        journal = cls(target, descriptor, redact)
        try:
            journal._refuse_devices()
            journal._lock()
            journal._load(header)
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    def _error(self, problem: str) -> JournalError:
        return JournalError(f"journal {self.path} {problem}", path=str(self.path))

    def _break(self, problem: str) -> JournalError:
        """Stop writing: after a failed write or sync, the contents of the disk are unknown."""
        self._broken = self._error(f"cannot be written: {problem}")
        return self._broken

    def _refuse_devices(self) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise self._error("is not a regular file")

    def _lock(self) -> None:
        try:
            lock(self._descriptor)
        except BlockingIOError:
            raise self._error("is in use by another run") from None
        except OSError as error:
            raise self._error(f"cannot be locked: {error.strerror}") from None

    def _load(self, header: Mapping[str, object]) -> None:
        begin = _encode(header) + b"\n"
        with open(self._descriptor, "rb", closefd=False) as file:
            first = file.readline(_LONGEST_HEADER)
            if not first or (not first.endswith(b"\n") and begin.startswith(first)):
                # It is new, or the run was killed while it wrote the first line.
                self._begin(begin)
                return
            self._check(first, header)
            good = len(first)
            operations = int(str(header["operations"]))
            for number, line in enumerate(file, start=2):
                if not self._take(line, operations):
                    if line.endswith(b"\n") and file.read(1):
                        raise self._error(f"is damaged: line {number} cannot be read, and lines follow it")
                    self._cut(good)
                    break
                good += len(line)

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise self._break(str(error.strerror)) from None

    def _begin(self, line: bytes) -> None:
        self._cut(0)
        self._append(line)
        try:
            os.fchmod(self._descriptor, 0o600)
            os.fsync(self._descriptor)
            sync_directory(self.path.parent)
        except OSError as error:
            raise self._break(str(error.strerror)) from None

    def _check(self, first: bytes, header: Mapping[str, object]) -> None:
        found = _read(first)
        if found is None or found.get("format") != FORMAT:
            raise self._error("is not a journal: its first line is not a journal's")
        for name, problem in (
            ("version", "was written by another version of this package"),
            ("api", "belongs to another version of the service ({found}, and the client uses {this})"),
            ("plan", "belongs to another plan"),
            ("operations", "belongs to another plan"),
            ("server", "belongs to another server ({found}, and the client's is {this})"),
            ("owner", "belongs to another owner ({found}, and the client's is {this})"),
        ):
            was, this = (said.get(name, _UNSAID.get(name)) for said in (found, header))
            if was != this and not (name == "owner" and _is_same_owner(was, this)):
                told = problem.format(found=was, this=this)
                raise self._error(f"{told}; give another file, or run what it was written for")

    def _take(self, line: bytes, operations: int) -> bool:
        """Read one line into the state; return False if it is invalid."""
        if not _is_whole(line):
            return False
        try:
            said = _decode_line(line)
            result = _restore(said.result)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, ValueError):
            return False
        places = said.outcome if said.intent is None else said.intent
        if places is None or not all(0 <= place < operations for place in places):
            return False
        if said.intent is not None and said.at is not None:
            for place in places:
                self.known[place] = self.known.get(place, NOTHING_KNOWN).intended(said.at)
        elif said.intent is None and said.status is not None:
            for place in places:
                self.known[place] = attrs.evolve(
                    self.known.get(place, NOTHING_KNOWN),
                    status=said.status,
                    result=result,
                    attempts=said.attempts,
                    reconciled=said.reconciled,
                    unchanged=said.unchanged,
                )
        else:
            return False
        return True

    def intend(self, places: Sequence[int]) -> None:
        """Write the intent to send the request of these operations.

        Raises:
            JournalError: it cannot be written.
        """
        self._append(_sealed(_encode({"intent": places, "at": time.time()})))

    def record(self, places: Sequence[int], outcome: Outcome[object] | Settled) -> None:
        """Buffer the outcome of operations that shared a request; the next write includes it.

        An outcome and the intent that follows it thus share one write. Call `flush` if nothing may follow.
        """
        values: dict[str, object] = {"outcome": places, "status": outcome.status}
        if outcome.result is not None:
            values["result"] = {type(outcome.result).__name__: outcome.result}
        if outcome.attempts:
            values["attempts"] = outcome.attempts
        if outcome.reconciled:
            values["reconciled"] = True
        if outcome.unchanged:
            values["unchanged"] = True
        if outcome.error is not None:
            values["error"] = str(outcome.error).encode(errors="replace").decode()
        line = _encode(values)
        if self._redact(line) != line:
            # A service may echo the token from a header. Our own texts stay unredacted, even if they contain it.
            for name in values.keys() & {"result", "error"}:
                values[name] = msgspec.Raw(self._redact(_encode(values[name])))
            line = _encode(values)
        self._held.append(_sealed(line))

    def flush(self) -> None:
        """Write the buffered lines.

        Raises:
            JournalError: it cannot be written.
        """
        if self._held:
            self._append(b"")

    def _append(self, line: bytes) -> None:
        if self._broken is not None:
            raise self._broken
        if self._held:
            line = b"".join((*self._held, line))
            self._held.clear()
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                # Remove a partial line: the next line would be appended to it.
                half = written - (line.rfind(b"\n", 0, written) + 1)
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - half)
        except OSError as error:
            raise self._break(str(error.strerror)) from None
        if written < len(line):
            raise self._break("the disk is full")
        self._written += 1

    async def sync(self) -> None:
        """Return when everything written so far is synced to disk.

        Raises:
            JournalError: the sync failed.
        """
        self.flush()
        wanted = self._written
        while self._synced < wanted:
            if self._broken is not None:
                # A second sync may succeed although the first one lost data.
                raise self._broken
            if self._syncing is not None:
                await self._syncing.wait()
                continue
            done = self._syncing = asyncio.Event()
            try:
                # Wait a moment, so that other waiters can share the sync.
                await asyncio.sleep(_GATHERING)
                covered = self._written
                await anyio.to_thread.run_sync(os.fsync, self._descriptor)
                self._synced = covered
            except OSError as error:
                raise self._break(str(error.strerror)) from None
            finally:
                self._syncing = None
                done.set()

    def close(self) -> JournalError | None:
        """Sync, close and thereby unlock the file; return the error if not everything was synced."""
        try:
            if self._broken is None:
                self.flush()
            if self._synced < self._written and self._broken is None:
                os.fsync(self._descriptor)
        except OSError as error:
            self._break(str(error.strerror))
        except JournalError:
            pass  # it is kept
        finally:
            os.close(self._descriptor)
        return self._broken


def _is_same_owner(one: object, other: object) -> bool:
    return isinstance(one, str) and isinstance(other, str) and organization_key(one) == organization_key(other)


def _sealed(line: bytes) -> bytes:
    """Append a checksum to a line, so that a damaged line is not read as the outcome of another operation."""
    return b"%b%b%d}\n" % (line[:-1], _CRC, zlib.crc32(line))


def _is_whole(line: bytes) -> bool:
    """Return whether a line is complete and matches its checksum."""
    said, mark, crc = line.rpartition(_CRC)
    return line.endswith(b"\n") and (not mark or crc == b"%d}\n" % zlib.crc32(said + b"}"))


def _read(line: bytes) -> dict[str, object] | None:
    try:
        value: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _restore(value: dict[str, msgspec.Raw] | None) -> object:
    if value is None:
        return None
    ((entity, said),) = value.items()
    kind = _RESULTS.get(entity)
    fields = _read(bytes(said))
    if kind is None or fields is None:
        raise ValueError(f"a result of no known class: {entity}")
    for name in ("created_at", "updated_at"):
        if isinstance(time := fields.get(name), str):
            fields[name] = datetime.fromisoformat(time)
    return kind(**fields)
