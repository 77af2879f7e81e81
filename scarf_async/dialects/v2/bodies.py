"""Convert an upsert to v2's fields: for a create as given, for an update merged with the current state. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from scarf_async.dialects.v2.arguments import owner_beside
from scarf_async.entities import (
    JSON,
    UNSET,
    Collection,
    CollectionUpsert,
    LibraryType,
    Organization,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageUpsert,
    Route,
    RouteCreate,
    TrackingPixel,
    TrackingPixelUpsert,
    Unset,
)
from scarf_async.entities.enums import address_fields
from scarf_async.errors import DecodeError, UnsupportedError, ValidationError
from scarf_async.names import package_key, public_host
from scarf_async.protocol.messages import Endpoint, class_name

__all__ = [
    "check_id",
    "check_package",
    "collection_over",
    "filled",
    "new_collection",
    "new_package",
    "new_pixel",
    "new_route",
    "organization_over",
    "package_over",
    "pixel_over",
    "route_over",
    "same_type",
    "sent_name",
    "type_word",
]

_TEXTS: Final = ("short_description", "long_description", "website", "importance")


def type_word(library_type: str) -> str:
    """Return the name of a type in v2.

    Raises:
        UnsupportedError: it does not have it.
    """
    if library_type == LibraryType.OTHER:
        raise UnsupportedError("v2 has no packages of type other", field="library_type")
    return "python" if library_type == LibraryType.PYPI else str(library_type)


def same_type(one: str, other: str) -> bool:
    """Return whether two words are the same type, as `pypi` and `python` are."""
    python = {LibraryType.PYPI, LibraryType.PYTHON}
    return one == other or {one, other} <= python


def check_package(upsert: PackageUpsert, owner: str) -> None:
    """Refuse values of a package that v2 never accepts, whatever its current state.

    Raises:
        UnsupportedError: v2 does not have its type.
        ValidationError: v2 does not accept a URL, or it contradicts the name.
    """
    if isinstance(upsert.library_type, str):
        type_word(upsert.library_type)
    if isinstance(upsert.backend_url, str):
        _registry(upsert.backend_url)
        sent_name(upsert, owner)
    if isinstance(upsert.repository_url, str) and not (
        upsert.repository_url[:8].lower() == "https://" and upsert.repository_url.endswith("/")
    ):
        raise ValidationError("repository_url must be https and end in '/' in v2", field="repository_url")


def _registry(backend_url: str) -> str:
    parts = urlsplit(backend_url)
    if parts.scheme != "https":
        raise ValidationError(
            f"backend_url must be https in v2, which keeps its host alone; got {backend_url!r}", field="backend_url"
        )
    return parts.netloc


def sent_name(upsert: PackageUpsert, owner: str) -> str:
    """Return the name of a package in v2: for docker, the path of its URL.

    Raises:
        ValidationError: the name differs from it.
    """
    if not isinstance(upsert.backend_url, str):
        return upsert.name
    path = urlsplit(upsert.backend_url).path.removeprefix("/")
    if package_key(upsert.name, owner) != package_key(path, owner):
        raise ValidationError(
            f"in v2 the name of a docker package is the path of its backend_url, {path!r}; got {upsert.name!r}",
            field="name",
        )
    return path


def new_package(upsert: PackageUpsert, owner: str, route: RouteCreate | None) -> dict[str, JSON]:
    """Return the body that creates a package.

    Raises:
        ValidationError: the type is missing, or a value that v2 requires for this type.
    """
    check_package(upsert, owner)
    if not isinstance(upsert.library_type, str):
        raise ValidationError("v2 needs the library_type of a new package", field="library_type")
    word = type_word(upsert.library_type)
    is_file = word == LibraryType.FILE
    if is_file and route is None:
        raise ValidationError(
            "v2 creates a file package together with its first route: give route=RouteCreate(...)", field="route"
        )
    if not is_file and route is not None:
        raise ValidationError(f"a package of type {word} has no routes", field="route")
    body: dict[str, JSON] = {"type": word, "name": sent_name(upsert, owner)}
    body |= {name: str(text) for name in _TEXTS if isinstance(text := getattr(upsert, name), str)}
    if word == LibraryType.DOCKER:
        if not isinstance(upsert.backend_url, str):
            raise ValidationError("v2 needs the backend_url of a new docker package", field="backend_url")
        body["backend_registry"] = _registry(upsert.backend_url)
    if isinstance(upsert.repository_url, str):
        body["repository_url"] = upsert.repository_url
    if (host := public_host(upsert.public_url)) is not None:
        body["domain"] = host
    return body if route is None else body | new_route(route)


def new_route(route: RouteCreate) -> dict[str, JSON]:
    """Return the body that creates a route."""
    address = {"outgoing_url": route.outgoing_url} if isinstance(route.outgoing_url, str) else {}
    return {"incoming_path": route.template_path, **address}


def check_id(endpoint: Endpoint[object], shown: str, asked: str, effect: str = "; nothing was changed") -> None:
    """Refuse an entity with another id than requested.

    Raises:
        DecodeError: the ids differ.
    """
    if shown.casefold() != asked.casefold():
        raise DecodeError(
            f"it is {shown!r}, and {asked!r} was requested{effect}",
            endpoint=endpoint.name,
            entity=class_name(endpoint.answer),
            path="id",
        )


def _over(name: str, wanted: str | None | Unset, shown: str | None) -> dict[str, JSON]:
    """Return a field of an update: UNSET keeps the current value, and None clears it."""
    if isinstance(wanted, str):
        return {name: str(wanted)}
    if not shown:
        return {}
    return {name: None if wanted is None else str(shown)}


def _required(name: str, wanted: str | None | Unset, shown: str | None, field: str) -> dict[str, JSON]:
    if wanted is None:
        raise ValidationError(f"v2 cannot clear {field}; nothing was changed", field=field)
    value = wanted if isinstance(wanted, str) else shown
    if not value:
        raise ValidationError(
            f"v2 replaces the whole and needs {field}, which it does not show: give it; nothing was changed",
            field=field,
        )
    return {name: value}


def route_over(route: RouteCreate, shown: Route) -> dict[str, JSON]:
    """Return the body that updates a route."""
    return {
        "incoming_path": route.template_path,
        **_over("outgoing_url", route.outgoing_url, shown.outgoing_url),
        **_over("type", UNSET, shown.type),
    }


def organization_over(name: str, wanted: OrganizationUpsert, shown: Organization) -> dict[str, JSON]:
    """Return the body that updates the organization with a name.

    Raises:
        ValidationError: v2 needs its billing address, which is neither given nor shown.
    """
    return {
        # The name of the call may differ in case from the current one, which must not rename the organization.
        "name": shown.name if wanted.name == name else wanted.name,
        **_required("billing_email", wanted.billing_email, shown.billing_email, "billing_email"),
        **_over("description", wanted.description, shown.description),
        **_over("website", wanted.website, shown.website),
    }


def filled(wanted: OrganizationUpsert, shown: Organization) -> OrganizationUpsert:
    """Return an upsert that also has the values that stay as they are."""
    return OrganizationUpsert(
        name=wanted.name,
        description=shown.description if wanted.description is UNSET else wanted.description,
        billing_email=shown.billing_email if wanted.billing_email is UNSET else wanted.billing_email,
        website=shown.website if wanted.website is UNSET else wanted.website,
    )


def package_over(upsert: PackageUpsert, owner: str, shown: Package) -> dict[str, JSON]:
    """Return the body that updates a package.

    Raises:
        ValidationError: the type would change, a URL does not fit it, or v2 needs one that is neither given nor
            shown.
    """
    given = upsert.library_type if isinstance(upsert.library_type, str) else None
    if given is not None and shown.library_type is not None and not same_type(given, shown.library_type):
        raise ValidationError(
            f"library_type of package {shown.uuid} cannot change from {shown.library_type} to {given};"
            " nothing was changed",
            field="library_type",
        )
    library_type = shown.library_type or given
    if library_type is None:
        raise ValidationError("v2 needs library_type, which it does not show: give it", field="library_type")
    for field in ("backend_url", "public_url", "repository_url"):
        if isinstance(getattr(upsert, field), str) and field not in address_fields(library_type):
            raise ValidationError(f"{field} does not fit a package of type {library_type}", field=field)
    is_renamed = package_key(upsert.name, owner) != package_key(shown.name, owner)
    body: dict[str, JSON] = {
        # A type that v2 shows is sent back unchanged; a given one is converted to v2's word.
        "type": str(shown.library_type) if shown.library_type else type_word(library_type),
        "name": sent_name(upsert, owner) if is_renamed or isinstance(upsert.backend_url, str) else shown.name,
    }
    for name in _TEXTS:
        body |= _over(name, getattr(upsert, name), getattr(shown, name))
    if library_type == LibraryType.DOCKER:
        wanted = _registry(upsert.backend_url) if isinstance(upsert.backend_url, str) else upsert.backend_url
        body |= _required("backend_registry", wanted, shown.backend_registry, "backend_url")
    if same_type(library_type, LibraryType.PYTHON):
        body |= _required("repository_url", upsert.repository_url, shown.repository_url, "repository_url")
    return body


_PIXEL_TEXTS: Final = ("importance", "short_description", "long_description")


def new_pixel(upsert: TrackingPixelUpsert, owner: str) -> dict[str, JSON]:
    """Return the body that creates a pixel of an owner.

    Raises:
        ValidationError: its package belongs to another owner.
    """
    body: dict[str, JSON] = {"name": upsert.name}
    package = upsert.package
    if isinstance(package, PackageKey):
        owner_beside(f"package {package.id}", package.owner, owner, "package")
        body["package_id"] = package.id
    body |= {name: str(text) for name in _PIXEL_TEXTS if isinstance(text := getattr(upsert, name), str)}
    if isinstance(upsert.track_companies, bool):
        body["track_companies"] = upsert.track_companies
    return body


def pixel_over(upsert: TrackingPixelUpsert, shown: TrackingPixel) -> dict[str, JSON]:
    """Return the body that updates a pixel.

    Raises:
        ValidationError: `track_companies` is neither given nor shown, and v2 would turn it on.
    """
    tracks = shown.track_companies if upsert.track_companies is UNSET else upsert.track_companies
    if tracks is None and shown.track_companies is None:
        raise ValidationError(
            "v2 tracks companies unless it is told not to, and does not show what this pixel does: give"
            " track_companies; nothing was changed",
            field="track_companies",
        )
    package = upsert.package.id if isinstance(upsert.package, PackageKey) else upsert.package
    body: dict[str, JSON] = {
        "name": upsert.name,
        **_over("package_id", package, None if shown.package is None else shown.package.id),
        "track_companies": tracks,
    }
    for name in _PIXEL_TEXTS:
        body |= _over(name, getattr(upsert, name), getattr(shown, name))
    return body


def new_collection(upsert: CollectionUpsert) -> dict[str, JSON]:
    """Return the body that creates a collection."""
    public = {"public_domain": upsert.public_domain} if isinstance(upsert.public_domain, str) else {}
    return {"pattern": upsert.pattern, "backend_domain": upsert.backend_domain, "type": upsert.type, **public}


def collection_over(upsert: CollectionUpsert, shown: Collection) -> dict[str, JSON]:
    """Return the body that updates a collection, without the type."""
    return {
        "pattern": upsert.pattern,
        "backend_domain": upsert.backend_domain,
        **_over("public_domain", upsert.public_domain, shown.public_domain),
    }
