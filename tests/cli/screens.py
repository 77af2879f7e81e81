"""What a terminal shows, in files to look at: `python -m tests.cli.screens tests/cli/screens`."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
from rich.console import Console
from typer.testing import CliRunner

from scarf_async.bulk import BulkProgress
from scarf_async.cli.app import app
from scarf_async.cli.applying import failures_table, progress_line
from scarf_async.cli.difference import difference_lines
from scarf_async.cli.output import print_table, verdict
from scarf_async.cli.progress import describe
from scarf_async.cli.tables import show_rows
from scarf_async.cli.telling import retry_line
from scarf_async.errors import ConfigurationError, ConnectFailedError, GuardError
from scarf_async.events import RetryScheduled
from scarf_async.manifests import Change, Changes

__all__ = ["SCREENS", "WIDTHS", "draw"]

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (80, 120)
_HELP: Final[tuple[list[str], ...]] = ([], ["routes"], ["routes", "add"], ["show"])
_WEB = Change(action="create", kind="package", organization="acme", package="web", library_type="file", uuid="u")
_TEXT = "The web client of our company, with everything that a browser needs, and more: "
_PACKAGES = [
    ("1f0c9a52-7f0e-4a3b-9a43-52d4c1b7e6a9", "acme", "web", "file", "The web client"),
    ("7b2d5c1e-0c0f-4f6e-8a55-3f4f0f4d7c11", "acme", "images/web-server", "docker", _TEXT),
]


def draw(width: int) -> str:
    """Return all screens of a width, one below the other."""
    return "\n".join(
        f"{'=' * 8} {name}\n\n" + "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"
        for name, shown in _screens(width)
    )


def _screens(width: int) -> Iterator[tuple[str, str]]:
    for words in _HELP:
        done = CliRunner(env={"COLUMNS": str(width), "NO_COLOR": "1"}).invoke(app, [*words, "--help"])
        yield " ".join(["scarf-async", *words, "--help"]), done.output
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    with console.capture() as plan:
        for line in difference_lines(_changes(), width=width):
            console.print(line, soft_wrap=True)
    yield "plan", plan.get()
    with console.capture() as table:
        show_rows(("uuid", "owner", "name", "library_type", "short_description"), _PACKAGES, console)
    yield "packages list", table.get()
    yield (
        "progress",
        "\n".join(
            [
                progress_line(BulkProgress(1320, 3, 3133, 1402, 90.0, 20.2, unknown=1)),
                describe(2_000_000, 4.0, rows=12_345, windows=(3, 12)),
            ]
        ),
    )
    with console.capture() as failed:
        rows = [
            (
                "failed",
                "+ route acme/web//x: -> 'https://x.example'",
                "POST /packages/web/routes: 422: no such host",
            )
        ]
        print_table(failures_table(rows * 22), console)
    yield "failures", "\n".join([*failed.get().splitlines()[:3], "...", *failed.get().splitlines()[-1:]])
    yield "errors", "\n".join(_errors())


def _changes() -> Changes:
    texts = [{"short_description": f"{_TEXT}{word}"} for word in ("fast", "small")]
    update = attrs.evolve(_WEB, action="update", before=texts[0], after=texts[1])
    gone = {"template_path": "/old", "outgoing_url": "https://old.example/web.tgz"}
    route = attrs.evolve(_WEB, action="remove", kind="route", id="1", before=gone)
    new = attrs.evolve(_WEB, package="cli", uuid=None, after=texts[1])
    levels = [
        attrs.evolve(_WEB, kind="permission", name=f"user{place}", after={"level": "member"}) for place in range(9)
    ]
    return Changes((update, route, *levels, new))


def _errors() -> Iterator[str]:
    refused = "no connection to 127.0.0.1:8787: connection refused; check the address"
    yield retry_line(
        RetryScheduled(endpoint="GET /", attempt=3, attempts=8, delay=4.0, reason="no answer", detail=refused)
    )
    for error in (
        ConnectFailedError(refused, method="GET", url="http://127.0.0.1:8787/api/v1/packages", attempts=8),
        ConfigurationError("no token: set $SCARF_API_TOKEN, or give --token-file FILE"),
        GuardError("nothing was changed: the answer was not yes"),
    ):
        ending = verdict(error)
        assert ending is not None
        status, line = ending
        yield f"scarf-async: {line} [status {status:d}]"


if __name__ == "__main__":
    for columns in WIDTHS:
        (Path(sys.argv[1]) / f"{columns}.txt").write_text(draw(columns))
