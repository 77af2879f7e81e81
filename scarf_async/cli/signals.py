"""Ctrl-C, SIGTERM and SIGHUP end a command cleanly. Signals that were ignored at the start stay ignored."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

__all__ = ["hung_up", "interrupt", "listen", "name_of_first", "reacting", "status_of_signals"]

# Windows has no SIGHUP.
_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")
_OFFSET: Final = 128


def status_of_signals() -> int:
    """Return the exit status of a process that the first signal ended; without any, that of Ctrl-C."""
    return _OFFSET + _signals.first


def name_of_first() -> str:
    """Return the usual name of the first signal."""
    return "Ctrl-C" if _signals.first == signal.SIGINT else signal.Signals(_signals.first).name


def hung_up() -> bool:
    """Return whether SIGHUP came first, as when a terminal is closed."""
    return _signals.first == getattr(signal, "SIGHUP", None)


def interrupt() -> NoReturn:
    """Raise the exception of Ctrl-C."""
    raise KeyboardInterrupt


def _leave() -> NoReturn:
    """Exit at once: no command has begun."""
    os._exit(status_of_signals())


class _Signals:
    """The received signals, and the reaction to them."""

    def __init__(self) -> None:
        self.first: int = signal.SIGINT
        self.came = False
        self.react: Callable[[], object] = _leave

    def take(self, number: int, _: object) -> None:
        if not self.came:
            self.first, self.came = number, True
        self.react()


_signals = _Signals()


def listen() -> None:
    """Handle the signals, even as process 1, which only receives signals with a handler."""
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, _signals.take)


@contextmanager
def reacting(react: Callable[[], object]) -> Iterator[None]:
    """Call a function for each signal during the block; it may be called between any two steps of the program."""
    before, _signals.react = _signals.react, react
    try:
        yield
    finally:
        _signals.react = before
