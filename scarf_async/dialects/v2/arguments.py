"""Check the arguments of v2 calls: owners, and ids that are reserved words in paths. Pure."""

from __future__ import annotations

from typing import Final

from scarf_async.errors import UnsupportedError, ValidationError
from scarf_async.names import organization_key

__all__ = [
    "MEMBER_WORDS",
    "NAME_WORDS",
    "PACKAGE_WORDS",
    "check_member",
    "check_owner_of_rows",
    "check_package_id",
    "check_pixel_id",
    "needed_owner",
    "owner_beside",
]

# A value that is a reserved word would reach another call: the service's router tries literal segments first.
PACKAGE_WORDS: Final = frozenset({"overview", "events", "aggregates", "company-rollup"})
"""The words that cannot be the id or type of a package in a path."""
NAME_WORDS: Final = frozenset(
    {
        "events",
        "domains",
        "routes",
        "permissions",
        "tracking-pixels",
        "import",
        "downloads-badge",
        "commercial-users-badge",
    }
)
"""The words that cannot be the name of a package in a path."""
MEMBER_WORDS: Final = frozenset({"invites"})
"""The words that cannot be a member in a path."""
_PIXEL_WORDS: Final = frozenset({"events"})
# `/{owner}/import` is directly below the root, where the service has reserved words.
_ROOT_WORDS: Final = frozenset(
    {
        "collections",
        "companies",
        "domains",
        "exports",
        "imports",
        "insights",
        "organizations",
        "packages",
        "pixels",
        "search",
        "tracking-pixels",
        "users",
    }
)


def needed_owner(owner: str | None, of_client: str | None, argument: str = "owner") -> str:
    """Return the owner of a call.

    Raises:
        ValidationError: neither the call nor the client names one.
    """
    owner = of_client if owner is None else owner
    if owner is not None:
        return owner
    raise ValidationError(
        f"v2 needs an owner: give {argument}=, create the client with Scarf(owner=...), or set $SCARF_OWNER;"
        " nothing was sent",
        field=argument,
    )


def owner_beside(what: str, own: str | None, given: str | None, field: str = "owner") -> str | None:
    """Return the owner of something that may have one already, when another may be given.

    Raises:
        ValidationError: they differ.
    """
    if own and given is not None and organization_key(own) != organization_key(given):
        raise ValidationError(f"{what} is of {own}, not of {given}; nothing was sent", field=field)
    return own or given


def check_package_id(package_id: str) -> None:
    """Refuse an id that is a reserved word of the service.

    Raises:
        ValidationError: it is reserved.
    """
    if package_id in PACKAGE_WORDS:
        raise _word("package", "a package", package_id)


def check_pixel_id(pixel_id: str) -> None:
    """Refuse an id that is a reserved word of the service.

    Raises:
        ValidationError: it is reserved.
    """
    if pixel_id in _PIXEL_WORDS:
        raise _word("pixel", "a tracking pixel", pixel_id)


def _word(field: str, what: str, value: str) -> ValidationError:
    return ValidationError(
        f"{value!r} is not the id of {what}: v2 has a call of this name; nothing was sent", field=field
    )


def check_member(username: str) -> None:
    """Refuse a member whose URL belongs to another call.

    Raises:
        UnsupportedError: the service would change its invitations instead.
    """
    if username in MEMBER_WORDS:
        raise UnsupportedError(
            f"v2 cannot change the member {username!r}: it uses this URL for invitations; nothing was sent",
            field="username",
        )


def check_owner_of_rows(owner: str) -> None:
    """Refuse an owner whose name starts the path of another call, for paths that start with the owner.

    Raises:
        ValidationError: it does so.
    """
    if owner in _ROOT_WORDS:
        raise ValidationError(
            f"rows of several artifacts cannot be sent to the owner {owner!r}: v2 has calls of this name; give"
            " package= or pixel=. Nothing was sent",
            field="owner",
        )
