"""Output and exit status of commands: data on standard output, everything else on standard error."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from scarf_async.errors import (
    ConfigurationError,
    GuardError,
    JobBusyError,
    ReadOnlyError,
    ScarfError,
    ValidationError,
)
from scarf_async.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "StandardOutput",
    "Status",
    "data_console",
    "notes_console",
    "occupy_standard_descriptors",
    "print_table",
    "say",
    "settle_size",
    "silence_standard_output",
    "terminal_width",
    "verdict",
]

_LAST_STANDARD: Final = 2
# With less, the help would cut off words.
_NARROWEST: Final = 80
# Sizes outside these limits are implausible.
_SIZES: Final = range(20, 10_000)


class Status(IntEnum):
    """The exit status of a command."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    REFUSED = 3
    DIFFERENT = 4
    BUSY = 5
    INTERRUPTED = 130
    BROKEN_PIPE = 141


def say(text: str) -> None:
    """Write a line to standard error; errors in doing so are ignored."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(printable(text), file=sys.stderr, flush=True)


def data_console() -> Console:
    """Return a console on standard output, for a terminal."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal's encoding lacks must not end the command.
        sys.stdout.reconfigure(errors="backslashreplace")
    return _console(stderr=False)


def notes_console() -> Console:
    """Return a console on standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 # most commands end without it

    # Texts are shown unchanged, and with $NO_COLOR without any style.
    coloured = not os.environ.get("NO_COLOR")
    return Console(
        stderr=stderr, color_system="auto" if coloured else None, markup=False, highlight=False, emoji=False
    )


def terminal_width() -> int | None:
    """Return the width that the terminal reports; None if it reports none or an implausible one."""
    if (told := _said("COLUMNS")) is not None:
        return told
    for descriptor in range(_LAST_STANDARD + 1):
        with contextlib.suppress(OSError):
            if (told := os.get_terminal_size(descriptor).columns) > 0:
                return told
    return None


def _said(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isascii() and value.isdigit() and int(value[:9]) in _SIZES else None


def settle_size() -> None:
    """Give typer and rich a terminal size with which nothing is cut off."""
    for variable in ("COLUMNS", "LINES"):
        if _said(variable) is None:
            os.environ.pop(variable, None)
    width = terminal_width()
    if width is not None and width < _NARROWEST:
        os.environ["COLUMNS"] = str(_NARROWEST)


def print_table(table: Table, console: Console) -> None:
    """Print a table without cutting words or columns that do not wrap, on any terminal."""
    from rich.console import ConsoleDimensions  # noqa: PLC0415 # pipes end without it
    from rich.measure import Measurement  # noqa: PLC0415 # pipes end without it

    whole = Measurement.get(console, console.options.update(width=_SIZES[-1]), table)
    # The height too: without it, the width is ignored on a dumb terminal.
    console.size = ConsoleDimensions(max(console.width, whole.minimum), console.height)
    console.print(table)


def verdict(error: BaseException) -> tuple[Status, str] | None:
    """Return the exit status and line for an error; None for a bug, which is shown with its traceback."""
    match error:
        case KeyboardInterrupt():
            return Status.INTERRUPTED, "interrupted"
        case BrokenPipeError():
            return Status.BROKEN_PIPE, ""
        case ValidationError() | ConfigurationError() | ImportError():
            return Status.WRONG_USAGE, str(error)
        case ReadOnlyError() | GuardError():
            return Status.REFUSED, str(error)
        case JobBusyError():
            return Status.BUSY, str(error)
        case ScarfError():
            return Status.FAILED, str(error)
        case OSError(filename=name, strerror=str(reason)):
            return Status.FAILED, reason if name is None else f"{os.fsdecode(name)}: {reason}"
        case OSError():
            return Status.FAILED, str(error)
        case _:
            return None


class StandardOutput:
    """Standard output for data, without a buffer, so nothing can be lost or fail when Python exits.

    Raises:
        ConfigurationError: it is closed.
    """

    def __init__(self) -> None:
        if sys.stdout is None:
            raise ConfigurationError(
                "standard output is closed: the data has nowhere to go; redirect it to a file or a pipe"
            )
        sys.stdout.flush()
        self._descriptor = sys.stdout.fileno()
        # Characters and line ends may be split between two pieces.
        self._text = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)

    @property
    def is_terminal(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: bytes) -> None:
        """Write all bytes; waits for the reader.

        Raises:
            BrokenPipeError: the reader has closed the pipe.
            OSError: they cannot be written.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Another process may have set the shared pipe to non-blocking.
                select.select([], [self._descriptor], [])
            except BrokenPipeError:
                raise
            except OSError as error:
                raise OSError(error.errno, error.strerror, "standard output") from None

    def show(self, data: bytes) -> None:
        """Write the next piece of readable text; control characters are escaped.

        Raises:
            OSError: as in `write`.
        """
        lines = self._text.decode(data).split("\n")
        self.write("\n".join(map(printable, lines)).encode())

    def write_line(self, *cells: str) -> None:
        """Write a line of text, or of cells separated by tabs; control characters are escaped."""
        self.write("\t".join(map(printable, cells)).encode() + b"\n")


def occupy_standard_descriptors() -> None:
    """Reserve the descriptors of closed standard streams, so that no socket gets one and receives a message."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD:
        pass
    os.close(descriptor)


def silence_standard_output() -> None:
    """Discard buffered output for a broken pipe."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
