"""The records of a window that cannot be read."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from scarf_async.errors import MalformedRecordError
from scarf_async.exports.jobs.destination import Made
from scarf_async.exports.jobs.manifest import FileEntry, rejects_path
from scarf_async.exports.jobs.windows import Window
from scarf_async.files import PartFile

__all__ = ["Rejects"]


def _line(error: MalformedRecordError) -> bytes:
    fields: dict[str, str | int] = {"line": error.line_number, "reason": error.reason}
    try:
        fields["record"] = error.record.decode()
    except UnicodeDecodeError:
        fields["record_base64"] = base64.b64encode(error.record).decode()
    return msgspec.json.encode(fields) + b"\n"


class Rejects:
    """Collects the errors of a window's records.

    Attributes:
        count: the number of errors.

    Args:
        directory: the directory for temporary files.
    """

    def __init__(self, directory: Path) -> None:
        self.count: int = 0
        self._directory = directory
        self._part: PartFile | None = None

    def take(self, error: MalformedRecordError) -> None:
        """Write one at once, so that any number of them needs no memory."""
        self.count += 1
        self._part = self._part or PartFile(self._directory)
        self._part.write(_line(error))

    def finish(self, window: Window) -> list[tuple[Made, FileEntry]]:
        """Sync the file, if there is one, and return it as the window's."""
        if self._part is None:
            return []
        part = self._part
        part.finish()
        path = rejects_path(window)
        return [(Made(part.path, path), FileEntry(path, part.size, part.sha256, self.count))]

    def discard(self) -> None:
        """Remove the file if it was not placed."""
        if self._part is not None:
            self._part.discard()
