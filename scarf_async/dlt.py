"""A source for dlt (extra `dlt`): the events, counts and entities of an owner."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, get_args, get_origin, get_type_hints

import attrs
import msgspec

from scarf_async.bulk.concurrently import concurrently
from scarf_async.checks import whole
from scarf_async.client import Scarf
from scarf_async.dialects.exports import export_call
from scarf_async.entities import (
    Aggregation,
    ApiVersion,
    Domain,
    Event,
    ExportKind,
    Member,
    Package,
    Permission,
    Route,
)
from scarf_async.entities.enums import has_domains, has_routes
from scarf_async.errors import APIError, ConfigurationError, NotFoundError, ValidationError
from scarf_async.exports.formats import need_installed
from scarf_async.exports.jobs.directory import read_manifest
from scarf_async.exports.jobs.job import ExportJob
from scarf_async.exports.jobs.manifest import WindowEntry
from scarf_async.exports.jobs.windows import Window, cut, has_ended
from scarf_async.exports.spec import Day, date_range
from scarf_async.settings import Secret, read_api, read_bases, read_token

if TYPE_CHECKING or find_spec("dlt") is not None:
    import dlt
    from dlt.common.typing import TSecretStrValue
else:
    # The error of the first call says what to install.
    dlt = SimpleNamespace(config=SimpleNamespace(value=None), source=lambda **_: lambda function: function)
    TSecretStrValue = str

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
    from dlt import Pipeline
    from dlt.common.data_types import TDataType
    from dlt.common.schema.typing import TTableSchemaColumns
    from dlt.extract import DltResource

__all__ = ["scarf"]

Row = dict[str, object]

_DAYS_BACK: Final = 30
_ANY_DAYS: Final = Window(dt.date(2024, 1, 1), dt.date(2024, 1, 2))
_ROWS_AT_ONCE: Final = 2**16
_LOADED: Final = "loaded_before"
_FINISHED: Final = "scarf_events_finished"
_COUNTED: Final = ("owner", "date", "rollup", "breakdown", "artifact_type", "artifact")
_TABLES_THAT_MERGE: Final = frozenset({"delta", "iceberg"})
# v2 responds with this to requests for the permissions of an organization's package.
_NO_PERMISSIONS: Final = frozenset({403, 404, 422})
_TYPES: Final[Mapping[object, TDataType]] = {
    dt.datetime: "timestamp",
    dt.date: "date",
    bool: "bool",
    int: "bigint",
    float: "double",
    tuple: "json",
    Mapping: "json",
}


# By default the section would be this module's name.
@dlt.source(name="scarf", section="scarf", max_table_nesting=0)
def scarf(  # noqa: PLR0917 # the contract with those who pass them in this order
    owner: str = dlt.config.value,
    token: TSecretStrValue | None = None,
    start_date: Day | None = None,
    end_date: Day | None = None,
    late_days: int = 3,
    window_days: int | None = None,
    base_url: str | None = None,
    v2_url: str | None = None,
) -> Iterable[DltResource]:
    """Return a dlt source of an owner's events, counts, members, and packages with what belongs to them.

    Resources: `events`, merged on `id`; `packages`, `members`, `permissions`, `routes` and `domains`, which each
        run replaces; and with v2 `aggregations`, counts by day and package or pixel, merged on owner, window and
        breakdown. The source uses v2 unless `$SCARF_API_VERSION` says otherwise or `base_url` is the only URL.

    ```python
    pipeline = dlt.pipeline("scarf", destination="duckdb", dataset_name="downloads")
    pipeline.run(scarf("acme"))
    ```

    Events come from an export job in the pipeline's working directory: each window is verified as complete, and if
    a run is killed, the next one continues it. After the last window, the state of `events` records the day before
    which everything is loaded (`loaded_before`); the next run begins `late_days` before it, and ends with yesterday
    (UTC). An event without an `id` gets `row:` and a digest of its values, the same in each load.

    Args:
        owner: an organization or a user; by default dlt's configuration value `sources.scarf.owner`.
        token: the API token; by default dlt's secret `sources.scarf.token`, else `$SCARF_API_TOKEN`.
        start_date: the first day (UTC) of the first run; no run requests earlier days. None: 30 days ago.
        end_date: the first day after a backfill, which begins with `start_date` and does not change the state.
        late_days: how many days late an event may reach the service.
        window_days: the longest window in days; each window is one request.
        base_url: the URL of v1, as for `Scarf`.
        v2_url: the URL of v2, as for `Scarf`.

    Raises:
        ConfigurationError: dlt, pyarrow or DuckDB is not installed, or the token is missing; nothing was sent. Also
            the cause of dlt's error when the pipeline runs with a destination that would append rows instead of
            merging them.
        ValidationError: a day or number is invalid; nothing was sent.
    """
    need_installed("scarf_async.dlt", "scarf-async[dlt]", "dlt", "pyarrow", "duckdb")
    secret = read_token(token)
    token = None
    if isinstance(secret, str):
        raise ConfigurationError(secret)
    asked = _Asked(
        owner,
        secret,
        *_range(start_date, end_date),
        late_days,
        window_days,
        base_url,
        v2_url,
        _api(base_url, v2_url),
    )
    whole("late_days", late_days, ValidationError, least=0)
    # Invalid arguments are reported here, not from within the pipeline.
    asked.client()
    asked.job(_ANY_DAYS)
    resources = [_events(asked), *(_entity(asked, *entity) for entity in _ENTITIES)]
    return [*resources, _aggregations(asked)] if asked.api == "v2" else resources


@attrs.frozen
class _Asked:
    """The arguments of a source."""

    owner: str
    token: Secret
    start: dt.date | None
    end: dt.date | None
    late_days: int
    window_days: int | None
    base_url: str | None
    v2_url: str | None
    api: ApiVersion

    def client(self) -> Scarf:
        return Scarf(
            self.token.reveal(),
            api=self.api,
            owner=self.owner,
            base_url=self.base_url,
            v2_url=self.v2_url,
            read_only=True,
        )

    def job(self, days: Window) -> ExportJob:
        return ExportJob("owner_events", self.owner, days.start, days.end, "parquet", self.window_days)

    def days(self, state: Mapping[str, str]) -> Window:
        """Return the range of days for a run to load, which may be empty."""
        end = self.end or _now().date()
        start = self.start or end - dt.timedelta(_DAYS_BACK)
        before = state.get(_LOADED)
        if self.end is None and before is not None:
            late = dt.date.fromisoformat(before) - dt.timedelta(self.late_days)
            start = late if self.start is None else max(late, self.start)
        return Window(start, max(start, end))

    def remember(self, state: dict[str, str], day: dt.date) -> None:
        """Record in the state before which day everything is loaded, unless this is a backfill."""
        if self.end is None:
            state[_LOADED] = day.isoformat()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _api(base_url: str | None, v2_url: str | None) -> ApiVersion:
    if os.environ.get("SCARF_API_VERSION", "").strip():
        return read_api(None)
    bases = read_bases(base_url, v2_url)
    return "v1" if isinstance(bases, dict) and "v2" not in bases else "v2"


def _range(start: Day | None, end: Day | None) -> tuple[dt.date | None, dt.date | None]:
    first, behind = date_range(dt.date.min if start is None else start, dt.date.max if end is None else end)
    return None if start is None else first, None if end is None else behind


def _events(asked: _Asked) -> DltResource:
    async def events() -> AsyncIterator[pa.Table]:
        from scarf_async.exports.arrow import schema_of  # noqa: PLC0415 # pyarrow is large, and an extra

        _refuse_appending()
        pipeline, state = dlt.current.pipeline(), dlt.current.resource_state("events")
        days = asked.days(state)
        yield _with_ids(schema_of(Event).empty_table(), Counter())
        if not days.days:
            return
        directory = _Directory.of(pipeline, asked)
        await _fetch(asked, days, directory)
        there = directory.windows(days)
        for entry in there:
            equal = Counter[bytes]()
            for file in entry.files:
                for table in _tables(directory.path / file.path):
                    yield _with_ids(table, equal)
        asked.remember(state, _whole_until(there, days))
        directory.finished()

    return dlt.resource(events, name="events", write_disposition="merge", primary_key="id")


def _refuse_appending() -> None:
    """Refuse a destination that would append rows instead of merging them, before anything is requested.

    Raises:
        ConfigurationError: the destination would append.
    """
    kind = getattr(dlt.current.pipeline().destination, "destination_type", "")
    for resource in dlt.current.source().selected_resources.values():
        given = resource.write_disposition
        merges = (given["disposition"] if isinstance(given, dict) else given) == "merge"
        if merges and kind.endswith(".filesystem") and resource.table_format not in _TABLES_THAT_MERGE:
            raise ConfigurationError(
                f"the filesystem destination appends what should be merged, and rows of {resource.name} would be"
                " there twice: give pipeline.run table_format='delta' or 'iceberg'; nothing was sent"
            )


@attrs.frozen
class _Directory:
    """The directory of a run's job. No finished run has used it, since its events may have changed since then.

    The number of the last finished run is in the pipeline's state, and so in the same commit as its rows.

    Attributes:
        pipeline: the pipeline; the directory is in its working directory.
        key: identifies the export.
        number: the number of the run.
    """

    pipeline: Pipeline
    key: str
    number: int

    @classmethod
    def of(cls, pipeline: Pipeline, asked: _Asked) -> _Directory:
        """Return the directory of this run, and remove those of finished runs."""
        backfill = "" if asked.end is None else f"{asked.start}..{asked.end}"
        values = [asked.owner, asked.client().v2_url, backfill]
        key = hashlib.sha256(msgspec.json.encode(values)).hexdigest()[:16]
        finished = _finished(pipeline)
        directory = cls(pipeline, key, finished.get(key, 0) + 1)
        folder = directory.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            name, _, number = old.name.rpartition("-")
            if number.isdecimal() and int(number) <= finished.get(name, 0):
                shutil.rmtree(old)
        return directory

    @property
    def path(self) -> Path:
        """Its path."""
        return Path(self.pipeline.working_dir, "scarf", f"{self.key}-{self.number}")

    def windows(self, days: Window) -> list[WindowEntry]:
        """Return the fetched windows that contain any of these days."""
        manifest = read_manifest(self.path)
        return [] if manifest is None else list(manifest.overlapping(days))

    def finished(self) -> None:
        """Record that the next run needs another directory."""
        self.pipeline.set_local_state_val(_FINISHED, {**_finished(self.pipeline), self.key: self.number})


def _finished(pipeline: Pipeline) -> dict[str, int]:
    try:
        found: dict[str, int] = pipeline.get_local_state_val(_FINISHED)
    except KeyError:
        return {}
    return found


async def _fetch(asked: _Asked, days: Window, directory: _Directory) -> None:
    # Windows of a run that was killed on an earlier day may lack events that arrived late since.
    today = _now().date()
    late = [
        entry.start
        for entry in directory.windows(days)
        if (day := (entry.answered_at or entry.finished_at).date()) < today
        and (day - entry.end).days < asked.late_days
    ]
    refresh_days = (days.end - min(late, default=days.end)).days
    async with asked.client() as scarf:
        report = await scarf.exports.run(asked.job(days), directory.path, refresh_days=refresh_days)
    report.raise_for_failures()


def _whole_until(there: Sequence[WindowEntry], days: Window) -> dt.date:
    """Return the first day that is missing, or had not ended when it was fetched."""
    day = days.start
    for entry in there:
        if entry.start > day:
            break
        ended = _ended(entry.window, entry.answered_at or entry.finished_at) if entry.provisional else entry.end
        day = max(day, ended)
        if ended < entry.end:
            break
    return min(day, days.end)


def _ended(window: Window, now: dt.datetime) -> dt.date:
    """Return the first day of a window that had not ended, or its end."""
    day = window.end
    while day > window.start and not has_ended(Window(window.start, day), now):
        day -= dt.timedelta(1)
    return day


def _tables(path: Path) -> Iterator[pa.Table]:
    import pyarrow as pa  # noqa: PLC0415 # large, and an extra
    import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415 # as above

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            yield pa.Table.from_batches([batch])


def _with_ids(table: pa.Table, equal: Counter[bytes]) -> pa.Table:
    """Give rows without an id a stable one, the same in each load: rows are merged on it.

    Args:
        table: a batch of the events of a window.
        equal: for each digest, the number of earlier rows of the window with it: equal rows may be different
            events.
    """
    import pyarrow as pa  # noqa: PLC0415 # large, and an extra
    import pyarrow.compute as pc  # type: ignore[import-untyped] # noqa: PLC0415 # as above

    column = table.column("id")
    missing = pc.fill_null(pc.equal(column, ""), True)
    made = [_made_id(row, equal) for row in table.filter(missing).to_pylist()]
    ids = pc.replace_with_mask(column.combine_chunks(), missing.combine_chunks(), pa.array(made, column.type))
    return table.set_column(table.schema.get_field_index("id"), pa.field("id", column.type, nullable=False), ids)


def _made_id(row: Mapping[str, object], equal: Counter[bytes]) -> str:
    # Without null values: a column that a later version adds must not change the digest.
    told = {name: value for name, value in sorted(row.items()) if value is not None and name != "id"}
    digest = hashlib.sha256(msgspec.json.encode(told))
    number = equal[digest.digest()]
    equal[digest.digest()] += 1
    if number:
        digest.update(str(number).encode())
    return f"row:{digest.hexdigest()}"


async def _packages(scarf: Scarf, owner: str) -> list[Row]:
    return [_row(package) for package in await scarf.packages.list(owner)]


async def _members(scarf: Scarf, owner: str) -> list[Row]:
    try:
        return [_row(member) for member in await scarf.members.list(owner)]
    except NotFoundError:
        # A user has no members; whether the owner exists shows when packages are read.
        await scarf.packages.list(owner)
        return []


def _of_packages(
    read: Callable[[Scarf, Package], Awaitable[Sequence[attrs.AttrsInstance]]],
) -> Callable[[Scarf, str], Awaitable[list[Row]]]:
    """Return a reader of the entities of all packages, each with its package."""

    async def rows(scarf: Scarf, owner: str) -> list[Row]:
        packages = await scarf.packages.list(owner)
        found = await concurrently([partial(read, scarf, package) for package in packages])
        return [
            {**_row(entity), "package_id": package.uuid}
            for package, entities in zip(packages, found, strict=True)
            for entity in entities
        ]

    return rows


async def _permissions(scarf: Scarf, package: Package) -> Sequence[Permission]:
    try:
        return await scarf.permissions.list(package)
    except APIError as error:
        # In v2, only packages of users have permissions.
        if scarf.api == "v1" or error.status not in _NO_PERMISSIONS:
            raise
        return []


async def _routes(scarf: Scarf, package: Package) -> Sequence[Route]:
    return await scarf.routes.list(package) if has_routes(package.library_type) else []


async def _domains(scarf: Scarf, package: Package) -> Sequence[Domain]:
    return await scarf.domains.list(package) if has_domains(package.library_type) else []


_ENTITIES: Final = (
    ("packages", Package, _packages),
    ("members", Member, _members),
    ("permissions", Permission, _of_packages(_permissions)),
    ("routes", Route, _of_packages(_routes)),
    ("domains", Domain, _of_packages(_domains)),
)


def _entity(
    asked: _Asked,
    name: str,
    record: type[attrs.AttrsInstance],
    read: Callable[[Scarf, str], Awaitable[list[Row]]],
) -> DltResource:
    async def rows() -> AsyncIterator[object]:
        _refuse_appending()
        async with asked.client() as scarf:
            found = await read(scarf, asked.owner)
        # Without rows, the table is still created, or emptied if it exists.
        yield found or dlt.mark.materialize_table_schema()

    of_package = {} if record in {Package, Member} else {"package_id": str}
    return dlt.resource(rows, name=name, write_disposition="replace", columns=_columns(record, of_package))


def _aggregations(asked: _Asked) -> DltResource:
    async def aggregations() -> AsyncIterator[object]:
        _refuse_appending()
        state, now = dlt.current.resource_state("aggregations"), _now()
        days = asked.days(state)
        longest = export_call(ExportKind.AGGREGATIONS, "v3", asked.owner).longest or days.days
        yield dlt.mark.materialize_table_schema()
        for window in cut(days, longest):
            async with asked.client() as scarf, scarf.exports.aggregations(window.start, window.end) as stream:
                found = [{**_row(one), "owner": asked.owner} async for one in stream]
            equal = Counter[bytes]()
            yield [{**row, "id": _made_id({name: row[name] for name in _COUNTED}, equal)} for row in found]
        asked.remember(state, _ended(days, now))

    return dlt.resource(
        aggregations,
        name="aggregations",
        write_disposition="merge",
        # The rows of a bucket are replaced together, so that rows it no longer has are deleted. Where rows can only
        # be updated, as in delta tables, dlt needs a unique key for each row.
        merge_key=("owner", "date", "rollup", "breakdown"),
        primary_key="id",
        columns=_columns(Aggregation, {"owner": str, "id": str}),
    )


def _row(entity: attrs.AttrsInstance) -> Row:
    return {
        name: str(value) if isinstance(value, StrEnum) else list(value) if isinstance(value, tuple) else value
        for name, value in attrs.asdict(entity, recurse=False).items()
    }


def _columns(record: type[attrs.AttrsInstance], more: Mapping[str, object]) -> TTableSchemaColumns:
    """Return dlt's column hints for a class of records, so that types do not depend on the values."""
    hints = get_type_hints(record)
    kinds = {field.name: hints[field.name] for field in attrs.fields(record)} | dict(more)
    return {name: {"name": name, "data_type": _type_of(hint)} for name, hint in kinds.items()}


def _type_of(hint: object) -> TDataType:
    kinds = [get_origin(kind) or kind for kind in (hint, *get_args(hint))]
    return next((_TYPES[kind] for kind in kinds if kind in _TYPES), "text")
