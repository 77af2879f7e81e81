"""`scarf.imports`: send events to Scarf, and manage imports."""

from __future__ import annotations

import builtins
import datetime as dt
import os
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from scarf_async.checks import at_least, flag, whole
from scarf_async.dialects.v2.arguments import needed_owner
from scarf_async.dialects.v2.imports import Target, abort_import, get_import, import_log, list_imports
from scarf_async.entities import EventImport, ImportLogEntry, Package, PackageKey, TrackingPixel
from scarf_async.errors import ReadOnlyError, ValidationError
from scarf_async.events import Hook
from scarf_async.exports.spec import ExportSpec
from scarf_async.exports.stream import Export
from scarf_async.imports.batches import Batcher
from scarf_async.imports.log_reader import ImportLogReader
from scarf_async.imports.report import ImportProgress, ImportReport
from scarf_async.imports.rows import Checker, Row, UniqueId
from scarf_async.imports.send import Sending
from scarf_async.imports.source import batches_of, batches_of_file
from scarf_async.resources.packages import package_key
from scarf_async.resources.pixels import owned_pixel
from scarf_async.sending.session import Session

__all__ = ["Imports", "Rows"]

Rows: TypeAlias = Iterable[Row] | AsyncIterable[Row] | str | os.PathLike[str]
"""Events to import: mappings, or the path of an NDJSON file, which may be gzipped (`.gz`)."""


class Imports:
    """`scarf.imports`: send your own events to Scarf and see the results. Calls v2 from any client.

    ```python
    report = await scarf.imports.send(rows, package=package, unique_id=lambda row: row["request_id"])
    print(report.imported, report.failed, report.unknown)
    ```

    In all calls, `owner=None` means the client's owner.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def send(
        self,
        rows: Rows,
        *,
        package: str | Package | PackageKey | None = None,
        pixel: str | TrackingPixel | None = None,
        owner: str | None = None,
        unique_id: UniqueId | None = None,
        batch: int = 10_000,
        concurrency: int = 4,
        patience: float = 600.0,
        wait: bool = True,
        progress: Callable[[ImportProgress], object] | None = None,
    ) -> ImportReport:
        """Send events in batches, and wait until the service has imported them.

        Each row needs a `$time`, an aware datetime or an ISO string with a time zone. Events older than a week are
        sent and counted, but the service may refuse them. Keys that do not start with `$` are variables.

        A batch that may have been accepted (no response, or a transient status other than 429) is retried only if
        each of its rows has a `$unique_id`, by which the service recognizes duplicates. Otherwise the batch is
        `unknown`, and the others continue. Rows are read only as far as the batch that is being filled.

        Rows are checked as they are read, so batches before an invalid row have already been sent. If the call ends
        without a report, the ids and states of its imports are logged once.

        Args:
            rows: the events.
            package: the package of all events.
            pixel: the pixel of all events, or its id. Without `package` and `pixel`, each row needs `$package` or
                `$tracking_pixel`.
            owner: the owner of the events.
            unique_id: returns the `$unique_id` for a row without one. It must always return the same for a row.
            batch: the maximum number of rows in one request; fewer if they are long.
            concurrency: the maximum number of batches to send at the same time.
            patience: seconds that a batch waits while 15 imports of the owner are active; then it is `failed`. Also
                the seconds to wait for an import that makes no progress.
            wait: poll each import until it ends, first after 2 s, then less often, down to every 30 s.
            progress: called with an `ImportProgress` whenever something has changed.

        Returns:
            The outcome of each batch.

        Raises:
            ValidationError: an argument or row is invalid; a row is named by its number, from 1, or its line.
            ReadOnlyError: the client is read-only; nothing was sent.
            APIError: the service refuses all batches with 401, 403 or 404.
            ClientClosedError: the client was closed during the call.
            OSError: the file cannot be read.
        """
        target = self._target(package, pixel, owner)
        _check_rows(rows)
        whole("batch", batch, ValidationError)
        whole("concurrency", concurrency, ValidationError)
        at_least("patience", patience, ValidationError)
        flag("wait", wait, ValidationError)
        if unique_id is not None and not callable(unique_id):
            raise ValidationError("unique_id must be a function of a row, or None", field="unique_id")
        session = self._session
        if session.read_only:
            raise ReadOnlyError("imports.send sent nothing: this client is read-only")
        # Reject ids that cannot be part of a URL before reading a row.
        target.request(b"", resendable=False)
        checker = Checker(addressed=target.package is None and target.pixel is None, unique_id=unique_id)
        batcher = Batcher(batch, partial(dt.datetime.now, dt.UTC))
        if isinstance(rows, str | os.PathLike):
            most = session.transport.settings.max_record_bytes
            batches = batches_of_file(Path(rows), checker, batcher, most)
        else:
            batches = batches_of(rows, checker, batcher)
        sending = Sending(
            session,
            target,
            concurrency=concurrency,
            patience=patience,
            wait=wait,
            progress=Hook("progress", progress),
        )
        return await sending.run(batches)

    async def list(
        self, status: str | Iterable[str] = (), *, owner: str | None = None
    ) -> builtins.list[EventImport]:
        """Return the imports of an owner: all, or those with some statuses (`importing`, `done`, `aborted`).

        Raises:
            ValidationError: no owner is given; nothing was sent.
            APIError: the service returned an error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of imports.
        """
        statuses = (status,) if isinstance(status, str) else tuple(status)
        return await self._session.read(list_imports(self._owner(owner), statuses))

    async def get(self, import_id: str, *, owner: str | None = None) -> EventImport:
        """Return an import.

        Raises:
            NotFoundError: there is no such import.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not an import.
        """
        return await self._session.read(get_import(self._owner(owner), import_id))

    async def abort(self, import_id: str, *, owner: str | None = None) -> None:
        """Abort an import. Events that it has already imported stay.

        Raises:
            NotFoundError: there is no such import.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        await self._session.run(abort_import(self._owner(owner), import_id))

    def log(self, import_id: str, *, owner: str | None = None) -> Export[ImportLogEntry]:
        """Return the log of an import, which is read and verified like an export.

        Raises:
            ValidationError: no owner is given; nothing was sent.
        """
        request = import_log(self._owner(owner), import_id)
        description = f"log of import {import_id}"
        return Export(ExportSpec.of(self._session.downloads, request, description, lambda _: ImportLogReader()))

    def _owner(self, owner: str | None) -> str:
        return needed_owner(owner, self._session.owner)

    def _target(
        self, package: str | Package | PackageKey | None, pixel: str | TrackingPixel | None, owner: str | None
    ) -> Target:
        if package is not None and pixel is not None:
            raise ValidationError("give package= or pixel=, not both; nothing was sent", field="pixel")
        if pixel is not None:
            owner, pixel_id = owned_pixel(pixel, owner)
            return Target(self._owner(owner), pixel=pixel_id)
        if package is None:
            return Target(self._owner(owner))
        key = package_key(package, owner)
        return Target(self._owner(key.owner), key.id)


def _check_rows(rows: object) -> None:
    given = isinstance(rows, str | os.PathLike | Iterable | AsyncIterable)
    if not given or isinstance(rows, Mapping | bytes | bytearray | memoryview):
        raise ValidationError(
            f"rows must be mappings, or the path of a file; got {type(rows).__name__}", field="rows"
        )
