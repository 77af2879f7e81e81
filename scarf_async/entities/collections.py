"""Collections: all images of a pattern behind one domain, which v1 does not know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from scarf_async.entities.fields import JSON, UNSET, Unset, extra, optional_text, some_text
from scarf_async.errors import ValidationError

__all__ = ["Collection", "CollectionUpsert"]


@attrs.frozen(kw_only=True)
class Collection:
    """A collection as the service shows it (v2).

    Attributes:
        id: its identifier, by which every call addresses it.
        owner: the account that it belongs to, a user or an organization.
        pattern: which images it holds, such as `acme/*`.
        backend_domain: the host of the registry that they come from.
        public_domain: the host that they are pulled from.
        type: the type of its packages.
        created_at: when it was created (aware, UTC).
        updated_at: when it was last changed (aware, UTC).
        extra: what the service sends beyond these, by its name on the wire.
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
    # No other type of collection is described.
    if value != "docker":
        raise ValidationError(f"{attribute.name} must be 'docker'; got {value!r}", field=attribute.name)


@attrs.frozen(kw_only=True)
class CollectionUpsert:
    """What a collection is created with, or changed to; its type cannot change.

    An update leaves a `public_domain` that is `UNSET` as it is, and None gives it Scarf's own domain again.

    Attributes:
        pattern: which images it holds, such as `acme/*`.
        backend_domain: the host of the registry that they come from, such as `ghcr.io`.
        public_domain: the host that they are to be pulled from; else one of Scarf's.
        type: the type of its packages: `docker` is the only one.

    Raises:
        ValidationError: naming the field.
    """

    pattern: str = attrs.field(validator=some_text)
    backend_domain: str = attrs.field(validator=some_text)
    public_domain: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)
    type: str = attrs.field(default="docker", validator=_docker)
