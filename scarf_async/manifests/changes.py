"""Changes are data: what to do so that what is there becomes what a manifest says, and what cannot be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeAlias, overload
from urllib.parse import urlsplit

import attrs
import msgspec

from scarf_async.bulk.plan import BulkPlan, Ref
from scarf_async.creates import IfExists
from scarf_async.entities import (
    JSON,
    UNSET,
    DomainCreate,
    Member,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    PermissionLevel,
    Role,
    RouteCreate,
    Unset,
)
from scarf_async.entities.enums import permission_level, role
from scarf_async.entities.fields import without_user
from scarf_async.errors import ValidationError
from scarf_async.names import domain_key, plain_name, user_key
from scarf_async.protocol import printable

__all__ = ["Action", "Change", "Changes", "Subject", "organization_upsert", "package_upsert", "public_host"]

Action: TypeAlias = Literal["create", "update", "set", "remove", "blocked", "uncompared"]
Subject: TypeAlias = Literal["organization", "member", "package", "permission", "route", "domain"]

VERSION: Final = 1
_ACTIONS: Final[tuple[Action, ...]] = ("create", "update", "set", "remove", "blocked", "uncompared")
_SIGNS: Final[Mapping[Action, str]] = {
    "create": "+",
    "update": "~",
    "set": "~",
    "remove": "-",
    "blocked": "!",
    "uncompared": "?",
}
_WORDS: Final[Mapping[Action, str]] = {
    "create": "to create",
    "update": "to update",
    "set": "to set without comparing",
    "remove": "to remove",
    "blocked": "blocked",
    "uncompared": "not compared",
}
_SENT: Final = frozenset[Action]({"create", "update", "set", "remove"})
# The rest would be carried out as something else.
_MEANT: Final[Mapping[Subject, frozenset[Action]]] = {
    "organization": frozenset({"create", "update"}),
    "member": frozenset({"create", "update", "remove"}),
    "package": _SENT,
    "permission": _SENT,
    "route": frozenset({"create", "remove"}),
    "domain": frozenset({"create", "remove"}),
}
_SHOWN: Final = 60


@attrs.frozen(kw_only=True)
class Change:
    """One thing that is not as the manifest says.

    Attributes:
        action: `create`, `update`, `remove`; `set`: the service does not show what is there, so it is set without
            comparing; `blocked`: it cannot be done, `note` says why; `uncompared`: it was not compared and is left.
        kind: what it is.
        organization: the organization; None: the token's user, for packages.
        package: the package's name; as the service shows it, if it is there.
        library_type: the package's type.
        name: the username or e-mail address of a member or permission; the name of a domain.
        uuid: the package's identifier; None: it is yet to be created.
        id: the identifier of a route or domain that is there.
        before: its fields as they are; None: it is not there, or does not show.
        after: its fields as they should be, all that are sent and not only those that differ; None: it goes.
        note: what there is to know.
    """

    action: Action
    kind: Subject
    organization: str | None = None
    package: str | None = None
    library_type: str | None = None
    name: str | None = None
    uuid: str | None = None
    id: str | None = None
    before: Mapping[str, str] | None = attrs.field(default=None, hash=False)
    after: Mapping[str, str] | None = attrs.field(default=None, hash=False)
    note: str = ""

    @property
    def target(self) -> str:
        """What it is about, as a path for people; `~` stands for the token's user."""
        parts = [self.organization or "~"]
        if self.package is not None:
            parts.append(plain_name(self.package, self.organization))
        fields = self.after or self.before or {}
        name = fields.get("template_path") if self.kind == "route" else self.name
        if name is not None:
            parts.append(name)
        return "/".join(parts)

    @property
    def differences(self) -> list[tuple[str, str | None, str | None]]:
        """The fields that differ: name, before, after; None where there is none."""
        before, after = self.before or {}, self.after or {}
        return [
            (field, before.get(field), after.get(field))
            for field in {**before, **after}
            if before.get(field) != after.get(field)
        ]

    def __str__(self) -> str:
        library_type = f" ({self.library_type})" if self.kind == "package" and self.library_type else ""
        line = f"{_SIGNS[self.action]} {self.kind} {self.target}{library_type}"
        details = "" if self.after is None or self.action == "uncompared" else ", ".join(_details(self))
        line += f": {details}" if details else ""
        return printable(f"{line} ({self.note})" if self.note else line)


def _details(change: Change) -> Iterator[str]:
    for field, before, after in change.differences:
        if change.kind == "domain":
            continue
        if change.kind == "route":
            if field == "outgoing_url":
                yield f"-> {_quoted(after)}"
        elif change.kind in {"member", "permission"}:
            yield f"{before} -> {after}" if before else f"{after}"
        elif change.before is None or before is None:
            yield f"{field} {_quoted(after)}"
        else:
            yield f"{field} {_quoted(before)} -> {_quoted(after)}"


def _quoted(value: str | None) -> str:
    # An address may carry a user and a password.
    text = without_user(value or "")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...{text[-1]}"


def organization_upsert(name: str, fields: Mapping[str, str]) -> OrganizationUpsert:
    """Return what an organization is sent as; an empty website is sent as null.

    Raises:
        ValidationError: a field cannot be sent.
    """
    return OrganizationUpsert(
        name=name,
        description=fields.get("description", ""),
        billing_email=fields.get("billing_email", ""),
        website=_optional(fields, "website"),
    )


def package_upsert(name: str, library_type: str | None, fields: Mapping[str, str]) -> PackageUpsert:
    """Return what a package is sent as; what is not among the fields is left out, an empty one is sent as null.

    Raises:
        ValidationError: a field cannot be sent.
    """
    return PackageUpsert(
        name=name,
        short_description=fields.get("short_description", ""),
        long_description=_optional(fields, "long_description"),
        website=_optional(fields, "website"),
        library_type=UNSET if library_type is None else library_type,
        backend_url=_optional(fields, "backend_url"),
        public_url=_optional(fields, "public_url"),
        repository_url=_optional(fields, "repository_url"),
    )


def public_host(url: str | None) -> str | None:
    """Return the host of a public address, as `domain_key` gives it; None: there is none, or it cannot be sent."""
    try:
        host = urlsplit(url or "").hostname
    except ValueError:
        return None
    return None if host is None else domain_key(host)


def _optional(fields: Mapping[str, str], name: str) -> str | None | Unset:
    return (fields[name] or None) if name in fields else UNSET


@attrs.frozen(repr=False, str=False)
class Changes(Sequence[Change]):
    """What a comparison found, in the manifest's order; data that can be shown, kept and turned into a plan.

    A sequence of all changes, of those too that send nothing.

    Attributes:
        ownerless: organizations that have an owner and would have none afterwards.
        there: how many things of each kind were there among what was compared: what removals are a share of.
        me: the username that the token belongs to, if said: what that person loses in an organization comes after
            all else there.
        applicable: the changes that send something, in the order of the operations of `to_plan()`, one for each: so
            `changes.applicable[outcome.operation.index]` is the change that an outcome is of.
    """

    _changes: tuple[Change, ...] = ()
    ownerless: tuple[str, ...] = ()
    there: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    me: str | None = None
    applicable: tuple[Change, ...] = attrs.field(init=False, eq=False)

    @applicable.default
    def _applicable(self) -> tuple[Change, ...]:
        sent = (change for change in self._changes if change.action in _SENT)
        return tuple(sorted(sent, key=partial(_rank, me=self.me)))

    def __len__(self) -> int:
        return len(self._changes)

    @overload
    def __getitem__(self, index: int) -> Change: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Change, ...]: ...

    def __getitem__(self, index: int | slice) -> Change | tuple[Change, ...]:
        return self._changes[index]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many changes there are of each action."""
        counts = Counter(change.action for change in self._changes)
        return {action: counts[action] for action in _ACTIONS}

    @property
    def removals(self) -> Sequence[Change]:
        """The changes that take something away."""
        return self._of("remove")

    @property
    def blocked(self) -> Sequence[Change]:
        """What the manifest says and cannot be done."""
        return self._of("blocked")

    def _of(self, action: Action) -> Sequence[Change]:
        return [change for change in self._changes if change.action == action]

    def to_plan(self) -> BulkPlan:
        """Return the plan that makes the changes: one operation for each of `applicable`, in that order.

        Owners are made before others cease to be owners, a domain leaves a package before another takes it, and
        what `me` loses in an organization comes after all else there, if that is done.

        Raises:
            ValidationError: a change holds what cannot be sent; not for changes that a comparison made.
        """
        return _Planner(self.applicable, self.me).plan

    def to_dict(self) -> dict[str, JSON]:
        """Return them as JSON data; `from_dict` reads it."""
        return {
            "version": VERSION,
            "changes": [_plain(change) for change in self._changes],
            "ownerless": list(self.ownerless),
            "there": dict(self.there),
            **({} if self.me is None else {"me": self.me}),
        }

    @classmethod
    def from_dict(cls, data: JSON) -> Changes:
        """Read what `to_dict` gave.

        Raises:
            ValidationError: it is something else, or of a newer version; the message names the place.
        """
        version = data.get("version") if isinstance(data, Mapping) else data
        if type(version) is not int or version != VERSION:
            raise ValidationError(f"these are no changes of version {VERSION}: version is {version!r}")
        try:
            _refuse_unknown(data)
            saved = msgspec.convert(data, _Saved)
        except msgspec.ValidationError as error:
            reason = str(error)
        else:
            return cls(saved.changes, saved.ownerless, saved.there, saved.me)
        raise ValidationError(f"these are no changes: {printable(reason)}")

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {_WORDS[action]}" for action, count in _counted(self.counts))
        return f"<Changes: {counts or 'none'}>"

    def __str__(self) -> str:
        lines = [str(change) for change in self._changes if change.action != "uncompared"]
        lines += [f"! organization {printable(name)} would be left without an owner" for name in self.ownerless]
        counts = ", ".join(f"{count} {_WORDS[action]}" for action, count in _counted(self.counts))
        return "\n".join([*lines, counts or "no changes"])


@attrs.frozen
class _Saved:
    changes: tuple[Change, ...]
    ownerless: tuple[str, ...]
    there: dict[str, int]
    me: str | None = None


def _refuse_unknown(data: JSON) -> None:
    """Refuse what this version would leave unread: it may have been meant to limit a change.

    Raises:
        msgspec.ValidationError: there is a key that nothing reads; other faults are left to who reads them.
    """
    tables = [("$", data, {"version", *_names(_Saved)})]
    if isinstance(data, Mapping) and isinstance(changes := data.get("changes"), list):
        tables += [(f"$.changes[{place}]", change, _names(Change)) for place, change in enumerate(changes)]
    for place, table, known in tables:
        unknown = sorted(table.keys() - known) if isinstance(table, Mapping) else []
        if unknown:
            raise msgspec.ValidationError(f"Object contains unknown field `{unknown[0]}` - at `{place}`")


def _names(kind: type[attrs.AttrsInstance]) -> set[str]:
    return {field.name for field in attrs.fields(kind)}


def _plain(change: Change) -> dict[str, JSON]:
    values: dict[str, JSON] = {"action": change.action, "kind": change.kind}
    for field in ("organization", "package", "library_type", "name", "uuid", "id", "before", "after"):
        value: str | Mapping[str, str] | None = getattr(change, field)
        if value is not None:
            values[field] = str(value) if isinstance(value, str) else dict(value)
    if change.note:
        values["note"] = change.note
    return values


def _counted(counts: Mapping[str, int]) -> Iterator[tuple[Action, int]]:
    return ((action, counts[action]) for action in _ACTIONS if counts[action])


def _rank(change: Change, me: str | None) -> int:
    if _is_loss(change, me):
        return 5
    if change.kind == "organization":
        return 0
    if change.kind == "member" and _field(change.after, "role") == Role.OWNER:
        return 1
    if change.kind == "package" and change.action != "remove":
        return 2
    # Last the creates of domains: they may wait for what takes a domain away.
    return 4 if change.kind == "domain" and change.action == "create" else 3


def _is_loss(change: Change, me: str | None) -> bool:
    """Tell whether the token's user may lose the right to make the other changes of an organization."""
    return (
        me is not None
        and change.kind == "member"
        and user_key(change.name or "") == user_key(me)
        and _field(change.after, "role") != Role.OWNER
    )


def _field(fields: Mapping[str, str] | None, name: str) -> str | None:
    return None if fields is None else fields.get(name)


class _Planner:
    """Adds an operation for each change."""

    def __init__(self, changes: Sequence[Change], me: str | None) -> None:
        self.plan = BulkPlan()
        self._changes = changes
        self._me = me
        self._packages: dict[tuple[str | None, str | None, str | None], Ref[Package]] = {}
        self._owners: dict[str, list[Ref[Member]]] = {}
        self._domains: dict[str, Ref[None]] = {}
        self._giving: set[str | None] = set()
        self._hosts: dict[str | Ref[Package], str | None] = {}
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
                    f"{change.kind} {change.target}: nothing can {change.action} it", field="action"
                )
            adders[change.kind](change)

    def _organization(self, change: Change) -> None:
        name = _said(change, "organization", change.organization)
        upsert = organization_upsert(name, change.after or {})
        if change.action == "create":
            self.plan.create_organization(upsert)
        else:
            self.plan.update_organization(name, upsert)

    def _member(self, change: Change) -> None:
        organization = _said(change, "organization", change.organization)
        username = _said(change, "name", change.name)
        wanted = role(_said(change, "role", _field(change.after, "role"))) if change.action != "remove" else None
        owners = self._owners.setdefault(organization, [])
        # The service lets the last owner go only once there is another.
        after = owners if _field(change.before, "role") == Role.OWNER and wanted != Role.OWNER else []
        if _is_loss(change, self._me):
            # One that failed leaves the right to try it again.
            earlier = enumerate(self._changes[: len(self.plan)])
            after = [Ref(self.plan, place) for place, other in earlier if other.organization == organization]
        if wanted is None:
            self.plan.remove_member(organization, username, after=after)
            return
        if not isinstance(wanted, Role):
            raise ValidationError(f"{change.target}: {wanted!r} is no role", field="role")
        made = self.plan.upsert_member(organization, username, wanted, after=after)
        if wanted is Role.OWNER:
            owners.append(made)

    def _package(self, change: Change) -> None:
        name = _said(change, "package", change.package)
        if change.action == "remove":
            self.plan.delete_package(_said(change, "uuid", change.uuid))
            return
        upsert = package_upsert(name, change.library_type, change.after or {})
        if change.action == "create":
            key = change.organization, name, change.library_type
            self._packages[key] = self.plan.create_package(upsert, change.organization)
        else:
            self.plan.update_package(_said(change, "uuid", change.uuid), upsert)
        self._hosts[self._on(change)] = public_host(_field(change.after, "public_url"))

    def _permission(self, change: Change) -> None:
        if change.action == "remove":
            level: str = PermissionLevel.DEFAULT
        else:
            level = permission_level(_said(change, "level", _field(change.after, "level")))
        if not isinstance(level, PermissionLevel):
            raise ValidationError(f"{change.target}: {level!r} is no level", field="level")
        self.plan.set_permission(self._on(change), _said(change, "name", change.name), level)

    def _route(self, change: Change) -> None:
        if change.action == "remove":
            self.plan.delete_route(self._on(change), _said(change, "id", change.id))
            return
        outgoing_url = _said(change, "outgoing_url", _field(change.after, "outgoing_url"))
        template_path = _said(change, "template_path", _field(change.after, "template_path"))
        self.plan.create_route(self._on(change), RouteCreate(outgoing_url, template_path))

    def _domain(self, change: Change) -> None:
        name = _said(change, "name", change.name)
        if change.action == "remove":
            self._domains[domain_key(name)] = self.plan.delete_domain(
                self._on(change), _said(change, "id", change.id)
            )
            self._giving.add(change.uuid)
            return
        leaving = self._domains.get(domain_key(name))
        # A package that gives domains away itself does so last: two that swap theirs would wait for each other.
        waits = leaving is not None and change.uuid not in self._giving
        package = self._on(change)
        # The public address may have brought its domain along.
        if_exists: IfExists = "keep" if self._hosts.get(package) == domain_key(name) else "fail"
        after = leaving if waits and leaving else ()
        self.plan.create_domain(package, DomainCreate(name), if_exists=if_exists, after=after)

    def _on(self, change: Change) -> str | Ref[Package]:
        if change.uuid is not None:
            return change.uuid
        created = self._packages.get((change.organization, change.package, change.library_type))
        if created is None:
            raise ValidationError(
                f"{change.kind} {change.target}: nothing says which package this is", field="uuid"
            )
        return created


def _said(change: Change, field: str, value: str | None) -> str:
    if value is None:
        raise ValidationError(f"{change.kind} {change.target}: {field} is missing", field=field)
    return value
