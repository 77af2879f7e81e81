"""`--log`: a file that says what became of each run, for jobs that nobody watches."""

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
        """Return a line, or several, each with the time."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        return "\n".join(f"{at} {printable(line)}" for line in record.getMessage().splitlines())

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 # its name in `logging`
        """Go on: a disk that is full there must not end what the log is about."""


@contextlib.contextmanager
def logging_to(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Add what the library logs, and how the block ends, to a file; None: nowhere. Gives what adds lines.

    Raises:
        OSError: the file cannot be opened.
    """
    logger = logging.getLogger("scarf_async")
    # Not by way of its logger: that one's level, which may be the caller's, says nothing of our own lines.
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
