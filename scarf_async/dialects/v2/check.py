"""Check a client's configuration for v2 with two cheap reads."""

from __future__ import annotations

from typing import Final

from scarf_async.dialects.dialect import WRONG_ADDRESS, is_wrong_address
from scarf_async.dialects.v2.requests import SEARCH
from scarf_async.entities import Check, Package
from scarf_async.errors import APIError
from scarf_async.protocol import tolerant
from scarf_async.protocol.messages import Answer, Request
from scarf_async.protocol.steps import Steps, answer_to

__all__ = ["check"]

_NO_OWNER: Final = "no owner was given: create the client with Scarf(owner=...), or set $SCARF_OWNER"


def check(packages: Request[list[Package]] | None, owner: str | None) -> Steps[Check]:
    """Search, and read the first page of the owner's packages.

    Args:
        packages: reads the page; None without an owner.
        owner: the owner's name.
    """
    found = yield from _status(SEARCH.request({"query": owner or "scarf"}))
    if found == WRONG_ADDRESS:
        return Check(
            ok=False, token=None, version=False, owner=None, advice=f"v2 is not available here; {_ADDRESS}"
        )
    if found == 401 or packages is None:
        token = found < 400
        advice = _NO_OWNER if token else _TOKEN
        return Check(ok=False, token=token, version=True, owner=None, advice=advice)
    page = yield from _status(packages)
    token = page < 400 or (page != 401 and found < 400)
    is_owners = page < 400
    if not token:
        advice = _TOKEN
    elif is_owners:
        advice = "token, version and owner work"
    elif page == 403:
        advice = (
            f"the token may not read the packages of {owner}: check the owner, and the rights of the token's user"
        )
    else:
        advice = f"there is no owner {owner}, or the token's user may not see it: check its spelling"
    owns = is_owners if token else None
    return Check(ok=token and is_owners, token=token, version=True, owner=owns, advice=advice)


_ADDRESS: Final = "check v2_url ($SCARF_V2_URL)"
_TOKEN: Final = "the service does not take the token: check $SCARF_API_TOKEN"  # noqa: S105 # no token


def _status(request: Request[object]) -> Steps[int]:
    """Return the status of a response, or `WRONG_ADDRESS` if it does not come from the service."""
    try:
        answer = yield from answer_to(request)
    except APIError as error:
        if request.endpoint is SEARCH and is_wrong_address(error):
            return WRONG_ADDRESS
        if error.status not in {401, 403, 404}:
            raise
        return error.status
    return answer.status if _is_json(answer) else WRONG_ADDRESS


def _is_json(answer: Answer) -> bool:
    try:
        return isinstance(tolerant.loads(answer.body), dict | list)
    except (ValueError, RecursionError):
        return False
