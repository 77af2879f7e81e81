"""API v1: its endpoints."""

from __future__ import annotations

from typing import Final

from scarf_async.emulator import gateway, organizations, packages, permissions, v1_exports
from scarf_async.emulator.calls import Endpoints

__all__ = ["ENDPOINTS"]

ENDPOINTS: Final[Endpoints] = {
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
    "/api/v1/organizations/{organization}/aggregates": {"GET": v1_exports.organization_aggregates},
    "/api/v1/users/{username}/aggregates": {"GET": v1_exports.user_aggregates},
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
    "/api/v1/packages/{package}/events/{file}": {"GET": v1_exports.package_events},
    "/api/v1/packages/{owner}/{package}/events/{file}": {"GET": v1_exports.package_events},
    "/api/v1/pixels/events/{file}": {"GET": v1_exports.pixel_events},
}
