"""The behaviour that the published descriptions of v2 leave open, and how the emulator decides it."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import attrs
from attrs import validators

__all__ = ["Quirks"]

_Paging: TypeAlias = Literal["links", "after", "ignores-after"]
_PackageCursor: TypeAlias = Literal["name", "id"]
_Absent: TypeAlias = Literal["omitted", "null"]
_Null: TypeAlias = Literal["taken", "refused"]
_Permissions: TypeAlias = Literal["refused", "works"]
_ErrorBodies: TypeAlias = Literal["json", "text", "empty"]

_POSITIVE: Final = validators.and_(validators.instance_of(int), validators.ge(1))
_BOOL: Final = validators.in_((True, False))


@attrs.frozen(kw_only=True)
class Quirks:
    """How the emulator behaves where the behaviour of the real service is unknown.

    Attributes:
        paging: `links`: lists that are objects have `_links`, with `next` until the last page; every list also
            accepts `after`. `after`: lists have no links. `ignores-after`: lists also ignore `after`, so only a
            larger `per_page` shows more.
        default_per_page: The number of elements on a page if `per_page` is missing.
        max_per_page: The maximum number of elements on a page, for any `per_page`.
        package_cursor: The value of `after` in lists of packages: the name of a package, or its id.
        links_absolute: Whether `next` and `self` of a page are absolute URLs, rather than paths.
        end_inclusive: Whether exports of events include the day `end_date`.
        absent: Whether responses omit optional fields without a value, or send null.
        null: Whether null in a request body means a missing field, or gets an empty 400.
        members_post_upserts: Whether `POST members` of an existing member sets the role, rather than being refused.
        put_clears: Whether a PUT clears optional fields that it omits, rather than keeping them.
        permissions_of_organizations: Whether v2 has permissions for packages that an organization owns.
        error_bodies: The bodies of 401, 403 and 404, which v2 does not document: JSON, plain text without a
            content type, or nothing.
        import_seconds: How many seconds an import is active.

    Raises:
        TypeError: A name is unknown.
        ValueError: A word is unknown, or a number is too small.
    """

    paging: _Paging = attrs.field(default="links", validator=validators.in_(get_args(_Paging)))
    default_per_page: int = attrs.field(default=10, validator=_POSITIVE)
    max_per_page: int = attrs.field(default=1000, validator=_POSITIVE)
    package_cursor: _PackageCursor = attrs.field(default="name", validator=validators.in_(get_args(_PackageCursor)))
    links_absolute: bool = attrs.field(default=True, validator=_BOOL)
    end_inclusive: bool = attrs.field(default=True, validator=_BOOL)
    absent: _Absent = attrs.field(default="omitted", validator=validators.in_(get_args(_Absent)))
    null: _Null = attrs.field(default="taken", validator=validators.in_(get_args(_Null)))
    members_post_upserts: bool = attrs.field(default=False, validator=_BOOL)
    put_clears: bool = attrs.field(default=True, validator=_BOOL)
    permissions_of_organizations: _Permissions = attrs.field(
        default="refused", validator=validators.in_(get_args(_Permissions))
    )
    error_bodies: _ErrorBodies = attrs.field(default="json", validator=validators.in_(get_args(_ErrorBodies)))
    import_seconds: float = attrs.field(default=2.0, validator=validators.ge(0))
