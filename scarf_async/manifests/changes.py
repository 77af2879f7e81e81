"""Changes are data: what to do so that an organization matches a manifest, and what cannot be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, overload

import attrs
import msgspec

from scarf_async.bulk.plan import BulkPlan
from scarf_async.dialects import dialect_of
from scarf_async.entities import JSON, ApiVersion, Role
from scarf_async.errors import ValidationError
from scarf_async.manifests.change import SENT, Action, Change
from scarf_async.manifests.fields import MemberFields, stated
from scarf_async.manifests.planning import Planner, is_loss
from scarf_async.text import printable

__all__ = ["UNSAID_API", "Action", "Change", "Changes"]

VERSION: Final = 1
UNSAID_API: Final = "v1"
"""What saved changes are for that do not say it: earlier versions of this package knew nothing else."""
_WORDS: Final[Mapping[Action, str]] = {
    "create": "to create",
    "update": "to update",
    "set": "to set without comparing",
    "remove": "to remove",
    "blocked": "blocked",
    "uncompared": "not compared",
}


@attrs.frozen(repr=False, str=False)
class Changes(Sequence[Change]):
    """What a comparison found, in the manifest's order; data that can be shown, kept and turned into a plan.

    A sequence of all changes, of those too that send nothing.

    Attributes:
        ownerless: organizations that have an owner and would have none afterwards.
        there: how many things of each kind were there among what was compared: what removals are a share of.
        me: the username that the token belongs to, if said: what that person loses in an organization comes after
            all else there.
        api: the version of the service that they were made for; None: nobody said it.
        applicable: the changes that send something, in the order of the operations of `to_plan()`, one for each: so
            `changes.applicable[outcome.operation.index]` is the change that an outcome is of.
    """

    _changes: tuple[Change, ...] = ()
    ownerless: tuple[str, ...] = ()
    there: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    me: str | None = None
    api: ApiVersion | None = attrs.field(default=None, eq=False)
    applicable: tuple[Change, ...] = attrs.field(init=False, eq=False)

    @applicable.default
    def _applicable(self) -> tuple[Change, ...]:
        sent = (change for change in self._changes if change.action in SENT)
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
        return {action: counts[action] for action in _WORDS}

    @property
    def removals(self) -> Sequence[Change]:
        """The changes that take something away."""
        return self._of("remove")

    @property
    def blocked(self) -> Sequence[Change]:
        """What the manifest says and cannot be done."""
        return self._of("blocked")

    @property
    def summary(self) -> str:
        """How many changes there are of each action, in words."""
        return self._counted or "no changes"

    @property
    def _counted(self) -> str:
        return ", ".join(f"{count:,} {_WORDS[action]}" for action in _WORDS if (count := self.counts[action]))

    def _of(self, action: Action) -> Sequence[Change]:
        return [change for change in self._changes if change.action == action]

    @property
    def without_owner(self) -> bool:
        """Whether there is a change that does not say whose package it is about, and has to."""
        if not dialect_of(self.api or UNSAID_API, None).traits.owners_in_paths:
            return False
        return any(
            change.package is not None and change.organization is None and change.owner is None
            for change in self._changes
        )

    def owned_by(self, owner: str | None) -> Changes:
        """Return them with an owner for the packages of which they leave it out."""
        if owner is None:
            return self
        owned = (
            attrs.evolve(change, owner=owner)
            if change.package is not None and change.organization is None and change.owner is None
            else change
            for change in self._changes
        )
        return attrs.evolve(self, changes=tuple(owned))

    def check_version(self, api: str, server: str, made_for: str = "") -> None:
        """Refuse to be used with another version of the service than they were made for.

        Raises:
            ValidationError: naming both.
        """
        if self.api is not None and self.api != api:
            where = f" ({printable(made_for)})" if made_for else ""
            raise ValidationError(
                f"these changes were made for {self.api}{where}, and this client speaks {api} ({server}): use a"
                " client of that version, or compare again"
            )

    def to_plan(self) -> BulkPlan:
        """Return the plan that makes the changes: one operation for each of `applicable`, in that order.

        Owners are made before others cease to be owners, a domain leaves a package before another takes it, and
        what `me` loses in an organization comes after all else there, if that is done.

        Raises:
            ValidationError: a change holds what cannot be sent; not for changes that a comparison made.
        """
        return Planner(self.applicable, self.me).plan

    def to_dict(self) -> dict[str, JSON]:
        """Return them as JSON data; `from_dict` reads it."""
        return {
            "version": VERSION,
            "changes": [_plain(change) for change in self._changes],
            "ownerless": list(self.ownerless),
            "there": dict(self.there),
            **({} if self.me is None else {"me": self.me}),
            # What earlier versions of this package wrote was for v1, and had no word for it.
            **({} if self.api in {None, UNSAID_API} else {"api": self.api}),
        }

    @classmethod
    def from_dict(cls, data: JSON) -> Changes:
        """Read what `to_dict` gave.

        Raises:
            ValidationError: it is something else, or of a newer version; the message names the place.
        """
        version = data.get("version") if isinstance(data, Mapping) else data
        if type(version) is not int or version != VERSION:
            raise ValidationError(f"these changes must be of version {VERSION}; their version is {version!r}")
        try:
            _refuse_unknown(data)
            saved = msgspec.convert(data, _Saved)
        except msgspec.ValidationError as error:
            reason = str(error)
        else:
            return cls(saved.changes, saved.ownerless, saved.there, saved.me, saved.api)
        raise ValidationError(f"these are not saved changes: {printable(reason)}")

    def __repr__(self) -> str:
        return f"<Changes: {self._counted or 'none'}>"

    def __str__(self) -> str:
        lines = [str(change) for change in self._changes if change.action != "uncompared"]
        lines += [f"! organization {printable(name)} would be left without an owner" for name in self.ownerless]
        return "\n".join([*lines, self.summary])


@attrs.frozen
class _Saved:
    changes: tuple[Change, ...]
    ownerless: tuple[str, ...]
    there: dict[str, int]
    me: str | None = None
    api: ApiVersion | None = None


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
    for field in ("organization", "owner", "package", "library_type", "name", "uuid", "id", "before", "after"):
        value: str | Mapping[str, str] | None = getattr(change, field)
        if value is not None:
            values[field] = str(value) if isinstance(value, str) else dict(value)
    if change.note:
        values["note"] = change.note
    return values


def _rank(change: Change, me: str | None) -> int:
    if is_loss(change, me):
        return 5
    if change.kind == "organization":
        return 0
    if change.kind == "member" and stated(MemberFields, change.after).role == Role.OWNER:
        return 1
    if change.kind == "package" and change.action != "remove":
        return 2
    # Last the creates of domains: they may wait for what takes a domain away.
    return 4 if change.kind == "domain" and change.action == "create" else 3
