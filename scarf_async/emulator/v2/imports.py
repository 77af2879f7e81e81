"""The endpoints of imports."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncGenerator
from typing import Final

from scarf_async.emulator.answers import JSON, Answer, Stream
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model import imports
from scarf_async.emulator.model.owners import Owner
from scarf_async.emulator.v2.pages import by_uuid, page_of
from scarf_async.emulator.v2.reading import owner_in, package_in, pixel_in, query_words

__all__ = ["ENDPOINTS"]

_STATUSES: Final = ("importing", "done", "aborted")
_SAMPLE: Final = 10


def post_events(call: Call) -> Answer:
    """POST /v2/{owner}/import: each row names its package or pixel."""
    return _import(call, imports.Target())


def post_package_events(call: Call) -> Answer:
    """POST /v2/packages/{owner}/{package_id}/import."""
    return _import(call, imports.Target(package=package_in(call)))


def post_pixel_events(call: Call) -> Answer:
    """POST /v2/tracking-pixels/{owner}/{tracking_pixel_id}/import."""
    return _import(call, imports.Target(pixel=pixel_in(call)))


def get_imports(call: Call) -> Answer:
    """GET /v2/imports/{owner}, in an envelope of its own."""
    wanted = query_words(call, "status", _STATUSES) or _STATUSES
    owner = owner_in(call)
    rows = [row for row in imports.imports_of(call.db, owner) if imports.status_of(row) in wanted]
    return page_of(call, rows, by_uuid(), lambda row: _show(owner, row), envelope="event_imports")


def get_import(call: Call) -> Answer:
    """GET /v2/imports/{owner}/{event_import_id}."""
    return Answer(200, _show(owner_in(call), _find(call)))


def post_abort(call: Call) -> Answer:
    """POST /v2/imports/{owner}/{event_import_id}/abort; one that has ended does not change."""
    imports.abort(call.db, _find(call))
    return Answer(204)


def get_log(call: Call) -> Stream:
    """GET /v2/imports/{owner}/{event_import_id}/log, as NDJSON."""
    return Stream("application/x-ndjson", _pieces(_find(call)["log"].encode()))


ENDPOINTS: Final[Endpoints] = {
    "/v2/{owner}/import": {"POST": post_events},
    "/v2/packages/{owner}/{package}/import": {"POST": post_package_events},
    "/v2/tracking-pixels/{owner}/{pixel}/import": {"POST": post_pixel_events},
    "/v2/imports/{owner}": {"GET": get_imports},
    "/v2/imports/{owner}/{import}": {"GET": get_import},
    "/v2/imports/{owner}/{import}/abort": {"POST": post_abort},
    "/v2/imports/{owner}/{import}/log": {"GET": get_log},
}


async def _pieces(text: bytes) -> AsyncGenerator[bytes, None]:
    yield text


def _find(call: Call) -> sqlite3.Row:
    return imports.find_import(call.db, owner_in(call), call.params["import"])


def _import(call: Call, target: imports.Target) -> Answer:
    owner = owner_in(call)
    return Answer(200, _show(owner, imports.import_events(call.world, call.db, owner, target, call.raw)))


def _show(owner: Owner, row: sqlite3.Row) -> dict[str, JSON]:
    """An EventImport; an active one has no results yet."""
    status = imports.status_of(row)
    active = status == "importing"
    errors = [] if active else row["log"].splitlines()[: min(row["failed"], _SAMPLE)]
    return {
        "id": row["uuid"],
        "owner": owner.name,
        "status": status,
        "events_total": row["total"],
        "events_successfully_imported": 0 if active else row["total"] - row["failed"],
        "events_failed_to_import": 0 if active else row["failed"],
        "error_log_sample": [json.loads(line) for line in errors],
        "warning_log_sample": [],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
