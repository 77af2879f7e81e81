"""Collections, which v1 does not have."""

from __future__ import annotations

from scarf_async.dialects.v2.bodies import check_id, collection_over, new_collection
from scarf_async.dialects.v2.lists import COLLECTIONS
from scarf_async.dialects.v2.looks import find_collection
from scarf_async.dialects.v2.requests import (
    CREATE_COLLECTION,
    DELETE_COLLECTION,
    GET_COLLECTION,
    UPDATE_COLLECTION,
)
from scarf_async.entities import Collection, CollectionUpsert
from scarf_async.protocol.looking import Found
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

__all__ = ["collection", "collections", "create_collection", "delete_collection", "update_collection"]


def collections(owner: str) -> Read[list[Collection]]:
    """All collections of an owner."""
    return COLLECTIONS.read(owner=owner)


def collection(owner: str, collection_id: str) -> Read[Collection]:
    """One collection."""
    return reading(GET_COLLECTION.request(owner=owner, collection=collection_id))


def create_collection(owner: str, upsert: CollectionUpsert) -> Creation[Collection]:
    """A new collection, identified by its pattern, its registry and, if given, its domain."""
    listed = collections(owner)

    def look(_: LookContext) -> Steps[Found[Collection]]:
        return find_collection(upsert, (yield from shared(listed)))

    request = CREATE_COLLECTION.request(new_collection(upsert), owner=owner)
    return Creation(upsert, request, look, lambda collection_id: if_there(collection(owner, collection_id)))


def update_collection(owner: str, collection_id: str, upsert: CollectionUpsert) -> Steps[Collection]:
    """An update of a collection."""
    read = GET_COLLECTION.request(owner=owner, collection=collection_id)

    def make() -> Steps[Request[Collection]]:
        there = yield from ask(read)
        check_id(GET_COLLECTION, there.id, collection_id)
        return UPDATE_COLLECTION.request(collection_over(upsert, there), owner=owner, collection=collection_id)

    return updated(Rewrite(UPDATE_COLLECTION, make), upsert, collection(owner, collection_id))


def delete_collection(owner: str, collection_id: str) -> Steps[None]:
    """The deletion of a collection."""
    return tell(DELETE_COLLECTION.request(owner=owner, collection=collection_id))
