"""The groups of API calls."""

from scarf_async.resources.collections import Collections
from scarf_async.resources.domains import Domains
from scarf_async.resources.members import Members
from scarf_async.resources.organizations import Organizations
from scarf_async.resources.packages import Packages
from scarf_async.resources.permissions import Permissions
from scarf_async.resources.pixels import Pixels
from scarf_async.resources.routes import Routes
from scarf_async.resources.users import Users

__all__ = [
    "Collections",
    "Domains",
    "Members",
    "Organizations",
    "Packages",
    "Permissions",
    "Pixels",
    "Routes",
    "Users",
]
