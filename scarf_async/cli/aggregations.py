"""The options of aggregations, and warnings about a limited range."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypedDict

import attrs
import typer

from scarf_async.cli.output import say
from scarf_async.errors import ScarfWarning

if TYPE_CHECKING:
    from scarf_async.entities import AggregationQuery

__all__ = ["QueryOptions", "warnings_said"]


class _JobQuery(TypedDict):
    query: AggregationQuery | None
    names: str | None


@attrs.frozen(kw_only=True)
class QueryOptions:
    """What to count, and by which dimensions."""

    panel: ClassVar[str] = "Aggregations"

    breakdown: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIMENSION",
            help="A dimension to count by, such as by-company; give it twice for two. By default by-total.",
        ),
    ] = None
    rollup: Annotated[
        Literal["total", "daily", "weekly", "monthly", "yearly"],
        typer.Option(help="The length of a bucket; total is one bucket for the whole range."),
    ] = "daily"
    packages: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PACKAGE",
            help="Count this package: OWNER/NAME, name or uuid; repeatable; or all, or none.",
        ),
    ] = None
    pixels: Annotated[
        list[str] | None,
        typer.Option(metavar="PIXEL", help="Count this pixel: name or id; repeatable; or all, or none."),
    ] = None
    names: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Count only what these names match, such as io.acme*,acme/web; for a job of owner-events:"
            " fetch only that.",
        ),
    ] = None
    pixels_of_package: Annotated[
        str | None, typer.Option(metavar="PACKAGE", help="Count the pixels of a package.")
    ] = None
    filter: Annotated[str | None, typer.Option(help="The id of a filter saved at Scarf.")] = None
    company: Annotated[str | None, typer.Option(help="Count one company, by its domain.")] = None
    include_low_confidence: Annotated[
        bool, typer.Option(help="Count companies that are identified with low confidence.")
    ] = True
    group_by_artifact: Annotated[bool, typer.Option(help="Count each package and pixel separately.")] = True

    @property
    def query(self) -> AggregationQuery | None:
        """The query of these options; None if none was given."""
        from scarf_async.entities import AggregationQuery  # noqa: PLC0415 # `--help` must not wait for it

        if self == QueryOptions():
            return None
        return AggregationQuery(
            breakdown=self.breakdown or "by-total",
            rollup=self.rollup,
            packages=_word_or_ids(self.packages),
            pixels=_word_or_ids(self.pixels),
            names=self.names,
            pixels_of_package=self.pixels_of_package,
            filter=self.filter,
            company=self.company,
            include_low_confidence=self.include_low_confidence,
            group_by_artifact=self.group_by_artifact,
        )

    def of_job(self, what: str) -> _JobQuery:
        """Return the query for a job of this export, if it has one."""
        if what == "owner_events" and self == QueryOptions(names=self.names):
            return _JobQuery(query=None, names=self.names)
        return _JobQuery(query=self.query, names=None)


def _word_or_ids(given: list[str] | None) -> str | list[str] | None:
    return given[0] if given is not None and len(given) == 1 else given or None


@contextmanager
def warnings_said() -> Iterator[None]:
    """Print warnings of the SDK in the style of a command."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", ScarfWarning)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
            if issubclass(category, ScarfWarning):
                say(f"scarf-async: {message}")
            else:
                shown(message, category, *place, **more)  # type: ignore[arg-type] # as they came

        warnings.showwarning = show
        yield
