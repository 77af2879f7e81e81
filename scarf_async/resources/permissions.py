"""Permissions on packages."""

from __future__ import annotations

import builtins
from collections.abc import Iterable

from scarf_async.entities import Package, PackageKey, Permission, PermissionSet
from scarf_async.errors import ValidationError
from scarf_async.resources.packages import package_key
from scarf_async.sending.session import Session

__all__ = ["Permissions"]


class Permissions:
    """`scarf.permissions`: list and set what users may do with a package."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package | PackageKey) -> builtins.list[Permission]:
        """Return the permissions on a package, by username.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service said no for another reason.
            TransportError: no answer came.
            DecodeError: the answer is not a list of permissions.
        """
        return await self._session.read(self._session.dialect.permissions(package_key(package)))

    async def set(
        self, package: str | Package | PackageKey, permissions: PermissionSet | Iterable[PermissionSet]
    ) -> None:
        """Set permissions; may be sent again safely, since it states final values. None of them: nothing is sent.

        v1 takes all of them in one request, always sent as an array, the form that is known to work. v2 takes one
        request each, in order, up to the first that fails; it documents them for packages of users only.

        Raises:
            ValidationError: something else than `PermissionSet` was given; nothing was sent.
            UnsupportedError: the version does not have a level, or users by e-mail; nothing was sent.
            APIError: the service said no. Whether v1 then set some of several is not documented; v2 has set those
                before, which a note counts.
            TransportError: no answer came.
        """
        wanted = [permissions] if isinstance(permissions, PermissionSet) else builtins.list(permissions)
        for entry in wanted:
            if not isinstance(entry, PermissionSet):
                raise ValidationError(
                    f"permissions are PermissionSet objects; got {type(entry).__name__}", field="permissions"
                )
        steps = self._session.dialect.set_permissions(package_key(package), wanted)
        if wanted:
            await self._session.run(steps)
