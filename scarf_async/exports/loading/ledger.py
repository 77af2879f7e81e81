"""The ledger: which window of which job is in a table, under which number. Pure."""

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
"""The exports that a table of events can take."""

# How a directory is written is not what is in it.
_NOT_OF_A_TABLE: Final = frozenset({"format", "partition_by"})
_SHOWN: Final = 80


def job_key(manifest: Manifest) -> str:
    """Return what the ledger calls a job: something for people, and a digest of all that makes it that job."""
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
        digest: of its rows; empty where only a part of what was loaded together is left.
        window_id: what its rows carry.
        load_id: of the loading that wrote it, by which that knows whether its COMMIT worked.
        rows: how many were loaded.
        provisional: whether it had not ended when it was asked for.
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
    """Return what of a line's days is not in a window, under the number that its rows have."""
    parts = (Window(line.window.start, window.start), Window(window.end, line.window.end))
    return [attrs.evolve(line, window=part, digest="") for part in parts if part.start < part.end]


def after(lines: Sequence[Line], new: Line) -> list[Line]:
    """Return the lines of a job once a window is loaded: others lose the days that it has."""
    old = overlapping(lines, new.window)
    rest = [part for line in old for part in _rest(line, new.window)]
    return sorted([*(line for line in lines if line not in old), *rest, new], key=lambda line: line.window)


def as_manifest(begun: Manifest, lines: Iterable[Line]) -> Manifest:
    """Return what is in a table of a job, as a run asks for it."""
    now = dt.datetime.now(dt.UTC)
    windows = (
        WindowEntry(line.window.start, line.window.end, line.rows, 0, 0, line.provisional, now, None, ())
        for line in lines
    )
    return attrs.evolve(begun, windows=tuple(windows))
