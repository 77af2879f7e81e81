"""The command line: `scarf-async`. It needs the extra `cli`."""

from __future__ import annotations

import sys
from contextlib import suppress

from scarf_async.cli.signals import listen
from scarf_async.version import __version__

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    listen()
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Asked for alone, it waits for nothing to be imported; what cannot be written is told below.
        with suppress(OSError):
            print(f"scarf-async {__version__}", flush=True)
            return
    try:
        from scarf_async.cli.app import app  # noqa: PLC0415 # its packages are an extra, which may not be there
        from scarf_async.cli.output import silence_standard_output  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit("scarf-async: the command line needs more packages: pip install 'scarf-async[cli,emulator]'")
    try:
        app()
    except OSError as error:
        # Commands tell of theirs; this one met the help or the version, which the packages print.
        silence_standard_output()
        sys.exit(f"scarf-async: standard output: {error.strerror}")
