"""A service that takes imports, as badly as it is told; and clients of it whose waits take no time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import attrs
from acceptance.hostile import FAST, TOKEN, Act, Arrival, Hostile, JSONObject

from scarf_async import RetryPolicy, Scarf
from scarf_async.clock import Clock

__all__ = ["NOW", "Importer", "Waits", "connect", "rows"]

NOW: Final = "2026-01-01T00:00:00Z"


def rows(count: int, *, unique: bool = True) -> list[JSONObject]:
    """Return rows of one package."""
    return [{"$time": NOW, **({"$unique_id": f"r-{n}"} if unique else {}), "n": n} for n in range(count)]


class Importer(Hostile):
    """The service: `taken` has the rows of each import that it made, by its id.

    Args:
        acts: what happens to batches, by the number of their POST.
        polls: what happens to looks at them, by the number of their GET.
    """

    def __init__(self, acts: Mapping[int, Act] | None = None, polls: Mapping[int, Act] | None = None) -> None:
        super().__init__()
        self.acts = {"POST": acts or {}, "GET": polls or {}}
        self.taken: dict[str, list[JSONObject]] = {}
        self.shown: Callable[[str], JSONObject] = self.done
        self.statuses: list[str] = []

    @property
    def v2_url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self.port}/v2"

    @property
    def posts(self) -> list[list[JSONObject]]:
        """The rows of each POST that arrived."""
        return [lines(one.body) for one in self.arrivals if one.method == "POST"]

    def done(self, import_id: str) -> JSONObject:
        """Show an import that has ended well."""
        count = len(self.taken[import_id])
        return {
            "id": import_id,
            "status": "done",
            "events_total": count,
            "events_successfully_imported": count,
            "events_failed_to_import": 0,
        }

    def _next_act(self, arrival: Arrival) -> Act:
        return self.acts[arrival.method].get(len(self.sent(arrival.method)) - 1) or super()._next_act(arrival)

    def _serve(self, arrival: Arrival) -> tuple[int, object]:
        if arrival.method == "POST":
            assert arrival.headers["Content-Type"] == "application/x-ndjson"
            assert arrival.headers["Content-Encoding"] == "gzip"
            import_id = f"i-{len(self.taken)}"
            self.taken[import_id] = lines(arrival.body)
            return 200, {"id": import_id, "status": "importing", "events_total": 0}
        import_id = arrival.path.removeprefix("/v2/imports/acme").lstrip("/")
        return 200, self.shown(import_id) if import_id else {"event_imports": [*map(self.shown, self.taken)]}


def lines(body: bytes) -> list[JSONObject]:
    """Read NDJSON."""
    return [json.loads(line) for line in body.splitlines()]


@attrs.define(eq=False)
class Waits(Clock):
    """A clock whose waits take no time; `waited` has them."""

    waited: list[float] = attrs.field(factory=list)

    async def sleep(self, seconds: float) -> None:
        """Note it, and let the others go on."""
        self.waited.append(seconds)
        self.ahead += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def connect(
    service: Importer, clock: Clock | None = None, *, retry: RetryPolicy = FAST, read_only: bool = False
) -> AsyncIterator[Scarf]:
    """Open a client."""

    class Client(Scarf):
        @staticmethod
        def _make_clock() -> Clock:
            return Waits() if clock is None else clock

    async with Client(
        TOKEN, owner="acme", v2_url=service.v2_url, retry=retry, timeout=5, read_only=read_only
    ) as scarf:
        yield scarf


def numbers(posted: Sequence[Sequence[JSONObject]]) -> list[list[object]]:
    """Return which rows each batch has."""
    return [[row["n"] for row in batch] for batch in posted]
