"""`--log`: a file with the outcome of each run, for unattended jobs."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from scarf_async.text import printable

__all__ = ["LogOption", "logging_to"]

LogOption = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="Append lines to this file, each with the time (UTC): what the run does, how it ends, and the"
        " library's warnings, even with --quiet.",
    ),
]


class _File(logging.FileHandler):
    def format(self, record: logging.LogRecord) -> str:
        """Return one or several lines, each with the time."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return "\n".join(f"{at} {printable(line)}" for line in record.getMessage().splitlines())

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 # its name in `logging`
        """Ignore errors: a full disk for the log must not end the run."""


@contextlib.contextmanager
def logging_to(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Append the library's log, and the end of the block, to a file, if given; yields a function that adds lines.

    Raises:
        OSError: the file cannot be opened.
    """
    logger = logging.getLogger("scarf_async")
    # Not through its logger, whose level, perhaps set by the caller, must not apply to these lines.
    handler = logging.NullHandler() if path is None else _File(path, encoding="utf-8")
    logger.addHandler(handler)

    def note(text: str) -> None:
        handler.handle(logging.makeLogRecord({"msg": text}))

    try:
        yield note
    except BaseException as error:
        note(f"ended by {type(error).__name__}: {error}".removesuffix(": "))
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
