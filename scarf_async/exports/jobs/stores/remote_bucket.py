"""A prefix of an object store to which other machines upload windows (extra `cloud`). All methods block."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from scarf_async.exports.jobs.destination import Made
from scarf_async.exports.jobs.document import Document
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.stores.bucket import Bucket
from scarf_async.exports.jobs.stores.place import Prefix

__all__ = ["SharedBucket", "UnheldBucket"]


class UnheldBucket(Bucket):
    """A prefix that another machine has leased: windows are uploaded here, and that machine adds them.

    Args:
        place: the prefix.
        job: the job.
        server: the base URL of the service.
        there: the windows to replace.
        temporary: a directory for unfinished files.
    """

    def __init__(
        self, place: Prefix, job: ExportJob, server: str, there: Sequence[WindowEntry], temporary: Path
    ) -> None:
        super().__init__(place, job, server)
        self.temporary = temporary
        self._document = Document(attrs.evolve(self.manifest, windows=tuple(there)))
        self.entered: tuple[WindowEntry, Sequence[Made]] | None = None

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Upload the files; return the window with their names, and its list."""
        placed, path = self.upload(entry, made)
        self.entered = placed, [Made(Path(), path)]
        return True


class SharedBucket(Bucket):
    """The leased prefix of a job, whose windows other machines upload."""

    def enter(self, entry: WindowEntry, made: Sequence[Made]) -> bool:
        """Add a window to the manifest; `made` is its list."""
        (listed,) = made
        return self.enter_uploaded(entry, listed.path)
