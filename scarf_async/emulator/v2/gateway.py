"""Routes and domains of packages in v2, and the status of a domain."""

from __future__ import annotations

import sqlite3
from typing import Final

from scarf_async.emulator.answers import JSON, Answer, Refusal
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model import gateway, routes
from scarf_async.emulator.v2.pages import by_uuid, listed
from scarf_async.emulator.v2.reading import Body, owner_in, package_in
from scarf_async.emulator.v2.showing import show_domain, with_optional
from scarf_async.entities.enums import LibraryType

__all__ = ["ENDPOINTS"]

_TEMPLATE: Final = "uri-template"


def get_routes(call: Call) -> Answer:
    """GET /v2/packages/{owner}/{package_id}/routes."""
    package = package_in(call)
    found = routes.routes_of(call.db, package)
    return listed(call, found, by_uuid(), lambda row: _route(call, package, row))


def post_route(call: Call) -> Answer:
    """POST /v2/packages/{owner}/{package_id}/routes: without an outgoing URL it only counts."""
    body = Body(call)
    incoming, outgoing = body.text("incoming_path"), body.optional("outgoing_url")
    body.optional_word("type", (_TEMPLATE,))
    package = _find_file(call)
    routes.check_addresses(outgoing, incoming)
    row = routes.add_route(call.db, package, outgoing_url=outgoing, template_path=incoming)
    return Answer(201, _route(call, package, row))


def get_route(call: Call) -> Answer:
    """GET /v2/packages/{owner}/{package_id}/routes/{route_id}."""
    package = package_in(call)
    return Answer(200, _route(call, package, routes.find_route(call.db, package, call.params["route"])))


def put_route(call: Call) -> Answer:
    """PUT /v2/packages/{owner}/{package_id}/routes/{route_id}."""
    body = Body(call)
    incoming = body.text("incoming_path")
    package = _find_file(call)
    old = routes.find_route(call.db, package, call.params["route"])
    outgoing = body.optional("outgoing_url", old["outgoing_url"])
    body.optional_word("type", (_TEMPLATE,))
    routes.check_addresses(outgoing, incoming)
    row = routes.update_route(call.db, old, outgoing_url=outgoing, template_path=incoming)
    return Answer(200, _route(call, package, row))


def delete_route(call: Call) -> Answer:
    """DELETE /v2/packages/{owner}/{package_id}/routes/{route_id}."""
    routes.remove_route(call.db, _find_file(call), call.params["route"])
    return Answer(204)


def get_domains(call: Call) -> Answer:
    """GET /v2/packages/{owner}/{package_id}/domains: all of them at once."""
    package = package_in(call)
    return Answer(200, [show_domain(call, package, domain) for domain in gateway.domains_of(call.db, package)])


def post_domain(call: Call) -> Answer:
    """POST /v2/packages/{owner}/{package_id}/domains."""
    name = Body(call).text("name")
    package = package_in(call)
    gateway.check_domain(owner_in(call), name)
    return Answer(201, show_domain(call, package, gateway.add_domain(call.db, package, name)))


def get_domain(call: Call) -> Answer:
    """GET /v2/packages/{owner}/{package_id}/domains/{domain_id}."""
    package = package_in(call)
    return Answer(200, show_domain(call, package, gateway.find_domain(call.db, package, call.params["domain"])))


def delete_domain(call: Call) -> Answer:
    """DELETE /v2/packages/{owner}/{package_id}/domains/{domain_id}."""
    gateway.remove_domain(call.db, package_in(call), call.params["domain"])
    return Answer(204)


def get_domain_status(call: Call) -> Answer:
    """GET /v2/domains/{owner}/{domain_ref}/status: of a domain; its DNS is always in order."""
    owner = owner_in(call)
    domain = call.params["domain"]
    if not gateway.has_domain(call.db, owner, domain):
        raise Refusal(404, f"{owner.name!r} has no domain {domain!r}.", "not-found")
    shown: dict[str, JSON] = {
        "cname_status": "valid",
        "verification_status": "verified",
        "certificate_status": "issued",
        "verification_challenge_hostname": f"_scarf-sh-challenge-{owner.name}.{domain}",
    }
    # A verified domain has no challenge any more.
    return Answer(200, with_optional(call, shown, verification_challenge_txt_record=None))


ENDPOINTS: Final[Endpoints] = {
    "/v2/packages/{owner}/{package}/routes": {"GET": get_routes, "POST": post_route},
    "/v2/packages/{owner}/{package}/routes/{route}": {
        "GET": get_route,
        "PUT": put_route,
        "DELETE": delete_route,
    },
    "/v2/packages/{owner}/{package}/domains": {"GET": get_domains, "POST": post_domain},
    "/v2/packages/{owner}/{package}/domains/{domain}": {"GET": get_domain, "DELETE": delete_domain},
    "/v2/domains/{owner}/{domain}/status": {"GET": get_domain_status},
}


def _find_file(call: Call) -> sqlite3.Row:
    """A package that can have routes."""
    package = package_in(call)
    if package["library_type"] != LibraryType.FILE:
        raise routes.not_a_file_package(package)
    return package


def _route(call: Call, package: sqlite3.Row, row: sqlite3.Row) -> dict[str, JSON]:
    """A PackageRoute."""
    shown: dict[str, JSON] = {
        "id": row["uuid"],
        "incoming_path": row["template_path"],
        "owner": package["owner"],
        "package_id": package["uuid"],
        "type": _TEMPLATE,
        # A file of an earlier version does not have its time.
        "created_at": row["created_at"] or package["created_at"],
    }
    return with_optional(call, shown, outgoing_url=row["outgoing_url"])
