"""Expand groups, and match the spellings of one person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

import attrs

from scarf_async.manifests.nodes import Place, Problems, shown
from scarf_async.manifests.schema import DocumentDraft
from scarf_async.manifests.shapes import Pairs, Said, suggestion
from scarf_async.names import user_key

__all__ = ["GROUP", "Grant", "Limit", "People", "report_cycles"]

GROUP: Final = "group:"
"""The prefix of a reference to a group."""

_EXPANDED: Final = 2_000_000


@attrs.frozen
class Grant:
    """A role or level of one person.

    Attributes:
        user: the person, as spelled in the manifest.
        word: the role or level.
        by: the key of the entry: the person, or a group with the person.
    """

    user: str
    word: Said
    by: Said


class Limit:
    """A limit on the expansion of a small file."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._left = _EXPANDED
        self._file = file
        self._problems = problems

    def spend(self, count: int) -> None:
        """Count entries; refuse more than two million."""
        self._left -= count
        if self._left < 0:
            message = f"groups and templates expand to more than {_EXPANDED:,} entries"
            raise self._problems.refuse(Place(self._file), "", message)


def report_cycles(edges: Mapping[str, Sequence[Said]], what: str, problems: Problems) -> bool:
    """Record a cycle among names that refer to each other; return whether there is one."""
    try:
        TopologicalSorter({name: [said.text for said in to] for name, to in edges.items()}).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1][::-1]
        # A cycle may begin anywhere: begin with its first name in the file.
        start = cycle.index(next(name for name in edges if name in cycle))
        cycle = [*cycle[start:-1], *cycle[: start + 1]] if start else cycle
        link = next(said for said in edges[cycle[0]] if said.text == cycle[1])
        problems.add(link.place, link.path, f"{what} form a cycle: {' -> '.join(map(shown, cycle))}")
        return True
    return False


class People:
    """The people and groups of a manifest."""

    def __init__(self, document: DocumentDraft, limit: Limit, problems: Problems) -> None:
        self._limit = limit
        self._problems = problems
        self._expanded: dict[str, tuple[str, ...]] = {}
        self._usernames: dict[str, Said] = {}
        self.people: dict[str, str] = self._of(document.people or ())
        self._groups = dict(self._named(document.groups or ()))
        inner = {name: [_group(user) for user in users if _is_group(user)] for name, users in self._groups.items()}
        for said in (said for users in inner.values() for said in users):
            self._known(said, said.text)
        known = {name: [said for said in users if said.text in self._groups] for name, users in inner.items()}
        if report_cycles(known, "groups", problems):
            self._groups = dict.fromkeys(self._groups, ())

    def _of(self, pairs: Pairs[Said]) -> dict[str, str]:
        """Check that no person and no e-mail address occurs twice."""
        names: dict[str, Said] = {}
        people = {}
        for name, email in pairs:
            first = names.setdefault(user_key(name.text), name)
            if first is not name:
                self._problems.add(name.place, name.path, f"the person was already given at {first.place}")
                continue
            other = self._usernames.setdefault(user_key(email.text), name)
            if other is not name:
                message = f"{shown(email.text)} is the address of {shown(other.text)} too ({other.place})"
                self._problems.add(email.place, email.path, message)
                continue
            people[name.text] = email.text
        return people

    def _named(self, groups: Pairs[tuple[Said, ...]]) -> Iterable[tuple[str, tuple[Said, ...]]]:
        for name, users in groups:
            if name.text.startswith(GROUP):
                message = f"write a group's name without {shown(GROUP)} here"
                self._problems.add(name.place, name.path, message)
            yield name.text, users

    def _known(self, said: Said, group: str) -> bool:
        if group in self._groups:
            return True
        hint = suggestion(group, self._groups)
        self._problems.add(said.place, said.path, f"there is no group {shown(group)}{hint}")
        return False

    def key(self, user: str) -> str:
        """Return the key of all spellings of one person."""
        key = user_key(user)
        return user_key(self._usernames[key].text) if key in self._usernames else key

    def _members(self, group: str) -> tuple[str, ...]:
        """Return the users of a group and of the groups in it, each once."""
        if group not in self._expanded:
            users: dict[str, str] = {}
            seen, waiting = {group}, [group]
            while waiting:
                said = self._groups[waiting.pop()]
                self._limit.spend(len(said))
                for user in said:
                    if not _is_group(user):
                        users.setdefault(self.key(user.text), user.text)
                    elif (inner := _group(user).text) in self._groups and inner not in seen:
                        seen.add(inner)
                        waiting.append(inner)
            self._expanded[group] = tuple(users.values())
        return self._expanded[group]

    def grants(self, entries: Pairs[Said]) -> dict[str, Grant]:
        """Return the grants of each person from entries of one rank; a person's own entry overrides a group's."""
        own: dict[str, Grant] = {}
        by_group: dict[str, Grant] = {}
        for user, word in entries:
            if not _is_group(user):
                self._limit.spend(1)
                self._take(own, Grant(user.text, word, user), {})
            elif self._known(user, (group := _group(user).text)):
                self._limit.spend(len(self._members(group)))
        for user, word in entries:
            if _is_group(user) and (group := _group(user).text) in self._groups:
                for member in self._members(group):
                    self._take(by_group, Grant(member, word, user), own)
        return {**by_group, **own}

    def _take(self, grants: dict[str, Grant], grant: Grant, stronger: Mapping[str, Grant]) -> None:
        key = self.key(grant.user)
        first = grants.setdefault(key, grant)
        if first.word.text == grant.word.text or key in stronger:
            return
        self._problems.add(
            grant.word.place,
            grant.word.path,
            f"{shown(grant.user)} is {grant.word.text} by {shown(grant.by.text)} here, and {first.word.text} by"
            f" {shown(first.by.text)} at {first.word.place}; make them agree"
            + ("" if first.by.text == first.user else ", or give this person an entry of its own"),
        )

    def username(self, grant: Grant) -> str | None:
        """Return the username of a grant's person; None after recording that only an e-mail address is known."""
        if "@" not in grant.user:
            return grant.user
        known = self._usernames.get(user_key(grant.user))
        if known is None:
            message = f"members are given by username, and {shown(grant.user)} is not an address in people"
            self._problems.add(grant.by.place, grant.by.path, message)
            return None
        return known.text


def _is_group(said: Said) -> bool:
    return said.text.startswith(GROUP)


def _group(said: Said) -> Said:
    return attrs.evolve(said, text=said.text.removeprefix(GROUP))
