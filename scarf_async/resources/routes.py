"""Routes of file packages."""

from __future__ import annotations

import builtins

from scarf_async.entities import Package, PackageKey, Route, RouteCreate
from scarf_async.resources.packages import package_key
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Routes"]


class Routes:
    """`scarf.routes`: list, get, create, update and delete the routes of a file package."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package | PackageKey) -> builtins.list[Route]:
        """Return the routes of a package.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of routes.
        """
        return await self._session.read(self._session.dialect.routes(package_key(package)))

    async def create(
        self, package: str | Package | PackageKey, route: RouteCreate, *, if_exists: IfExists = "fail"
    ) -> Route:
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
        creation = self._session.dialect.create_route(package_key(package), route)
        return await create(self._session, creation, if_exists)

    async def get(self, package: str | Package | PackageKey, route_id: str) -> Route:
        """Return one route; v1 has no call for that, and the list is read.

        Raises:
            NotFoundError: there is no such route.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not what was promised.
        """
        return await self._session.read(self._session.dialect.route(package_key(package), route_id))

    async def update(self, package: str | Package | PackageKey, route_id: str, route: RouteCreate) -> Route:
        """Change a route to what is given (v2).

        It is read first: an `outgoing_url` that is UNSET stays, and None clears it. What another changes between
        the two requests is lost.

        Raises:
            UnsupportedError: the client speaks v1; nothing was sent.
            NotFoundError: there is no such route.
            WriteConfirmedError: changed, but it cannot be read back.
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        return await self._session.run(self._session.dialect.update_route(package_key(package), route_id, route))

    async def delete(self, package: str | Package | PackageKey, route_id: str) -> None:
        """Delete a route.

        Raises:
            NotFoundError: there is no such route (but not after an attempt that may have deleted it).
            APIError: the service said no for another reason.
            TransportError: no answer came.
        """
        await self._session.run(self._session.dialect.delete_route(package_key(package), route_id))
