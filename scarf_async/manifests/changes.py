"""Changes as data: what to do so that an organization matches a manifest, and what cannot be done."""

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
"""The version of saved changes that name none: earlier versions of this package knew only v1."""
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
    """The result of a comparison, in the manifest's order: data that can be shown, saved and turned into a plan.

    A sequence of all changes, including those that send nothing.

    Attributes:
        ownerless: organizations that have an owner now and would have none afterwards.
        there: the number of existing things of each kind that were compared; removals are limited to a share of it.
        me: the username that the token belongs to, if given: changes that reduce this user's rights in an
            organization come last there.
        api: the version of the service that they were made for; None if unknown.
        applicable: the changes that send something, one for each operation of `to_plan()`, in the same order:
            `changes.applicable[outcome.operation.index]` is the change of an outcome.
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
        """The number of changes of each action."""
        counts = Counter(change.action for change in self._changes)
        return {action: counts[action] for action in _WORDS}

    @property
    def removals(self) -> Sequence[Change]:
        """The changes that remove something."""
        return self._of("remove")

    @property
    def blocked(self) -> Sequence[Change]:
        """The changes that cannot be made; the note of each says why."""
        return self._of("blocked")

    @property
    def summary(self) -> str:
        """The number of changes of each action, in words."""
        return self._counted or "no changes"

    @property
    def _counted(self) -> str:
        return ", ".join(f"{count:,} {_WORDS[action]}" for action in _WORDS if (count := self.counts[action]))

    def _of(self, action: Action) -> Sequence[Change]:
        return [change for change in self._changes if change.action == action]

    @property
    def without_owner(self) -> bool:
        """Whether a change needs the owner of its package and does not have it."""
        if not dialect_of(self.api or UNSAID_API, None).traits.owners_in_paths:
            return False
        return any(
            change.package is not None and change.organization is None and change.owner is None
            for change in self._changes
        )

    def owned_by(self, owner: str | None) -> Changes:
        """Return the changes with an owner for those packages that have none.

        Args:
            owner: the owner to fill in; None returns the changes as they are.
        """
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
        """Check that the changes were made for a version of the service.

        Args:
            api: the version that the client calls.
            server: the URL that the client calls, for the message.
            made_for: the URL that they were made for, if known, for the message.

        Raises:
            ValidationError: they were made for another version; the message names both.
        """
        if self.api is not None and self.api != api:
            where = f" ({printable(made_for)})" if made_for else ""
            raise ValidationError(
                f"these changes were made for {self.api}{where}, and this client calls {api} ({server}): use a"
                " client of that version, or compare again"
            )

    def to_plan(self) -> BulkPlan:
        """Return the plan that makes the changes: one operation for each of `applicable`, in that order.

        New owners are added before other owners are removed, a domain is removed from one package before it is
        added to another, and changes that reduce the rights of `me` run last, if everything else in the
        organization succeeded.

        Raises:
            ValidationError: a change has a value that cannot be sent; never for changes from a comparison.
        """
        return Planner(self.applicable, self.me).plan

    def to_dict(self) -> dict[str, JSON]:
        """Return the changes as JSON data, which `from_dict` reads."""
        return {
            "version": VERSION,
            "changes": [_plain(change) for change in self._changes],
            "ownerless": list(self.ownerless),
            "there": dict(self.there),
            **({} if self.me is None else {"me": self.me}),
            # Earlier versions of this package wrote changes for v1 without naming it.
            **({} if self.api in {None, UNSAID_API} else {"api": self.api}),
        }

    @classmethod
    def from_dict(cls, data: JSON) -> Changes:
        """Read the JSON data of `to_dict`.

        Raises:
            ValidationError: the data is something else, or of a newer version; the message names the place.
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
    """Refuse keys that this version does not read: they may have been meant to limit a change.

    Raises:
        msgspec.ValidationError: a key is unknown; other faults are left to the decoder.
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
    # Creates of domains come last: they may wait for the removal of the domain from another package.
    return 4 if change.kind == "domain" and change.action == "create" else 3
