"""The reference of the command line, made of what `--help` knows.

`python -m tests.docs.commands docs/reference/command-line.md`
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, get_args, get_origin

from typer.core import TyperGroup
from typer.main import get_command
from typer.models import ArgumentInfo, OptionInfo

from scarf_async.cli.app import app

__all__ = ["COMMANDS", "options", "reference"]

_HEAD = """\
# Command line

`scarf-async` needs the extra `cli`, for manifests in YAML `manifests`, for Parquet `arrow`, for export jobs `data`,
for those that go into a bucket `cloud`, for loads into PostgreSQL `postgres`, and for a local server with TLS
`emulator`; `scarf-async[all]` has all of them. Each command shows its options with `--help`.

Data goes to standard output, everything else to standard error, so that a pipe only gets data. On a terminal, lists
are tables; in a pipe they are tab-separated lines, and `--json` writes JSON.

On Windows, journals (`apply --journal`, `demo`) and export jobs do not work, since they need POSIX file locks;
everything else does.

| status | what it means |
|---|---|
| 0 | success |
| 1 | something failed |
| 2 | the command, a file or the configuration is invalid; nothing was sent |
| 3 | refused, by a guard or because you answered no; nothing was sent |
| 4 | something differs: `plan --detailed-exitcode`, `export verify` |
| 5 | busy: another run is using the directory, the prefix or the table |
| 129 | SIGHUP, as when the terminal is closed |
| 130 | SIGINT: Ctrl-C |
| 141 | the reader of the output has closed the pipe |
| 143 | SIGTERM, as from a service manager or a container runtime |

All three signals end a command cleanly: a half-written file is removed, and `apply`, `copy` and `demo` finish the
requests in progress, keep the journal and print how to continue. A second signal stops at once. A signal that was
ignored when the command started stays ignored: SIGHUP under `nohup`, SIGINT in the background of a script.

The token comes from `$SCARF_API_TOKEN` or from the first line of `--token-file`. It is never an argument, where
every user of the machine could read it. The URLs come from `--base-url` and `--v2-url`, else from
`$SCARF_BASE_URL` and `$SCARF_V2_URL`.

`--api v2` uses v2, the current version, and `--owner` sets the owner of packages there; by default they come from
`$SCARF_API_VERSION` and `$SCARF_OWNER`. `scarf-async check` tells whether everything works.
"""


def _commands(group: TyperGroup, path: str) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{path} {name}")
        else:
            assert command.callback is not None
            yield f"{path} {name}", command.callback


_TOP: Final = get_command(app)
assert isinstance(_TOP, TyperGroup)
COMMANDS: Final = dict(_commands(_TOP, "scarf-async"))
"""Every command, by the words that call it."""


def reference() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(words, command) for words, command in COMMANDS.items())])


def options(command: Callable[..., object]) -> set[str]:
    """Return the names of a command's options."""
    return {
        name
        for parameter, info in _parameters(command)
        if isinstance(info, OptionInfo)
        for spelled in _names(parameter, info)
        for name in spelled.split("/")
    }


def _parameters(command: Callable[..., object]) -> list[tuple[inspect.Parameter, ArgumentInfo | OptionInfo]]:
    found = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        assert get_origin(parameter.annotation) is Annotated
        kind, info = get_args(parameter.annotation)
        found.append((parameter.replace(annotation=kind), info))
    return found


def _section(words: str, command: Callable[..., object]) -> str:
    parameters = _parameters(command)
    arguments = [(parameter, info) for parameter, info in parameters if isinstance(info, ArgumentInfo)]
    usage = " ".join([words, *(_placeholder(*argument) for argument in arguments), "[OPTIONS]"])
    lines = [f"## {words}", "", f"```text\n{usage}\n```", ""]
    for paragraph in (inspect.getdoc(command) or "").split("\n\n"):
        text = " ".join(paragraph.split())
        example = text.removeprefix("Example: ")
        lines += [text if example == text else f"```sh\n{example}\n```", ""]
    rows = [(f"`{_placeholder(*argument)}`", argument[1].help or "") for argument in arguments]
    rows += [(_spelling(one, info), _about(one, info)) for one, info in parameters if isinstance(info, OptionInfo)]
    table = (
        ["| option | what it says |", "|---|---|", *(f"| {name} | {about} |" for name, about in rows), ""]
        if rows
        else []
    )
    return "\n".join([*lines, *table])


def _placeholder(parameter: inspect.Parameter, info: ArgumentInfo) -> str:
    shown = info.metavar or parameter.name.upper()
    optional = parameter.default is not inspect.Parameter.empty and not shown.startswith("[")
    return f"[{shown}]" if optional else shown


def _names(parameter: inspect.Parameter, info: OptionInfo) -> tuple[str, ...]:
    # In `Annotated[..., Option("--json", "-j")]` the first one is where the default of another spelling is.
    given = tuple(name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str))
    if given:
        return given
    name = parameter.name.replace("_", "-")
    return (f"--{name}/--no-{name}",) if parameter.annotation is bool else (f"--{name}",)


def _spelling(parameter: inspect.Parameter, info: OptionInfo) -> str:
    names = ", ".join(f"`{name}`" for name in _names(parameter, info))
    return names if parameter.annotation is bool else f"{names} `{(info.metavar or 'TEXT').replace('|', ', ')}`"


def _about(parameter: inspect.Parameter, info: OptionInfo) -> str:
    about = info.help or ""
    if parameter.default is inspect.Parameter.empty:
        return f"{about} Required."
    if parameter.default is None or parameter.default is False or "default" in about:
        return about
    default = f"{parameter.default:g}" if isinstance(parameter.default, float) else parameter.default
    return f"{about} By default {'on' if default is True else f'`{default}`'}."


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference())
