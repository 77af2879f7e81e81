"""The output of `--help`: the same with every version of typer, without its artefacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Literal, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from scarf_async.cli.output import data_console, settle_size

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["Command", "Commands", "metavar_of"]

_ALIASES: Final = {"remove": "delete", "delete": "remove", "remove-domain": "delete-domain"}
_CLOSE: Final = 0.7
_WIDEST_NAME: Final = 30
_NUMBERS: Final = {int: "N", float: "NUMBER"}
_PROGRAM: Final = "scarf-async"


def metavar_of(annotation: object) -> str:
    """Return the placeholder of a value in the help.

    >>> metavar_of(int | None), metavar_of(Literal["a", "b"]), metavar_of(str)
    ('N', 'a|b', 'TEXT')
    """
    if get_origin(annotation) is Literal:
        return "|".join(map(str, get_args(annotation)))
    if parts := [part for part in get_args(annotation) if part is not type(None)]:
        return metavar_of(parts[0])
    if isinstance(annotation, type) and issubclass(annotation, int | float):
        return _NUMBERS.get(annotation, "TEXT")
    return "PATH" if getattr(annotation, "__name__", "") == "Path" else "TEXT"


class Command(TyperCommand):
    """A command with our help."""

    def format_help(self, ctx: typer.Context, _: object) -> None:  # type: ignore[override] # typer has its click inside
        """Show the help."""
        arguments = [param for param in self.get_params(ctx) if isinstance(param, TyperArgument)]
        usage = [self.name or "", *map(_placeholder, arguments), "[OPTIONS]"]
        _show(ctx, self.help, usage, _parameter_panels(self, ctx))


class Commands(TyperGroup):
    """A group of commands with our help, which accepts `_` for `-`, and `remove` and `delete` for each other."""

    def main(self, *args: object, **kwargs: object) -> object:
        """Run the command line; output of typer itself is complete too."""
        settle_size()
        return super().main(*args, **{**kwargs, "prog_name": _PROGRAM})  # type: ignore[arg-type] # as they came

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | TyperGroup | None:  # type: ignore[override] # as above
        """Return a command by its name, in any spelling."""
        name = cmd_name.replace("_", "-")
        return super().get_command(ctx, name) or super().get_command(ctx, _ALIASES.get(name, name))  # type: ignore[return-value] # as above

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> tuple[str | None, object, list[str]]:  # type: ignore[override] # as above
        """Find the command; if there is none of this name, list the existing ones."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            close = get_close_matches(name, self.commands, 1, _CLOSE)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(self.commands)}."
            ctx.fail(f"No such command {name!r}. {hint}")
        return super().resolve_command(ctx, args)

    def listed(self) -> Iterator[tuple[str, str, str]]:
        """Yield the heading, the name and the summary of each command in the help."""
        for name, command in self.commands.items():
            if not command.hidden:
                panel = getattr(command, "rich_help_panel", None)
                words = (command.help or "").split("\n\n")[0]
                yield panel if isinstance(panel, str) else "Commands", name, words

    def format_help(self, ctx: typer.Context, _: object) -> None:  # type: ignore[override] # as above
        """Show the help."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for panel, name, words in self.listed():
            panels.setdefault(panel, []).append((name, words))
        _show(ctx, self.help, ["[OPTIONS]", "COMMAND"], [*panels.items(), *_parameter_panels(self, ctx)])


def _parameter_panels(
    command: TyperCommand | TyperGroup, ctx: typer.Context
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    panels: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for param in command.get_params(ctx):
        if isinstance(param, TyperArgument):
            panels["Arguments"].append((_placeholder(param), param.help or ""))
        elif isinstance(param, TyperOption) and not param.hidden:
            panel = param.rich_help_panel if isinstance(param.rich_help_panel, str) else "Options"
            panels.setdefault(panel, []).append((_spelling(param), _about(param)))
    yield from ((name, rows) for name, rows in panels.items() if rows)


def _placeholder(argument: TyperArgument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return name if argument.required else f"[{name}]"


def _spelling(option: TyperOption) -> str:
    short = [name for name in option.opts if not name.startswith("--")]
    names = ", ".join([*short, *(name for name in option.opts if name not in short)])
    if option.secondary_opts:
        names = f"{names}/{option.secondary_opts[0]}"
    return names if option.is_flag else f"{names} {option.metavar or 'TEXT'}"


def _about(option: TyperOption) -> str:
    about = option.help or ""
    if option.required:
        return f"{about} Required."
    if option.default is None or option.default is False or callable(option.default) or "default" in about:
        return about
    default = f"{option.default:g}" if isinstance(option.default, float) else option.default
    return f"{about} By default {'on' if default is True else default}."


def _show(
    ctx: typer.Context, words: str | None, usage: list[str], panels: Iterable[tuple[str, list[tuple[str, str]]]]
) -> None:
    from rich.padding import Padding  # noqa: PLC0415 # commands need not wait for it
    from rich.text import Text  # noqa: PLC0415

    console = data_console()
    above = ctx.parent.command_path if ctx.parent is not None and usage[0] != "[OPTIONS]" else ctx.command_path
    console.print(Text.assemble(("Usage: ", "bold"), " ".join([above, *usage])))
    for paragraph in filter(None, (words or "").split("\n\n")):
        console.print()
        console.print(Text(" ".join(paragraph.split())))
    for name, rows in panels:
        console.print()
        console.print(Text(f"{name}:", "bold"))
        for line in _rows(rows, console.width):
            console.print(Padding(line, (0, 0, 0, 2)))


def _rows(rows: list[tuple[str, str]], width: int) -> Iterator[Table | Text]:
    """Yield the lines of each name; a long name has a separate line."""
    from rich.table import Table  # noqa: PLC0415 # as above
    from rich.text import Text  # noqa: PLC0415

    widest = max([len(name) for name, _ in rows if len(name) <= _WIDEST_NAME], default=_WIDEST_NAME)
    for name, about in rows:
        shown = Text(name, "cyan")
        if len(name) > widest:
            yield shown
            shown = Text()
        table = Table.grid(padding=(0, 2))
        table.add_column(width=widest)
        table.add_column(overflow="fold", width=width - widest - 4)
        table.add_row(shown, Text(" ".join(about.split())))
        yield table
