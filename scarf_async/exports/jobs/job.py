"""What an export job is to fetch."""

from __future__ import annotations

import datetime as dt
from typing import Final, Literal, TypeAlias

import attrs

from scarf_async.checks import whole, word
from scarf_async.dialects.exports import ExportCall, export_call
from scarf_async.entities import ExportKind, ExportKindLike
from scarf_async.entities.fields import one_of
from scarf_async.errors import ValidationError
from scarf_async.exports.formats import ExportFormat, ExportFormatLike
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.spec import Day, date_range
from scarf_async.text import printable

__all__ = ["V2_DAYS", "ExportJob", "PartitionBy"]

_V1_DAYS: Final = 31
V2_DAYS: Final = 30

PartitionBy: TypeAlias = Literal["month", "artifact"]


@attrs.frozen(init=False)
class ExportJob:
    """A range of days of one export, to be fetched window by window into a directory.

    >>> job = ExportJob("owner_events", "acme", "2024-01-01", "2024-04-01", format="parquet")
    >>> job.what, job.api, job.window_days
    (<ExportKind.OWNER_EVENTS: 'owner_events'>, 'v2', 30)

    Attributes:
        what: the export.
        owner: the organization, the username or the owner, as the export wants it; None for package events and
            pixel events of v1, where they have none.
        start: the first day (UTC).
        end: the first day after the range.
        format: what is written.
        window_days: the longest window. None in the constructor: 31, for v2 30, of which v2 may send a day more;
            where v2 has shown that it does, these 30 are 31, asked for up to their last day.
        package: the package's uuid, for package events.
        api: where to ask. None in the constructor: `v1`, but `v2` for owner events, and for pixel events that
            have an owner.
        partition_by: for Parquet: `month`, a folder for each month (UTC), or `artifact`, one for each package or
            pixel. None: a window is one file.

    Raises:
        ValidationError: a value cannot be used; `.field` names it.
    """

    what: ExportKind
    owner: str | None
    start: dt.date
    end: dt.date
    format: ExportFormat
    window_days: int
    package: str | None
    api: Literal["v1", "v2"]
    partition_by: PartitionBy | None

    def __init__(  # noqa: PLR0917 # the order of the attributes
        self,
        what: ExportKindLike,
        owner: str | None,
        start: Day,
        end: Day,
        format: ExportFormatLike = "csv",  # the attribute's name  # noqa: A002
        window_days: int | None = None,
        *,
        package: str | None = None,
        api: Literal["v1", "v2"] | None = None,
        partition_by: PartitionBy | None = None,
    ) -> None:
        kind = one_of(ExportKind, "what", what)
        first, behind = date_range(start, end)
        _check_text("owner", owner)
        _check_text("package", package)
        v2_by_nature = kind is ExportKind.OWNER_EVENTS or (kind is ExportKind.PIXEL_EVENTS and owner is not None)
        where = ("v2" if v2_by_nature else "v1") if api is None else api
        call = export_call(kind, where, owner)
        if (package is None) == (kind is ExportKind.PACKAGE_EVENTS):
            problem = "need a package's uuid" if package is None else "have no package"
            raise ValidationError(f"{kind} {problem}; got {package!r}", field="package")
        form = one_of(ExportFormat, "format", format)
        _check_partition(partition_by, form)
        self.__attrs_init__(
            kind, owner, first, behind, form, _window_days(window_days, call), package, where, partition_by
        )

    def __str__(self) -> str:
        names = [name for name in (self.owner, self.package) if name is not None]
        return printable(f"{self.what} {'/'.join(names)}{' ' if names else ''}{self.start}..{self.end}")

    @property
    def range(self) -> Window:
        """All its days."""
        return Window(self.start, self.end)


def _check_text(field: str, value: object) -> None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ValidationError(f"{field} must be a string that is not empty, or None; got {value!r}", field=field)


def _check_partition(by: object, form: ExportFormat) -> None:
    if by is None:
        return
    word("partition_by", by, ("month", "artifact"), ValidationError, other="None")
    if form is not ExportFormat.PARQUET:
        raise ValidationError(f"partition_by is for Parquet; the format is {form}", field="partition_by")


def _window_days(days: int | None, call: ExportCall) -> int:
    most = call.longest
    if most is not None and call.end_may_be_included:
        most = V2_DAYS
    if days is None:
        return most or _V1_DAYS
    if most is None:
        return whole("window_days", days, ValidationError)
    bounds = f"from 1 to {most} (v2 may send the day after, too)"
    return whole("window_days", days, ValidationError, most=most, bounds=bounds)
