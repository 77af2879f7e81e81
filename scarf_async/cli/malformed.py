"""`--on-malformed`: what becomes of records that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scarf_async.cli.naming import as_typed
from scarf_async.cli.output import say
from scarf_async.errors import ValidationError

if TYPE_CHECKING:
    from scarf_async.errors import MalformedRecordError
    from scarf_async.exports.source import OnMalformed

__all__ = ["RejectFile", "on_malformed_of"]


class RejectFile:
    """Writes the raw records into a file, each with an LF; what was in it before is gone.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._path.write_bytes(b"")

    def take(self, error: MalformedRecordError) -> None:
        """Write a record."""
        with self._path.open("ab") as file:
            file.write(error.record + b"\n")


def on_malformed_of(value: str) -> OnMalformed:
    """Return what an export is given for the option: what is left out is told.

    Raises:
        ValidationError: it is for jobs only.
        OSError: its file cannot be written.
    """
    if value == "raise":
        return "raise"
    if value == "keep":
        raise ValidationError("--on-malformed keep is for jobs; name a file for the records (./keep is one, too)")
    file = None if value == "skip" else RejectFile(value)

    def tell(error: MalformedRecordError) -> None:
        if file is not None:
            file.take(error)
        say(f"Skipped: {as_typed(str(error))}")

    return tell
