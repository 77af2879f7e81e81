"""The six groups of calls: thin, typed, documented."""

from scarf_async.resources.domains import Domains
from scarf_async.resources.members import Members
from scarf_async.resources.organizations import Organizations
from scarf_async.resources.packages import Packages
from scarf_async.resources.permissions import Permissions
from scarf_async.resources.routes import Routes

__all__ = ["Domains", "Members", "Organizations", "Packages", "Permissions", "Routes"]
