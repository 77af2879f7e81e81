"""The command line: `scarf-async`. It needs the extra `cli`."""

from __future__ import annotations

import sys

from scarf_async.cli.signals import listen

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    listen()
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
