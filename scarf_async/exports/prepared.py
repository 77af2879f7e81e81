"""A job as a client runs it: its requests and their URL."""

from __future__ import annotations

import datetime as dt
from typing import Final, cast

import attrs

from scarf_async.dialects.v3.requests import read_artifacts
from scarf_async.entities import Aggregate, Aggregation, Event, ExportKind
from scarf_async.exports.calls import EVERYTHING, ExportCalls
from scarf_async.exports.jobs.job import ExportJob, Record
from scarf_async.exports.jobs.windows import Window
from scarf_async.exports.spec import ExportClient, ExportSpec
from scarf_async.exports.stream import Export
from scarf_async.protocol.steps import Steps

__all__ = ["PreparedJob"]

_ANY_DAY: Final = Window(dt.date(2024, 1, 1), dt.date(2024, 1, 2))


@attrs.frozen
class PreparedJob:
    """A job whose open values are filled in from the client.

    Attributes:
        job: the job, with its version and owner.
        server: the URL that its requests go to.
    """

    job: ExportJob
    server: str
    _client: ExportClient

    @classmethod
    def of(cls, job: ExportJob, client: ExportClient) -> PreparedJob:
        """Prepare a job.

        Raises:
            ValidationError: a value cannot be part of a URL.
        """
        job = job.of_client(client.api, client.owner)
        prepared = cls(job, client.server_of(job.api or client.api), client)
        prepared.spec(_ANY_DAY)
        prepared.reads()
        return prepared

    async def check(self) -> None:
        """Check that the packages and pixels in its query exist.

        Raises:
            NotFoundError: a package or pixel does not exist.
        """
        for read in self.reads():
            await self._client.tell(read)

    def reads(self) -> list[Steps[None]]:
        """Return the calls that read the packages and pixels in its query."""
        return [] if self.job.query is None else list(read_artifacts(self.job.query, self.job.owner or ""))

    def spec(self, asked: Window) -> ExportSpec[Record]:
        """Return the export of a window, unfiltered: the job filters."""
        job, start, end = self.job, asked.start, asked.end
        exports = _JobExports(self._client)
        owner, package = job.owner or "", job.package or ""
        export: Export[Event] | Export[Aggregate] | Export[Aggregation]
        match job.what:
            case ExportKind.ORGANIZATION_AGGREGATES:
                export = exports.organization_aggregates(owner, start, end, unfiltered=True)
            case ExportKind.USER_AGGREGATES:
                export = exports.user_aggregates(owner, start, end, unfiltered=True)
            case ExportKind.PACKAGE_EVENTS:
                export = exports.package_events(job.owner, package, start, end, api=job.client_api, unfiltered=True)
            case ExportKind.OWNER_EVENTS:
                export = exports.owner_events(owner, start, end, names=job.names, unfiltered=True)
            case ExportKind.PIXEL_EVENTS:
                export = exports.pixel_events(start, end, owner=job.owner, api=job.client_api, unfiltered=True)
            case ExportKind.AGGREGATIONS:
                export = exports.aggregations(start, end, job.query or EVERYTHING, owner=job.owner)
        # The reader does not depend on the kind of export.
        return cast("ExportSpec[Record]", export.spec)


class _JobExports(ExportCalls):
    """The exports of jobs: a range with the same start and end is valid, for a service that includes the end."""

    _one_day = True
