"""What the service answers: an entity or an error of ours, and nothing of what it sent in the error's words."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any, Final, get_args

import attrs
import msgspec
from hypothesis import strategies as st

from scarf_async.dialects.v1.requests import GET_ORGANIZATION, WIRE
from scarf_async.entities import Domain, Member, Organization, Package, Permission, Route
from scarf_async.protocol.messages import Answer, error_of, retry_after, server_date
from scarf_async.protocol.wire import UnreadableError
from scarf_async.text import printable

from .made import JSON_TREES, MARK, Target, damaged, spoiled, written

__all__ = ["TARGETS"]

_ENTITIES: Final = (Organization, Member, Package, Permission, Route, Domain)
_WHOLE: Final[dict[str, object]] = {
    **dict.fromkeys(("name", "owner", "uuid", "id", "username", "organizationName", "role", "package"), "a"),
    **dict.fromkeys(("outgoingUrl", "templatePath", "permissionLevel", "breakdown", "libraryType", "website"), "b"),
    **dict.fromkeys(("createdAt", "updatedAt"), "2024-01-01T00:00:00Z"),
    "date": "2024-01-01",
    "total": 1,
    "country": None,
}
_BODIES: Final = (
    (spoiled(_WHOLE) | spoiled([_WHOLE, _WHOLE]) | JSON_TREES).map(written)
    | damaged(msgspec.json.encode([_WHOLE]))
    | st.binary()
)


def _check_entity(body: bytes) -> None:
    for entity in _ENTITIES:
        for target in (entity, list[entity]):  # type: ignore[valid-type] # one of several classes
            try:
                made: object = WIRE.read(body, target)
            except UnreadableError as error:
                said = f"{error!r} {error.path} {error.reason}"
                assert MARK not in said
                assert said.isprintable()
                assert len(said) < 300
                continue
            assert isinstance(made, list if get_args(target) else entity)
            _check_value(made)


def _check_value(made: object) -> None:
    for one in made if isinstance(made, list) else [made]:
        hash(one)
        for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):  # noqa: S301 # made here
            assert other == one
        assert repr(one)


@attrs.frozen
class _Refusal:
    """A response that is not a success."""

    status: int
    body: bytes
    retry_after: str
    date: str


def _check_error(case: _Refusal) -> None:
    headers = {"Retry-After": case.retry_after, "Date": case.date}
    wait = retry_after(headers)
    assert wait is None or (math.isfinite(wait) and wait >= 0)
    moment = server_date(headers)
    assert moment is None or moment.tzinfo is not None
    answer = Answer(case.status, headers, case.body, "http://127.0.0.1/")
    error = error_of(GET_ORGANIZATION.request(organization="acme"), answer, attempts=1)
    for text in (str(error), error.message, error.code or ""):
        assert printable(text) == text
    assert pickle.loads(pickle.dumps(error)).retry_after == wait  # noqa: S301 # made here


_WAITS = (
    st.text(max_size=30)
    | st.from_regex(r"[+-]?[0-9٣ ]{0,400}\.?[0-9]*(e[0-9]+)?", fullmatch=True)
    | st.from_regex(
        r"([A-Z][a-z]{2},)? ?\d{1,3}[ -][A-Z][a-z]{2}[ -]\d{1,6} \d{1,3}:\d\d(:\d\d)? ?([+-]\d{1,6}|[A-Z]{1,4})?",
        fullmatch=True,
    )
)
_WORDY = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("message", "detail", "error", "title", "code"), JSON_TREES)
)

TARGETS: Final[dict[str, Target[Any]]] = {
    "entity": Target(_BODIES, _check_entity, bytes),
    "error": Target(
        st.builds(_Refusal, st.integers(300, 599), _WORDY.map(written) | _BODIES, _WAITS, _WAITS),
        _check_error,
        lambda data: _Refusal(429, data, data[:60].decode("latin-1"), data[-30:].decode("latin-1")),
    ),
}
