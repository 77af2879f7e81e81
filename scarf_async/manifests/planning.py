"""The plan of changes: one operation for each, in order, with their dependencies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from scarf_async.bulk.kinds import Ref
from scarf_async.bulk.plan import BulkPlan
from scarf_async.entities import DomainCreate, Member, Package, PackageKey, PermissionLevel, Role
from scarf_async.errors import ValidationError
from scarf_async.manifests.change import SENT, Action, Change
from scarf_async.manifests.fields import (
    MemberFields,
    OrganizationFields,
    PackageFields,
    PermissionFields,
    RouteFields,
    Subject,
    stated,
)
from scarf_async.names import domain_key, public_host, user_key
from scarf_async.sending.creates import IfExists

__all__ = ["Planner", "is_loss"]

T = TypeVar("T")

# Other changes would be carried out as something else.
_MEANT: Final[Mapping[Subject, frozenset[Action]]] = {
    "organization": frozenset({"create", "update"}),
    "member": frozenset({"create", "update", "remove"}),
    "package": SENT,
    "permission": SENT,
    "route": SENT,
    "domain": frozenset({"create", "remove"}),
}


def is_loss(change: Change, me: str | None) -> bool:
    """Return whether the token's user may lose the right to make the other changes of an organization."""
    return (
        me is not None
        and change.kind == "member"
        and user_key(change.name or "") == user_key(me)
        and stated(MemberFields, change.after).role != Role.OWNER
    )


class Planner:
    """Adds an operation for each change."""

    def __init__(self, changes: Sequence[Change], me: str | None) -> None:
        self.plan: BulkPlan = BulkPlan()
        self._changes = changes
        self._me = me
        self._packages: dict[tuple[str | None, str | None, str | None], Ref[Package]] = {}
        self._owners: dict[str, list[Ref[Member]]] = {}
        self._domains: dict[str, Ref[None]] = {}
        self._giving: set[PackageKey | None] = set()
        self._hosts: dict[PackageKey | Ref[Package], str | None] = {}
        adders: Mapping[Subject, Callable[[Change], None]] = {
            "organization": self._organization,
            "member": self._member,
            "package": self._package,
            "permission": self._permission,
            "route": self._route,
            "domain": self._domain,
        }
        for change in changes:
            if change.action not in _MEANT[change.kind]:
                raise ValidationError(
                    f"{change.kind} {change.target}: there is no operation to {change.action} it", field="action"
                )
            adders[change.kind](change)

    def _organization(self, change: Change) -> None:
        name = _said(change, "organization", change.organization)
        upsert = stated(OrganizationFields, change.after).upsert(name)
        if change.action == "create":
            self.plan.create_organization(upsert)
        else:
            self.plan.update_organization(name, upsert)

    def _member(self, change: Change) -> None:
        organization = _said(change, "organization", change.organization)
        username = _said(change, "name", change.name)
        wanted = None
        if change.action != "remove":
            wanted = _said(change, "role", stated(MemberFields, change.after).role)
        owners = self._owners.setdefault(organization, [])
        # The service removes the last owner only once there is another.
        after = owners if stated(MemberFields, change.before).role == Role.OWNER and wanted != Role.OWNER else []
        if is_loss(change, self._me):
            # If it fails, the user keeps the right to try it again.
            earlier = enumerate(self._changes[: len(self.plan)])
            after = [Ref(self.plan, place) for place, other in earlier if other.organization == organization]
        if wanted is None:
            self.plan.remove_member(organization, username, after=after)
            return
        if not isinstance(wanted, Role):
            raise ValidationError(f"{change.target}: {wanted!r} is not a role", field="role")
        made = self.plan.upsert_member(organization, username, wanted, after=after)
        if wanted is Role.OWNER:
            owners.append(made)

    def _package(self, change: Change) -> None:
        name = _said(change, "package", change.package)
        if change.action == "remove":
            self.plan.delete_package(_said(change, "uuid", change.key))
            return
        after = stated(PackageFields, change.after)
        upsert = after.beyond(stated(PackageFields, change.before)).upsert(name, change.library_type)
        if change.action == "create":
            key = change.organization, name, change.library_type
            self._packages[key] = self.plan.create_package(upsert, change.organization or change.owner)
        else:
            self.plan.update_package(_said(change, "uuid", change.key), upsert)
        self._hosts[self._on(change)] = public_host(after.public_url)

    def _permission(self, change: Change) -> None:
        level: str = PermissionLevel.DEFAULT
        if change.action != "remove":
            level = _said(change, "level", stated(PermissionFields, change.after).level)
        if not isinstance(level, PermissionLevel):
            raise ValidationError(f"{change.target}: {level!r} is not a level", field="level")
        self.plan.set_permission(self._on(change), _said(change, "name", change.name), level)

    def _route(self, change: Change) -> None:
        if change.action == "remove":
            self.plan.delete_route(self._on(change), _said(change, "id", change.id))
            return
        after = stated(RouteFields, change.after)
        _said(change, "outgoing_url", after.outgoing_url)
        _said(change, "template_path", after.template_path)
        if change.action == "create":
            self.plan.create_route(self._on(change), after.upsert())
        else:
            self.plan.update_route(self._on(change), _said(change, "id", change.id), after.upsert())

    def _domain(self, change: Change) -> None:
        name = _said(change, "name", change.name)
        if change.action == "remove":
            self._domains[domain_key(name)] = self.plan.delete_domain(
                self._on(change), _said(change, "id", change.id)
            )
            self._giving.add(change.key)
            return
        leaving = self._domains.get(domain_key(name))
        # A package that loses domains does so last: two that swap theirs would wait for each other.
        waits = leaving is not None and change.key not in self._giving
        package = self._on(change)
        # The package may have been created with the domain of its public URL.
        if_exists: IfExists = "keep" if self._hosts.get(package) == domain_key(name) else "fail"
        after = leaving if waits and leaving else ()
        self.plan.create_domain(package, DomainCreate(name), if_exists=if_exists, after=after)

    def _on(self, change: Change) -> PackageKey | Ref[Package]:
        if change.key is not None:
            return change.key
        created = self._packages.get((change.organization, change.package, change.library_type))
        if created is None:
            raise ValidationError(
                f"{change.kind} {change.target}: nothing says which package this is", field="uuid"
            )
        return created


def _said(change: Change, field: str, value: T | None) -> T:
    if value is None:
        raise ValidationError(f"{change.kind} {change.target}: {field} is missing", field=field)
    return value
