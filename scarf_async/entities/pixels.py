"""Tracking pixels (v2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from scarf_async.entities.enums import Importance
from scarf_async.entities.enums import importance as importance_of
from scarf_async.entities.fields import JSON, UNSET, Unset, extra, optional_text, some_text
from scarf_async.entities.packages import Package, PackageKey, upsert_importance
from scarf_async.errors import ValidationError

__all__ = ["TrackingPixel", "TrackingPixelUpsert"]


@attrs.frozen(kw_only=True)
class TrackingPixel:
    """A tracking pixel (v2).

    Attributes:
        id: its identifier, which every call uses.
        owner: the user or organization that it belongs to.
        name: its name.
        package: the package whose page it is on.
        importance: an `Importance`, or a plain string for an unknown one.
        track_companies: whether views are attributed to companies.
        short_description: one line.
        long_description: a longer text.
        created_at: when it was created (aware, UTC).
        updated_at: when it was last changed (aware, UTC).
        extra: other fields that the service sends, by their names on the wire.
    """

    id: str
    owner: str = ""
    name: str | None = None
    package: PackageKey | None = None
    importance: Importance | str | None = attrs.field(default=None, converter=importance_of)
    track_companies: bool | None = None
    short_description: str | None = None
    long_description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    extra: Mapping[str, JSON] = extra()


def _package(value: str | Package | PackageKey | None | Unset) -> PackageKey | None | Unset:
    if isinstance(value, Package):
        return value.key
    return PackageKey(None, value) if isinstance(value, str) else value


def _some_package(_: object, __: object, value: object) -> None:
    if value is not None and value is not UNSET and not isinstance(value, PackageKey):
        wanted = "an id, a Package, a PackageKey, None or UNSET"
        raise ValidationError(f"package must be {wanted}; got {type(value).__name__}", field="package")


def _some_truth(_: object, __: object, value: object) -> None:
    if value is not None and value is not UNSET and not isinstance(value, bool):
        raise ValidationError(
            f"track_companies must be True, False, None or UNSET; got {value!r}", field="track_companies"
        )


@attrs.frozen(kw_only=True)
class TrackingPixelUpsert:
    """The values to create or update a tracking pixel with.

    An update keeps `UNSET` fields and clears fields that are None; a create omits both. The service tracks
    companies unless `track_companies` is False.

    Attributes:
        name: its name.
        package: the package whose page it is on: its id, the `Package` or its key. It must have the pixel's owner.
        importance: an `Importance` or its word.
        track_companies: whether views are attributed to companies.
        short_description: one line.
        long_description: a longer text.

    Raises:
        ValidationError: a field is invalid; `.field` names it.
    """

    name: str = attrs.field(validator=some_text)
    package: PackageKey | None | Unset = attrs.field(default=UNSET, converter=_package, validator=_some_package)
    importance: Importance | None | Unset = attrs.field(
        default=UNSET, converter=upsert_importance, validator=optional_text
    )
    track_companies: bool | None | Unset = attrs.field(default=UNSET, validator=_some_truth)
    short_description: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)
    long_description: str | None | Unset = attrs.field(default=UNSET, validator=optional_text)
