"""A hostile service that implements v2: it keeps what it is told by path, and misbehaves as `Hostile` does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from scarf_async import RetryPolicy, Scarf

from .hostile import FAST, TOKEN, Arrival, Hostile, JSONObject

__all__ = ["HostileV2", "connect_v2"]

# What has paths below it is kept without them.
_HIDDEN: Final = {"incoming_path", "outgoing_url", "domain"}
_LISTED: Final = ("/packages/", "/tracking-pixels/", "/collections/")


class HostileV2(Hostile):
    """The service: `store` holds the state, by its path below the base address."""

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, JSONObject] = {}
        self.made_so_far = 0

    @property
    def url(self) -> str:
        """The base address of v2."""
        return f"http://127.0.0.1:{self.port}/v2"

    def there(self, path: str) -> list[JSONObject]:
        """Return what is directly below a path."""
        depth = path.count("/") + 1
        return [
            shown for key, shown in self.store.items() if key.startswith(f"{path}/") and key.count("/") == depth
        ]

    def _serve(self, arrival: Arrival) -> tuple[int, object]:
        path = arrival.path.removeprefix("/v2")
        sent = json.loads(arrival.body) if arrival.body else {}
        if path == "/search":
            return 200, {"results": []}
        if arrival.method == "POST":
            return 201, self._make(path, sent)
        is_list = path.count("/") == 2 or path.rpartition("/")[2] in {"routes", "domains", "permissions"}
        if arrival.method == "GET" and path.startswith(_LISTED) and is_list:
            return 200, {"results": self.there(path)}
        if path not in self.store:
            return 404, None
        if arrival.method == "DELETE":
            del self.store[path]
            return 204, None
        if arrival.method == "PUT":
            # A full replacement: what is not said is gone.
            there = self.store.pop(path)
            kept: JSONObject = {name: there[name] for name in ("id", "owner", "username") if name in there}
            if "name" in sent and path.startswith("/organizations/"):
                path = f"/organizations/{sent['name']}"
            self.store[path] = {**kept, **{name: value for name, value in sent.items() if value is not None}}
        return 200, self.store[path]

    def _make(self, path: str, sent: JSONObject) -> JSONObject:
        if "username" in sent:
            self.store[f"{path}/{sent['username']}"] = sent
            return sent
        self.made_so_far += 1
        identifier = f"id-{self.made_so_far}"
        if path.count("/") == 2:
            shown = {"id": identifier, "owner": path.rpartition("/")[2], **sent}
            shown = {name: value for name, value in shown.items() if name not in _HIDDEN}
            if "incoming_path" in sent:
                self._make(f"{path}/{identifier}/routes", {name: sent[name] for name in _HIDDEN & set(sent)})
        else:
            shown = {"id": identifier, **sent}
        self.store[f"{path}/{identifier}"] = shown
        return shown


@asynccontextmanager
async def connect_v2(
    service: HostileV2, *, retry: RetryPolicy = FAST, read_only: bool = False
) -> AsyncIterator[Scarf]:
    """Open a client of a service, with short waits."""
    async with Scarf(
        TOKEN, api="v2", owner="acme", v2_url=service.url, retry=retry, timeout=5, read_only=read_only
    ) as scarf:
        yield scarf
