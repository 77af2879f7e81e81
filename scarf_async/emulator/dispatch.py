"""The table of endpoints, and the way from a request's target to its handler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from scarf_async.emulator import exports, gateway, organizations, packages, permissions
from scarf_async.emulator.answers import Refusal
from scarf_async.emulator.calls import Handler

__all__ = ["Match", "find_handler"]

_TABLE: Final[dict[str, dict[str, Handler]]] = {
    "/api/v1/organizations": {"POST": organizations.create_organization},
    "/api/v1/organizations/{organization}": {
        "GET": organizations.get_organization,
        "PUT": organizations.update_organization,
    },
    "/api/v1/organizations/{organization}/packages": {
        "GET": packages.list_organization_packages,
        "POST": packages.create_organization_package,
    },
    "/api/v1/organizations/{organization}/users": {
        "GET": organizations.list_members,
        "POST": organizations.upsert_member,
    },
    "/api/v1/organizations/{organization}/users/{username}": {"DELETE": organizations.remove_member},
    "/api/v1/organizations/{organization}/aggregates": {"GET": exports.organization_aggregates},
    "/api/v1/users/{username}/aggregates": {"GET": exports.user_aggregates},
    "/api/v1/packages": {"GET": packages.list_packages, "POST": packages.create_package},
    "/api/v1/packages/{package}": {
        "GET": packages.get_package,
        "PUT": packages.update_package,
        "DELETE": packages.delete_package,
    },
    "/api/v1/packages/{package}/permissions": {
        "GET": permissions.list_permissions,
        "POST": permissions.set_permissions,
    },
    "/api/v1/packages/{package}/routes": {"GET": gateway.list_routes, "POST": gateway.create_route},
    "/api/v1/packages/{package}/routes/{route}": {"DELETE": gateway.delete_route},
    "/api/v1/packages/{package}/domains": {"GET": gateway.list_domains, "POST": gateway.create_domain},
    "/api/v1/packages/{package}/domains/{domain}": {"DELETE": gateway.delete_domain},
    "/api/v1/packages/{package}/events/{file}": {"GET": exports.package_events},
    "/api/v1/packages/{owner}/{package}/events/{file}": {"GET": exports.package_events},
    "/api/v1/pixels/events/{file}": {"GET": exports.pixel_events},
    # Where the export of v2 was in 2022.
    "/api/v2/{owner}/packages/events/{file}": {"GET": exports.owner_events_2022},
    "/v2/packages/{owner}/events": {"GET": exports.owner_events_v2},
    "/v2/packages/{owner}/{package}/events": {"GET": exports.package_events_v2},
    "/v2/tracking-pixels/{owner}/events": {"GET": exports.pixel_events_v2},
}


@attrs.frozen
class Match:
    """A handler, and what its path says.

    Attributes:
        handler: The handler.
        params: The decoded segments by name.
    """

    handler: Handler
    params: Mapping[str, str]


@attrs.frozen
class _Endpoint:
    segments: tuple[str, ...]
    methods: Mapping[str, Handler]

    def params(self, segments: list[str]) -> dict[str, str] | None:
        """The named segments where the path is this endpoint's, else None."""
        params: dict[str, str] = {}
        for pattern, segment in zip(self.segments, segments, strict=True):
            if pattern.startswith("{"):
                params[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return params


def _by_length() -> dict[int, list[_Endpoint]]:
    endpoints: dict[int, list[_Endpoint]] = {}
    for path, methods in _TABLE.items():
        segments = tuple(path.split("/"))
        endpoints.setdefault(len(segments), []).append(_Endpoint(segments, methods))
    return endpoints


_ENDPOINTS: Final = _by_length()


def find_handler(method: str, path: str) -> Match:
    """The handler for a method and a path as it arrived.

    The path is split before it is decoded, so that a name may carry an encoded `/`, as those of container
    images do.

    Raises:
        Refusal: 404 for a path that is none of ours, 405 for another method, 400 for what is not UTF-8. The last
            two have no body in v2.
    """
    is_v2 = path.startswith("/v2/")
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in path.split("/")]
    except UnicodeDecodeError:
        raise Refusal(400, "" if is_v2 else "The path is not UTF-8.", plain=is_v2) from None
    for endpoint in _ENDPOINTS.get(len(segments), ()):
        params = endpoint.params(segments)
        if params is None or "" in params.values():
            continue
        handler = endpoint.methods.get(method)
        if handler is None:
            allowed = ", ".join(endpoint.methods)
            message = "" if is_v2 else f"{method} is not for this path; it takes {allowed}."
            raise Refusal(405, message, headers={"Allow": allowed}, plain=is_v2)
        return Match(handler, params)
    raise Refusal(404, f"There is no endpoint {path}.")
