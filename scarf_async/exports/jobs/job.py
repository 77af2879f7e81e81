"""What an export job fetches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import urlencode

import attrs

from scarf_async.checks import instance, whole, word
from scarf_async.dialects.exports import (
    ExportCall,
    ExportVersion,
    asks_for_owner,
    export_call,
    names_text,
    only_version,
)
from scarf_async.dialects.v3.requests import owner_of_query, parameters
from scarf_async.entities import (
    Aggregate,
    Aggregation,
    AggregationQuery,
    ApiVersion,
    Event,
    ExportKind,
    ExportKindLike,
    Rollup,
)
from scarf_async.entities.fields import one_of
from scarf_async.errors import ValidationError
from scarf_async.exports.formats import ExportFormat, ExportFormatLike
from scarf_async.exports.jobs.windows import Window, gaps, longest_bucket
from scarf_async.exports.spec import Day, date_range
from scarf_async.text import printable

__all__ = ["V2_DAYS", "ExportJob", "PartitionBy", "Record"]

_V1_DAYS: Final = 31
V2_DAYS: Final = 30

Record: TypeAlias = Event | Aggregate | Aggregation
PartitionBy: TypeAlias = Literal["month", "artifact"]


@attrs.frozen(init=False)
class ExportJob:
    """A range of days of one export, to be fetched window by window into a directory.

    >>> job = ExportJob("owner_events", "acme", "2024-01-01", "2024-04-01", format="parquet")
    >>> job.what, job.api, job.window_days
    (<ExportKind.OWNER_EVENTS: 'owner_events'>, 'v2', 30)

    Attributes:
        what: the export.
        owner: the organization, username or owner, as the export requires. None for package events and pixel events
            of v1, which need no owner; in v2, None means the owner of the client that runs the job.
        start: the first day (UTC). None: the first day that is missing from the destination, else its end less the
            days to be refreshed.
        end: the first day after the range. None: the day (UTC) on which the job runs.
        format: the format of the files.
        window_days: the longest window, in days. None in the constructor: 31, or 30 for v2, which may send one day
            more; if it does, these 30 become 31, requested up to their last day. It stays None if the version does.
            For aggregations 366: windows are whole buckets of the rollup (the first and the last may be shorter),
            and one bucket must fit.
        package: for package events, the uuid of the package.
        names: for owner events, the names of the packages to include, as in `owner_events`.
        api: the version to call. None in the constructor: the only version that has the export (v1 for aggregates,
            v2 for owner events and the pixel events of an owner, v3 for aggregations). If several versions have it,
            it stays None, and the version of the client that runs the job applies.
        partition_by: for Parquet, `month`: a folder for each month (UTC), or `artifact`: one for each package or
            pixel. None: a window is one file.
        query: for aggregations, what to count, and by which dimensions.

    Raises:
        ValidationError: a value is invalid; `.field` names it.
    """

    what: ExportKind
    owner: str | None
    start: dt.date | None
    end: dt.date | None
    format: ExportFormat
    window_days: int | None
    package: str | None
    api: ExportVersion | None
    partition_by: PartitionBy | None
    query: AggregationQuery | None = None
    names: str | None = None

    def __init__(  # noqa: PLR0917 # the order of the attributes
        self,
        what: ExportKindLike,
        owner: str | None,
        start: Day | None,
        end: Day | None,
        format: ExportFormatLike = "csv",  # the attribute's name  # noqa: A002
        window_days: int | None = None,
        *,
        package: str | None = None,
        api: ExportVersion | None = None,
        partition_by: PartitionBy | None = None,
        query: AggregationQuery | None = None,
        names: str | Iterable[str] | None = None,
    ) -> None:
        kind = one_of(ExportKind, "what", what)
        first, behind = _days(start, end)
        _check_text("owner", owner)
        query = _query(query, kind)
        if query is not None:
            owner = owner_of_query(query, owner)
        _check_text("package", package)
        where = only_version(kind, owner) if api is None else api
        call = None if where is None else export_call(kind, where, owner, owner_may_follow=True)
        if (package is None) == (kind is ExportKind.PACKAGE_EVENTS):
            problem = "need a package's uuid" if package is None else "have no package"
            raise ValidationError(f"{kind} {problem}; got {package!r}", field="package")
        if names is not None and kind is not ExportKind.OWNER_EVENTS:
            raise ValidationError(f"names are for owner events; this is a job of {kind}", field="names")
        form = one_of(ExportFormat, "format", format)
        _check_partition(partition_by, form)
        days = _window_days(window_days, call)
        if query is not None:
            _check_buckets(days, first, behind, query.rollup)
        self.__attrs_init__(
            kind, owner, first, behind, form, days, package, where, partition_by, query, names_text(names)
        )

    def of_client(self, api: ApiVersion, owner: str | None) -> ExportJob:
        """Return the job as a client runs it: the values that it leaves open become those of the client.

        Args:
            api: the version that the client calls.
            owner: the owner of the client, if it has one.

        Raises:
            ValidationError: the version does not have such windows, or needs an owner and there is none.
        """
        where: ExportVersion = self.api or api
        if self.owner is not None or not asks_for_owner(self.what, where):
            owner = self.owner
        export_call(self.what, where, owner)
        return attrs.evolve(self, owner=owner, api=where)

    def __str__(self) -> str:
        names = [name for name in (self.owner, self.package) if name is not None]
        days = f"{self.start or ''}..{self.end or ''}"
        return printable(f"{self.what} {'/'.join(names)}{' ' if names else ''}{days}")

    @property
    def days(self) -> int:
        """The longest window in days; if the version is open, that of v1."""
        return self.window_days or _V1_DAYS

    def values(self) -> dict[str, object]:
        """Return the attributes by name; for a query, the values that are sent, in a canonical order."""
        values = attrs.asdict(self, recurse=False)
        if self.query is not None:
            values["query"] = "&".join(sorted(urlencode(parameters(self.query), doseq=True).split("&")))
        return values

    @property
    def rollup(self) -> Rollup:
        """The rollup whose buckets the windows consist of."""
        return "daily" if self.query is None else self.query.rollup

    @property
    def client_api(self) -> ApiVersion | None:
        """The version to call for events."""
        return None if self.api == "v3" else self.api

    def check_start(self, there: Sequence[object]) -> None:
        """Check that the job has a start, or a destination to continue.

        Args:
            there: the windows that the destination has, in order.

        Raises:
            ValidationError: the job has no start, and the destination is empty.
        """
        if self.start is None and not there:
            raise ValidationError("there is nothing to continue from: give the job a start", field="start")

    def range(self, there: Sequence[Window], today: dt.date, refresh_days: int) -> Window:
        """Return the range of days, which may be empty.

        A start or end that the job leaves open follows from the destination and the current day.

        Args:
            there: the windows that the destination has, in order.
            today: the current day (UTC).
            refresh_days: how many of the last days to fetch again.

        Raises:
            ValidationError: the job has no start, and the destination is empty.
        """
        self.check_start(there)
        start, end = self.start, today if self.end is None else self.end
        if start is None:
            missing = next(gaps(Window(there[0].start, there[-1].end), there), None)
            missed = there[-1].end if missing is None else missing.start
            # Events that arrived late may be there now.
            start = max(there[0].start, missed - dt.timedelta(min(refresh_days, (missed - dt.date.min).days)))
        return Window(start, max(start, end))


def _days(start: Day | None, end: Day | None) -> tuple[dt.date | None, dt.date | None]:
    first, behind = date_range(dt.date.min if start is None else start, dt.date.max if end is None else end)
    return None if start is None else first, None if end is None else behind


def _check_text(field: str, value: object) -> None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ValidationError(f"{field} must be a string that is not empty, or None; got {value!r}", field=field)


def _query(query: object, kind: ExportKind) -> AggregationQuery | None:
    if kind is ExportKind.AGGREGATIONS:
        given = AggregationQuery() if query is None else query
        return instance("query", given, AggregationQuery, ValidationError, wanted="an AggregationQuery")
    if query is not None:
        raise ValidationError(f"{kind} have no query, which is for aggregations", field="query")
    return None


def _check_buckets(days: int | None, first: dt.date | None, behind: dt.date | None, rollup: Rollup) -> None:
    if first is not None and behind is not None:
        whole_range = Window(first, behind)
    elif rollup == "total":
        raise ValidationError("of a total the whole range is one bucket: give its start and its end", field="start")
    else:
        # A leap year, beginning with a whole month.
        whole_range = Window(dt.date(2024, 1, 1), dt.date(2025, 1, 1))
    needed = longest_bucket(whole_range, rollup)
    if days is None or needed <= days:
        return
    kind = "the whole range is one bucket" if rollup == "total" else f"the longest {rollup} bucket"
    raise ValidationError(
        f"a window holds whole buckets: {kind} of {needed} days, and window_days is {days}", field="window_days"
    )


def _check_partition(by: object, form: ExportFormat) -> None:
    if by is None:
        return
    word("partition_by", by, ("month", "artifact"), ValidationError, other="None")
    if form is not ExportFormat.PARQUET:
        raise ValidationError(f"partition_by is for Parquet; the format is {form}", field="partition_by")


def _window_days(days: int | None, call: ExportCall | None) -> int | None:
    if call is None:
        return None if days is None else whole("window_days", days, ValidationError)
    most = call.longest
    if most is not None and call.end_may_be_included:
        most = V2_DAYS
    if days is None:
        return most or _V1_DAYS
    if most is None:
        return whole("window_days", days, ValidationError)
    bounds = f"from 1 to {most}{' (v2 may send the day after, too)' if call.end_may_be_included else ''}"
    return whole("window_days", days, ValidationError, most=most, bounds=bounds)
