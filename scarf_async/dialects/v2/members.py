"""Members of organizations in v2: one call sets the role of a member, another adds one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from scarf_async.dialects.dialect import not_listed
from scarf_async.dialects.v2.requests import ADD_MEMBER, LIST_MEMBERS, SET_MEMBER_ROLE, check_member
from scarf_async.entities import Member, MemberUpsert
from scarf_async.errors import APIError, DecodeError, NotFoundError
from scarf_async.names import user_key
from scarf_async.protocol.messages import Answer, Request, decode_written
from scarf_async.protocol.steps import Read, Steps, attempted, shared

__all__ = ["by_username", "upsert_member"]


def by_username(organization: str, members: Iterable[Member], username: str) -> Member:
    """Return a member out of a list.

    Raises:
        NotFoundError: it holds none of this name.
    """
    for member in members:
        if member.username == username:
            return member
    raise not_listed(LIST_MEMBERS.request(organization=organization), f"member {username!r}")


def upsert_member(
    organization: str, member: MemberUpsert, listed: Read[list[Member]] | None = None
) -> Steps[Member]:
    """Set the role of a member, or add one.

    Another may add or remove the member in between, so a refusal to add, or an answer with another role, is
    followed by setting the role once more.

    Args:
        organization: whose member.
        member: what is wanted.
        listed: all members, to be read once for a whole bulk run: who is none of them is added at once, and to who
            is one with this role nothing is sent.
    """
    check_member(member.username)
    change = SET_MEMBER_ROLE.request(
        {"role": str(member.role)}, organization=organization, username=member.username
    )
    add = ADD_MEMBER.request(member, organization=organization)
    wanted = Member(organization_name=organization, username=member.username, role=member.role)

    def told(request: Request[Member], answer: Answer) -> Member:
        shown = decode_written(request, answer)
        return wanted if shown is None else attrs.evolve(shown, organization_name=organization)

    def steps() -> Steps[Member]:
        members = None if listed is None else (yield from shared(_for_a_run(listed)))
        alike = [one for one in members or () if user_key(one.username) == user_key(member.username)]
        for one in alike:
            # Another spelling may be another's name.
            if one.username == member.username and one.role == member.role:
                return one
        if members is None or alike:
            changed = yield from attempted(change)
            if isinstance(changed, Answer):
                return told(change, changed)
            if not isinstance(changed, NotFoundError):
                raise changed
        added = yield from attempted(add)
        if isinstance(added, Answer):
            shown = told(add, added)
            if shown.role == member.role:
                return shown
        elif added.status not in {409, 422}:
            raise added
        again = yield from attempted(change)
        if isinstance(again, Answer):
            return told(change, again)
        raise added if isinstance(added, APIError) and isinstance(again, NotFoundError) else again

    return steps()


def _for_a_run(listed: Read[list[Member]]) -> Read[Sequence[Member] | None]:
    """Read the members once for a whole bulk run; None where they cannot be read, which holds for all of it too."""

    def steps() -> Steps[Sequence[Member] | None]:
        try:
            return (yield from listed.steps())
        except (APIError, DecodeError):
            return None

    return Read(("members of a run", listed.key), steps, lasting=True)
