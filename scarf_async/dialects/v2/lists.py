"""The lists of v2: what tells their elements apart, and the cursors that lead through them.

The descriptions show a name as the cursor of packages, an id everywhere else; domains do not come in pages.
"""

from __future__ import annotations

from typing import Final

from scarf_async.dialects.v2.requests import (
    LIST_DOMAINS,
    LIST_MEMBERS,
    LIST_PACKAGES,
    LIST_PERMISSIONS,
    LIST_ROUTES,
)
from scarf_async.protocol.paging import Cursor, Listing

__all__ = ["DOMAINS", "MEMBERS", "PACKAGES", "PERMISSIONS", "ROUTES"]

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
