"""Collections of docker images (v2)."""

from __future__ import annotations

import builtins

from scarf_async.dialects.v2 import collections
from scarf_async.dialects.v2.arguments import needed_owner, owner_beside
from scarf_async.entities import Collection, CollectionUpsert
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Collections"]


class Collections:
    """`scarf.collections`: list, get, create, update and delete collections.

    These are calls of v2, whichever version the client speaks. A collection is given by its id or as a
    `Collection`, which has an owner; else the owner is the call's, or the client's.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, owner: str | None = None) -> builtins.list[Collection]:
        """Return the collections of an owner.

        Raises:
            ValidationError: nobody says whose; nothing was sent.
            NotFoundError: there is no such owner.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of collections, or not a whole one.
        """
        return await self._session.read(collections.collections(self._owner(owner)))

    async def get(self, collection: str | Collection, *, owner: str | None = None) -> Collection:
        """Return a collection.

        Raises:
            ValidationError: nobody says whose; nothing was sent.
            NotFoundError: there is none of this id.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a collection.
        """
        return await self._session.read(collections.collection(*self._at(collection, owner)))

    async def create(
        self, collection: CollectionUpsert, *, owner: str | None = None, if_exists: IfExists = "fail"
    ) -> Collection:
        """Create a collection.

        Args:
            collection: what to create.
            owner: a user or an organization; else the client's owner.
            if_exists: with `keep`, one of this pattern and registry, and of the domain where one is given, is
                returned as it is.

        Raises:
            ValidationError: nobody says whose; nothing was sent.
            ConflictError: it exists, or contradicts another one.
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: it was not sent.
        """
        creation = collections.create_collection(self._owner(owner), collection)
        return await create(self._session, creation, if_exists)

    async def update(
        self, collection: str | Collection, upsert: CollectionUpsert, *, owner: str | None = None
    ) -> Collection:
        """Change a collection to what is given.

        It is read first, what is UNSET stays, and what another changes between the two requests is lost.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: it would contradict another one.
            WriteConfirmedError: changed, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        return await self._session.run(collections.update_collection(*self._at(collection, owner), upsert))

    async def delete(self, collection: str | Collection, *, owner: str | None = None) -> None:
        """Delete a collection.

        Raises:
            NotFoundError: there is none of this id (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.run(collections.delete_collection(*self._at(collection, owner)))

    def _owner(self, owner: str | None) -> str:
        return needed_owner(owner, self._session.owner)

    def _at(self, collection: str | Collection, owner: str | None) -> tuple[str, str]:
        """Return the owner and the id of a collection, as its path has them."""
        if isinstance(collection, str):
            return self._owner(owner), collection
        return self._owner(owner_beside(f"collection {collection.id}", collection.owner, owner)), collection.id
