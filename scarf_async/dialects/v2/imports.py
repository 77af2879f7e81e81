"""Imports: NDJSON rows of a package, a pixel or an owner, and their results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from scarf_async.dialects.v2.arguments import check_owner_of_rows, check_package_id, check_pixel_id
from scarf_async.dialects.v2.lists import IMPORTS
from scarf_async.dialects.v2.requests import (
    ABORT_IMPORT,
    GET_IMPORT,
    IMPORT_EVENTS,
    IMPORT_LOG,
    IMPORT_PACKAGE_EVENTS,
    IMPORT_PIXEL_EVENTS,
)
from scarf_async.entities import EventImport
from scarf_async.protocol.messages import Answer, Lost, Request, Resend
from scarf_async.protocol.steps import Read, Steps, reading, tell

__all__ = [
    "Target",
    "abort_import",
    "get_import",
    "import_log",
    "is_limit",
    "list_imports",
]

_LIMIT: Final = re.compile(rb"too[\W_]*many[\W_]*active[\W_]*imports", re.IGNORECASE)


class Target(msgspec.Struct, frozen=True):
    """The target of rows.

    Attributes:
        owner: the owner of the rows.
        package: the id of the package of all rows.
        pixel: the id of the pixel of all rows. Without both, each row names its own.
    """

    owner: str
    package: str | None = None
    pixel: str | None = None

    def request(self, body: bytes, *, resendable: bool) -> Request[EventImport]:
        """Build the request for a gzipped batch. If it is `resendable`, sending it twice imports it once.

        Raises:
            ValidationError: the URL belongs to another call.
        """
        if self.package is not None:
            check_package_id(self.package)
            request = IMPORT_PACKAGE_EVENTS.request(owner=self.owner, package=self.package)
        elif self.pixel is not None:
            check_pixel_id(self.pixel)
            request = IMPORT_PIXEL_EVENTS.request(owner=self.owner, pixel=self.pixel)
        else:
            check_owner_of_rows(self.owner)
            request = IMPORT_EVENTS.request(owner=self.owner)
        endpoint = request.endpoint
        if resendable:
            endpoint = msgspec.structs.replace(endpoint, resend=Resend.REPEAT)
        return Request(endpoint, request.target, body)


def is_limit(outcome: Answer | Lost) -> bool:
    """Return whether a batch was refused because too many imports of the owner are active."""
    return isinstance(outcome, Answer) and outcome.status == 422 and _LIMIT.search(outcome.body) is not None


def list_imports(owner: str, statuses: Sequence[str]) -> Read[list[EventImport]]:
    """The imports of an owner with some statuses."""
    listed = IMPORTS.read({"status": statuses}, owner=owner)
    # A service that does not know the parameter sends all.
    return listed.then(
        "of the statuses", lambda found: [one for one in found if not statuses or one.status in {None, *statuses}]
    )


def get_import(owner: str, import_id: str) -> Read[EventImport]:
    """One import."""
    return reading(GET_IMPORT.request(owner=owner, event_import=import_id))


def abort_import(owner: str, import_id: str) -> Steps[None]:
    """Abort an import; idempotent."""
    return tell(ABORT_IMPORT.request(owner=owner, event_import=import_id))


def import_log(owner: str, import_id: str) -> Request[None]:
    """The log of an import, as NDJSON."""
    return IMPORT_LOG.request(owner=owner, event_import=import_id)
