"""Routes of file packages (seed: 'File Packages')."""

from __future__ import annotations

import builtins

from scarf_async.creates import Creation, IfExists, create
from scarf_async.endpoints_v1 import CREATE_ROUTE, DELETE_ROUTE, LIST_ROUTES
from scarf_async.entities import Package, Route, RouteCreate
from scarf_async.reconcile import Found, find_route
from scarf_async.resources.packages import package_id
from scarf_async.session import Session

__all__ = ["Routes"]


class Routes:
    """`scarf.routes`: list, create and delete the routes of a file package."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package) -> builtins.list[Route]:
        """Return the routes of a package.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is no list of routes.
        """
        return await self._session.fetch(LIST_ROUTES.request(package=package_id(package)))

    async def create(self, package: str | Package, route: RouteCreate, *, if_exists: IfExists = "fail") -> Route:
        """Create a route.

        The service takes equal routes twice. Where the outcome of a create has to be looked for, an equal route
        that was there before counts as the one asked for.

        Args:
            package: its uuid, or the package.
            route: what to create.
            if_exists: with `keep`, an equal route is returned as it is.

        Raises:
            OutcomeUnknownError: sent, not answered, and looking did not settle it.
            WriteConfirmedError: created, but it cannot be read back.
            APIError: the service said no.
            TransportError: it was not sent.
        """
        uuid = package_id(package)

        async def by_id(route_id: str) -> Route | None:
            return next((shown for shown in await self.list(uuid) if shown.id == route_id), None)

        return await create(
            self._session,
            Creation(
                requested=route,
                request=CREATE_ROUTE.request(route, package=uuid),
                look=lambda _: self._find(uuid, route),
                by_id=by_id,
                if_exists=if_exists,
            ),
        )

    async def delete(self, package: str | Package, route_id: str) -> None:
        """Delete a route.

        Raises:
            NotFoundError: there is no such route (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.send(DELETE_ROUTE.request(package=package_id(package), route=route_id))

    async def _find(self, uuid: str, requested: RouteCreate) -> Found[Route]:
        return find_route(requested, await self.list(uuid))
