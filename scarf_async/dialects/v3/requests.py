"""The parameters of aggregations, and the reads that check whether packages and pixels of a query exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from scarf_async.dialects.v2.arguments import check_package_id, check_pixel_id, owner_beside
from scarf_async.dialects.v2.requests import GET_PACKAGE, GET_PIXEL
from scarf_async.entities import AggregationQuery, PackageKey
from scarf_async.protocol.messages import Query, Request
from scarf_async.protocol.steps import Steps, tell

__all__ = ["owner_of_query", "parameters", "read_artifacts"]

_PARAMETERS: Final = {
    "packages": "package_id",
    "pixels": "tracking_pixel_id",
    "pixels_of_package": "tracking_pixels_for_package_id",
    "names": "query",
    "filter": "filter",
    "company": "company_reference",
    "group_by_artifact": "group_by_artifact",
    "include_low_confidence": "include_low_confidence",
}
"""The parameters of the fields of a query, in the order of the service's examples."""


def parameters(query: AggregationQuery) -> Query:
    """Return the parameters of a query, without the dates and without defaults.

    >>> parameters(AggregationQuery(breakdown=("by-company", "by-version"), packages=("a", "b")))
    {'rollup': 'daily', 'breakdown_set': 'by-company,by-version', 'package_id': ['a', 'b'], 'format': 'ndjson'}
    """
    name = "breakdown" if len(query.breakdown) == 1 else "breakdown_set"
    found: dict[str, str | list[str]] = {"rollup": query.rollup, name: ",".join(query.breakdown)}
    defaults = AggregationQuery()
    for field, parameter in _PARAMETERS.items():
        value: object = getattr(query, field)
        if value != getattr(defaults, field):
            found[parameter] = _spelled(value)
    return found | {"format": "ndjson"}


def _spelled(value: object) -> str | list[str]:
    if isinstance(value, tuple):
        return [key.id for key in cast(tuple[PackageKey, ...], value)]
    if isinstance(value, PackageKey):
        return value.id
    return str(value).lower() if isinstance(value, bool) else str(value)


def owner_of_query(query: AggregationQuery, owner: str | None) -> str | None:
    """Return the owner of aggregations: the given one, else that of the packages and pixels in the query.

    Raises:
        ValidationError: a package or pixel in the query belongs to another owner.
    """
    for key in (*query.package_keys, *query.pixel_keys):
        own = owner_beside(key.id, key.owner, owner)
        owner = own if owner is None else owner
    return owner


def read_artifacts(query: AggregationQuery, owner: str) -> Iterator[Steps[None]]:
    """Return one read for each package or pixel that a query names by id; a missing one gives a 404.

    Raises:
        ValidationError: an id cannot be part of a path.
    """
    # v3 returns an empty 200 for an unknown id: only v2 tells whether something exists.
    requests: list[Request[object]] = []
    for package_id in dict.fromkeys(key.id for key in query.package_keys):
        check_package_id(package_id)
        requests.append(GET_PACKAGE.request(owner=owner, package=package_id))
    for pixel_id in dict.fromkeys(key.id for key in query.pixel_keys):
        check_pixel_id(pixel_id)
        requests.append(GET_PIXEL.request(owner=owner, pixel=pixel_id))
    return map(tell, requests)
