"""Collections: all images that match a pattern, behind one domain (v2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from scarf_async.entities.fields import JSON, UNSET, Unset, extra, optional_text, some_text
from scarf_async.errors import ValidationError

__all__ = ["Collection", "CollectionUpsert"]


@attrs.frozen(kw_only=True)
class Collection:
    """A collection (v2).

    Attributes:
        id: its identifier, which every call uses.
        owner: the user or organization that it belongs to.
        pattern: the images that it contains, such as `acme/*`.
        backend_domain: the host of the registry that the images come from.
        public_domain: the host that they are pulled from.
        type: the type of its packages.
        created_at: when it was created (aware, UTC).
        updated_at: when it was last changed (aware, UTC).
        extra: other fields that the service sends, by their names on the wire.
    """

    id: str
    owner: str = ""
    pattern: str
    backend_domain: str = ""
    public_domain: str | None = None
    type: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, JSON] = extra()


def _docker(_: object, attribute: attrs.Attribute[str], value: object) -> None:
    # The API description has no other type of collection.
    if value != "docker":
        raise ValidationError(f"{attribute.name} must be 'docker'; got {value!r}", field=attribute.name)


@attrs.frozen(kw_only=True)
class CollectionUpsert:
    """The values to create or update a collection with. Its type cannot change.

    An update keeps a `public_domain` that is `UNSET`; None resets it to Scarf's own domain.

    Attributes:
        pattern: the images that it contains, such as `acme/*`.
        backend_domain: the host of the registry that the images come from, such as `ghcr.io`.
        public_domain: the host to pull them from; else one of Scarf's.
        type: the type of its packages; only `docker` exists.

    Raises:
        ValidationError: a field is invalid; `.field` names it.
    """

    pattern: str = attrs.field(validator=some_text)
    backend_domain: str = attrs.field(validator=some_text)
    public_domain: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)
    type: str = attrs.field(default="docker", validator=_docker)
