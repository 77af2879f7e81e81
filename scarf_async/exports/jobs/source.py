"""The files of a job for reading: those that its manifest names, in a directory or below a prefix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from scarf_async.errors import ExportError
from scarf_async.exports.formats import need_installed
from scarf_async.exports.jobs.directory import read_manifest
from scarf_async.exports.jobs.manifest import MANIFEST, Manifest
from scarf_async.exports.jobs.stores.place import Prefix, place_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from scarf_async.exports.jobs.stores.objects import Objects

__all__ = ["Source", "need_store", "objects_at", "source_of"]


class Source(Protocol):
    """The files of a job, by relative path."""

    @property
    def manifest(self) -> Manifest:
        """The manifest."""

    @property
    def objects(self) -> Objects | None:
        """The objects below the prefix; None for a directory."""

    def where(self, path: str) -> Path | str:
        """Return the path or URL of a file."""

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading.

        Raises:
            OSError: it does not exist, or cannot be read.
        """


class _Files:
    """A directory."""

    objects = None

    def __init__(self, place: Path) -> None:
        self._place = place
        manifest = read_manifest(place)
        if manifest is None:
            # A directory that does not exist is an OSError.
            os.stat(place)  # noqa: PTH116 # which says that it follows links
            raise ExportError(f"directory {place} has no {MANIFEST}: it is not that of an export job")
        self.manifest: Manifest = manifest

    def where(self, path: str) -> Path:
        return self._place / path

    def open(self, path: str) -> IO[bytes]:
        return self.where(path).open("rb")


class _Below:
    """A prefix."""

    def __init__(self, objects: Objects) -> None:
        from scarf_async.exports.jobs.stores.bucket import read_document  # noqa: PLC0415 # obstore is an extra

        self.objects: Objects = objects
        found = objects.first(MANIFEST)
        if found is None:
            raise ExportError(f"{objects.place} has no {MANIFEST}: it is not the prefix of an export job")
        self.manifest: Manifest = read_document(objects, found).manifest

    def where(self, path: str) -> str:
        return self.objects.where(path)

    def open(self, path: str) -> IO[bytes]:
        return self.objects.fetch(path)


def need_store(place: Prefix) -> None:
    """Check the requirements of a prefix.

    Raises:
        ConfigurationError: obstore is not installed.
    """
    need_installed(str(place), "scarf-async[cloud]", "obstore", "fsspec")


def objects_at(place: Prefix, store: ObjectStore | None = None) -> Objects:
    """Return the objects below a prefix.

    Raises:
        ConfigurationError: obstore is not installed, or the environment has no settings for the store.
    """
    need_store(place)
    from scarf_async.exports.jobs.stores.objects import Objects  # noqa: PLC0415 # obstore is an extra

    return Objects(place, store)


def source_of(source: str | os.PathLike[str], store: ObjectStore | None = None) -> Source:
    """Return the files of a job in a directory or below a prefix.

    Raises:
        ConfigurationError: the source is neither, no credentials were found, or obstore is not installed.
        ExportError: the source is not that of an export job, or its manifest cannot be used.
        OSError: the source cannot be read.
    """
    place = place_of(source)
    return _Files(place) if isinstance(place, Path) else _Below(objects_at(place, store))
