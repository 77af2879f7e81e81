"""`--on-malformed`: what to do with records that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from scarf_async.cli.naming import as_typed
from scarf_async.cli.output import say
from scarf_async.errors import ValidationError
from scarf_async.files import naming, refuse_open_stream

if TYPE_CHECKING:
    from scarf_async.errors import MalformedRecordError
    from scarf_async.exports.spec import OnMalformed

__all__ = ["RejectFile", "on_malformed_of"]


_WORDS: Final = ("raise", "skip", "keep")


class RejectFile:
    """Writes the raw records into a file, each with an LF; the first one truncates the file.

    Args:
        path: the file, as typed.
        output: the output of the data; `-` is standard output.

    Raises:
        ValidationError: it is not the name of a file, is a mistyped word, or is the output of the data.
        OSError: it cannot be written.
    """

    def __init__(self, path: str, output: str = "-") -> None:
        if not path.strip():
            raise ValidationError("--on-malformed is empty: give raise, skip or the name of a file")
        if (word := path.strip().lower()) in _WORDS:
            raise ValidationError(f"--on-malformed {path}: give {word}, or ./{path} for a file of that name")
        if output != "-" and os.path.realpath(path) == os.path.realpath(output):
            raise ValidationError(
                f"--on-malformed {path}: the data goes into that file (--output); name another one"
            )
        self._path = path
        self._mode: Literal["wb", "ab"] = "wb"
        with naming(path):
            refuse_open_stream(path)
            # The target of links: a link to a missing file must not be removed.
            target = Path(os.path.realpath(path))
            new = not target.exists()
            target.open("ab").close()
            if new:
                target.unlink()

    def take(self, error: MalformedRecordError) -> None:
        """Write a record."""
        with naming(self._path), Path(self._path).open(self._mode) as file:
            file.write(error.record + b"\n")
        self._mode = "ab"


def on_malformed_of(value: str, output: str) -> OnMalformed:
    """Return the value of the option for an export to a file, which reports skipped records.

    Raises:
        ValidationError: it is for jobs only, or as in `RejectFile`.
        OSError: its file cannot be written.
    """
    if value == "raise":
        return "raise"
    if value == "keep":
        raise ValidationError(
            "--on-malformed keep is for jobs; give the name of a file (./keep for one called keep)"
        )
    file = None if value == "skip" else RejectFile(value, output)

    def tell(error: MalformedRecordError) -> None:
        if file is not None:
            file.take(error)
        say(f"Skipped: {as_typed(str(error), error)}")

    return tell
