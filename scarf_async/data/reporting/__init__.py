"""A report: one HTML file with a sentence, charts and tables of what an export holds."""

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
    """A report: one HTML file of less than 3 MB that loads nothing and evaluates nothing.

    In a notebook it shows itself.
    """

    _html: str = attrs.field(alias="html")

    def html(self) -> str:
        """Return the file's text."""
        return self._html

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file; one that is there is replaced, by a whole one. Missing parent directories are made.

        ```python
        report("events").save("downloads.html")
        ```

        Args:
            path: where to; it ends in `.html`.

        Raises:
            ValidationError: it has another ending; nothing was written.
            OSError: it cannot be written; what was there is as it was.
        """
        target = report_path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, [self._html.encode()])

    def __repr__(self) -> str:
        return f"<Report of {len(self._html.encode()):,} bytes of HTML>"

    def _repr_html_(self) -> str:
        # Away from the notebook's own origin.
        return (
            f'<iframe srcdoc="{html.escape(self._html)}" sandbox="allow-scripts" title="Report"'
            ' style="width: 100%; height: 80vh; border: 0"></iframe>'
        )


def report_path(path: str | os.PathLike[str]) -> Path:
    """Return where a report goes.

    Raises:
        ValidationError: it does not end in `.html`.
    """
    found = Path(path)
    if found.suffix.lower() != _ENDING:
        raise ValidationError(
            f"a report is an HTML file: give a path that ends in {_ENDING}, unlike {found}", field="path"
        )
    return found


def report(source: str | os.PathLike[str], *, title: str | None = None) -> Report:
    """Make a report of events: how many downloads, from whom, of which versions; needs the extra `data`.

    It begins with one sentence about the last 28 whole days that the source holds, and how they compare with the 28
    before, unless a day of either is missing or provisional. It names packages, versions, companies, countries,
    connection types, clients and platforms as the source has them, and no account, origin or event.

    ```python
    from scarf_async.data import report

    report("events", title="Downloads of acme").save("downloads.html")
    ```

    Args:
        source: the directory, or the address of the prefix in an object store, that `scarf.exports.run` wrote, of a
            job of events; or `duckdb:PATH`, a database that events were loaded into. Of its tables of events that
            is `scarf_events`, or else the only one.
        title: what it is called; None: after the packages.

    Returns:
        The report.

    Raises:
        ConfigurationError: DuckDB or pyarrow is not installed.
        ValidationError: the source is not of events, or the title is not text.
        ExportError: the source cannot be used.
        JobBusyError: another process holds the database.
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
    # Anyone who passes the page on passes them on, too.
    return Parts(style, f"/*!\n{licences}*/\n{library}", script)
