"""A prefix of an object store as the destination of a job (extra `cloud`). All functions block."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import msgspec

from scarf_async.errors import ConfigurationError, ExportError, JobBusyError, ScarfError
from scarf_async.exports.jobs.destination import Made, Stage
from scarf_async.exports.jobs.document import PROBE, Document, dump, list_path, load, load_list, named
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    UnusableManifestError,
    WindowEntry,
    differences,
)
from scarf_async.exports.jobs.stores.lease import Lease
from scarf_async.exports.jobs.stores.objects import ChangedError, Found, Objects, nonce
from scarf_async.exports.jobs.stores.place import Prefix
from scarf_async.files import NO_FOLLOW, lock

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["Bucket", "make_sure_of_conditions", "read_document"]

_BETWEEN_COMMITS: Final = 5.0
_RUN: Final = "scarf-run-"


def read_document(objects: Objects, found: Found) -> Document:
    """Read the manifest of a prefix, and the lists that it names.

    Raises:
        ExportError: one of them cannot be used.
        OSError: one cannot be read.
    """
    try:
        manifest, paths, retired = load(found.data)
        entries = [
            load_list(path, None if listed is None else listed.data)
            for path, listed in zip(paths, objects.read_each(paths), strict=True)
        ]
    except UnusableManifestError as error:
        problem = str(error)
    else:
        lists = {entry.window: path for entry, path in zip(entries, paths, strict=True)}
        return Document(attrs.evolve(manifest, windows=tuple(entries)), lists, retired)
    raise ExportError(f"{objects.where(MANIFEST)} {problem}; give another prefix")


def make_sure_of_conditions(objects: Objects) -> None:
    """Check, with a new object, that the store enforces conditional writes.

    Raises:
        ConfigurationError: it does not.
        OSError: it does not respond, or refuses all writes.
    """
    path = f"{PROBE}{nonce()}.json"
    bodies = (b'{"commit":"%s"}' % nonce().encode() for _ in range(4))
    first = objects.commit(path, next(bodies), None)
    _must_be_refused(objects, path, next(bodies), None)
    objects.commit(path, next(bodies), first)
    _must_be_refused(objects, path, next(bodies), first)


def _must_be_refused(objects: Objects, path: str, data: bytes, old: Found | None) -> None:
    try:
        objects.commit(path, data, old)
    except ChangedError:
        return
    raise ConfigurationError(
        f"{objects.place.root} ignores the conditions of writes (If-None-Match, If-Match), without which two runs"
        f" could spoil each other's work: take another store; nothing but {objects.where(path)} was written"
    )


class Bucket:
    """A leased prefix of an object store.

    The files of a window are written under new names, then its list, then the manifest, unless another run has
    written that: if a run is killed, everything that the manifest names is complete. Nothing is deleted here;
    replaced objects are retired, since readers may still use an earlier manifest.

    Args:
        place: the prefix.
        job: the job.
        server: the base URL of the service.
        store: an obstore store of the bucket; None: one with the credentials of the environment.
        temp_dir: where windows are received; None: the system's directory for temporary files.
        waiting: called with the seconds that another holder still has to renew its lease.
        pause: waits for a number of seconds.

    Attributes:
        temporary: a directory of this run, which is removed when it is closed.
    """

    stage: Stage = "uploading"

    def __init__(
        self,
        place: Prefix,
        job: ExportJob,
        server: str,
        *,
        store: ObjectStore | None = None,
        temp_dir: str | os.PathLike[str] | None = None,
        waiting: Callable[[float], object] = lambda _: None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._job = job
        self._empty = Document(Manifest.of(job, server))
        self._objects = Objects(place, store, pause=pause)
        self._waiting = waiting
        self._lease = Lease(self._objects, self._wait, pause=pause)
        self.temporary: Path = Path(temp_dir or tempfile.gettempdir()) / f"{_RUN}{nonce()}"
        self._lock: int | None = None
        self._document = self._empty
        self._committed = self._empty
        self._found: Found | None = None
        self._there: dict[str, int] = {}
        self._turn = threading.Lock()
        self._committing = threading.Lock()
        self._timer: threading.Timer | None = None
        self._last = 0.0
        self._failure: Exception | None = None
        self._opened = False
        self._closed = False

    @property
    def path(self) -> str:
        """Its URL."""
        return str(self._objects.place)

    @property
    def manifest(self) -> Manifest:
        """The manifest, including windows that were uploaded since it was last written."""
        return self._document.manifest

    def open(self) -> None:
        """Check that the prefix can be used, and take the lease, which stops a run that had it.

        Raises:
            JobBusyError: another run holds it.
            ConfigurationError: no credentials were found, or the store ignores the conditions of writes.
            ExportError: the manifest cannot be used, or belongs to another job.
            ValidationError: the job has no start, and the prefix has no windows.
            OSError: the store does not respond, or returns an error.
        """
        self._make_temporary()
        found = self._objects.first(MANIFEST)
        if found is None:
            self._job.check_start([])
            make_sure_of_conditions(self._objects)
        else:
            self._of_this_job(found)
        self._lease.take()
        try:
            self._begin()
            with self._turn:
                self._go_on()
                self._opened = True
        except BaseException:
            self._lease.free()
            raise

    def _make_temporary(self) -> None:
        """Create it, locked while this process lives, and remove those of killed processes."""
        new = self.temporary.with_name(self.temporary.name.replace(_RUN, "scarf-new-"))
        new.mkdir(mode=0o700, parents=True)
        # Without such locks, nothing is removed.
        with suppress(OSError):
            self._lock = os.open(new, os.O_RDONLY)
            lock(self._lock)
        new.rename(self.temporary)
        for path in self.temporary.parent.glob(f"{_RUN}{'[0-9a-f]' * 16}"):
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW)
                try:
                    lock(descriptor)
                    shutil.rmtree(path)
                finally:
                    os.close(descriptor)

    def _wait(self, seconds: float) -> None:
        self._go_on()
        self._waiting(seconds)

    def _go_on(self) -> None:
        if self._closed:
            # The caller was cancelled and does not see this.
            raise JobBusyError(f"the run for {self._objects.place} is over")

    def _begin(self) -> None:
        # The manifest may have changed while this run waited; a run that lost the lease may still write once more.
        for _ in range(3):
            found = self._objects.read(MANIFEST)
            document = self._empty if found is None else self._of_this_job(found)
            try:
                # From now on, writes of another run are refused.
                self._found = self._objects.commit(MANIFEST, dump(document, nonce()), found)
            except ChangedError:
                continue
            self._last = time.monotonic()
            self._document = self._committed = document
            if document.manifest.windows:
                self._there = {listed.path: listed.size for listed in self._objects.listing()}
            return
        raise self._overtaken()

    def _of_this_job(self, found: Found) -> Document:
        document = read_document(self._objects, found)
        windows = document.manifest.windows
        self._job.check_start(windows)
        if not (different := differences(document.manifest, self._empty.manifest)):
            return document
        if windows:
            raise ExportError(
                f"{self._objects.place} holds another export: {'; '.join(different)}; give another prefix"
            )
        # It has no windows, so it belongs to no job.
        return attrs.evolve(self._empty, retired=document.retired)

    def holds(self, entry: WindowEntry) -> bool:
        """Return whether the files of a window are there."""
        return all(self._there.get(path) == file.bytes for path, file in entry.by_path.items())

    def remember(self, *, limit_days: int | None = None, end_inclusive: bool | None = None) -> None:
        """Record what the service has shown, with the next window or at the end; None if there is nothing new."""
        with self._turn:
            manifest = self._document.manifest
            if limit_days is not None:
                manifest = attrs.evolve(manifest, limit_days=limit_days)
            if end_inclusive is not None:
                manifest = attrs.evolve(manifest, end_inclusive=end_inclusive)
            self._document = attrs.evolve(self._document, manifest=manifest)

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Upload the files of a window; the manifest names it within seconds.

        Returns:
            False if the run is over.

        Raises:
            JobBusyError: another run has taken over.
            OSError: the store does not respond, or returns an error.
        """
        try:
            if self._closed:
                return False
            self._check()
            placed, path = self.upload(entry, made)
        finally:
            for file in made:
                file.part.unlink(missing_ok=True)
        return self.enter_uploaded(placed, path)

    def enter_uploaded(self, placed: WindowEntry, path: str) -> bool:
        """Do the rest of `enter` for a window that `upload` has uploaded, perhaps on another machine."""
        self._check()
        with self._turn:
            if self._closed:
                return False
            self._there |= {path: file.bytes for path, file in placed.by_path.items()}
            self._document = self._document.having(placed, path, dt.datetime.now(dt.UTC))
            self._commit_soon()
        return True

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._lease.check()

    def upload(self, entry: WindowEntry, made: Sequence[Made]) -> tuple[WindowEntry, str]:
        """Upload the files of a window, without the lease; return it with their names, and the path of its list.

        Raises:
            OSError: the store does not respond, or returns an error.
        """
        parts = {file.path: file.part for file in made}

        def placed(file: FileEntry) -> FileEntry:
            path = named(file.path, file.sha256, nonce())
            self._objects.write(path, parts[file.path])
            return msgspec.structs.replace(file, path=path)

        files = tuple(placed(file) for file in entry.files)
        rejects = None if entry.rejects is None else placed(entry.rejects)
        entry = msgspec.structs.replace(entry, files=files, rejects=rejects)
        path = list_path(entry.window, nonce())
        self._objects.write(path, msgspec.json.encode(entry))
        return entry, path

    def _commit_soon(self) -> None:
        if self._timer is None:
            wait = max(0.0, self._last + _BETWEEN_COMMITS - time.monotonic())
            self._timer = threading.Timer(wait, self._commit_what_is_there)
            self._timer.daemon = True
            self._timer.start()

    def _commit_what_is_there(self) -> None:
        try:
            self._commit()
        except (ScarfError, OSError) as error:
            # The next window, or the end, raises it.
            self._failure = error
        with self._turn:
            # Not before: the store may take longer than the interval.
            self._timer = None
            if self._opened and self._failure is None and self._document is not self._committed:
                self._commit_soon()

    def _commit(self) -> None:
        """Write the manifest, if it has changed."""
        with self._committing:
            with self._turn:
                document = self._document
            if document is self._committed:
                return
            self._check()
            try:
                self._found = self._objects.commit(MANIFEST, dump(document, nonce()), self._found)
            except ChangedError:
                self._failure = self._overtaken()
                raise self._failure from None
            finally:
                self._last = time.monotonic()
            self._committed = document

    def _overtaken(self) -> JobBusyError:
        return JobBusyError(
            f"another run has written {self._objects.where(MANIFEST)}; what it wrote was not changed: run again"
        )

    def checkpoint(self) -> None:
        """Write the manifest and release the lease at the end of a run.

        Raises:
            JobBusyError: another run has taken over.
            OSError: the store does not respond, or returns an error.
        """
        with self._turn:
            self._opened = False
        try:
            self._commit()
            self._check()
        finally:
            self._lease.free()

    def close(self) -> None:
        """Close it; uploaded windows are still written into the manifest."""
        with self._turn:
            self._closed = True
            opened, self._opened = self._opened, False
            if self._timer is not None:
                self._timer.cancel()
        shutil.rmtree(self.temporary, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if opened:
            # The error that ended the run is already reported.
            with suppress(ScarfError, OSError):
                self._commit()
            self._lease.free()
