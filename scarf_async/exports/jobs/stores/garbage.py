"""Delete objects below a prefix that are no longer needed. All functions block."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from scarf_async.errors import ExportError, JobBusyError
from scarf_async.exports.jobs.document import LEASE, Document, dump, is_ours
from scarf_async.exports.jobs.manifest import MANIFEST
from scarf_async.exports.jobs.source import objects_at, source_of
from scarf_async.exports.jobs.stores.place import place_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from scarf_async.exports.jobs.stores.objects import Objects

__all__ = ["collect_garbage"]

_KEPT: Final = dt.timedelta(days=1)
"""How long readers may use an old manifest, and uploads may wait to be named."""
_AT_ONCE: Final = 1000


def collect_garbage(
    destination: str | os.PathLike[str],
    *,
    store: ObjectStore | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> list[str]:
    """Delete what no run needs any more below a prefix; see `Exports.collect_garbage`.

    `pause` waits for a number of seconds, if another run may have been killed.
    """
    place = place_of(destination)
    if isinstance(place, Path):
        source_of(destination)
        return []
    objects = objects_at(place, store)
    if objects.first(MANIFEST) is None:
        raise ExportError(f"{place} has no {MANIFEST}: it is not the prefix of an export job")
    from scarf_async.exports.jobs.stores.lease import Lease  # noqa: PLC0415 # obstore is an extra

    lease = Lease(objects, pause=pause)
    lease.take()
    try:
        return _collect(objects)
    finally:
        lease.free()


def _collect(objects: Objects) -> list[str]:
    from scarf_async.exports.jobs.stores.bucket import read_document  # noqa: PLC0415 # obstore is an extra
    from scarf_async.exports.jobs.stores.objects import ChangedError, nonce  # noqa: PLC0415 # as above

    found = objects.read(MANIFEST)
    if found is None:
        raise ExportError(f"{objects.where(MANIFEST)} is gone")
    document = read_document(objects, found)
    try:
        # A run that lost the lease and continues can no longer name what is deleted now.
        found = objects.commit(MANIFEST, dump(document, nonce()), found)
        there = {listed.path: listed.modified for listed in objects.listing()}
        paths = list(_garbage(document, there, objects.modified(LEASE)))
        for first in range(0, len(paths), _AT_ONCE):
            objects.delete(paths[first : first + _AT_ONCE])
        left = tuple(retired for retired in document.retired if retired.path in there.keys() - {*paths})
        if left != document.retired:
            objects.commit(MANIFEST, dump(attrs.evolve(document, retired=left), nonce()), found)
    except ChangedError:
        raise JobBusyError(f"another run has written {objects.where(MANIFEST)}: run again") from None
    return paths


def _garbage(document: Document, there: Mapping[str, dt.datetime], leased: dt.datetime) -> Iterator[str]:
    """Return the paths to delete.

    Args:
        document: the manifest and its lists.
        there: when each object was written, by the store's clock.
        leased: the current time, by that clock.
    """
    now = dt.datetime.now(dt.UTC)
    retired = {retired.path: retired.at for retired in document.retired}
    named = document.paths
    for path, written in there.items():
        if path in named or not is_ours(path):
            continue
        at = retired.get(path)
        if (leased - written if at is None else now - at) > _KEPT:
            yield path
