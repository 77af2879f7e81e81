"""A service of v2 that has just events: those that it is given, wherever they lie, and how often it was asked."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import format_datetime

import attrs
from aiohttp import web

NOW = dt.datetime(2024, 6, 15, 12, tzinfo=dt.UTC)
COLUMNS = ("id", "type", "time", "package", "version")


@attrs.define
class EventsService:
    """The service.

    Attributes:
        url: of v2.
        rows: what it has.
        strays: rows that every response holds, whatever their time.
        asked: the ranges that were asked for.
        now: its time.
        before: is asked, with the first day and the token, for another answer than that; None: that.
        arrived: is told of each request.
    """

    url: str = ""
    rows: list[dict[str, str]] = attrs.field(factory=list)
    strays: list[dict[str, str]] = attrs.field(factory=list)
    asked: list[tuple[str, str]] = attrs.field(factory=list)
    now: dt.datetime = NOW
    before: Callable[[str, str], Awaitable[web.Response | None]] | None = None
    arrived: asyncio.Condition = attrs.field(factory=asyncio.Condition)

    async def answer(self, request: web.Request) -> web.Response:
        """Send what lies in the range, and before the end of its last day."""
        start, end = request.query["start_date"], request.query["end_date"]
        async with self.arrived:
            self.asked.append((start, end))
            self.arrived.notify_all()
        if self.before is not None:
            token = request.headers["Authorization"].removeprefix("Bearer ")
            if (other := await self.before(start, token)) is not None:
                return other
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in self.rows if start <= row["time"][:10] < end)
        writer.writerows(self.strays)
        date = format_datetime(self.now, usegmt=True)
        return web.Response(text=text.getvalue(), content_type="text/csv", headers={"Date": date})

    async def wait_for(self, requests: int) -> None:
        """Wait until so many have come."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.asked) >= requests)


@asynccontextmanager
async def events_service() -> AsyncIterator[EventsService]:
    """Run one."""
    service = EventsService()
    application = web.Application()
    application.router.add_get("/v2/packages/{owner}/events", service.answer)
    # 0 would wait for ever.
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v2"
    try:
        yield service
    finally:
        await runner.cleanup()


def row(identifier: str, time: str, **more: str) -> dict[str, str]:
    """Return an event."""
    return {"id": identifier, "type": "binary", "time": time, "package": "web", **more}
