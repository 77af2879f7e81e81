"""Tracking pixels and their domains (v2)."""

from __future__ import annotations

import builtins

from scarf_async.dialects.v2 import pixels
from scarf_async.dialects.v2.arguments import needed_owner, owner_beside
from scarf_async.entities import Domain, DomainCreate, Package, PackageKey, TrackingPixel, TrackingPixelUpsert
from scarf_async.resources.packages import package_key
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Pixels", "owned_pixel"]


def owned_pixel(pixel: str | TrackingPixel, owner: str | None) -> tuple[str | None, str]:
    """Return whose a pixel is, where that is known, and its id.

    Raises:
        ValidationError: it has an owner, and another one is given beside it.
    """
    if not isinstance(pixel, TrackingPixel):
        return owner, pixel
    return owner_beside(f"tracking pixel {pixel.id}", pixel.owner, owner), pixel.id


class Pixels:
    """`scarf.pixels`: list, get, create, update and delete tracking pixels, and their domains.

    These are calls of v2, whichever version the client speaks. A pixel is given by its id or as a `TrackingPixel`,
    which has an owner; else the owner is the call's, or the client's.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self, owner: str | None = None, *, package: str | Package | PackageKey | None = None
    ) -> builtins.list[TrackingPixel]:
        """Return the tracking pixels of an owner, or those of a package.

        Raises:
            ValidationError: nobody says whose, or the package has another owner; nothing was sent.
            NotFoundError: there is no such owner, or package.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of pixels, or not a whole one.
        """
        if package is None:
            return await self._session.read(pixels.pixels(self._owner(owner)))
        key = package_key(package, owner)
        return await self._session.read(pixels.pixels_of_package(self._owner(key.owner), key.id))

    async def get(self, pixel: str | TrackingPixel, *, owner: str | None = None) -> TrackingPixel:
        """Return a tracking pixel.

        Raises:
            ValidationError: nobody says whose, or the id is a word of the service's own; nothing was sent.
            NotFoundError: there is none of this id.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a pixel.
        """
        return await self._session.read(pixels.pixel(*self._at(pixel, owner)))

    async def create(
        self, pixel: TrackingPixelUpsert, *, owner: str | None = None, if_exists: IfExists = "fail"
    ) -> TrackingPixel:
        """Create a tracking pixel.

        Args:
            pixel: what to create.
            owner: a user or an organization; else the client's owner.
            if_exists: with `keep`, one of this name that equals what is asked for is returned as it is; what the
                list does not show is not compared.

        Raises:
            ValidationError: nobody says whose, or its package has another owner; nothing was sent.
            ConflictError: it exists (or, with `keep`, exists and differs: `.requested`, `.found`).
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: it was not sent.
        """
        return await create(self._session, pixels.create_pixel(self._owner(owner), pixel), if_exists)

    async def update(
        self, pixel: str | TrackingPixel, upsert: TrackingPixelUpsert, *, owner: str | None = None
    ) -> TrackingPixel:
        """Change a tracking pixel to what is given.

        It is read first, what is UNSET stays, and what another changes between the two requests is lost.

        Raises:
            ValidationError: the service does not show whether it tracks companies, so that this has to be given;
                nothing was changed.
            NotFoundError: there is none of this id.
            ConflictError: another pixel has the name.
            WriteConfirmedError: changed, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        return await self._session.run(pixels.update_pixel(*self._at(pixel, owner), upsert))

    async def delete(self, pixel: str | TrackingPixel, *, owner: str | None = None) -> None:
        """Delete a tracking pixel.

        Raises:
            NotFoundError: there is none of this id (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.run(pixels.delete_pixel(*self._at(pixel, owner)))

    async def list_domains(self, pixel: str | TrackingPixel, *, owner: str | None = None) -> builtins.list[Domain]:
        """Return the domains of a tracking pixel, besides `static.scarf.sh`, which serves every pixel.

        Raises:
            NotFoundError: there is no such pixel.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of domains.
        """
        return await self._session.read(pixels.pixel_domains(*self._at(pixel, owner)))

    async def create_domain(
        self, pixel: str | TrackingPixel, name: str, *, owner: str | None = None, if_exists: IfExists = "fail"
    ) -> Domain:
        """Serve a tracking pixel under a domain; one domain may serve any number of pixels.

        Args:
            pixel: its id, or the pixel.
            name: the host name.
            owner: whose pixel it is; else the client's owner.
            if_exists: with `keep`, a domain of the pixel with this name is returned, in whatever spelling.

        Raises:
            ConflictError: the name is taken.
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: it was not sent.
        """
        creation = pixels.create_pixel_domain(*self._at(pixel, owner), DomainCreate(name))
        return await create(self._session, creation, if_exists)

    async def delete_domain(self, pixel: str | TrackingPixel, domain_id: str, *, owner: str | None = None) -> None:
        """Delete a domain of a tracking pixel.

        Raises:
            NotFoundError: there is no such domain (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.run(pixels.delete_pixel_domain(*self._at(pixel, owner), domain_id))

    def _owner(self, owner: str | None) -> str:
        return needed_owner(owner, self._session.owner)

    def _at(self, pixel: str | TrackingPixel, owner: str | None) -> tuple[str, str]:
        """Return the owner and the id of a pixel, as its path has them."""
        owner, pixel_id = owned_pixel(pixel, owner)
        return self._owner(owner), pixel_id
