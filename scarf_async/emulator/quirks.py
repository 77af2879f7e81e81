"""What the published descriptions of v2 leave open, and how the emulator decides it."""

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
    """How the emulator answers where nobody knows how the service does. The first word of each is the default.

    Attributes:
        paging: `links`: lists that are objects carry `_links`, with `next` until the last page; every list also
            takes `after`. `after`: no list has links. `ignores-after`: nor does `after` mean anything, so that only
            a larger `per_page` shows more.
        default_per_page: How many elements a page has where `per_page` is left out.
        max_per_page: The most that a page has, whatever `per_page` says.
        package_cursor: What `after` is in lists of packages: a package's name, or its id.
        links_absolute: `next` and `self` of a page are absolute, or begin with the path.
        end_inclusive: Exports of events hold the day `end_date`.
        absent: Optional fields without a value are left out of answers, or null.
        null: In bodies null reads as absent, or is a bare 400.
        members_post_upserts: `POST members` of somebody who is a member sets the role; otherwise it is refused.
        put_clears: A PUT clears the optional fields that it leaves out; otherwise they stay.
        permissions_of_organizations: Packages that an organization owns have no permissions in v2, or have them.
        error_bodies: The bodies of 401, 403 and 404, for which v2 documents none: JSON, the words alone without a
            content type, or nothing.
        import_seconds: How long an import is active.

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
