"""Members of organizations in v2: one call sets the role of a member, another adds one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from scarf_async.dialects.dialect import not_listed
from scarf_async.dialects.v2.arguments import check_member
from scarf_async.dialects.v2.lists import MEMBERS
from scarf_async.dialects.v2.requests import ADD_MEMBER, LIST_MEMBERS, SET_MEMBER_ROLE
from scarf_async.entities import Member, MemberUpsert
from scarf_async.errors import APIError, DecodeError, NotFoundError
from scarf_async.names import user_key
from scarf_async.protocol.messages import Answer, Request, decode_written, path_segment
from scarf_async.protocol.steps import Read, Steps, attempted, shared

__all__ = ["by_username", "listed_members", "of_organization", "upsert_member"]


def of_organization(organization: str, member: Member) -> Member:
    """Return a member with its organization, which responses do not name."""
    # This runs for each upsert, and `attrs.evolve` would take four times as long.
    return Member(
        organization_name=organization,
        username=member.username,
        role=member.role,
        user_id=member.user_id,
        extra=member.extra,
    )


def by_username(organization: str, members: Iterable[Member], username: str) -> Member:
    """Return a member from a list.

    Raises:
        NotFoundError: it has no member of this name.
    """
    for member in members:
        if member.username == username:
            return member
    raise not_listed(LIST_MEMBERS.request(organization=organization), f"member {username!r}")


@lru_cache(maxsize=64)
def listed_members(organization: str) -> Read[Mapping[str, Sequence[Member]] | None]:
    """Read the members once for a whole bulk run, by the keys of their names; None if they cannot be read.

    A failure to read them is also shared by the whole run.
    """
    listed = MEMBERS.read(organization=organization)

    def steps() -> Steps[Mapping[str, Sequence[Member]] | None]:
        try:
            members = yield from listed.steps()
        except (APIError, DecodeError):
            return None
        found: dict[str, list[Member]] = {}
        for member in members:
            found.setdefault(user_key(member.username), []).append(of_organization(organization, member))
        return found

    return Read(("members of a run", listed.key), steps, lasting=True)


def upsert_member(
    organization: str,
    member: MemberUpsert,
    listed: Read[Mapping[str, Sequence[Member]] | None] | None = None,
) -> Steps[Member]:
    """Set the role of a member, or add one.

    Someone else may add or remove the member in between, so if adding is refused or the response has another role,
    the role is set once more.

    Args:
        organization: the organization.
        member: the user and role.
        listed: all members. A user who is not among them is added directly; for one who has the role, nothing is
            sent.

    Raises:
        ValidationError: raised at once: no request can change the member, or a value cannot be part of a path.
    """
    check_member(member.username)
    path_segment("organization", organization)
    path_segment("username", member.username)

    def told(request: Request[Member], answer: Answer) -> Member:
        shown = decode_written(request, answer) or Member(username=member.username, role=member.role)
        return of_organization(organization, shown)

    def change() -> Steps[Member | APIError]:
        request = SET_MEMBER_ROLE.request(
            {"role": str(member.role)}, organization=organization, username=member.username
        )
        answer = yield from attempted(request)
        return told(request, answer) if isinstance(answer, Answer) else answer

    def steps() -> Steps[Member]:
        members = None if listed is None else (yield from shared(listed))
        alike = members.get(user_key(member.username), ()) if members else ()
        for one in alike:
            # Another spelling may be the name of another user.
            if one.username == member.username and one.role == member.role:
                return one
        if members is None or alike:
            changed = yield from change()
            if isinstance(changed, Member):
                return changed
            if not isinstance(changed, NotFoundError):
                raise changed
        add = ADD_MEMBER.request(member, organization=organization)
        added = yield from attempted(add)
        if isinstance(added, Answer):
            shown = told(add, added)
            if shown.role == member.role:
                return shown
        elif added.status not in {409, 422}:
            raise added
        again = yield from change()
        if isinstance(again, Member):
            return again
        raise added if isinstance(added, APIError) and isinstance(again, NotFoundError) else again

    return steps()
