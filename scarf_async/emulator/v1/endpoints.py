"""API v1: its endpoints, and the JSON of its requests and responses."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs

from scarf_async.emulator.answers import JSON, Answer, WrongField
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model import gateway, organizations, packages, routes
from scarf_async.emulator.model.owners import Owner
from scarf_async.emulator.people import People, person_key
from scarf_async.emulator.v1 import exports
from scarf_async.emulator.wire import Fields
from scarf_async.entities.enums import PermissionLevel, Role

__all__ = [
    "ENDPOINTS",
    "get_domains",
    "post_domain",
    "post_member",
    "post_organization",
    "post_organization_package",
    "post_package",
    "post_permissions",
    "post_route",
]

_NAMES: Final = {
    "backend_url": "backendUrl",
    "public_url": "publicUrl",
    "repository_url": "repositoryURL",
    "library_type": "libraryType",
}


def get_organization(call: Call) -> Answer:
    """GET /organizations/{organization-name}."""
    return Answer(200, _organization(organizations.find_organization(call.db, call.params["organization"])))


def post_organization(call: Call) -> Answer:
    """POST /organizations: "The issuer of the request is made owner of the newly created organization"."""
    wanted = _organization_fields(call.fields())
    return Answer(201, _organization(organizations.create_organization(call.world, call.db, wanted)))


def put_organization(call: Call) -> Answer:
    """PUT /organizations/{organization-name}: replaces all fields; another name renames."""
    fields = call.fields()
    organization = organizations.find_organization(call.db, call.params["organization"])
    return Answer(
        200, _organization(organizations.update_organization(call.db, organization, _organization_fields(fields)))
    )


def get_members(call: Call) -> Answer:
    """GET /organizations/{organization-name}/users."""
    organization = organizations.find_organization(call.db, call.params["organization"])
    return Answer(
        200, [_member(organization["name"], row) for row in organizations.members_of(call.db, organization)]
    )


def post_member(call: Call) -> Answer:
    """POST /organizations/{organization-name}/users: "Creates or updates a membership"."""
    fields = call.fields()
    asked = fields.filled("username")
    membership = organizations.find_membership(call.db, call.params["organization"], asked)
    role = fields.word("role", Role)
    username = call.world.people.by_username(asked)
    if username is None:
        raise fields.refusal("username", f"there is no user {asked!r}", 404, "not-found")
    return Answer(
        200, _member(membership["name"], organizations.put_member(call.world, call.db, membership, username, role))
    )


def delete_member(call: Call) -> Answer:
    """DELETE /organizations/{organization-name}/users/{username}."""
    username = call.params["username"]
    organizations.remove_member(
        call.db, organizations.find_membership(call.db, call.params["organization"], username), username
    )
    return Answer(204)


def get_packages(call: Call) -> Answer:
    """GET /packages: the user's own, and those of the organizations of which the user is a member."""
    return Answer(200, [_package(row) for row in packages.visible_packages(call.world, call.db)])


def get_organization_packages(call: Call) -> Answer:
    """GET /organizations/{organization-name}/packages."""
    organization = organizations.find_organization(call.db, call.params["organization"])
    owner = Owner(organization["name"], organization["id"])
    return Answer(200, [_package(row) for row in packages.packages_of(call.db, owner)])


def get_package(call: Call) -> Answer:
    """GET /packages/{package-id}, or a package name, with `packageType` to select among packages of that name."""
    row = packages.find_visible_package(call.world, call.db, call.params["package"], call.query.get("packageType"))
    return Answer(200, _package(row))


def post_package(call: Call) -> Answer:
    """POST /packages: the package belongs to the user."""
    return _create_package(call, Owner(call.world.user, username=call.world.user))


def post_organization_package(call: Call) -> Answer:
    """POST /organizations/{organization-name}/packages: the package belongs to the organization."""
    organization = organizations.find_organization(call.db, call.params["organization"])
    return _create_package(call, Owner(organization["name"], organization["id"]))


def put_package(call: Call) -> Answer:
    """PUT /packages/{package-id}: "libraryType can't be changed after package creation"."""
    fields = call.fields()
    old = packages.find_package(call.db, call.params["package"])
    with _named(fields):
        wanted = attrs.evolve(_package_fields(fields), importance=old["importance"])
        return Answer(200, _package(packages.update_package(call.db, old, wanted)))


def delete_package(call: Call) -> Answer:
    """DELETE /packages/{package-id}, with its permissions, routes and domains."""
    packages.delete_package(call.db, packages.find_package(call.db, call.params["package"]))
    return Answer(204)


def get_permissions(call: Call) -> Answer:
    """GET /packages/{package-id}/permissions: the users with a level of their own."""
    rows = packages.permissions_of(call.db, packages.find_package(call.db, call.params["package"]))
    return Answer(200, [{"username": row["username"], "permissionLevel": _level(row["level"])} for row in rows])


def post_permissions(call: Call) -> Answer:
    """POST /packages/{package-id}/permissions: "a single or an array of" PackagePermissionSetV1.

    If an entry is invalid, nothing is set. Of two entries for one person, the later one counts. The level `default`
    removes a level, so that the user is no longer listed.
    """
    package = packages.find_package(call.db, call.params["package"])
    if isinstance(call.body, list):
        entries = [Fields.of(entry, f"[{index}]") for index, entry in enumerate(call.body)]
    else:
        entries = [call.fields()]
    packages.set_permissions(call.db, package, dict(_permission(entry, call.world.people) for entry in entries))
    return Answer(204)


def get_routes(call: Call) -> Answer:
    """GET /packages/{package-id}/routes."""
    package = packages.find_package(call.db, call.params["package"])
    return Answer(200, [_route(row) for row in routes.routes_of(call.db, package)])


def post_route(call: Call) -> Answer:
    """POST /packages/{package-id}/routes: for file packages."""
    fields = call.fields()
    package = packages.find_package(call.db, call.params["package"])
    outgoing_url, template_path = fields.filled("outgoingUrl"), fields.filled("templatePath")
    row = routes.add_route(call.db, package, outgoing_url=outgoing_url, template_path=template_path)
    return Answer(201, _route(row))


def delete_route(call: Call) -> Answer:
    """DELETE /packages/{package-id}/routes/{route-id}."""
    routes.remove_route(call.db, packages.find_package(call.db, call.params["package"]), call.params["route"])
    return Answer(204)


def get_domains(call: Call) -> Answer:
    """GET /packages/{package-id}/domains: each name once."""
    package = packages.find_package(call.db, call.params["package"])
    return Answer(200, [_domain(domain) for domain in gateway.domains_of(call.db, package)])


def post_domain(call: Call) -> Answer:
    """POST /packages/{package-id}/domains."""
    fields = call.fields()
    package = packages.find_package(call.db, call.params["package"])
    with _named(fields):
        return Answer(201, _domain(gateway.add_domain(call.db, package, fields.filled("name"))))


def delete_domain(call: Call) -> Answer:
    """DELETE /packages/{package-id}/domains/{domain-id}."""
    gateway.remove_domain(call.db, packages.find_package(call.db, call.params["package"]), call.params["domain"])
    return Answer(204)


ENDPOINTS: Final[Endpoints] = {
    "/api/v1/organizations": {"POST": post_organization},
    "/api/v1/organizations/{organization}": {
        "GET": get_organization,
        "PUT": put_organization,
    },
    "/api/v1/organizations/{organization}/packages": {
        "GET": get_organization_packages,
        "POST": post_organization_package,
    },
    "/api/v1/organizations/{organization}/users": {
        "GET": get_members,
        "POST": post_member,
    },
    "/api/v1/organizations/{organization}/users/{username}": {"DELETE": delete_member},
    "/api/v1/organizations/{organization}/aggregates": {"GET": exports.organization_aggregates},
    "/api/v1/users/{username}/aggregates": {"GET": exports.user_aggregates},
    "/api/v1/packages": {"GET": get_packages, "POST": post_package},
    "/api/v1/packages/{package}": {
        "GET": get_package,
        "PUT": put_package,
        "DELETE": delete_package,
    },
    "/api/v1/packages/{package}/permissions": {
        "GET": get_permissions,
        "POST": post_permissions,
    },
    "/api/v1/packages/{package}/routes": {"GET": get_routes, "POST": post_route},
    "/api/v1/packages/{package}/routes/{route}": {"DELETE": delete_route},
    "/api/v1/packages/{package}/domains": {"GET": get_domains, "POST": post_domain},
    "/api/v1/packages/{package}/domains/{domain}": {"DELETE": delete_domain},
    "/api/v1/packages/{package}/events/{file}": {"GET": exports.package_events},
    "/api/v1/packages/{owner}/{package}/events/{file}": {"GET": exports.package_events},
    "/api/v1/pixels/events/{file}": {"GET": exports.pixel_events},
}


def _organization(row: sqlite3.Row) -> dict[str, JSON]:
    """An OrganizationV1. A missing website is omitted."""
    shown: dict[str, JSON] = {"name": row["name"], "description": row["description"] or ""}
    if row["website"] is not None:
        shown["website"] = row["website"]
    shown |= {
        "billingEmail": row["billing_email"],
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
    }
    return shown


def _organization_fields(fields: Fields) -> organizations.OrganizationFields:
    """An OrganizationUpsertV1."""
    return organizations.OrganizationFields(
        fields.filled("name"),
        fields.required("description"),
        fields.optional("website"),
        fields.required("billingEmail"),
    )


def _member(organization: str, row: sqlite3.Row) -> dict[str, JSON]:
    """An OrganizationMemberV1."""
    return {"organizationName": organization, "username": row["username"], "role": row["role"]}


def _package(row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageV1: without URLs, and missing values are omitted."""
    shown: dict[str, JSON] = {
        "uuid": row["uuid"],
        "owner": row["owner"],
        "name": row["name"],
        "shortDescription": row["short_description"] or "",
        "createdAt": row["created_at"],
    }
    if row["long_description"] is not None:
        shown["longDescription"] = row["long_description"]
    if row["website"] is not None:
        shown["website"] = row["website"]
    shown["libraryType"] = row["library_type"]
    return shown


def _package_fields(fields: Fields) -> packages.PackageFields:
    """A PackageUpsertV1."""
    name, short_description = fields.filled("name"), fields.required("shortDescription")
    # Any word is a type: the documented list lacks types that the same document mentions.
    library_type = fields.optional("libraryType")
    if library_type is not None and not library_type.strip():
        raise fields.refusal("libraryType", "must not be empty")
    fields.refuse_misspelling("repositoryUrl", "repositoryURL")
    return packages.PackageFields(
        name,
        short_description,
        fields.optional("longDescription"),
        fields.optional("website"),
        library_type,
        packages.Addresses(
            fields.optional("backendUrl"), fields.optional("publicUrl"), fields.optional("repositoryURL")
        ),
    )


def _create_package(call: Call, owner: Owner) -> Answer:
    fields = call.fields()
    with _named(fields):
        return Answer(201, _package(packages.create_package(call.db, owner, _package_fields(fields))))


@contextmanager
def _named(fields: Fields) -> Iterator[None]:
    """Convert the error of a rule to one with the field's JSON name."""
    try:
        yield
    except WrongField as wrong:
        name = _NAMES.get(wrong.field, wrong.field)
        raise fields.refusal(name, wrong.complaint, code=wrong.code) from None


def _permission(fields: Fields, people: People) -> tuple[str, tuple[str, str]]:
    """A PackagePermissionSetV1: the person's key, username and level."""
    query = fields.filled("userQuery")
    level = fields.word("permissionLevel", set(PermissionLevel) - {PermissionLevel.OWNER})
    username = people.by_query(query)
    if username is None:
        raise fields.refusal("userQuery", f"there is no user {query!r}", 404, "not-found")
    return person_key(username), (username, level)


def _level(level: str) -> str:
    """A PackagePermissionLevelV1, without `owner`, which only v2 has."""
    return PermissionLevel.ADMIN if level == PermissionLevel.OWNER else level


def _route(row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageRouteV1. A route of v2 may have no URL."""
    return {"id": row["uuid"], "outgoingUrl": row["outgoing_url"] or "", "templatePath": row["template_path"]}


def _domain(domain: gateway.Domain) -> dict[str, JSON]:
    """A PackageDomainV1."""
    return {"id": domain.id, "name": domain.name}
