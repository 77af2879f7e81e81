"""The objects of a prefix as a file system for DuckDB (extra `cloud`)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from scarf_async.exports.jobs.stores.objects import Objects, StoredFile

if TYPE_CHECKING:
    import duckdb

    # fsspec ships no types.
    AbstractFileSystem = object
else:
    from fsspec import AbstractFileSystem

__all__ = ["StoredFiles"]

# An object is never written twice.
_WRITTEN: Final = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


class StoredFiles(AbstractFileSystem):
    """The files of a job below a prefix, read-only, for a DuckDB connection.

    Their names are a private scheme followed by the path relative to the prefix, so that characters of the prefix
    are not taken for a pattern, and other readers of the bucket do not interfere.

    Args:
        objects: the prefix.
        sizes: the known sizes of files in bytes, by path.
    """

    cachable = False

    def __init__(self, objects: Objects, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.protocol: str = f"scarf-{hashlib.sha256(str(objects.place).encode()).hexdigest()[:16]}"
        self._objects = objects
        self._sizes = sizes

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Register with a connection; replaces an earlier registration for the same prefix."""
        if self.protocol in connection.list_filesystems():
            connection.unregister_filesystem(self.protocol)
        connection.register_filesystem(self)

    def name(self, path: str) -> str:
        """Return the name of a file for DuckDB."""
        return f"{self.protocol}://{path}"

    def _path(self, name: str) -> str:
        return name.removeprefix(f"{self.protocol}://")

    def info(self, path: str, **_: object) -> dict[str, object]:
        """Return the file information that DuckDB requires."""
        path = self._path(path)
        if (size := self._sizes.get(path)) is None:
            # A relation may have been created from an earlier manifest.
            size = self._objects.size(path)
        return {"name": path, "size": size, "type": "file"}

    def modified(self, path: str) -> dt.datetime:  # noqa: ARG002 # DuckDB's
        """Return a constant: an object never changes."""
        return _WRITTEN

    def open(self, path: str, mode: str = "rb", **_: object) -> StoredFile:  # noqa: ARG002 # DuckDB's
        """Open a file."""
        return self._objects.reader(self._path(path))
