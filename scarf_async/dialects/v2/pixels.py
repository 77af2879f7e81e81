"""Tracking pixels and their domains, which v1 does not have."""

from __future__ import annotations

from scarf_async.dialects.v2.arguments import check_package_id, check_pixel_id
from scarf_async.dialects.v2.bodies import check_id, new_pixel, pixel_over
from scarf_async.dialects.v2.lists import PIXEL_DOMAINS, PIXELS, PIXELS_OF_PACKAGE
from scarf_async.dialects.v2.looks import find_pixel
from scarf_async.dialects.v2.requests import (
    CREATE_PIXEL,
    CREATE_PIXEL_DOMAIN,
    DELETE_PIXEL,
    DELETE_PIXEL_DOMAIN,
    GET_PIXEL,
    GET_PIXEL_DOMAIN,
    UPDATE_PIXEL,
)
from scarf_async.entities import Domain, DomainCreate, TrackingPixel, TrackingPixelUpsert
from scarf_async.protocol.looking import Found, find_domain
from scarf_async.protocol.messages import Request
from scarf_async.protocol.steps import (
    Creation,
    LookContext,
    Read,
    Rewrite,
    Steps,
    ask,
    if_there,
    reading,
    shared,
    tell,
    updated,
)

__all__ = [
    "create_pixel",
    "create_pixel_domain",
    "delete_pixel",
    "delete_pixel_domain",
    "pixel",
    "pixel_domains",
    "pixels",
    "pixels_of_package",
    "update_pixel",
]


def pixels(owner: str) -> Read[list[TrackingPixel]]:
    """All pixels of an owner."""
    return PIXELS.read(owner=owner)


def pixels_of_package(owner: str, package_id: str) -> Read[list[TrackingPixel]]:
    """All pixels of a package."""
    check_package_id(package_id)
    return PIXELS_OF_PACKAGE.read(owner=owner, package=package_id)


def pixel(owner: str, pixel_id: str) -> Read[TrackingPixel]:
    """One pixel."""
    check_pixel_id(pixel_id)
    return reading(GET_PIXEL.request(owner=owner, pixel=pixel_id))


def create_pixel(owner: str, upsert: TrackingPixelUpsert) -> Creation[TrackingPixel]:
    """A new pixel; its name is unique for the owner."""
    listed = pixels(owner)

    def look(_: LookContext) -> Steps[Found[TrackingPixel]]:
        return find_pixel(upsert, (yield from shared(listed)))

    request = CREATE_PIXEL.request(new_pixel(upsert, owner), owner=owner)
    return Creation(upsert, request, look, lambda pixel_id: if_there(pixel(owner, pixel_id)))


def update_pixel(owner: str, pixel_id: str, upsert: TrackingPixelUpsert) -> Steps[TrackingPixel]:
    """An update of a pixel."""
    check_pixel_id(pixel_id)
    new_pixel(upsert, owner)
    read = GET_PIXEL.request(owner=owner, pixel=pixel_id)

    def make() -> Steps[Request[TrackingPixel]]:
        there = yield from ask(read)
        check_id(GET_PIXEL, there.id, pixel_id)
        return UPDATE_PIXEL.request(pixel_over(upsert, there), owner=owner, pixel=pixel_id)

    return updated(Rewrite(UPDATE_PIXEL, make), upsert, pixel(owner, pixel_id))


def delete_pixel(owner: str, pixel_id: str) -> Steps[None]:
    """The deletion of a pixel."""
    check_pixel_id(pixel_id)
    return tell(DELETE_PIXEL.request(owner=owner, pixel=pixel_id))


def pixel_domains(owner: str, pixel_id: str) -> Read[list[Domain]]:
    """All domains of a pixel."""
    check_pixel_id(pixel_id)
    return PIXEL_DOMAINS.read_unpaged(owner=owner, pixel=pixel_id)


def create_pixel_domain(owner: str, pixel_id: str, domain: DomainCreate) -> Creation[Domain]:
    """A new domain of a pixel."""
    listed = pixel_domains(owner, pixel_id)

    def look(_: LookContext) -> Steps[Found[Domain]]:
        return find_domain(domain, (yield from shared(listed)))

    def by_id(domain_id: str) -> Steps[Domain | None]:
        return if_there(reading(GET_PIXEL_DOMAIN.request(owner=owner, pixel=pixel_id, domain=domain_id)))

    request = CREATE_PIXEL_DOMAIN.request(domain, owner=owner, pixel=pixel_id)
    return Creation(domain, request, look, by_id)


def delete_pixel_domain(owner: str, pixel_id: str, domain_id: str) -> Steps[None]:
    """The deletion of a domain of a pixel."""
    check_pixel_id(pixel_id)
    return tell(DELETE_PIXEL_DOMAIN.request(owner=owner, pixel=pixel_id, domain=domain_id))
