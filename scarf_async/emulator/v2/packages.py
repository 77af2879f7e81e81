"""Packages of every type in v2."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Final

from scarf_async.emulator.answers import JSON, Answer, Refusal, WrongField
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model import packages
from scarf_async.emulator.model.collections import check_registry
from scarf_async.emulator.model.exports import recent_installs
from scarf_async.emulator.model.gateway import (
    add_domain,
    domains_of,
    public_domain,
    registry_of,
)
from scarf_async.emulator.model.listing import Selection, packages_behind
from scarf_async.emulator.model.owners import Owner
from scarf_async.emulator.model.packages import Addresses, PackageFields
from scarf_async.emulator.model.pixels import pixels_of_package
from scarf_async.emulator.model.routes import add_route, check_addresses
from scarf_async.emulator.v2.pages import ANY, Cursor, by_uuid, listed, page_from
from scarf_async.emulator.v2.reading import IMPORTANCES, Body, owner_in, package_in, query_words, undecodable
from scarf_async.emulator.v2.showing import (
    TYPES,
    package_name,
    package_type,
    show_domain,
    show_package,
    show_pixel,
    with_optional,
)
from scarf_async.emulator.wire import url_host
from scarf_async.entities.enums import LibraryType

__all__ = ["ENDPOINTS"]

_LEVELS: Final = ("member", "admin", "owner")
_IMAGE: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.ASCII)
_PROJECT: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.ASCII | re.IGNORECASE)
_LONGEST: Final = 255


def get_packages(call: Call) -> Answer:
    """GET /v2/packages/{owner}."""
    return _page(call, lambda row: show_package(call, row))


def get_overview(call: Call) -> Answer:
    """GET /v2/packages/{owner}/overview: without links, as it is described."""

    def show(row: sqlite3.Row) -> JSON:
        domains: list[JSON] = [show_domain(call, row, domain) for domain in domains_of(call.db, row)]
        shown: dict[str, JSON] = {"package": show_package(call, row), "domains": domains}
        return with_optional(call, shown, total_installs=recent_installs(call.world, call.db, row["id"]))

    return _page(call, show, linked=False)


def post_package(call: Call) -> Answer:
    """POST /v2/packages/{owner}: a package of type `file` has its first route."""
    body = Body(call)
    library_type, name = body.word("type", TYPES), body.text("name")
    texts = _texts(body)
    owner = owner_in(call)
    domain = public_domain(call.db, owner, library_type, body.optional("domain"), "domain")
    addresses, route = Addresses(), None
    if library_type == LibraryType.DOCKER:
        addresses = _image(body, name, domain)
    elif library_type == LibraryType.FILE:
        route = body.text("incoming_path"), body.optional("outgoing_url")
        check_addresses(route[1], route[0])
    elif library_type == LibraryType.PYTHON:
        addresses = Addresses(repository_url=_repository(body.optional("repository_url")))
    _check_name(library_type, name)
    _refuse_second(call, owner, library_type, name)
    row = packages.create_package(
        call.db, owner, PackageFields(name, *texts[:3], library_type, addresses, texts[3])
    )
    if route is not None:
        add_route(call.db, row, outgoing_url=route[1], template_path=route[0])
    if domain is not None and library_type in {LibraryType.FILE, LibraryType.PYTHON}:
        add_domain(call.db, row, domain)
    return Answer(201, show_package(call, row))


def get_package(call: Call) -> Answer:
    """GET /v2/packages/{owner}/{package_id}."""
    return Answer(200, show_package(call, package_in(call)))


def get_package_by_name(call: Call) -> Answer:
    """GET /v2/packages/{owner}/{package_type}/{package_name}."""
    library_type, name = call.params["type"], call.params["name"]
    if library_type not in TYPES:
        raise undecodable()
    owner = owner_in(call)
    row = packages.find_named_package(call.db, owner, library_type, name)
    if row is None:
        raise Refusal(404, f"{owner.name!r} has no {library_type} package {name!r}.", "not-found")
    return Answer(200, show_package(call, row))


def put_package(call: Call) -> Answer:
    """PUT /v2/packages/{owner}/{package_id}: all fields replaced; the type must be the package's."""
    body = Body(call)
    library_type, name = body.word("type", TYPES), body.text("name")
    old = package_in(call)
    if library_type != package_type(old):
        raise WrongField("type", f"cannot be changed; it is {package_type(old)!r}")
    texts = _texts(body, old)
    stored_name, addresses = name, Addresses()
    if library_type == LibraryType.DOCKER:
        addresses = _moved_image(body, name, old)
        # The name in v1 does not change while the image does not.
        stored_name = old["name"] if name == package_name(old) else name
    elif library_type == LibraryType.PYTHON:
        addresses = Addresses(repository_url=_repository(body.text("repository_url")))
    _check_name(library_type, name)
    owner = owner_in(call)
    _refuse_second(call, owner, library_type, name, old["uuid"])
    wanted = PackageFields(stored_name, *texts[:3], None, addresses, texts[3])
    return Answer(200, show_package(call, packages.update_package(call.db, old, wanted)))


def delete_package(call: Call) -> Answer:
    """DELETE /v2/packages/{owner}/{package_id}."""
    packages.delete_package(call.db, package_in(call))
    return Answer(204)


def get_pixels(call: Call) -> Answer:
    """GET /v2/packages/{owner}/{package_id}/tracking-pixels."""
    package = package_in(call)
    pixels = pixels_of_package(call.db, package)
    return listed(call, pixels, by_uuid(), lambda row: show_pixel(call, row, package))


ENDPOINTS: Final[Endpoints] = {
    "/v2/packages/{owner}": {"GET": get_packages, "POST": post_package},
    "/v2/packages/{owner}/overview": {"GET": get_overview},
    "/v2/packages/{owner}/{package}": {"GET": get_package, "PUT": put_package, "DELETE": delete_package},
    "/v2/packages/{owner}/{package}/tracking-pixels": {"GET": get_pixels},
    "/v2/packages/{owner}/{type}/{name}": {"GET": get_package_by_name},
}


def _page(call: Call, show: Callable[[sqlite3.Row], JSON], *, linked: bool = True) -> Answer:
    """A page of the packages that match the query."""
    types = query_words(call, "type", TYPES)
    levels = query_words(call, "permission", _LEVELS)
    owner = owner_in(call)
    by_name = call.world.quirks.package_cursor == "name"
    wanted = Selection(owner, types, call.world.user, levels[0] if levels else None, by_name)

    def source(after: tuple[str, str | None] | None, limit: int) -> list[sqlite3.Row]:
        return packages_behind(call.db, wanted, after, limit)

    cursor = by_uuid()
    if by_name:
        cursor = Cursor(package_name, ANY, tie=cursor.of)
    return page_from(call, source, cursor, show, linked=linked)


def _texts(body: Body, old: sqlite3.Row | None = None) -> tuple[str | None, str | None, str | None, str | None]:
    """Read the two descriptions, the website and the importance."""

    def before(name: str) -> str | None:
        return None if old is None else old[name]

    return (
        body.optional("short_description", before("short_description")),
        body.optional("long_description", before("long_description")),
        body.optional("website", before("website")),
        body.optional_word("importance", IMPORTANCES, before("importance")),
    )


def _image(body: Body, name: str, domain: str | None) -> Addresses:
    """The addresses of a new docker package."""
    registry = body.text("backend_registry")
    check_registry("backend_registry", registry)
    _check_image(name)
    return Addresses(f"https://{registry}/{name}", None if domain is None else f"https://{domain}/{name}")


def _moved_image(body: Body, name: str, old: sqlite3.Row) -> Addresses:
    """The URLs of a docker package whose registry or path may change; unchanged ones stay."""
    registry = body.text("backend_registry")
    check_registry("backend_registry", registry)
    if name == package_name(old):
        same = old["backend_url"] is not None and registry == registry_of(old["backend_url"])
        return Addresses() if same else Addresses(f"https://{registry}/{name}")
    _check_image(name)
    host = url_host(old["public_url"])
    return Addresses(f"https://{registry}/{name}", None if host is None else f"https://{host}/{name}")


def _repository(url: str | None) -> str | None:
    if url is None:
        return None
    if not url.startswith("https://"):
        known = re.match(r"[a-z][a-z0-9+.-]*://", url, re.ASCII | re.IGNORECASE)
        raise WrongField("repository_url", "must be https", f"repository-url-{'not-https' if known else 'invalid'}")
    if any(character.isspace() for character in url) or not url.removeprefix("https://").strip("/"):
        raise WrongField("repository_url", "is not a URL", "repository-url-invalid")
    if not url.endswith("/"):
        raise WrongField("repository_url", "must end with a slash", "repository-url-missing-trailing-slash")
    return url


def _check_name(library_type: str, name: str) -> None:
    if not name.strip():
        raise WrongField("name", "must not be empty", "package-name-is-empty")
    if library_type == LibraryType.PYTHON and _PROJECT.fullmatch(name) is None:
        raise WrongField("name", f"{name!r} is not a name for a project", "invalid-python-project-name")


def _check_image(name: str) -> None:
    if not name.strip():
        raise WrongField("name", "must not be empty", "package-name-is-empty")
    if len(name) > _LONGEST:
        raise WrongField("name", "is too long", "docker-image-name-is-longer-than-255-characters")
    segments = name.split("/")
    if not all(segments):
        raise WrongField("name", "has an empty segment", "docker-image-name-has-empty-segments")
    if not all(_IMAGE.fullmatch(segment) for segment in segments):
        raise WrongField("name", "holds what no image's name does", "docker-image-name-has-invalid-characters")


def _refuse_second(call: Call, owner: Owner, library_type: str, name: str, itself: str = "") -> None:
    """Refuse an image or python package that has another name in v1 with a 409."""
    if packages.find_named_package(call.db, owner, library_type, name, itself) is not None:
        message = f"{owner.name!r} has a {library_type} package {name!r} already."
        raise Refusal(409, message, "package-already-exists")
