"""Aggregations of v3: the query and its rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, get_args

import attrs

from scarf_async.entities.enums import Dimension, DimensionLike, Rollup
from scarf_async.entities.enums import dimension as _dimension
from scarf_async.entities.fields import JSON, extra, some_text
from scarf_async.entities.packages import Package, PackageKey
from scarf_async.entities.pixels import TrackingPixel
from scarf_async.errors import ValidationError

__all__ = ["Aggregation", "AggregationQuery", "Artifacts"]

_All: TypeAlias = Literal["all", "none"]
_WORDS: Final = get_args(_All)
_MOST_DIMENSIONS: Final = 2
# These return counts of companies, and only as one JSON document.
_SEGMENTS: Final = frozenset({"by-company-funnel-stage", "by-company-size", "by-company-sic-code"})


_One: TypeAlias = str | Package | PackageKey | TrackingPixel
Artifacts: TypeAlias = _One | Iterable[_One] | None
"""Packages or pixels: one or several, `"all"`, `"none"`, or None for the default."""


def _key(field: str, value: object) -> PackageKey:
    match value:
        case PackageKey():
            return value
        case Package():
            return value.key
        case TrackingPixel():
            return PackageKey(value.owner or None, value.id)
        case str() if value.strip():
            return PackageKey(None, value)
    raise ValidationError(f"{field} must be ids, entities or keys, 'all' or 'none'; got {value!r}", field=field)


def _artifacts(field: str, value: Artifacts) -> tuple[PackageKey, ...] | _All | None:
    if value is None:
        return None
    if isinstance(value, str):
        for known in _WORDS:
            if value == known:
                chosen: _All = known
                return chosen
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    keys = tuple(dict.fromkeys(_key(field, one) for one in several))
    if not keys:
        raise ValidationError(
            f"{field} is empty: leave it out, or give 'all' or 'none'; nothing was sent", field=field
        )
    if any(key.id in _WORDS for key in keys):
        raise ValidationError(f"{field}: 'all' and 'none' are given alone; got several values", field=field)
    return keys


def _packages(value: Artifacts) -> tuple[PackageKey, ...] | _All | None:
    return _artifacts("packages", value)


def _pixels(value: Artifacts) -> tuple[PackageKey, ...] | _All | None:
    return _artifacts("pixels", value)


def _package(value: str | Package | PackageKey | None) -> PackageKey | None:
    return None if value is None else _key("pixels_of_package", value)


def _dimensions(value: DimensionLike | Iterable[DimensionLike]) -> tuple[Dimension | str, ...]:
    listed: object = value
    given = tuple(listed) if isinstance(listed, Iterable) and not isinstance(listed, str) else (listed,)
    for one in given:
        if not isinstance(one, str) or not one.strip() or "," in one:
            raise ValidationError(
                f"breakdown must be a dimension such as 'by-company', or two of them; got {value!r}",
                field="breakdown",
            )
        if one in _SEGMENTS:
            raise ValidationError(
                f"breakdown {one!r} counts companies, which the service returns as one JSON document and not as an"
                " export; nothing was sent",
                field="breakdown",
            )
    if not 1 <= len(given) <= _MOST_DIMENSIONS or len(set(given)) < len(given):
        raise ValidationError(
            f"breakdown takes one dimension, or two different ones; got {value!r}", field="breakdown"
        )
    return tuple(_dimension(str(one)) for one in given)


def _rollup(_: object, attribute: attrs.Attribute[Rollup], value: object) -> None:
    if value not in get_args(Rollup):
        words = ", ".join(get_args(Rollup))
        raise ValidationError(f"{attribute.name} must be one of {words}; got {value!r}", field=attribute.name)


def _flag(_: object, attribute: attrs.Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise ValidationError(f"{attribute.name} must be True or False; got {value!r}", field=attribute.name)


@attrs.frozen(kw_only=True)
class AggregationQuery:
    """Which traffic of an owner to count, and by what. Its values are checked once, here.

    >>> query = AggregationQuery(breakdown=("by-company", "by-version"), rollup="weekly", packages="all")
    >>> query.breakdown
    (<Dimension.COMPANY: 'by-company'>, <Dimension.VERSION: 'by-version'>)

    Without `packages`, `pixels` and `names`, it counts all active packages and pixels. With only `packages` it
    counts no pixels, and the other way round.

    Attributes:
        breakdown: one or two dimensions: a `Dimension`, or any string, since the service may support more.
        rollup: the length of a bucket; `total` is one bucket for the whole range. Weeks start on Monday.
        packages: one or several ids, `Package`s or keys; or `"all"` or `"none"`.
        pixels: the same for tracking pixels.
        names: patterns of names, such as `io.acme*,acme/{web,api}`. The service calls it `query`.
        pixels_of_package: the package whose pixels to count.
        filter: the id of a filter that is saved in the service.
        company: the id or domain of one company.
        include_low_confidence: whether to count companies that are attributed with low confidence.
        group_by_artifact: False to count all packages together, and all pixels together.

    Raises:
        ValidationError: a value cannot be sent, or two values exclude each other; `.field` names one of them.
    """

    breakdown: tuple[Dimension | str, ...] = attrs.field(default=Dimension.TOTAL, converter=_dimensions)
    rollup: Rollup = attrs.field(default="daily", validator=_rollup)
    packages: tuple[PackageKey, ...] | Literal["all", "none"] | None = attrs.field(
        default=None, converter=_packages
    )
    pixels: tuple[PackageKey, ...] | Literal["all", "none"] | None = attrs.field(default=None, converter=_pixels)
    names: str | None = attrs.field(default=None, validator=attrs.validators.optional(some_text))
    pixels_of_package: PackageKey | None = attrs.field(default=None, converter=_package)
    filter: str | None = attrs.field(default=None, validator=attrs.validators.optional(some_text))
    company: str | None = attrs.field(default=None, validator=attrs.validators.optional(some_text))
    include_low_confidence: bool = attrs.field(default=True, validator=_flag)
    group_by_artifact: bool = attrs.field(default=True, validator=_flag)

    def __attrs_post_init__(self) -> None:
        for field, others in (
            ("names", ("packages", "pixels", "pixels_of_package")),
            ("pixels_of_package", ("packages",)),
        ):
            for other in others:
                if getattr(self, field) is not None and getattr(self, other) is not None:
                    raise ValidationError(f"{field} and {other} exclude each other; nothing was sent", field=field)

    @property
    def package_keys(self) -> tuple[PackageKey, ...]:
        """The packages that the query names."""
        own = () if self.pixels_of_package is None else (self.pixels_of_package,)
        return (*_named(self.packages), *own)

    @property
    def pixel_keys(self) -> tuple[PackageKey, ...]:
        """The pixels that the query names."""
        return _named(self.pixels)


def _named(chosen: tuple[PackageKey, ...] | _All | None) -> tuple[PackageKey, ...]:
    return chosen if isinstance(chosen, tuple) else ()


@attrs.frozen(kw_only=True)
class Aggregation:
    """One row of an aggregations export: the traffic in one bucket of days, for one or two breakdowns.

    Fields that were not sent are None. Unique counts cannot be added up over dates, packages or pixels.

    Attributes:
        date: the first day of the bucket.
        artifact: the id of the package or pixel; like `artifact_name`, `""` if they are counted together.
        artifact_type: `package` or `tracking-pixel`.
        rollup: the length of the bucket.
        breakdown: the (first) dimension: a `Dimension`, or a plain string for an unknown one.
        breakdowns: all dimensions.
        total: the number of downloads or views.
        unique_origins: the number of distinct clients.
        unique_endpoints: the number of distinct endpoints.
        company_name: only for a breakdown by company, like the other company fields.
        last_seen: when it was last seen (aware, UTC).
        extra: other fields that the service sends, by their names on the wire.
    """

    date: dt.date | None = None
    artifact: str = ""
    artifact_name: str = ""
    artifact_type: str | None = None
    rollup: str = ""
    breakdown: Dimension | str = attrs.field(converter=_dimension)
    breakdowns: tuple[str, ...] = ()
    total: int | None = None
    unique_origins: int | None = None
    unique_endpoints: int | None = None
    company_name: str | None = None
    company_domain: str | None = None
    country: str | None = None
    cloud_provider_name: str | None = None
    platform: str | None = None
    version: str | None = None
    client: str | None = None
    variable: str | None = None
    value: str | None = None
    domain: str | None = None
    referer: str | None = None
    user_agent: str | None = None
    endpoint_id: str | None = None
    origin_id: str | None = None
    points: int | None = None
    company_sic_codes: tuple[str, ...] = ()
    company_count: int | None = None
    last_seen: dt.datetime | None = None
    extra: Mapping[str, JSON] = extra()
