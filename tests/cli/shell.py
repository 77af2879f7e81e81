"""The command line as a shell runs it, against servers of the test's own event loop."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import attrs
from processes import Forked, fork, fork_with_pipes

from scarf_async.cli import main
from scarf_async.cli.app import app
from scarf_async.emulator import Emulator

SCARF = [sys.executable, "-c", "from scarf_async.cli import main; main()"]
TOKEN = "tok-3f9a-do-not-show"
QUESTION = b"[y/N]"
RANGE = ("--start", "2024-01-01", "--end", "2024-01-04")


def environment(url: str, v2_url: str = "", **more: str) -> dict[str, str]:
    """Return the environment of a command that speaks to a server."""
    return {
        **os.environ,
        "COLUMNS": "200",
        "SCARF_API_TOKEN": TOKEN,
        "SCARF_BASE_URL": url,
        "SCARF_V2_URL": v2_url or url,
        **more,
    }


def of(emulator: Emulator, **more: str) -> dict[str, str]:
    """Return the environment of a command that speaks to an emulator."""
    return environment(emulator.url, emulator.v2_url, **more)


def command(*arguments: str) -> None:
    """Run the command line as this process."""
    sys.argv[1:] = arguments
    main()


def start(*arguments: str, env: Mapping[str, str], closed: Sequence[int] = ()) -> Forked:
    """Start the command line, perhaps without some of its standard streams."""
    return fork_with_pipes(command, *arguments, env=env, streams=dict.fromkeys(closed))


def execute(
    *arguments: str, env: Mapping[str, str], stdout: int = subprocess.PIPE, through: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a Python of its own, where its beginning or its very end is the point, perhaps through a program."""
    return subprocess.Popen([*through, *SCARF, *arguments], env=env, stdout=stdout, stderr=subprocess.PIPE)


@attrs.frozen
class Done:
    """What a command ended with."""

    status: int
    out: bytes
    err: str


async def finish(process: Forked | subprocess.Popen[bytes]) -> Done:
    """Wait for the end of a command while the event loop goes on serving it."""
    if isinstance(process, Forked):
        out, err = await process.communicate()
    else:
        out, err = await asyncio.to_thread(process.communicate, timeout=60)
    # Whatever happens, these two hold.
    assert TOKEN.encode() not in (out or b"") + err
    assert b"Traceback" not in err, err.decode()
    assert process.returncode is not None
    return Done(process.returncode, out, err.decode())


async def run(*arguments: str, env: Mapping[str, str]) -> Done:
    """Run the command line to its end."""
    return await finish(start(*arguments, env=env))


async def invoke(*arguments: str, env: Mapping[str, str]) -> Done:
    """Run the command line in a thread of this process, which takes a tenth of the time."""

    def main() -> Done:
        with tempfile.TemporaryFile("w+", newline="") as out, tempfile.TemporaryFile("w+") as err:
            with mock.patch.dict(os.environ, env), redirect_stdout(out), redirect_stderr(err):
                try:
                    app(arguments)
                except SystemExit as end:
                    status = int(end.code or 0)
            out.seek(0)
            err.seek(0)
            return Done(status, out.read().encode(), err.read())

    done = await asyncio.to_thread(main)
    assert TOKEN.encode() not in done.out + done.err.encode()
    return done


async def run_on_terminal(
    *arguments: str,
    env: Mapping[str, str],
    pipe: int | None = None,
    interrupt: asyncio.Event | None = None,
    answer: bytes = b"",
    size: tuple[int, int] = (0, 0),
    term: str | None = "xterm",
) -> tuple[int, str]:
    """Run on a terminal, standard output perhaps in a pipe, whose end is closed; return what the terminal shows.

    With an event, Ctrl-C is pressed when it has come; a response is typed when a question is seen. Of its size, in
    lines and columns, a terminal says nothing by itself.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    streams = {0: theirs, 1: theirs if pipe is None else pipe, 2: theirs}
    variables = {name: value for name, value in env.items() if name != "TERM"}
    variables |= {} if term is None else {"TERM": term}
    process = fork(command, *arguments, env=variables, streams=streams, leads=True)
    for descriptor in (theirs, pipe):
        if descriptor is not None:
            os.close(descriptor)
    seen: list[bytes] = []
    keys = [answer] if answer else []

    def read() -> None:
        try:
            while data := os.read(ours, 65536):
                seen.append(data)
                if keys and QUESTION in b"".join(seen):
                    os.write(ours, keys.pop())
        except OSError:
            pass  # Linux says so when the other side is closed

    reader = threading.Thread(target=read)
    reader.start()
    if interrupt is not None:
        await interrupt.wait()
        os.write(ours, b"\x03")
    late = asyncio.get_running_loop().call_later(60, process.kill)
    await asyncio.to_thread(process.join)
    late.cancel()
    await asyncio.to_thread(reader.join)
    os.close(ours)
    shown = b"".join(seen).decode()
    assert TOKEN not in shown
    assert "Traceback" not in shown
    assert process.exitcode is not None
    return process.exitcode, shown


@asynccontextmanager
async def server_of(answer: bytes) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Serve one answer to everybody, as it is, and keep the connection; give the address, and tell of a request."""
    asked, over = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(answer)
            await writer.drain()
            asked.set()
            await over.wait()
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked
    finally:
        over.set()
        listening.close()
        await listening.wait_closed()


def answer(body: bytes, kind: str = "text/csv", *, status: str = "200 OK", length: int | None = None) -> bytes:
    """Write a response; a length beyond its body's leaves it unfinished."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def files_in(directory: Path) -> list[str]:
    """Return the names of everything in a directory."""
    return sorted(path.name for path in directory.iterdir())


async def until(condition: Callable[[], object]) -> None:
    """Wait for what another process does; a minute is enough for any of it."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 # it has no event to wait for
            await asyncio.sleep(0.01)
