"""Turn a function into a command: groups of options, one way to run, one way to end."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from importlib.util import find_spec
from typing import Annotated, NoReturn, TypeAlias, get_args, get_origin, get_type_hints

import attrs
import typer
from typer.models import OptionInfo

from scarf_async.cli.help import metavar_of
from scarf_async.cli.naming import as_typed, use_options
from scarf_async.cli.output import Status, occupy_standard_descriptors, say, silence_standard_output, verdict
from scarf_async.cli.records import JsonWritten, write_json
from scarf_async.cli.signals import hung_up, interrupt, reacting, status_of_signals
from scarf_async.entities import JSON
from scarf_async.errors import GuardError, LoadError, ManifestError, ScarfError

__all__ = ["command"]

Outcome: TypeAlias = Status | None
Command: TypeAlias = Callable[..., Outcome | Awaitable[Outcome]]


def command(function: Command) -> Callable[..., None]:
    """Convert a function, async or not, to one for typer.

    A parameter annotated with an attrs class expands to the attributes of that class: each becomes an option, and
    the function gets the object. So commands share options and their help by naming the class; its `panel`, if it
    has one, is their heading in the help.

    The function returns the exit status; None is success. An error of the SDK or the operating system becomes a
    line on standard error and a status; an interrupting signal and a broken pipe are not errors.
    """
    signature = inspect.signature(function, eval_str=True)
    groups = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if inspect.isclass(parameter.annotation) and attrs.has(parameter.annotation)
    }
    _name_values(signature.parameters.values())
    parameters = [
        option
        for name, parameter in signature.parameters.items()
        for option in (_options(groups[name]) if name in groups else [parameter])
    ]

    @wraps(function)
    def run(**values: object) -> None:
        use_options(values, token_file=values.get("token_file") is not None)

        def call() -> Outcome | Awaitable[Outcome]:
            made = {name: _take(kind, values) for name, kind in groups.items()}
            return function(**made, **values)

        deadline = values.get("deadline")
        JsonWritten.done = values.get("as_json") is not True
        _finish(call, deadline if isinstance(deadline, float) else None)

    named = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    # typer reads both.
    run.__signature__ = signature.replace(parameters=named, return_annotation=None)  # type: ignore[attr-defined] # functions take any attribute
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in named}
    return run


def _name_values(parameters: Iterable[inspect.Parameter]) -> None:
    """Give each option with a value a placeholder in the help."""
    for parameter in parameters:
        if get_origin(parameter.annotation) is Annotated:
            kind, info = get_args(parameter.annotation)
            if isinstance(info, OptionInfo) and info.metavar is None and bool not in {kind, *get_args(kind)}:
                info.metavar = metavar_of(kind)


def _options(kind: type[attrs.AttrsInstance]) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    if (panel := getattr(kind, "panel", None)) is not None:
        for field in attrs.fields(kind):
            get_args(hints[field.name])[1].rich_help_panel = panel
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is attrs.NOTHING else field.default,
            annotation=hints[field.name],
        )
        for field in attrs.fields(kind)
    ]
    _name_values(options)
    return options


def _take(kind: type[attrs.AttrsInstance], values: dict[str, object]) -> attrs.AttrsInstance:
    return kind(**{field.name: values.pop(field.name) for field in attrs.fields(kind)})


class _DeadlineError(ScarfError):
    """The deadline of the command has passed."""


def _finish(main: Callable[[], Outcome | Awaitable[Outcome]], deadline: float | None) -> NoReturn:
    try:
        with reacting(interrupt):
            status = _run(main, deadline)
    except BaseException as error:
        ending = verdict(error)
        if ending is None:
            raise
        status, line = ending
        if isinstance(error, OSError) and hung_up():
            # The terminal is closed, so nothing could be written to it.
            status = Status.INTERRUPTED
        # Problems of a manifest use the words of its file.
        if isinstance(error, ScarfError) and not isinstance(error, ManifestError):
            line = as_typed(line, error)
        # Problems of a manifest or of changes, and DDL, are lists whose lines are already escaped.
        listed = isinstance(error, ManifestError | GuardError | LoadError)
        if not JsonWritten.done and status not in {Status.INTERRUPTED, Status.BROKEN_PIPE}:
            _write_error(error, line, status)
        for part in line.splitlines() if listed else filter(None, [line]):
            say(f"scarf-async: {part}")
        if isinstance(error, ScarfError):
            for note in getattr(error, "__notes__", ()):
                say(f"scarf-async: {as_typed(note)}")
    if status is Status.BROKEN_PIPE:
        silence_standard_output()
    if status is Status.INTERRUPTED:
        _leave(status_of_signals())
    raise typer.Exit(status or Status.DONE)


def _write_error(error: BaseException, line: str, status: Status) -> None:
    """Write an error as JSON, if requested; ignored if standard output is closed."""
    told: dict[str, JSON] = {"error": line, "type": type(error).__name__, "exit_code": int(status)}
    if isinstance(error, ManifestError):
        told["problems"] = [problem._asdict() for problem in error.problems]
    with contextlib.suppress(ScarfError, OSError):
        write_json(told)


def _run(main: Callable[[], Outcome | Awaitable[Outcome]], deadline: float | None) -> Outcome:
    outcome = main()
    if outcome is None or isinstance(outcome, Status):
        return outcome
    import asyncio  # noqa: PLC0415 # `--help` must not wait for it

    import anyio  # noqa: PLC0415

    # Python would print the library's warnings among the command's own lines.
    logging.getLogger("scarf_async").addHandler(logging.NullHandler())
    occupy_standard_descriptors()
    told = False

    async def wait() -> Outcome:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def cancel() -> None:
            nonlocal told
            if told or task is None:
                interrupt()
            told = True
            # A sleeping loop would not notice a request from a signal handler.
            loop.call_soon_threadsafe(task.cancel)

        with reacting(cancel):
            try:
                async with asyncio.timeout(deadline) as limit:
                    return await outcome
            except TimeoutError:
                if not limit.expired():
                    raise
            raise _DeadlineError(
                f"not finished within --deadline {deadline:g} s; a change in progress may have taken effect"
            )

    try:
        return anyio.run(wait, backend_options={"use_uvloop": find_spec("uvloop") is not None})
    except asyncio.CancelledError:
        if not told:
            raise
        raise KeyboardInterrupt from None


def _leave(status: int) -> NoReturn:
    """Exit at once: a thread may hang in a write to a pipe without a reader, and Python would wait for it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    os._exit(status)
