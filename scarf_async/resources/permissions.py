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
    """`scarf.permissions`: list and set what users may do with a package.

    ```python
    await scarf.permissions.set(package, [PermissionSet(user_query="bob", permission_level="member")])
    ```
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list(self, package: str | Package | PackageKey) -> builtins.list[Permission]:
        """Return the permissions on a package, listed by username.

        Raises:
            NotFoundError: there is no such package.
            APIError: the service returned another error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of permissions.
        """
        return await self._session.read(self._session.dialect.permissions(package_key(package)))

    async def set(
        self, package: str | Package | PackageKey, permissions: PermissionSet | Iterable[PermissionSet]
    ) -> None:
        """Set permissions. The call is idempotent and safe to retry. If there are none to set, nothing is sent.

        v1 sets all of them in one request, always as an array, which is the form known to work. v2 needs one
        request for each, sent in order until one fails; it documents them only for packages of users.

        Raises:
            ValidationError: a value is not a `PermissionSet`; nothing was sent.
            UnsupportedError: this version does not have a level, or does not accept e-mail addresses; nothing was
                sent.
            APIError: the service returned an error. v1 does not document whether it set some of them. v2 set those
                before the failed one; a note on the error counts them.
            TransportError: no complete response arrived.
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
