"""The state as a plain dictionary with the fields of v1, to compare it with an expected state."""

from __future__ import annotations

from typing import TypedDict

from scarf_async.emulator.store import Transaction

__all__ = ["OrganizationState", "PackageState", "State", "read_state"]


class OrganizationState(TypedDict):
    """An organization without times. Members are by username."""

    description: str
    website: str | None
    billingEmail: str
    members: dict[str, str]


class PackageState(TypedDict):
    """A package without its UUID and times, with the URLs that responses do not show.

    Permissions are levels by username, routes are pairs of template path and outgoing URL, domains are those that
    were added. Unordered lists are sorted.
    """

    shortDescription: str
    longDescription: str | None
    website: str | None
    backendUrl: str | None
    publicUrl: str | None
    repositoryURL: str | None
    permissions: dict[str, str]
    routes: list[tuple[str, str]]
    domains: list[str]


class State(TypedDict):
    """Organizations by name, packages by `owner/type/name`."""

    organizations: dict[str, OrganizationState]
    packages: dict[str, PackageState]


def read_state(db: Transaction) -> State:
    """Read what v1 shows, without events, ids and times: equal histories give equal states."""
    organizations: dict[int, OrganizationState] = {}
    packages: dict[int, PackageState] = {}
    state: State = {"organizations": {}, "packages": {}}
    for row in db.all("SELECT * FROM organizations ORDER BY name"):
        state["organizations"][row["name"]] = organizations[row["id"]] = {
            "description": row["description"] or "",
            "website": row["website"],
            "billingEmail": row["billing_email"],
            "members": {},
        }
    for row in db.all("SELECT * FROM owned_packages ORDER BY owner, library_type, name"):
        key = f"{row['owner']}/{row['library_type']}/{row['name']}"
        state["packages"][key] = packages[row["id"]] = {
            "shortDescription": row["short_description"] or "",
            "longDescription": row["long_description"],
            "website": row["website"],
            "backendUrl": row["backend_url"],
            "publicUrl": row["public_url"],
            "repositoryURL": row["repository_url"],
            "permissions": {},
            "routes": [],
            "domains": [],
        }
    for row in db.all("SELECT * FROM members ORDER BY key"):
        organizations[row["organization_id"]]["members"][row["username"]] = row["role"]
    for row in db.all("SELECT * FROM permissions ORDER BY key"):
        packages[row["package_id"]]["permissions"][row["username"]] = row["level"]
    for row in db.all("SELECT * FROM routes ORDER BY template_path, outgoing_url"):
        packages[row["package_id"]]["routes"].append((row["template_path"], row["outgoing_url"] or ""))
    for row in db.all("SELECT * FROM package_domains ORDER BY key"):
        packages[row["package_id"]]["domains"].append(row["name"])
    return state
