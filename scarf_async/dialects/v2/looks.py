"""Compare the intended result of a create with what v2 shows, which is more than v1 does. Pure."""

from __future__ import annotations

from collections.abc import Collection as Words
from collections.abc import Sequence

import attrs

from scarf_async.dialects.v2.bodies import same_type, sent_name
from scarf_async.entities import (
    UNSET,
    Collection,
    CollectionUpsert,
    Package,
    PackageUpsert,
    Route,
    RouteCreate,
    TrackingPixel,
    TrackingPixelUpsert,
)
from scarf_async.names import domain_key, text_key, url_key
from scarf_async.protocol.looking import Found, PackageIndex, differing_fields, find_route

__all__ = ["find_collection", "find_package", "find_pixel", "find_route_in", "is_one_of"]


def is_one_of(package: Package, words: Words[str]) -> bool:
    """Return whether a package has one of some types, or any type if none are given."""
    # A service that does not know the parameter sends all.
    shown = package.library_type
    return not words or shown is None or any(same_type(shown, word) for word in words)


def find_package(requested: PackageUpsert, owner: str, shown: PackageIndex) -> Found[Package]:
    """Compare a package with its owner's list: same type and name, with or without `owner/`."""
    name = sent_name(requested, owner)
    namesakes = [package for package in shown.called(name, owner) if _may_be_of_type(package, requested)]
    # A service that distinguishes both spellings shows the other one beside ours.
    candidates = [package for package in namesakes if package.name == name] or namesakes
    equal = next((package for package in candidates if not _differs(requested, name, package)), None)
    return Found(equal, None if equal is not None or not candidates else candidates[0])


def _may_be_of_type(package: Package, requested: PackageUpsert) -> bool:
    wanted = requested.library_type
    return package.library_type is None or not isinstance(wanted, str) or same_type(package.library_type, wanted)


def _differs(requested: PackageUpsert, name: str, shown: Package) -> bool:
    # A text that is missing from a list may still exist.
    compared = attrs.evolve(
        requested,
        library_type=UNSET,
        backend_url=UNSET,
        public_url=UNSET,
        short_description=requested.short_description if shown.short_description else UNSET,
        long_description=requested.long_description if shown.long_description else UNSET,
        website=requested.website if shown.website else UNSET,
    )
    if differing_fields(compared, shown):
        return True
    if not isinstance(requested.backend_url, str):
        return False
    registry = shown.backend_registry
    if registry and url_key(requested.backend_url) != url_key(f"https://{registry}/{name}"):
        return True
    # The same name means the same image; the other spelling does so only if v2 shows it.
    return shown.name != name and shown.repository_name not in {None, "", name}


def find_route_in(requested: RouteCreate, shown: Sequence[Route]) -> Found[Route]:
    """Compare a route with a list; a URL that is not shown is not compared."""
    found = find_route(requested, shown)
    if found or not isinstance(requested.outgoing_url, str):
        return found
    hidden = attrs.evolve(requested, outgoing_url=None)
    return find_route(hidden, [route for route in shown if not route.outgoing_url])


def find_pixel(requested: TrackingPixelUpsert, shown: Sequence[TrackingPixel]) -> Found[TrackingPixel]:
    """Compare a pixel with its owner's list by name; except for the package, hidden fields are not compared."""
    namesakes = [
        pixel for pixel in shown if pixel.name is not None and text_key(pixel.name) == text_key(requested.name)
    ]
    # A service that distinguishes other spellings shows them beside ours.
    candidates = [pixel for pixel in namesakes if pixel.name == requested.name] or namesakes
    equal = next((pixel for pixel in candidates if _is_like(requested, pixel)), None)
    return Found(equal, None if equal is not None or not candidates else candidates[0])


def _is_like(requested: TrackingPixelUpsert, shown: TrackingPixel) -> bool:
    if requested.package is not UNSET:
        wanted, there = ((key.id.casefold() if key else None) for key in (requested.package, shown.package))
        if wanted != there:
            return False
    compared = attrs.evolve(
        requested,
        package=UNSET,
        importance=requested.importance if shown.importance else UNSET,
        track_companies=UNSET if shown.track_companies is None else requested.track_companies,
        short_description=requested.short_description if shown.short_description else UNSET,
        long_description=requested.long_description if shown.long_description else UNSET,
    )
    return not differing_fields(compared, shown)


def find_collection(requested: CollectionUpsert, shown: Sequence[Collection]) -> Found[Collection]:
    """Compare a collection with its owner's list: same pattern, registry and, if given, domain."""
    public = requested.public_domain
    for collection in shown:
        if (
            collection.pattern.strip() == requested.pattern.strip()
            and domain_key(collection.backend_domain) == domain_key(requested.backend_domain)
            and (not isinstance(public, str) or domain_key(collection.public_domain or "") == domain_key(public))
        ):
            return Found(equal=collection)
    return Found()
