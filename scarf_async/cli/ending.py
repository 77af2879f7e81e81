"""The end of a run of many windows, for people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scarf_async.cli.naming import as_typed
from scarf_async.cli.output import say

if TYPE_CHECKING:
    from scarf_async.entities import JSON
    from scarf_async.exports import ExportReport, LoadReport

__all__ = ["NOTHING", "has_failed", "tell_end"]

NOTHING: Final[dict[str, JSON]] = {
    "complete": False,
    "windows": [],
    "new_files": [],
    "rows": 0,
    "duplicates": 0,
    "malformed": 0,
    "elapsed": 0.0,
}
"""The JSON of a run that did not begin, besides its error."""


def has_failed(report: ExportReport | LoadReport) -> bool:
    """Return whether a window failed, or the run stopped early."""
    return bool(report.failed or report.stopped_by)


def tell_end(report: ExportReport | LoadReport) -> None:
    """Print the outcome of each window, in the words of the command line."""
    errors = filter(None, (window.error for window in report.windows))
    for line in as_typed(str(report), *errors).splitlines():
        say(line)
