"""Look up ids by names, for calls that need an id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import attrs

from scarf_async.cli.writes import PackageChoice
from scarf_async.errors import ScarfError, ValidationError
from scarf_async.names import domain_key

if TYPE_CHECKING:
    from scarf_async.client import Scarf
    from scarf_async.entities import AggregationQuery, Collection, Domain, Package, Route, TrackingPixel
    from scarf_async.exports.jobs import ExportJob

__all__ = [
    "find_collection",
    "find_domain",
    "find_pixel",
    "find_pixel_domain",
    "find_route",
    "is_uuid",
    "job_with_ids",
    "package_id",
    "pixel_id",
    "with_ids",
]

T = TypeVar("T")


def is_uuid(text: str) -> bool:
    """Return whether a text is a uuid.

    >>> is_uuid("1f0c9a52-7f0e-4a3b-9a43-52d4c1b7e6a9"), is_uuid("acme/web")
    (True, False)
    """
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def package_id(scarf: Scarf, given: str, owner: str | None = None, type: str | None = None) -> str:  # noqa: A002 # as the option
    """Return a package's uuid; a name is looked up, below an owner if one is given.

    Raises:
        ValidationError: several packages have the name.
        NotFoundError: no package has the name.
    """
    if is_uuid(given):
        return given
    named = given if owner is None or "/" in given else f"{owner}/{given}"
    found = await PackageChoice(package=named, type=type).find(scarf)
    return str(found.uuid)


async def with_ids(scarf: Scarf, query: AggregationQuery) -> AggregationQuery:
    """Return a query with the ids of the packages and pixels that it names."""
    if isinstance(query.packages, tuple):
        packages = [await package_id(scarf, key.id, key.owner) for key in query.packages]
        query = attrs.evolve(query, packages=packages)
    if isinstance(query.pixels, tuple):
        query = attrs.evolve(query, pixels=[await pixel_id(scarf, key.id) for key in query.pixels])
    if (key := query.pixels_of_package) is not None:
        query = attrs.evolve(query, pixels_of_package=await package_id(scarf, key.id, key.owner))
    return query


async def job_with_ids(scarf: Scarf, job: ExportJob, type: str | None) -> ExportJob:  # noqa: A002 # as the option
    """Return a job with the ids of the packages and pixels that it names."""
    if job.package is not None and not is_uuid(job.package):
        return attrs.evolve(job, package=await package_id(scarf, job.package, job.owner, type))
    return job if job.query is None else attrs.evolve(job, query=await with_ids(scarf, job.query))


async def find_route(scarf: Scarf, package: str | Package, given: str) -> Route:
    """Return the route of a package by its id or path."""
    if not given.startswith("/"):
        return await scarf.routes.get(package, given)
    routes = [route for route in await scarf.routes.list(package) if route.template_path == given]
    return _only(routes, f"route {given}", [f"{route.id} (to {route.outgoing_url})" for route in routes])


async def find_domain(scarf: Scarf, package: str | Package, given: str) -> Domain:
    """Return the domain of a package by its id or name."""
    if "." not in given:
        return await scarf.domains.get(package, given)
    return _named_domain(await scarf.domains.list(package), given)


async def find_pixel(scarf: Scarf, given: str) -> TrackingPixel:
    """Return a tracking pixel by its id or name."""
    if is_uuid(given):
        return await scarf.pixels.get(given)
    pixels = [pixel for pixel in await scarf.pixels.list() if pixel.name == given]
    # A value that is not a name may be an id of another form.
    return (
        _only(pixels, f"pixel {given}", [pixel.id for pixel in pixels]) if pixels else await scarf.pixels.get(given)
    )


async def pixel_id(scarf: Scarf, given: str) -> str:
    """Return the id of a tracking pixel given by id or name; an id is not looked up."""
    return given if is_uuid(given) else (await find_pixel(scarf, given)).id


async def find_pixel_domain(scarf: Scarf, pixel: str, name: str) -> Domain:
    """Return the domain of a tracking pixel by its name."""
    return _named_domain(await scarf.pixels.list_domains(pixel), name)


async def find_collection(scarf: Scarf, given: str) -> Collection:
    """Return a collection by its id or pattern."""
    if not {"*", "/"} & set(given):
        return await scarf.collections.get(given)
    collections = [found for found in await scarf.collections.list() if found.pattern == given]
    return _only(collections, f"collection {given}", [found.id for found in collections])


def _named_domain(domains: Sequence[Domain], name: str) -> Domain:
    named = [domain for domain in domains if domain_key(domain.name) == domain_key(name)]
    return _only(named, f"domain {name}", [domain.id for domain in named])


def _only(found: Sequence[T], what: str, ids: Sequence[str]) -> T:
    if len(found) > 1:
        raise ValidationError(f"there is more than one {what}: give one of the ids {', '.join(ids)}")
    if not found:
        raise ScarfError(f"there is no {what}; `list` shows what there is")
    return found[0]
