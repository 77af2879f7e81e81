"""Tracking pixels and their domains (v2)."""

from __future__ import annotations

import builtins

from scarf_async import entities
from scarf_async.dialects import v2
from scarf_async.dialects.v2.arguments import needed_owner, owner_beside
from scarf_async.entities import Domain, DomainCreate, Package, PackageKey
from scarf_async.resources.packages import package_key
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Pixels", "owned_pixel"]


def owned_pixel(pixel: str | entities.TrackingPixel, owner: str | None) -> tuple[str | None, str]:
    """Return the owner of a pixel, if known, and its id.

    Raises:
        ValidationError: the pixel has an owner, and a different owner is passed too.
    """
    if not isinstance(pixel, entities.TrackingPixel):
        return owner, pixel
    return owner_beside(f"tracking pixel {pixel.id}", pixel.owner, owner), pixel.id


class Pixels:
    """`scarf.pixels`: list, get, create, update and delete tracking pixels, and their domains.

    These calls use v2, whichever version the client uses. Pass a pixel as its id or as a `TrackingPixel`, which has
    an owner. For an id, the owner is the `owner` argument, else the client's owner.

    ```python
    pixel = await scarf.pixels.create(TrackingPixelUpsert(name="readme"), owner="acme", if_exists="keep")
    ```
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(
        self, owner: str | None = None, *, package: str | Package | PackageKey | None = None
    ) -> builtins.list[entities.TrackingPixel]:
        """Return the tracking pixels of an owner, or those of a package.

        Raises:
            ValidationError: no owner is given, or the package has another owner; nothing was sent.
            NotFoundError: there is no such owner or package.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of pixels, or is incomplete.
        """
        if package is None:
            return await self._session.read(v2.pixels.pixels(self._owner(owner)))
        key = package_key(package, owner)
        return await self._session.read(v2.pixels.pixels_of_package(self._owner(key.owner), key.id))

    async def get(self, pixel: str | entities.TrackingPixel, *, owner: str | None = None) -> entities.TrackingPixel:
        """Return a tracking pixel.

        Raises:
            ValidationError: no owner is given, or the service reserves this id; nothing was sent.
            NotFoundError: no pixel has this id.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a pixel.
        """
        return await self._session.read(v2.pixels.pixel(*self._at(pixel, owner)))

    async def create(
        self, pixel: entities.TrackingPixelUpsert, *, owner: str | None = None, if_exists: IfExists = "fail"
    ) -> entities.TrackingPixel:
        """Create a tracking pixel.

        Args:
            pixel: what to create.
            owner: a user or an organization; else the client's owner.
            if_exists: with `keep`, return an existing pixel that has this name and equal fields. Fields that the
                list does not contain are not compared.

        Raises:
            ValidationError: no owner is given, or the package has another owner; nothing was sent.
            ConflictError: it exists (with `keep`: it exists and differs; see `.requested` and `.found`).
            OutcomeUnknownError: no response arrived, and a lookup did not show whether it was created.
            WriteConfirmedError: it was created but could not be read back.
            APIError: the service returned another error.
            TransportError: the request was not sent.
        """
        return await create(self._session, v2.pixels.create_pixel(self._owner(owner), pixel), if_exists)

    async def update(
        self, pixel: str | entities.TrackingPixel, upsert: entities.TrackingPixelUpsert, *, owner: str | None = None
    ) -> entities.TrackingPixel:
        """Update a tracking pixel.

        The current pixel is read first, and UNSET fields keep their values. A change made by someone else between
        the two requests is lost.

        Raises:
            ValidationError: the service does not show the current `track_companies`, so it must be given; nothing
                was changed.
            NotFoundError: no pixel has this id.
            ConflictError: another pixel has the name.
            WriteConfirmedError: it was changed but could not be read back.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        return await self._session.run(v2.pixels.update_pixel(*self._at(pixel, owner), upsert))

    async def delete(self, pixel: str | entities.TrackingPixel, *, owner: str | None = None) -> None:
        """Delete a tracking pixel.

        Raises:
            NotFoundError: no pixel has this id. Not raised after an attempt that may have deleted it.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        await self._session.run(v2.pixels.delete_pixel(*self._at(pixel, owner)))

    async def list_domains(
        self, pixel: str | entities.TrackingPixel, *, owner: str | None = None
    ) -> builtins.list[Domain]:
        """Return the domains of a tracking pixel, without `static.scarf.sh`, which serves every pixel.

        Raises:
            NotFoundError: there is no such pixel.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of domains.
        """
        return await self._session.read(v2.pixels.pixel_domains(*self._at(pixel, owner)))

    async def create_domain(
        self,
        pixel: str | entities.TrackingPixel,
        name: str,
        *,
        owner: str | None = None,
        if_exists: IfExists = "fail",
    ) -> Domain:
        """Create a domain for a tracking pixel. One domain can serve any number of pixels.

        Args:
            pixel: its id, or the pixel.
            name: the host name.
            owner: the owner of the pixel; else the client's owner.
            if_exists: with `keep`, return an existing domain of the pixel that has this name, in any spelling.

        Raises:
            ConflictError: the name is taken.
            OutcomeUnknownError: no response arrived, and a lookup did not show whether it was created.
            WriteConfirmedError: it was created but could not be read back.
            APIError: the service returned another error.
            TransportError: the request was not sent.
        """
        creation = v2.pixels.create_pixel_domain(*self._at(pixel, owner), DomainCreate(name))
        return await create(self._session, creation, if_exists)

    async def delete_domain(
        self, pixel: str | entities.TrackingPixel, domain_id: str, *, owner: str | None = None
    ) -> None:
        """Delete a domain of a tracking pixel.

        Raises:
            NotFoundError: there is no such domain. Not raised after an attempt that may have deleted it.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        await self._session.run(v2.pixels.delete_pixel_domain(*self._at(pixel, owner), domain_id))

    def _owner(self, owner: str | None) -> str:
        return needed_owner(owner, self._session.owner)

    def _at(self, pixel: str | entities.TrackingPixel, owner: str | None) -> tuple[str, str]:
        """Return the owner and the id of a pixel, as used in its path."""
        owner, pixel_id = owned_pixel(pixel, owner)
        return self._owner(owner), pixel_id
