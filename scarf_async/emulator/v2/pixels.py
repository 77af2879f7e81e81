"""Tracking pixels, their domains, and collections, which v1 does not have."""

from __future__ import annotations

import sqlite3
from typing import Final

from scarf_async.emulator.answers import JSON, Answer, Refusal, WrongField
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model import collections, pixels
from scarf_async.emulator.model.packages import find_owned_package
from scarf_async.emulator.v2.pages import by_uuid, page_of
from scarf_async.emulator.v2.reading import IMPORTANCES, Body, owner_in, pixel_in
from scarf_async.emulator.v2.showing import show_pixel
from scarf_async.entities.enums import LibraryType

__all__ = ["ENDPOINTS"]


def get_pixels(call: Call) -> Answer:
    """GET /v2/tracking-pixels/{owner}."""
    return page_of(call, pixels.pixels_of(call.db, owner_in(call)), by_uuid(), lambda row: _pixel(call, row))


def post_pixel(call: Call) -> Answer:
    """POST /v2/tracking-pixels/{owner}."""
    body = Body(call)
    name, package = body.text("name"), body.optional("package_id")
    owner = owner_in(call)
    package_id = None if package is None else find_owned_package(call.db, owner, package)["id"]
    row = pixels.create_pixel(call.db, owner, _pixel_fields(body, name, package_id))
    return Answer(201, _pixel(call, row))


def get_pixel(call: Call) -> Answer:
    """GET /v2/tracking-pixels/{owner}/{tracking_pixel_id}."""
    return Answer(200, _pixel(call, pixel_in(call)))


def put_pixel(call: Call) -> Answer:
    """PUT /v2/tracking-pixels/{owner}/{tracking_pixel_id}."""
    body = Body(call)
    name = body.text("name")
    owner, old = owner_in(call), pixel_in(call)
    package = body.optional("package_id", _uuid_of_package(call, old))
    try:
        package_id = None if package is None else find_owned_package(call.db, owner, package)["id"]
    except Refusal as refusal:
        raise WrongField("package_id", refusal.message.rstrip("."), "invalid-package-owner") from None
    row = pixels.update_pixel(call.db, old, _pixel_fields(body, name, package_id, old))
    return Answer(200, _pixel(call, row))


def delete_pixel(call: Call) -> Answer:
    """DELETE /v2/tracking-pixels/{owner}/{tracking_pixel_id}."""
    pixels.delete_pixel(call.db, pixel_in(call))
    return Answer(204)


def get_domains(call: Call) -> Answer:
    """GET /v2/tracking-pixels/{owner}/{tracking_pixel_id}/domains: all of them at once."""
    pixel = pixel_in(call)
    return Answer(200, [_domain(pixel, row) for row in pixels.domains_of_pixel(call.db, pixel)])


def post_domain(call: Call) -> Answer:
    """POST /v2/tracking-pixels/{owner}/{tracking_pixel_id}/domains."""
    name = Body(call).text("name")
    pixel = pixel_in(call)
    return Answer(201, _domain(pixel, pixels.add_pixel_domain(call.db, pixel, name)))


def get_domain(call: Call) -> Answer:
    """GET /v2/tracking-pixels/{owner}/{tracking_pixel_id}/domains/{domain_id}."""
    pixel = pixel_in(call)
    return Answer(200, _domain(pixel, pixels.find_pixel_domain(call.db, pixel, call.params["domain"])))


def delete_domain(call: Call) -> Answer:
    """DELETE /v2/tracking-pixels/{owner}/{tracking_pixel_id}/domains/{domain_id}."""
    pixels.remove_pixel_domain(call.db, pixel_in(call), call.params["domain"])
    return Answer(204)


def get_collections(call: Call) -> Answer:
    """GET /v2/collections/{owner}."""
    return page_of(call, collections.collections_of(call.db, owner_in(call)), by_uuid(), _collection)


def post_collection(call: Call) -> Answer:
    """POST /v2/collections/{owner}."""
    body = Body(call)
    kind = body.text("type")
    wanted = _collection_fields(body)
    if kind != LibraryType.DOCKER:
        raise WrongField("type", f"{kind!r} is not docker", "type-is-invalid")
    return Answer(201, _collection(collections.create_collection(call.db, owner_in(call), wanted)))


def get_collection(call: Call) -> Answer:
    """GET /v2/collections/{owner}/{collection_id}."""
    return Answer(200, _collection(_find_collection(call)))


def put_collection(call: Call) -> Answer:
    """PUT /v2/collections/{owner}/{collection_id}."""
    body = Body(call)
    _collection_fields(body)
    old = _find_collection(call)
    wanted = _collection_fields(body, old["public_domain"])
    return Answer(200, _collection(collections.update_collection(call.db, old, wanted)))


def delete_collection(call: Call) -> Answer:
    """DELETE /v2/collections/{owner}/{collection_id}."""
    collections.delete_collection(call.db, _find_collection(call))
    return Answer(204)


ENDPOINTS: Final[Endpoints] = {
    "/v2/tracking-pixels/{owner}": {"GET": get_pixels, "POST": post_pixel},
    "/v2/tracking-pixels/{owner}/{pixel}": {"GET": get_pixel, "PUT": put_pixel, "DELETE": delete_pixel},
    "/v2/tracking-pixels/{owner}/{pixel}/domains": {"GET": get_domains, "POST": post_domain},
    "/v2/tracking-pixels/{owner}/{pixel}/domains/{domain}": {"GET": get_domain, "DELETE": delete_domain},
    "/v2/collections/{owner}": {"GET": get_collections, "POST": post_collection},
    "/v2/collections/{owner}/{collection}": {
        "GET": get_collection,
        "PUT": put_collection,
        "DELETE": delete_collection,
    },
}


def _find_collection(call: Call) -> sqlite3.Row:
    return collections.find_collection(call.db, owner_in(call), call.params["collection"])


def _pixel_fields(
    body: Body, name: str, package_id: int | None, old: sqlite3.Row | None = None
) -> pixels.PixelFields:
    def before(field: str) -> str | None:
        return None if old is None else old[field]

    tracks = None if old is None else bool(old["track_companies"])
    return pixels.PixelFields(
        name,
        package_id,
        body.optional_word("importance", IMPORTANCES, before("importance")),
        body.flag("track_companies", tracks, default=True),
        body.optional("short_description", before("short_description")),
        body.optional("long_description", before("long_description")),
    )


def _collection_fields(body: Body, old_domain: str | None = None) -> collections.CollectionFields:
    return collections.CollectionFields(
        body.text("pattern"), body.text("backend_domain"), body.optional("public_domain", old_domain)
    )


def _uuid_of_package(call: Call, pixel: sqlite3.Row) -> str | None:
    package = _package(call, pixel)
    return None if package is None else package["uuid"]


def _package(call: Call, pixel: sqlite3.Row) -> sqlite3.Row | None:
    return call.db.one("SELECT * FROM owned_packages WHERE id = ?", pixel["package_id"])


def _pixel(call: Call, row: sqlite3.Row) -> dict[str, JSON]:
    return show_pixel(call, row, _package(call, row))


def _domain(pixel: sqlite3.Row, row: sqlite3.Row) -> dict[str, JSON]:
    return {
        "id": row["uuid"],
        "name": row["name"],
        "owner": pixel["owner"],
        "tracking_pixel_id": pixel["uuid"],
        "created_at": row["created_at"],
    }


def _collection(row: sqlite3.Row) -> dict[str, JSON]:
    """A Collection."""
    return {
        "id": row["uuid"],
        "owner": row["owner"],
        "pattern": row["pattern"],
        "public_domain": collections.public_domain(row),
        "backend_domain": row["backend_domain"],
        "type": row["type"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }
