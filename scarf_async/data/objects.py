"""The objects of a prefix as a file system that DuckDB reads from (extra `cloud`)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from scarf_async.exports.jobs.objects import Objects, StoredFile

if TYPE_CHECKING:
    import duckdb

    # fsspec ships no types.
    AbstractFileSystem = object
else:
    from fsspec import AbstractFileSystem

__all__ = ["StoredFiles"]

# Objects are never written twice.
_WRITTEN: Final = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


class StoredFiles(AbstractFileSystem):
    """The files of a job below a prefix, read-only, for a connection of DuckDB.

    Their names begin with a scheme of its own, and go on with their paths from the prefix on: neither does a prefix
    look like a pattern, nor are other readers of the bucket in the way.

    Args:
        objects: the prefix.
        sizes: bytes of the files that are known, by their paths.
    """

    cachable = False

    def __init__(self, objects: Objects, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.protocol: str = f"scarf-{hashlib.sha256(str(objects.place).encode()).hexdigest()[:16]}"
        self._objects = objects
        self._sizes = sizes

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection read from here, in the place of one that was there for the same prefix."""
        if self.protocol in connection.list_filesystems():
            connection.unregister_filesystem(self.protocol)
        connection.register_filesystem(self)

    def name(self, path: str) -> str:
        """Return the name of a file for DuckDB."""
        return f"{self.protocol}://{path}"

    def _path(self, name: str) -> str:
        return name.removeprefix(f"{self.protocol}://")

    def info(self, path: str, **_: object) -> dict[str, object]:
        """Tell what DuckDB wants to know of a file."""
        path = self._path(path)
        if (size := self._sizes.get(path)) is None:
            # Of a relation that was made of an earlier manifest.
            size = self._objects.size(path)
        return {"name": path, "size": size, "type": "file"}

    def modified(self, path: str) -> dt.datetime:  # noqa: ARG002 # DuckDB's
        """Return when a file was written: always the same."""
        return _WRITTEN

    def open(self, path: str, mode: str = "rb", **_: object) -> StoredFile:  # noqa: ARG002 # DuckDB's
        """Open a file."""
        return self._objects.reader(self._path(path))
