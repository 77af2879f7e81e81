"""The ledger: which windows of which jobs are in a table, with their numbers. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

import attrs
import msgspec

from scarf_async.entities import ExportKind
from scarf_async.exports.jobs.manifest import Manifest, WindowEntry
from scarf_async.exports.jobs.windows import Window
from scarf_async.text import printable

__all__ = ["EVENTS", "Line", "after", "as_manifest", "job_key", "overlapping"]

EVENTS: Final = frozenset({ExportKind.PACKAGE_EVENTS, ExportKind.OWNER_EVENTS, ExportKind.PIXEL_EVENTS})
"""The exports that a table of events can store."""

# The format of a directory does not change its contents.
_NOT_OF_A_TABLE: Final = frozenset({"format", "partition_by"})
_SHOWN: Final = 80


def job_key(manifest: Manifest) -> str:
    """Return the name of a job in the ledger: a readable part, and a digest of what identifies the job."""
    identity = {name: value for name, value in manifest.job.items() if name not in _NOT_OF_A_TABLE}
    whole = msgspec.json.encode(sorted((identity | {"server": manifest.server}).items()))
    names = [identity.get(name) for name in ("what", "owner", "package")]
    shown = printable(" ".join(filter(None, names)))[:_SHOWN]
    return f"{shown} {hashlib.sha256(whole).hexdigest()[:32]}"


@attrs.frozen
class Line:
    """A window that is in a table.

    Attributes:
        window: its days.
        digest: the digest of its rows; empty if only a part of the loaded window is left.
        window_id: the number in its rows.
        load_id: the id of the load that wrote it, which shows whether a COMMIT without a response succeeded.
        rows: the number of rows that were loaded.
        provisional: whether it had not ended when it was requested.
    """

    window: Window
    digest: str
    window_id: UUID
    load_id: UUID
    rows: int
    provisional: bool


def overlapping(lines: Iterable[Line], window: Window) -> list[Line]:
    """Return the lines of windows that have a day of this one."""
    return [line for line in lines if line.window.overlaps(window)]


def _rest(line: Line, window: Window) -> list[Line]:
    """Return the lines for those days of a line that are not in a window, with the same number."""
    parts = (Window(line.window.start, window.start), Window(window.end, line.window.end))
    return [attrs.evolve(line, window=part, digest="") for part in parts if part.start < part.end]


def after(lines: Sequence[Line], new: Line) -> list[Line]:
    """Return the lines of a job after a window is loaded: others lose its days."""
    old = overlapping(lines, new.window)
    rest = [part for line in old for part in _rest(line, new.window)]
    return sorted([*(line for line in lines if line not in old), *rest, new], key=lambda line: line.window)


def as_manifest(begun: Manifest, lines: Iterable[Line]) -> Manifest:
    """Return the ledger's lines of a job as a manifest, for a run."""
    now = dt.datetime.now(dt.UTC)
    windows = (
        WindowEntry(line.window.start, line.window.end, line.rows, 0, 0, line.provisional, now, None, ())
        for line in lines
    )
    return attrs.evolve(begun, windows=tuple(windows))
