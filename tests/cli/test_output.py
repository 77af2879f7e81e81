"""What the commands say, and what they end with."""

from __future__ import annotations

import errno

import pytest

from scarf_async.cli.output import StandardOutput, Status, verdict
from scarf_async.cli.progress import describe, size_of
from scarf_async.errors import (
    BulkError,
    ConfigurationError,
    NotFoundError,
    ReadOnlyError,
    RequestTimeoutError,
    ScarfError,
    TruncatedExportError,
    ValidationError,
)
from scarf_async.text import printable


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ConfigurationError("no token"), Status.WRONG_USAGE, "no token"),
        (ValidationError("end is wrong"), Status.WRONG_USAGE, "end is wrong"),
        (ImportError("Parquet needs pyarrow"), Status.WRONG_USAGE, "Parquet needs pyarrow"),
        (ReadOnlyError("refused"), Status.REFUSED, "refused"),
        (TruncatedExportError("cut"), Status.FAILED, "cut"),
        (RequestTimeoutError("late", method="GET", url="/x"), Status.FAILED, "GET /x: late"),
        (NotFoundError("no", status=404, method="GET", url="/x"), Status.FAILED, "GET /x: 404 Not Found: no"),
        (BulkError("2 failed", [ScarfError()]), Status.FAILED, "2 failed (1 sub-exception)"),
        (OSError(errno.ENOSPC, "No space left", "/disk/file"), Status.FAILED, "/disk/file: No space left"),
        (OSError(errno.EIO, "Broken disk"), Status.FAILED, "Broken disk"),
        (OSError("whatever"), Status.FAILED, "whatever"),
        (KeyboardInterrupt(), Status.INTERRUPTED, "interrupted"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), Status.BROKEN_PIPE, ""),
    ],
)
def test_an_error_is_a_status_and_a_line(error: BaseException, status: Status, line: str) -> None:
    """Wrong usage, refusal and failure can be told apart by the shell."""
    assert verdict(error) == (status, line)


def test_a_piece_ends_anywhere(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither a character nor a line end that is cut in two is taken for something that steers a terminal."""
    output = StandardOutput()
    for piece in (b"1,\xc3", b"\xa9\r", b"\n\x1b[2J\r\n"):
        output.show(piece)
    assert capfd.readouterr().out == "1,é\n\\x1b[2J\n"


@pytest.mark.parametrize("error", [TypeError("a bug"), ZeroDivisionError(), SystemExit(5)])
def test_a_bug_is_shown_whole(error: BaseException) -> None:
    """What nobody raises on purpose keeps its traceback."""
    assert verdict(error) is None


@pytest.mark.parametrize("steering", ["\x1b", "\x07", "\n", "\r", "\x9b", "\x7f", "\u202e", "\u2028", "\udc9b"])
def test_nothing_steers_the_terminal(steering: str) -> None:
    """Control characters, changes of direction and broken text come out as escapes; other scripts as they are."""
    shown = printable(f"a{steering}é 漢")
    assert shown.isprintable()
    assert shown.startswith("a\\")
    assert shown.endswith("é 漢")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5e9, "5.0 GB"), (3.2e15, "3200.0 TB")]
)
def test_sizes(count: float, text: str) -> None:
    """Bytes are shown in powers of a thousand."""
    assert size_of(count) == text


def test_a_share_needs_a_whole() -> None:
    """There is a percentage only where it is known what all of it is."""
    assert describe(500, 2.0) == "500 B  250 B/s"
    assert describe(500, 0.0, total=1000, rows=7) == "500 B of 1.0 kB (50%)  7 rows"
    assert describe(500, 1.0, windows=(1, 4), failed=1) == "1 of 4 windows (25%)  1 failed  500 B  500 B/s"
    assert describe(0, 0.0, windows=(0, 0)) == "0 of 0 windows (0%)  0 B"
