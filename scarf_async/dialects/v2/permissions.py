"""Permissions in v2: one request for each user, and documented for packages of users only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from scarf_async.dialects.v2.requests import DELETE_PERMISSION, SET_PERMISSION
from scarf_async.entities import Permission, PermissionLevel, PermissionSet
from scarf_async.errors import APIError, TransportError, UnsupportedError
from scarf_async.protocol.messages import Request, Resend, path_segment
from scarf_async.protocol.steps import Read, Steps, attempted, shared

__all__ = ["permissions_refusal", "read_permissions", "set_permissions"]

_REFUSED: Final = frozenset({403, 404, 422})
_COUNT: Final = "{} of {} permissions had been set"
_NONE: Final = PermissionLevel.DEFAULT
_NOTE: Final = "v2 documents permissions for packages of users only: for one of an organization it may refuse them"


def read_permissions(listed: Read[list[Permission]]) -> Read[list[Permission]]:
    """Read all permissions on a package; an error explains what it may mean."""

    def steps() -> Steps[list[Permission]]:
        try:
            return (yield from listed.steps())
        except APIError as error:
            if error.status in _REFUSED:
                error.add_note(_NOTE)
            raise

    return Read(listed.key, steps)


def set_permissions(
    owner: str,
    package: str,
    permissions: Sequence[PermissionSet],
    read: Callable[[], Read[APIError | None]],
    *,
    explain: bool,
) -> Steps[None]:
    """Send permissions in order, up to the first that fails.

    Removing the level of a user without one succeeds. But a 404 may also mean that there is no such package, or
    that it has no permissions, which a read of them shows.

    Raises:
        ValidationError: raised at once: v2 does not have a level, or a value cannot be part of a path.
    """
    removed: list[str] = []
    for entry in permissions:
        if entry.permission_level is PermissionLevel.BLOCKED:
            raise UnsupportedError(
                f"v2 cannot block a user; nothing was sent, for {entry.user_query} or anyone else",
                field="permission_level",
            )
        if "@" in entry.user_query:
            raise UnsupportedError(
                f"v2 knows users by their names only; got {entry.user_query!r}, and nothing was sent",
                field="user_query",
            )
        if entry.permission_level is _NONE:
            removed.append(entry.user_query)
    path_segment("owner", owner)
    path_segment("package", package)
    for username in removed:
        path_segment("username", username)

    def request(entry: PermissionSet) -> Request[None]:
        if entry.permission_level is _NONE:
            return DELETE_PERMISSION.request(owner=owner, package=package, username=entry.user_query)
        level = str(entry.permission_level)
        body = {"username": entry.user_query, "permission_level": level}
        return SET_PERMISSION.request(body, owner=owner, package=package)

    return _set(len(permissions), map(request, permissions), read, explain=explain)


def permissions_refusal(read: Request[list[Permission]]) -> Read[APIError | None]:
    """Return why the permissions of a package cannot be read; the result is valid for a whole bulk run."""

    def steps() -> Steps[APIError | None]:
        told = yield from attempted(read)
        if not isinstance(told, APIError):
            return None
        if told.status in _REFUSED:
            told.add_note(_NOTE)
        return told

    return Read(("refusal", read.target), steps, lasting=True)


def _set(
    total: int, requests: Iterable[Request[None]], read: Callable[[], Read[APIError | None]], *, explain: bool
) -> Steps[None]:
    for done, request in enumerate(requests):
        try:
            given = yield from attempted(request)
        except TransportError as error:
            error.add_note(_COUNT.format(done, total))
            raise
        is_gone = request.endpoint.resend is Resend.DELETE and given.status == 404
        failure: APIError | TransportError | None = given if isinstance(given, APIError) else None
        if is_gone or (explain and done == 0 and given.status in _REFUSED):
            told = yield from _refusal(read())
            if is_gone and told is None:
                continue
            failure = failure or told
            if failure is given and done == 0 and isinstance(told, APIError) and told.status in _REFUSED:
                failure.add_note(_NOTE)
        if failure is not None:
            failure.add_note(_COUNT.format(done, total))
            raise failure


def _refusal(read: Read[APIError | None]) -> Steps[APIError | TransportError | None]:
    """Return why the permissions cannot be read; None if they can."""
    try:
        return (yield from shared(read))
    except TransportError as error:
        return error
