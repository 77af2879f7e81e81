"""What the SDK calls its parameters, as the command line spells them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Final

__all__ = ["as_typed", "option_name", "use_options"]

_options: ContextVar[Mapping[str, str]] = ContextVar("_options", default={})  # noqa: B039 # never changed

# A name in a path, in quotes or within another word is somebody's text.
_NAME: Final = re.compile(r"(?<![\w./'\"-])([A-Za-z]\w*)(?:=('?)([\w.]+)\2)?(?![\w/'\"-]|\.\w)")
# Both are given to the client by one option.
_ALIASES: Final = {"export_timeout": "timeout"}


def option_name(parameter: str) -> str:
    """Return the option that sets a parameter of a command.

    >>> option_name("max_record_bytes"), option_name("as_json")
    ('--max-record-bytes', '--json')
    """
    return f"--{parameter.removeprefix('as_').replace('_', '-')}"


def use_options(parameters: Iterable[str], *, token_file: bool) -> None:
    """Say which parameters the command that is running has, and whether the token comes from a file."""
    options = {name: option_name(name) for name in parameters}
    options |= {alias: options[name] for alias, name in _ALIASES.items() if name in options}
    _options.set(options | {"SCARF_API_TOKEN": "--token-file"} if token_file else options)


def as_typed(text: str) -> str:
    """Return a message of the SDK with the names of parameters as options of the command that is running."""
    options = _options.get()

    def spell(match: re.Match[str]) -> str:
        name, _, value = match.groups()
        # Without an underscore it may be an ordinary word.
        sure = value is not None or "_" in name or text.startswith(" must be", match.end())
        if name not in options or not sure:
            return match.group()
        return options[name] if value is None else f"{options[name]} {value}"

    return _NAME.sub(spell, text)
