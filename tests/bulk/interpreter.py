"""What a plan comes to: its operations one after another, on dictionaries, without a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from itertools import count
from typing import Final, TypeAlias

import attrs

from scarf_async import UNSET, ApiVersion, BulkPlan, Operation, OrganizationUpsert, PackageUpsert
from scarf_async.bulk import Kind
from scarf_async.emulator import Quirks
from scarf_async.emulator.state import OrganizationState, PackageState, State

from .model import Model
from .plans import arguments

__all__ = ["CREATES", "DELETES", "Interpreter", "without_double_routes"]

CREATES: Final = frozenset({Kind.CREATE_ORGANIZATION, Kind.CREATE_PACKAGE, Kind.CREATE_ROUTE, Kind.CREATE_DOMAIN})
DELETES: Final = frozenset({Kind.REMOVE_MEMBER, Kind.DELETE_PACKAGE, Kind.DELETE_ROUTE, Kind.DELETE_DOMAIN})
_OWNER: Final = "emulator-user"
_WITH_DOMAINS: Final = {"file", "docker", "pypi", "python"}

Key: TypeAlias = str | int
"""A package: its uuid, or the place of what creates it."""


class _RefusedError(Exception):
    """What the service would say no to."""


@attrs.define
class _Package:
    organization: int | None
    library_type: str
    name: str
    state: PackageState


def without_double_routes(state: State) -> State:
    """The state with equal routes of a package counted as one."""
    state = deepcopy(state)
    for package in state["packages"].values():
        package["routes"] = sorted(set(package["routes"]))
    return state


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


class Interpreter:
    """Carries a plan out on a state.

    Attributes:
        statuses: for each operation `succeeded`, `failed` or `skipped`.
    """

    def __init__(
        self,
        plan: BulkPlan,
        state: State,
        *,
        uuids: Mapping[str, str],
        routes: Mapping[str, tuple[str, str]],
        domains: Mapping[str, str],
        api: ApiVersion = "v1",
        quirks: Quirks | None = None,
    ) -> None:
        """Begin with a state; `uuids` are those of its packages, `routes` and `domains` what ids stand for.

        In v2 nobody can be refused who has no level to take back, and packages of organizations may have none.
        """
        self.is_v2 = api == "v2"
        self.refuses_permissions = self.is_v2 and (
            quirks is not None and quirks.permissions_of_organizations == "refused"
        )
        self.model = Model(plan, batch=len(plan) + 1)
        self.plan = plan
        self.routes, self.domains = dict(routes), domains
        self.statuses: list[str] = [""] * len(plan)
        self._ids = count()
        self.organizations: dict[int, tuple[str, OrganizationState]] = {
            next(self._ids): (name, deepcopy(told)) for name, told in state["organizations"].items()
        }
        self.packages: dict[Key, _Package] = {}
        for key, told in state["packages"].items():
            owner, library_type, name = key.split("/", 2)
            self.packages[uuids[key]] = _Package(self._id(owner), library_type, name, deepcopy(told))

    def run(self) -> State:
        """Carry it out, in an order that the plan allows; return the state."""
        for operation in self._in_order():
            if any(self.statuses[need] != "succeeded" for need in self._needs(operation)):
                status = "skipped"
            else:
                try:
                    self._carry_out(operation)
                    status = "succeeded"
                except _RefusedError:
                    status = "failed"
            for place, first in self.model.first_of.items():
                if first == operation.index:
                    self.statuses[place] = status
        return without_double_routes(self._state())

    def _in_order(self) -> Iterable[Operation]:
        befores: dict[int, set[int]] = {op.index: set() for op in self.model.firsts}
        for earlier, later in self.model.pairs():
            befores[later].add(earlier)
        while befores:
            place = next(place for place, before in befores.items() if not before & befores.keys())
            del befores[place]
            yield self.plan[place]

    def _needs(self, operation: Operation) -> set[int]:
        """What must have succeeded: what it was put behind, who makes its organization, what is deleted with it."""
        needs = set(self.model.befores[operation.index])
        name = self.model.uses(operation)
        package = self.model.package(operation)
        for other in self.model.firsts:
            if name is not None and self.model.makes(other) == name:
                needs.add(other.index)
            if package is None or self.model.package(other) != package:
                continue
            if operation.kind is Kind.DELETE_PACKAGE and other.kind is not Kind.DELETE_PACKAGE:
                needs.add(other.index)
            if (other.kind, operation.kind) in {
                (Kind.CREATE_ROUTE, Kind.DELETE_ROUTE),
                (Kind.UPDATE_ROUTE, Kind.DELETE_ROUTE),
                (Kind.CREATE_DOMAIN, Kind.DELETE_DOMAIN),
            }:
                needs.add(other.index)
        return needs

    def _carry_out(self, operation: Operation) -> None:
        getattr(self, f"_{operation.kind}")(operation)

    # Organizations

    def _id(self, name: str) -> int | None:
        return next((number for number, (shown, _) in self.organizations.items() if shown == name), None)

    def _organization(self, name: str) -> int:
        found = self._id(name)
        if found is None:
            raise _RefusedError
        return found

    @staticmethod
    def _told(organization: OrganizationUpsert, members: dict[str, str]) -> OrganizationState:
        return {
            "description": _text(organization.description) or "",
            "website": _text(organization.website),
            "billingEmail": _text(organization.billing_email) or "",
            "members": members,
        }

    def _create_organization(self, operation: Operation) -> None:
        wanted: OrganizationUpsert = arguments(operation)["organization"]
        new = self._told(wanted, {_OWNER: "owner"})
        there = self._id(wanted.name)
        if there is None:
            self.organizations[next(self._ids)] = wanted.name, new
            return
        old = self.organizations[there][1]
        if arguments(operation)["if_exists"] == "fail" or any(
            old[field] != new[field] for field in ("description", "website", "billingEmail")
        ):
            raise _RefusedError

    def _update_organization(self, operation: Operation) -> None:
        wanted: OrganizationUpsert = arguments(operation)["organization"]
        number = self._organization(arguments(operation)["name"])
        if self._id(wanted.name) not in {None, number}:
            raise _RefusedError
        members = self.organizations[number][1]["members"]
        self.organizations[number] = wanted.name, self._told(wanted, members)

    def _upsert_member(self, operation: Operation) -> None:
        number = self._organization(arguments(operation)["organization"])
        user: str = arguments(operation)["username"]
        if user.startswith("unknown"):
            raise _RefusedError
        self.organizations[number][1]["members"][user] = str(arguments(operation)["role"])

    def _remove_member(self, operation: Operation) -> None:
        number = self._organization(arguments(operation)["organization"])
        if self.organizations[number][1]["members"].pop(arguments(operation)["username"], None) is None:
            raise _RefusedError

    # Packages

    def _package(self, operation: Operation) -> _Package:
        key = self._key(operation)
        if key not in self.packages:
            raise _RefusedError
        return self.packages[key]

    def _key(self, operation: Operation) -> Key:
        package = self.model.package(operation)
        assert isinstance(package, str | int)
        return package if isinstance(package, str) else self.model.first_of[package]

    def _create_package(self, operation: Operation) -> None:
        wanted: PackageUpsert = arguments(operation)["package"]
        organization = arguments(operation)["organization"]
        owner = None if organization is None else self._organization(organization)
        library_type = _text(wanted.library_type) or "other"
        state: PackageState = {
            "shortDescription": _text(wanted.short_description) or "",
            "longDescription": _text(wanted.long_description),
            "website": _text(wanted.website),
            "backendUrl": _text(wanted.backend_url),
            "publicUrl": _text(wanted.public_url),
            "repositoryURL": _text(wanted.repository_url),
            "permissions": {},
            "routes": [],
            "domains": [],
        }
        for key, there in self.packages.items():
            if (there.organization, there.library_type, there.name) == (owner, library_type, wanted.name):
                if arguments(operation)["if_exists"] == "keep" and there.state["shortDescription"] == (
                    wanted.short_description
                ):
                    # Those who refer to what was to be created mean what exists.
                    self.packages[operation.index] = self.packages[key]
                    return
                raise _RefusedError
        self.packages[operation.index] = _Package(owner, library_type, wanted.name, state)

    def _update_package(self, operation: Operation) -> None:
        package, wanted = self._package(operation), arguments(operation)["upsert"]
        package.name = wanted.name
        package.state["shortDescription"] = wanted.short_description
        package.state["longDescription"] = _text(wanted.long_description)
        package.state["website"] = _text(wanted.website)

    def _delete_package(self, operation: Operation) -> None:
        gone = self._package(operation)
        self.packages = {key: package for key, package in self.packages.items() if package is not gone}

    def _set_permission(self, operation: Operation) -> None:
        package = self._package(operation)
        user: str = arguments(operation)["user_query"].partition("@")[0]
        refuses = self.refuses_permissions and package.organization is not None
        takes_back = self.is_v2 and arguments(operation)["level"] == "default"
        if refuses or (user.startswith("unknown") and not takes_back):
            raise _RefusedError
        package.state["permissions"].pop(user, None)
        if arguments(operation)["level"] != "default":
            package.state["permissions"][user] = str(arguments(operation)["level"])

    def _create_route(self, operation: Operation) -> None:
        package, route = self._package(operation), arguments(operation)["route"]
        if package.library_type != "file":
            raise _RefusedError
        package.state["routes"].append((route.template_path, route.outgoing_url))

    def _update_route(self, operation: Operation) -> None:
        package, route_id = self._package(operation), arguments(operation)["route_id"]
        path, url = self.routes[route_id]
        if (path, url) not in package.state["routes"]:
            raise _RefusedError
        wanted = arguments(operation)["route"]
        new = wanted.template_path, url if wanted.outgoing_url is UNSET else wanted.outgoing_url or ""
        package.state["routes"].remove((path, url))
        package.state["routes"].append(new)
        self.routes[route_id] = new

    def _delete_route(self, operation: Operation) -> None:
        package, route = self._package(operation), self.routes.get(arguments(operation)["route_id"])
        if route is None or route not in package.state["routes"]:
            raise _RefusedError
        package.state["routes"].remove(route)

    def _create_domain(self, operation: Operation) -> None:
        package, name = self._package(operation), arguments(operation)["domain"].name
        there = name in package.state["domains"]
        taken = any(
            name in other.state["domains"] and other.organization != package.organization
            for other in self.packages.values()
        )
        refused = taken or (there and arguments(operation)["if_exists"] == "fail")
        if package.library_type not in _WITH_DOMAINS or refused:
            raise _RefusedError
        if not there:
            package.state["domains"].append(name)

    def _delete_domain(self, operation: Operation) -> None:
        package, name = self._package(operation), self.domains.get(arguments(operation)["domain_id"])
        if name is None or name not in package.state["domains"]:
            raise _RefusedError
        package.state["domains"].remove(name)

    # The result

    def _state(self) -> State:
        state: State = {"organizations": {}, "packages": {}}
        for name, told in self.organizations.values():
            state["organizations"][name] = told
        for package in self.packages.values():
            owner = _OWNER if package.organization is None else self.organizations[package.organization][0]
            package.state["domains"].sort()
            state["packages"][f"{owner}/{package.library_type}/{package.name}"] = package.state
        return state
