"""The requests of imports: rows of NDJSON into a package, a pixel or an owner, and what became of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import Final

import attrs

from scarf_async.dialects.v2.arguments import check_owner_of_rows, check_package_id, check_pixel_id
from scarf_async.dialects.v2.requests import remark
from scarf_async.entities import EventImport, ImportLogEntry
from scarf_async.protocol.messages import Answer, Endpoint, Lost, Request, Resend
from scarf_async.protocol.paging import Cursor, Listing
from scarf_async.protocol.steps import Read, Steps, reading, tell
from scarf_async.protocol.wire import Wire

__all__ = [
    "ABORT_IMPORT",
    "GET_IMPORT",
    "IMPORT_EVENTS",
    "IMPORT_LOG",
    "IMPORT_PACKAGE_EVENTS",
    "IMPORT_PIXEL_EVENTS",
    "LIST_IMPORTS",
    "WIRE",
    "Target",
    "abort_import",
    "get_import",
    "import_log",
    "is_limit",
    "list_imports",
]

_LIMIT: Final = re.compile(rb"too[\W_]*many[\W_]*active[\W_]*imports", re.IGNORECASE)

WIRE: Final = Wire(
    entities=(EventImport, ImportLogEntry),
    upserts=(),
    name=lambda _, attribute: attribute.rstrip("_"),
    identifiers={(EventImport, "id"), (ImportLogEntry, "package_id"), (ImportLogEntry, "tracking_pixel_id")},
    dropped=("_links",),
)
_request = partial(Endpoint, wire=WIRE, version="v2", remark=remark)
_import = partial(
    _request,
    "POST",
    resend=Resend.REFUSED,
    answer=EventImport,
    content=MappingProxyType({"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}),
)
_IMPORTS: Final = "/imports/{owner}"
_ONE: Final = f"{_IMPORTS}/{{event_import}}"

IMPORT_EVENTS: Final[Endpoint[EventImport]] = _import("/{owner}/import")
IMPORT_PACKAGE_EVENTS: Final[Endpoint[EventImport]] = _import("/packages/{owner}/{package}/import")
IMPORT_PIXEL_EVENTS: Final[Endpoint[EventImport]] = _import("/tracking-pixels/{owner}/{pixel}/import")
LIST_IMPORTS: Final[Endpoint[list[EventImport]]] = _request("GET", _IMPORTS, Resend.READ, list[EventImport])
GET_IMPORT: Final[Endpoint[EventImport]] = _request("GET", _ONE, Resend.READ, EventImport)
ABORT_IMPORT: Final[Endpoint[None]] = _request("POST", f"{_ONE}/abort", Resend.REPEAT, None)
IMPORT_LOG: Final[Endpoint[None]] = _request("GET", f"{_ONE}/log", Resend.EXPORT, None)

_LISTING: Final = Listing(LIST_IMPORTS, lambda one: one.id, (Cursor("after", lambda one: one.id),))


@attrs.frozen
class Target:
    """Where rows go.

    Attributes:
        owner: whose they are.
        package: the id of the package that all of them are of.
        pixel: the id of the pixel that all of them are of. Without either each row names its own.

    Raises:
        ValidationError: by `request`: the address is another call's.
    """

    owner: str
    package: str | None = None
    pixel: str | None = None

    def request(self, body: bytes, *, resendable: bool) -> Request[EventImport]:
        """Build the request of a batch, gzipped; `resendable`: sent twice it is imported once."""
        if self.package is not None:
            check_package_id(self.package)
            request = IMPORT_PACKAGE_EVENTS.request(owner=self.owner, package=self.package)
        elif self.pixel is not None:
            check_pixel_id(self.pixel)
            request = IMPORT_PIXEL_EVENTS.request(owner=self.owner, pixel=self.pixel)
        else:
            check_owner_of_rows(self.owner)
            request = IMPORT_EVENTS.request(owner=self.owner)
        endpoint = attrs.evolve(request.endpoint, resend=Resend.REPEAT) if resendable else request.endpoint
        return Request(endpoint, request.target, body)


def is_limit(outcome: Answer | Lost) -> bool:
    """Tell whether a batch was refused since too many imports of the owner are active (C, Limits)."""
    return isinstance(outcome, Answer) and outcome.status == 422 and _LIMIT.search(outcome.body) is not None


def list_imports(owner: str, statuses: Sequence[str]) -> Read[list[EventImport]]:
    """The imports of an owner, those of some statuses."""
    listed = _LISTING.read({"status": statuses}, owner=owner)
    # A service that does not know the parameter sends all.
    return listed.then(
        "of the statuses", lambda found: [one for one in found if not statuses or one.status in {None, *statuses}]
    )


def get_import(owner: str, import_id: str) -> Read[EventImport]:
    """One import."""
    return reading(GET_IMPORT.request(owner=owner, event_import=import_id))


def abort_import(owner: str, import_id: str) -> Steps[None]:
    """End an import; that may be said twice."""
    return tell(ABORT_IMPORT.request(owner=owner, event_import=import_id))


def import_log(owner: str, import_id: str) -> Request[None]:
    """The log of an import, as lines of JSON."""
    return IMPORT_LOG.request(owner=owner, event_import=import_id)
