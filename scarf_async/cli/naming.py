"""The SDK's parameters as options of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Final

from scarf_async.errors import APIError

__all__ = ["as_typed", "option_name", "use_options"]

_options: ContextVar[Mapping[str, str]] = ContextVar("_options", default={})  # noqa: B039 # never changed

# A name in a path, a query, in quotes or within another word is part of a value.
_NAME: Final = re.compile(
    r"""(?<![\w=])(?P<quote>['"])(?:\\.|(?!(?P=quote)).)*(?P=quote)(?!\w)"""
    r"""|(?<![\w./?&'"-])(?P<name>[A-Za-z]\w*)(?:=(?P<around>['"]?)(?P<value>[\w.]+)(?P=around))?(?![\w/'"-]|\.\w)"""
)
# Parameters of the client or a call that have no option.
_OF_CLIENT: Final = re.compile(r"(?:give [^;]{1,60}, )?create the client with Scarf\((\w+)=\.\.\.\)")
_OF_CALL: Final = re.compile(r"\b(\w+)=[A-Z]\w*\(\.\.\.\)")
# An event that the commands set on a signal.
_STOPPED: Final = "stop was set"
# One option sets both.
_ALIASES: Final = {"export_timeout": "timeout"}


def option_name(parameter: str) -> str:
    """Return the option that sets a parameter of a command.

    >>> option_name("max_record_bytes"), option_name("as_json")
    ('--max-record-bytes', '--json')
    """
    return f"--{parameter.removeprefix('as_').replace('_', '-')}"


def use_options(parameters: Iterable[str], *, token_file: bool) -> None:
    """Set the parameters of the running command, and whether the token comes from a file."""
    options = {name: option_name(name) for name in parameters}
    options |= {alias: options[name] for alias, name in _ALIASES.items() if name in options}
    _options.set(options | {"SCARF_API_TOKEN": "--token-file"} if token_file else options)


def as_typed(text: str, *errors: BaseException) -> str:
    """Return a message of the SDK with names of parameters replaced by options of the running command.

    Args:
        text: the message.
        errors: its errors, whose texts from the service are kept.
    """
    theirs = {words for error in errors for words in _of_the_service(error)}
    if not theirs:
        return _translate(text)
    # The longest first: one may be a prefix of another.
    pieces = re.split(f"({'|'.join(map(re.escape, sorted(theirs, key=len, reverse=True)))})", text)
    return "".join(piece if piece in theirs else _translate(piece) for piece in pieces)


def _of_the_service(error: BaseException) -> Iterator[str]:
    """Yield the quotes of responses in the messages of an error and its causes: everything except our advice."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or any(found is known for known in seen):
            continue
        seen.append(found)
        waiting += [found.__cause__, found.__context__]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions
        if isinstance(found, APIError):
            yield str(found).removesuffix(found.hint)


def _translate(text: str) -> str:
    options = _options.get()
    text = _OF_CLIENT.sub(lambda given: f"give {option_name(given[1])}", text)
    text = _OF_CALL.sub(lambda given: options.get(given[1], given.group()), text)

    def spell(match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        # Without an underscore, it may be an ordinary word.
        if name not in options or not (
            value is not None or "_" in name or text.startswith(" must be", match.end())
        ):
            return match.group()
        return options[name] if value is None else f"{options[name]} {value}"

    return _NAME.sub(spell, text).replace(_STOPPED, "interrupted")
