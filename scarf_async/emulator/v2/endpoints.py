"""API v2: its endpoints, with a file for each subject, and endpoints that the emulator does not support."""

from __future__ import annotations

from typing import Final

from scarf_async.emulator.answers import Refusal, Reply
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model.names import names_matching
from scarf_async.emulator.v2 import (
    exports,
    gateway,
    imports,
    organizations,
    packages,
    permissions,
    pixels,
    search,
)

__all__ = ["ENDPOINTS", "NOT_SERVED", "names_matching"]

ENDPOINTS: Final[Endpoints] = {
    **organizations.ENDPOINTS,
    **packages.ENDPOINTS,
    **permissions.ENDPOINTS,
    **gateway.ENDPOINTS,
    **pixels.ENDPOINTS,
    **search.ENDPOINTS,
    **exports.ENDPOINTS,
    **imports.ENDPOINTS,
}


def _not_served(_call: Call) -> Reply:
    raise Refusal(501, "The service has this operation, and the emulator does not serve it.")


# They are here for their literal segments, which the service never reads as the id of a package or the name of a
# member.
NOT_SERVED: Final[Endpoints] = {
    path: dict.fromkeys(methods, _not_served)
    for path, methods in {
        "/v2/domains/{owner}/{domain}/request-verification": ["POST"],
        "/v2/organizations/{organization}/download-feed": ["GET"],
        "/v2/organizations/{organization}/members/invites": ["GET", "POST", "DELETE"],
        "/v2/packages/{owner}/company-rollup": ["GET"],
        "/v2/packages/{owner}/{package}/commercial-users-badge": ["GET"],
        "/v2/packages/{owner}/{package}/downloads-badge": ["GET"],
        "/v2/pixels/{owner}/overview": ["GET"],
    }.items()
}
