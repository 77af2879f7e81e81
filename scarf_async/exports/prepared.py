"""A job as a client carries it out: what it asks for, and where."""

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
    """A job of which nothing is left to the client.

    Attributes:
        job: the job, with its version and owner.
        server: the address that its requests go to.
    """

    job: ExportJob
    server: str
    _client: ExportClient

    @classmethod
    def of(cls, job: ExportJob, client: ExportClient) -> PreparedJob:
        """Prepare a job.

        Raises:
            ValidationError: the service's addresses cannot hold it.
        """
        job = job.of_client(client.api, client.owner)
        prepared = cls(job, client.server_of(job.api or client.api), client)
        prepared.spec(_ANY_DAY)
        prepared.reads()
        return prepared

    async def check(self) -> None:
        """Make sure that what its query names is there.

        Raises:
            NotFoundError: a package or pixel is not.
        """
        for read in self.reads():
            await self._client.tell(read)

    def reads(self) -> list[Steps[None]]:
        """Return the calls that look up what its query names."""
        return [] if self.job.query is None else list(read_artifacts(self.job.query, self.job.owner or ""))

    def spec(self, asked: Window) -> ExportSpec[Record]:
        """Return the export of what the job asks for, with nothing left out: the job does that."""
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
        # Readers need not know which of them it is.
        return cast("ExportSpec[Record]", export.spec)


class _JobExports(ExportCalls):
    """Those of jobs: a day that is both start and end is a range for a service that takes the end in."""

    _one_day = True
