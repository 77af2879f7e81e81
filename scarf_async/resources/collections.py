"""Collections of docker images (v2)."""

from __future__ import annotations

import builtins

from scarf_async import entities
from scarf_async.dialects import v2
from scarf_async.dialects.v2.arguments import needed_owner, owner_beside
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Collections"]


class Collections:
    """`scarf.collections`: list, get, create, update and delete collections.

    These calls use v2, whichever version the client uses. Pass a collection as its id or as a `Collection`, which
    has an owner. For an id, the owner is the `owner` argument, else the client's owner.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, owner: str | None = None) -> builtins.list[entities.Collection]:
        """Return the collections of an owner.

        Raises:
            ValidationError: no owner is given; nothing was sent.
            NotFoundError: there is no such owner.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of collections, or is incomplete.
        """
        return await self._session.read(v2.collections.collections(self._owner(owner)))

    async def get(self, collection: str | entities.Collection, *, owner: str | None = None) -> entities.Collection:
        """Return a collection.

        Raises:
            ValidationError: no owner is given; nothing was sent.
            NotFoundError: no collection has this id.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a collection.
        """
        return await self._session.read(v2.collections.collection(*self._at(collection, owner)))

    async def create(
        self, collection: entities.CollectionUpsert, *, owner: str | None = None, if_exists: IfExists = "fail"
    ) -> entities.Collection:
        """Create a collection.

        Args:
            collection: what to create.
            owner: a user or an organization; else the client's owner.
            if_exists: with `keep`, return an existing collection that has this pattern and registry, and this
                domain if one is given.

        Raises:
            ValidationError: no owner is given; nothing was sent.
            ConflictError: the collection exists, or conflicts with another one.
            OutcomeUnknownError: no response arrived, and a lookup did not show whether it was created.
            WriteConfirmedError: it was created but could not be read back.
            APIError: the service returned another error.
            TransportError: the request was not sent.
        """
        creation = v2.collections.create_collection(self._owner(owner), collection)
        return await create(self._session, creation, if_exists)

    async def update(
        self, collection: str | entities.Collection, upsert: entities.CollectionUpsert, *, owner: str | None = None
    ) -> entities.Collection:
        """Update a collection.

        The current collection is read first, and UNSET fields keep their values. A change made by someone else
        between the two requests is lost.

        Raises:
            NotFoundError: no collection has this id.
            ConflictError: it would conflict with another collection.
            WriteConfirmedError: it was changed but could not be read back.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        return await self._session.run(v2.collections.update_collection(*self._at(collection, owner), upsert))

    async def delete(self, collection: str | entities.Collection, *, owner: str | None = None) -> None:
        """Delete a collection.

        Raises:
            NotFoundError: no collection has this id. Not raised after an attempt that may have deleted it.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        await self._session.run(v2.collections.delete_collection(*self._at(collection, owner)))

    def _owner(self, owner: str | None) -> str:
        return needed_owner(owner, self._session.owner)

    def _at(self, collection: str | entities.Collection, owner: str | None) -> tuple[str, str]:
        """Return the owner and the id of a collection, as used in its path."""
        if isinstance(collection, str):
            return self._owner(owner), collection
        return self._owner(owner_beside(f"collection {collection.id}", collection.owner, owner)), collection.id
