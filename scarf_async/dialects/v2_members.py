"""Members of organizations in v2: one call sets the role of a member, another adds one."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from scarf_async.dialects.dialect import not_listed
from scarf_async.dialects.v2_requests import ADD_MEMBER, LIST_MEMBERS, SET_MEMBER_ROLE, check_member
from scarf_async.entities import Member, MemberUpsert
from scarf_async.errors import APIError, NotFoundError
from scarf_async.protocol.messages import Answer, Request, decode_written
from scarf_async.protocol.steps import Steps, attempted

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


def upsert_member(organization: str, member: MemberUpsert) -> Steps[Member]:
    """Set the role of a member, or add one.

    Another may add or remove the member in between, so a refusal to add, or an answer with another role, is
    followed by setting the role once more.
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
