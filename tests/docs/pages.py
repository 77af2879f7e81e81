"""Pages as programs: files are written, commands and cells run, and what they print is compared with the page."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO, Any, Final
from unittest import mock

import attrs
from cli.shell import of

from scarf_async.cli.app import app
from scarf_async.emulator import Emulator

DOCS: Final = Path(__file__).parents[2] / "docs"
PORT: Final = 8787
"""The port that pages show."""

_FENCE: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)(?: title=\"(?P<title>[^\"]+)\")?(?P<flags>[^\n`]*)\n"
    r"(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
# What is another each time: the page shows what it was once.
_CHANGING: Final = (
    (re.compile(r"\b\d+\.\d+ ?s\b"), "0.1 s"),
    (re.compile(r"\b\d+ ms\b"), "20 ms"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA-256"),
    (re.compile(r"[\d,]+ bytes \([^)]*\)"), "some bytes"),
    (re.compile(r"^((?:\d{4}-\d\d-\d\d\.\.|all  ).*?) +(?:bytes|[\d,]+)$", re.MULTILINE), r"\1 bytes"),
    (re.compile(r" +$", re.MULTILINE), ""),
)


_SPOKEN: Final = re.compile(r"^export (SCARF_API_VERSION|SCARF_OWNER)=(\S+)$", re.MULTILINE)


@attrs.frozen
class Block:
    """A fenced block of a page.

    Attributes:
        page: the page's path below `docs`.
        line: of its first line, from 1.
        language: what follows the fence.
        title: the name of the file that it is, if it is one.
        text: what is in it.
    """

    page: str
    line: int
    language: str
    title: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, in its order."""
    text = (DOCS / page).read_text("utf-8")
    return [_block(page, text, match) for match in _FENCE.finditer(text)]


def _block(page: str, text: str, match: re.Match[str]) -> Block:
    indent = len(match["indent"])
    body = "".join(line[indent:] or "\n" for line in match["body"].splitlines(keepends=True))
    return Block(page, text.count("\n", 0, match.start("body")) + 1, match["language"], match["title"], body)


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """Return the commands of a console block, each with what it prints."""
    first, *parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not first, f"{block}: a console block begins with a command"
    for part in parts:
        command, _, printed = part.replace("\\\n", "").partition("\n")
        yield command, printed


def pattern(shown: str) -> re.Pattern[str]:
    """Return what matches what a page shows: a line of three dots stands for any lines."""
    lines = ["(?:.*\n)*?" if line == "...\n" else re.escape(line) for line in _steady(shown).splitlines(True)]
    return re.compile("".join(lines))


def _steady(text: str) -> str:
    for changing, shown in _CHANGING:
        text = changing.sub(shown, text)
    return text


@attrs.define
class Reader:
    """Someone who follows a page to the letter, in a directory, against an emulator.

    Attributes:
        emulator: the service.
        directory: where files go.
        programs: commands other than `python` and `scarf-async`: what they do here, by their first word.
        stand_ins: texts of files and commands that stand for something else here, such as a proxy.
        variables: what the page has set in the environment, other than where the service is.
        names: what the cells of the page have defined.
        ran: how many blocks were followed.
    """

    emulator: Emulator
    directory: Path
    programs: Mapping[str, Callable[[list[str]], str]] = attrs.field(factory=dict)
    stand_ins: Mapping[str, str] = attrs.field(factory=dict)
    variables: dict[str, str] = attrs.field(factory=dict)
    names: dict[str, object] = attrs.field(factory=lambda: {"__name__": "page"})
    ran: int = 0

    async def follow(self, page: str) -> None:
        """Do what a page says."""
        last = ""
        for block in blocks(page):
            self.ran += 1
            if block.title is not None:
                file = self.directory / block.title
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(self._put_in(block.text))
            elif block.language == "python":
                last = await self._cell(block)
            elif block.language == "console":
                for command, shown in commands(block):
                    self._compare(block, command, await self._command(command), shown)
            elif block.language == "sh":
                self.variables |= dict(_SPOKEN.findall(block.text))
            elif block.language == "text":
                self._compare(block, "the cell above", last, block.text)

    def _put_in(self, text: str) -> str:
        for shown, meant in self.stand_ins.items():
            text = text.replace(shown, meant)
        return text

    def _compare(self, block: Block, what: str, printed: str, shown: str) -> None:
        port = self.emulator.url.split(":")[2].split("/")[0]
        printed = printed.replace(port, str(PORT))
        assert pattern(shown).fullmatch(_steady(printed)), f"{block}: {what}\nprinted\n{printed}\nand not\n{shown}"

    def _environment(self) -> AbstractContextManager[object]:
        return mock.patch.dict(os.environ, of(self.emulator, **self.variables))

    async def _cell(self, block: Block) -> str:
        """Run a cell as a notebook does: on a loop that is running."""
        code = compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with tempfile.TemporaryFile("w+") as out:
            with (
                self._environment(),
                chdir(self.directory),
                redirect_stdout(out),
            ):
                result = eval(code, self.names)  # noqa: S307 # the page's own code
                if inspect.isawaitable(result):
                    await result
            return _content(out)

    async def _command(self, command: str) -> str:
        words = shlex.split(self._put_in(command), comments=True)
        match words:
            case ["python", file]:
                return await asyncio.to_thread(self._in_process, lambda: self._script(file))
            case ["python", *_]:
                return await asyncio.to_thread(self._process, [sys.executable, *words[1:]])
            case ["scarf-async", *arguments]:
                return await asyncio.to_thread(self._in_process, lambda: app(arguments))
            case [program, *arguments]:
                return await asyncio.to_thread(self.programs[program], arguments)
        raise AssertionError(f"no command: {command!r}")

    def _script(self, file: str) -> None:
        names: dict[str, object] = {"__name__": "__main__"}
        known = set(sys.modules)
        with mock.patch.object(sys, "path", [str(self.directory), *sys.path]):
            exec(compile((self.directory / file).read_text(), file, "exec"), names)  # noqa: S102 # the page's own code
        # Another page may have a file of the same name.
        for name in set(sys.modules) - known:
            if Path(getattr(sys.modules[name], "__file__", None) or "").is_relative_to(self.directory):
                del sys.modules[name]

    def _in_process(self, main: Callable[[], object]) -> str:
        """Run something that may end with `SystemExit`, in a tenth of the time that a process takes."""
        with tempfile.TemporaryFile("w+") as out:
            with (
                self._environment(),
                chdir(self.directory),
                redirect_stdout(out),
                redirect_stderr(out),
                # Ctrl-C is for the main thread.
                mock.patch("scarf_async.cli.applying.stoppable", _unstoppable),
            ):
                status = _status_of(main)
            printed = _content(out)
        assert status in {0, None, 4}, f"status {status}: {printed}"
        return printed

    def _process(self, words: list[str]) -> str:
        done = subprocess.run(
            words,
            cwd=self.directory,
            env=of(self.emulator, **self.variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == -signal.SIGKILL:
            return f"{done.stdout}Killed\n"
        assert done.returncode == 0, done.stdout
        return done.stdout


@contextmanager
def _unstoppable(_: object) -> Iterator[asyncio.Event]:
    yield asyncio.Event()


def _status_of(main: Callable[[], object]) -> object:
    try:
        main()
    except SystemExit as end:
        return end.code
    return 0


def _content(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def load(file: Path) -> dict[str, Any]:
    """Return what a file defines, of whatever types."""
    return runpy.run_path(str(file))


def python(*arguments: str, directory: Path, **environment: str) -> str:
    """Run Python in a process of its own; return what it wrote."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
