"""A report on the events of an export: one HTML file with a summary, charts and tables."""

from __future__ import annotations

import datetime as dt
import html
import os
from importlib.resources import files
from pathlib import Path
from typing import Final

import attrs

from scarf_async.checks import instance
from scarf_async.data.reporting.figures import figures_of
from scarf_async.data.reporting.page import Parts, page_of
from scarf_async.data.reporting.source import opened
from scarf_async.errors import ValidationError
from scarf_async.files import write_whole

__all__ = ["Report", "report", "report_path"]

_ENDING: Final = ".html"


@attrs.frozen(repr=False)
class Report:
    """A report: one self-contained HTML file of less than 3 MB, which loads nothing and uses no `eval`.

    A notebook displays it.
    """

    _html: str = attrs.field(alias="html")

    def html(self) -> str:
        """Return the HTML."""
        return self._html

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file atomically; an existing one is replaced, and missing parent directories are created.

        ```python
        report("events").save("downloads.html")
        ```

        Args:
            path: the file; its name must end in `.html`.

        Raises:
            ValidationError: the name has another ending; nothing was written.
            OSError: the file cannot be written; an existing one is unchanged.
        """
        target = report_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, [self._html.encode()])

    def __repr__(self) -> str:
        return f"<Report of {len(self._html.encode()):,} bytes of HTML>"

    def _repr_html_(self) -> str:
        # Isolated from the notebook's own origin.
        return (
            f'<iframe srcdoc="{html.escape(self._html)}" sandbox="allow-scripts" title="Report"'
            ' style="width: 100%; height: 80vh; border: 0"></iframe>'
        )


def report_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a report.

    Raises:
        ValidationError: the path does not end in `.html`.
    """
    found = Path(path)
    if found.suffix.lower() != _ENDING:
        raise ValidationError(
            f"a report is an HTML file: give a path that ends in {_ENDING}, unlike {found}", field="path"
        )
    return found


def report(source: str | os.PathLike[str], *, title: str | None = None) -> Report:
    """Make a report of events: how many downloads, from whom, of which versions; needs the extra `data`.

    It begins with one sentence about the last 28 whole days of the source, and compares them with the 28 days
    before, unless any of these days is missing or provisional. It contains the packages, versions, companies,
    countries, connection types, clients and platforms of the source, but no account, origin or single event.

    ```python
    from scarf_async.data import report

    report("events", title="Downloads of acme").save("downloads.html")
    ```

    Args:
        source: the directory, or the URL of the prefix in an object store, that `scarf.exports.run` wrote for a job
            of events; or `duckdb:PATH`, a database that events were loaded into, in the table `scarf_events` or
            else its only table of events.
        title: the title; None: one that names the packages.

    Returns:
        The report.

    Raises:
        ConfigurationError: DuckDB or pyarrow is not installed.
        ValidationError: the source does not contain events, or the title is not a string.
        ExportError: the source is not that of an export job or load, or is damaged.
        JobBusyError: another process has the database open.
        OSError: the source cannot be read.
    """
    if title is not None:
        instance("title", title, str, ValidationError, wanted="text")
    with opened(source) as found:
        figures = figures_of(found)
    return Report(page_of(figures, _parts(), title=title, made=dt.datetime.now(dt.UTC)))


def _parts() -> Parts:
    folder = files("scarf_async.data.reporting").joinpath("bundle")
    style, licences, library, script = (
        folder.joinpath(name).read_text("utf-8") for name in ("page.css", "licences.txt", "vega.js", "page.js")
    )
    # Anyone who forwards the page forwards them, too.
    return Parts(style, f"/*!\n{licences}*/\n{library}", script)
