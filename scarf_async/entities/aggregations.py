"""Aggregations of v3: what is asked for, and the rows that come."""

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
# They answer with counts of companies, and in one JSON document only.
_SEGMENTS: Final = frozenset({"by-company-funnel-stage", "by-company-size", "by-company-sic-code"})


_One: TypeAlias = str | Package | PackageKey | TrackingPixel
Artifacts: TypeAlias = _One | Iterable[_One] | None
"""Packages or pixels: one or several, `"all"`, `"none"`, or None for no choice."""


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
                f"breakdown {one!r} counts companies, which the service answers in one JSON document and not as an"
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
    """What of an owner's traffic is counted, and by what; checked once, here.

    >>> query = AggregationQuery(breakdown=("by-company", "by-version"), rollup="weekly", packages="all")
    >>> query.breakdown
    (<Dimension.COMPANY: 'by-company'>, <Dimension.VERSION: 'by-version'>)

    Without `packages`, `pixels` and `names` all active packages and pixels are counted; with only `packages` no
    pixels, and the other way round.

    Attributes:
        breakdown: one dimension or two: a `Dimension`, or any string, since the service may know more.
        rollup: how long a bucket is; `total` is one bucket for the whole range. Weeks begin on Mondays.
        packages: ids, `Package`s or their keys, one or several; `"all"` or `"none"`.
        pixels: the same for tracking pixels.
        names: patterns of names, such as `io.acme*,acme/{web,api}`: what the service calls `query`.
        pixels_of_package: the package whose pixels are counted.
        filter: the id of a filter that is saved with the service.
        company: the id or domain of one company.
        include_low_confidence: whether companies count that are not sure.
        group_by_artifact: False: packages are counted together, and so are pixels.

    Raises:
        ValidationError: a value cannot be sent, or two of them exclude each other; `.field` names one.
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
        """The packages that it names."""
        own = () if self.pixels_of_package is None else (self.pixels_of_package,)
        return (*_named(self.packages), *own)

    @property
    def pixel_keys(self) -> tuple[PackageKey, ...]:
        """The pixels that it names."""
        return _named(self.pixels)


def _named(chosen: tuple[PackageKey, ...] | _All | None) -> tuple[PackageKey, ...]:
    return chosen if isinstance(chosen, tuple) else ()


@attrs.frozen(kw_only=True)
class Aggregation:
    """One row of an aggregations export: how much traffic there was in a bucket of days, by one breakdown or two.

    What is None was not sent. Distinct counts cannot be added up over dates, packages or pixels.

    Attributes:
        date: the first day of the bucket.
        artifact: the id of the package or pixel; `""` where they are counted together, as in `artifact_name`.
        artifact_type: `package` or `tracking-pixel`.
        rollup: how long a bucket is.
        breakdown: the (first) dimension: a `Dimension`, or the plain string for an unknown one.
        breakdowns: all dimensions.
        total: how often it was fetched or seen.
        unique_origins: by how many distinct clients.
        unique_endpoints: from how many distinct endpoints.
        company_name: by company only, like the other fields of companies.
        last_seen: when it was last seen (aware, UTC).
        extra: what the service sends beyond these, by its name on the wire.
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
