"""The command line at a terminal that remembers what it was told."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import termios
import threading
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from scarf_async.cli.app import app

__all__ = ["HOSTILE", "MARKUP", "assert_harmless", "at_terminal"]

HOSTILE = "a\x1b[2J\x07\r\x9b31m\x85\u202e\u200f\u061cb\u2066c\u2028d\x7f"
"""What clears a screen, rings, goes back, colours in eight bits, breaks a line, and turns letters around."""
MARKUP = "[red]x[/red][link=file:///etc/passwd]y[/link]:smile:"
"""What rich takes for colours, links and pictures, where it is allowed to."""

_STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]")
# What rich itself may say: colours, and a line of progress that comes and goes.
_OURS = re.compile(r"\x1b\[(?:[0-9;]*m|\?25[lh]|2K|1A|[0-9]*[AC])|\r(?=\n|\x1b\[2K)|\r(?=\x1b\[1A)")


async def at_terminal(
    *arguments: str, env: Mapping[str, str], width: int = 400, no_color: str = ""
) -> tuple[int, str]:
    """Run a command in a thread of this process, its output and its messages on a terminal; return what it got."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, width))
    seen: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(ours, 65536):
                seen.append(data)
        except OSError:
            pass  # Linux says so when the other side is closed

    def main() -> int:
        reader = threading.Thread(target=read)
        reader.start()
        variables = {**env, "TERM": "xterm", "COLUMNS": str(width), "NO_COLOR": no_color}
        try:
            with (
                os.fdopen(theirs, "w") as terminal,
                mock.patch.dict(os.environ, variables),
                redirect_stdout(terminal),
                redirect_stderr(terminal),
            ):
                app(arguments)
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            reader.join()
            os.close(ours)
        return 0

    status = await asyncio.to_thread(main)
    return status, b"".join(seen).decode(errors="replace")


def assert_harmless(shown: str) -> None:
    """Look for what steers a terminal and is not our own."""
    rest = _OURS.sub("", shown)
    found = _STEERING.search(rest)
    assert found is None, (found, rest)
