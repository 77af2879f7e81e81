"""The lists of v2: what identifies their elements, and their cursors.

The published descriptions show a name as the cursor of packages and their overview, and an id everywhere else;
domains are not paginated.
"""

from __future__ import annotations

from typing import Final

from scarf_async.dialects.v2.requests import (
    LIST_COLLECTIONS,
    LIST_DOMAINS,
    LIST_IMPORTS,
    LIST_MEMBERS,
    LIST_MEMBERSHIPS,
    LIST_OVERVIEW,
    LIST_PACKAGES,
    LIST_PERMISSIONS,
    LIST_PIXEL_DOMAINS,
    LIST_PIXELS,
    LIST_PIXELS_OF_PACKAGE,
    LIST_ROUTES,
)
from scarf_async.protocol.paging import Cursor, Listing

__all__ = [
    "COLLECTIONS",
    "DOMAINS",
    "IMPORTS",
    "MEMBERS",
    "MEMBERSHIPS",
    "OVERVIEW",
    "PACKAGES",
    "PERMISSIONS",
    "PIXELS",
    "PIXELS_OF_PACKAGE",
    "PIXEL_DOMAINS",
    "ROUTES",
]

PACKAGES: Final = Listing(
    LIST_PACKAGES,
    lambda package: package.uuid,
    (Cursor("after", lambda package: package.name), Cursor("after", lambda package: package.uuid)),
)
MEMBERS: Final = Listing(
    LIST_MEMBERS,
    lambda member: member.user_id or member.username,
    (Cursor("after", lambda member: member.user_id),),
)
PERMISSIONS: Final = Listing(
    LIST_PERMISSIONS,
    lambda permission: permission.user_id or permission.username,
    (Cursor("after", lambda permission: permission.user_id),),
)
ROUTES: Final = Listing(LIST_ROUTES, lambda route: route.id, (Cursor("after", lambda route: route.id),))
DOMAINS: Final = Listing(LIST_DOMAINS, lambda domain: domain.id)
OVERVIEW: Final = Listing(
    LIST_OVERVIEW,
    lambda one: one.package.uuid,
    (Cursor("after", lambda one: one.package.name), Cursor("after", lambda one: one.package.uuid)),
)
PIXELS: Final = Listing(LIST_PIXELS, lambda pixel: pixel.id, (Cursor("after", lambda pixel: pixel.id),))
PIXELS_OF_PACKAGE: Final = Listing(LIST_PIXELS_OF_PACKAGE, PIXELS.identity, PIXELS.cursors)
PIXEL_DOMAINS: Final = Listing(LIST_PIXEL_DOMAINS, DOMAINS.identity)
COLLECTIONS: Final = Listing(
    LIST_COLLECTIONS, lambda collection: collection.id, (Cursor("after", lambda collection: collection.id),)
)
MEMBERSHIPS: Final = Listing(
    LIST_MEMBERSHIPS,
    lambda membership: membership.organization_id,
    (Cursor("organization_id", lambda membership: membership.organization_id),),
)
IMPORTS: Final = Listing(LIST_IMPORTS, lambda one: one.id, (Cursor("after", lambda one: one.id),))
