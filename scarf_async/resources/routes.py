"""Routes of file packages."""

from __future__ import annotations

import builtins

from scarf_async.entities import Package, PackageKey, Route, RouteCreate
from scarf_async.resources.packages import package_key
from scarf_async.sending.creates import IfExists, create
from scarf_async.sending.session import Session

__all__ = ["Routes"]


class Routes:
    """`scarf.routes`: list, get, create, update and delete the routes of a file package.

    ```python
    route = RouteCreate(outgoing_url="https://acme.example/{version}.tgz", template_path="/{version}.tgz")
    await scarf.routes.create(package, route, if_exists="keep")
    ```
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package | PackageKey) -> builtins.list[Route]:
        """Return the routes of a package.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of routes.
        """
        return await self._session.read(self._session.dialect.routes(package_key(package)))

    async def create(
        self, package: str | Package | PackageKey, route: RouteCreate, *, if_exists: IfExists = "fail"
    ) -> Route:
        """Create a route.

        The service accepts duplicate routes. If the response to a create is lost, a lookup cannot tell an older
        equal route from the new one, and counts it as created.

        Args:
            package: its uuid, or the package.
            route: what to create.
            if_exists: with `keep`, return an existing equal route.

        Raises:
            OutcomeUnknownError: no response arrived, and a lookup did not show whether it was created.
            WriteConfirmedError: it was created but could not be read back.
            APIError: the service returned an error.
            TransportError: the request was not sent.
        """
        creation = self._session.dialect.create_route(package_key(package), route)
        return await create(self._session, creation, if_exists)

    async def get(self, package: str | Package | PackageKey, route_id: str) -> Route:
        """Return one route. v1 has no such call, so the list is read instead.

        Raises:
            NotFoundError: there is no such route.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response does not have the documented form.
        """
        return await self._session.read(self._session.dialect.route(package_key(package), route_id))

    async def update(self, package: str | Package | PackageKey, route_id: str, route: RouteCreate) -> Route:
        """Update a route (v2).

        The current route is read first. An UNSET `outgoing_url` keeps its value, and None clears it. A change made
        by someone else between the two requests is lost.

        Raises:
            UnsupportedError: the client uses v1; nothing was sent.
            NotFoundError: there is no such route.
            WriteConfirmedError: it was changed but could not be read back.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        return await self._session.run(self._session.dialect.update_route(package_key(package), route_id, route))

    async def delete(self, package: str | Package | PackageKey, route_id: str) -> None:
        """Delete a route.

        Raises:
            NotFoundError: there is no such route. Not raised after an attempt that may have deleted it.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
        """
        await self._session.run(self._session.dialect.delete_route(package_key(package), route_id))
