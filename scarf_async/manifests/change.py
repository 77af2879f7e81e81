"""One change: what it is about, the action, and the values before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os.path import commonprefix
from typing import Final, Literal, TypeAlias

import attrs

from scarf_async.entities import PackageKey
from scarf_async.entities.fields import without_user
from scarf_async.manifests.fields import RouteFields, Subject, stated, typed
from scarf_async.names import plain_name
from scarf_async.text import printable

__all__ = ["SENT", "Action", "Change"]

Action: TypeAlias = Literal["create", "update", "set", "remove", "blocked", "uncompared"]

SENT: Final = frozenset[Action]({"create", "update", "set", "remove"})
"""The actions that send something."""
_SIGNS: Final[Mapping[Action, str]] = {
    "create": "+",
    "update": "~",
    "set": "~",
    "remove": "-",
    "blocked": "!",
    "uncompared": "?",
}


@attrs.frozen(kw_only=True)
class Change:
    """One difference from the manifest.

    Attributes:
        action: `create`, `update`, `remove`; `set`: the service does not show the current value, so it is set
            without comparing; `blocked`: it cannot be done, and `note` says why; `uncompared`: it was not compared
            and stays as it is.
        kind: what it is about, such as `member` or `route`.
        organization: the organization; None for packages of the token's user.
        owner: the token's user, for packages, if the service requires it.
        package: the package's name, as the service shows it if it exists.
        library_type: the package's type.
        name: the username or e-mail address of a member or permission; the name of a domain.
        uuid: the package's identifier; None if it does not exist yet.
        id: the identifier of an existing route or domain.
        before: its current fields; None if it does not exist, or the service does not show them.
        after: its fields as they should be: all that are sent, not only those that differ; None if it is removed.
        note: a remark, such as why it is blocked.

    Raises:
        ValidationError: this kind does not have such a field.
    """

    action: Action
    kind: Subject
    organization: str | None = None
    owner: str | None = None
    package: str | None = None
    library_type: str | None = None
    name: str | None = None
    uuid: str | None = None
    id: str | None = None
    before: Mapping[str, str] | None = attrs.field(default=None, hash=False)
    after: Mapping[str, str] | None = attrs.field(default=None, hash=False)
    note: str = ""

    def __attrs_post_init__(self) -> None:
        # `kind` decides the class, so a converter of one attribute cannot do it.
        object.__setattr__(self, "before", typed(self.kind, self.before))
        object.__setattr__(self, "after", typed(self.kind, self.after))

    @property
    def key(self) -> PackageKey | None:
        """The package that it is about; None if there is none, or it does not exist yet."""
        return None if self.uuid is None else PackageKey(self.organization or self.owner or None, self.uuid)

    @property
    def label(self) -> str:
        """Its name within the organization or package."""
        match self.kind:
            case "organization":
                return self.organization or ""
            case "package":
                return plain_name(self.package or "", self.organization)
            case "route":
                return stated(RouteFields, self.after or self.before).template_path or ""
            case _:
                return self.name or ""

    @property
    def target(self) -> str:
        """What it is about, as a readable path; `~` is the token's user."""
        parts = [self.organization or "~"]
        if self.package is not None:
            parts.append(plain_name(self.package, self.organization))
        if self.kind not in {"organization", "package"} and self.label:
            parts.append(self.label)
        return "/".join(parts)

    @property
    def differences(self) -> list[tuple[str, str | None, str | None]]:
        """The fields that differ, as (name, before, after); None for a missing value."""
        before, after = self.before or {}, self.after or {}
        return [
            (field, before.get(field), after.get(field))
            for field in {**before, **after}
            if before.get(field) != after.get(field)
        ]

    @property
    def sign(self) -> str:
        """The action as one character: `+`, `~`, `-`, `!` or `?`."""
        return _SIGNS[self.action]

    @property
    def details(self) -> str:
        """The differences as readable text; empty if the action says it all, or nothing was compared."""
        return self.describe()

    def describe(self, longest: int | None = None) -> str:
        """Return the differences as readable text; for a removed route, its URL.

        Args:
            longest: the maximum number of characters of a value; longer values are shortened to where they differ.
                None: no limit.
        """
        if self.action == "uncompared":
            return ""
        return ", ".join(self._details(longest))

    def _details(self, longest: int | None) -> Iterator[str]:
        for field, before, after in self.differences:
            old, new = _shown(before, after, longest)
            if self.kind == "domain":
                continue
            if self.kind == "route":
                if field == "outgoing_url":
                    yield f"{old} -> {new}" if before and after else f"-> {new if after else old}"
            elif self.after is None:
                continue
            elif self.kind in {"member", "permission"}:
                yield f"{before} -> {after}" if before else f"{after}"
            elif before is None:
                yield f"{field} {new}"
            elif old == new:
                yield f"{field} {new} (its user or password differs)"
            else:
                yield f"{field} {old} -> {new}"

    def __str__(self) -> str:
        library_type = f" ({self.library_type})" if self.kind == "package" and self.library_type else ""
        details = f": {self.details}" if self.details else ""
        note = f" ({self.note})" if self.note else ""
        return printable(f"{self.sign} {self.kind} {self.target}{library_type}{details}{note}")


def _shown(before: str | None, after: str | None, longest: int | None) -> tuple[str, str]:
    """Return two values in quotes, shortened to the part that begins just before they differ."""
    # A URL may contain a user and a password.
    old, new = without_user(before or ""), without_user(after or "")
    if longest is None:
        return old, new
    alike = commonprefix([old, new])  # noqa: RUF071 # it is of characters that it is wanted
    start = 0 if before is None or after is None else len(alike) - longest // 3
    return _excerpt(old, start, longest), _excerpt(new, start, longest)


def _excerpt(text: str, start: int, longest: int) -> str:
    if len(text) <= longest:
        return text
    start = max(0, min(start, len(text) - longest))
    end = start + longest
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"
