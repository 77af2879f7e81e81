"""Faults that the emulator injects, by rule or by reproducible chance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias

import attrs

__all__ = ["Action", "Decision", "EffectThen", "Fault", "FaultRule", "Faults", "matches"]

_BASES: Final = ("/api/v1", "/v2", "/v3")


class Fault(StrEnum):
    """The faults other than an error status."""

    DROP_BEFORE = "drop_before"
    """The connection is dropped and the request has no effect."""
    DROP_AFTER = "drop_after"
    """The request takes effect, then the connection is dropped without a response."""
    LATE_EFFECT = "late_effect"
    """The connection is dropped now, and the request takes effect `late_by` seconds later."""
    CUT_DOWNLOAD = "cut_download"
    """The status and part of the body are sent, then the connection is closed."""
    EMPTY = "empty"
    """The request takes effect, and its 2xx response has no body. Error responses are unchanged."""
    HANG = "hang"
    """No effect and no response until the client disconnects or the emulator closes."""
    HANG_AFTER = "hang_after"
    """The request takes effect, but gets no response until the client disconnects or the emulator closes."""
    HTML_502 = "html_502"
    """No effect; a 502 with an HTML page, as sent by a proxy in front of the service."""


_FaultName: TypeAlias = Literal[
    "drop_before", "drop_after", "late_effect", "cut_download", "empty", "hang", "hang_after", "html_502"
]
EffectThen: TypeAlias = tuple[Literal["effect"], int]
Action: TypeAlias = int | Fault | _FaultName | EffectThen
"""A status that is returned without an effect; a `Fault` or its name; or `("effect", status)`, to take effect and
then return the status."""


def _check_status(status: int) -> int:
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is not a valid response status")
    return status


def _to_action(value: Action) -> int | Fault | EffectThen:
    if isinstance(value, str):
        return Fault(value)
    if isinstance(value, tuple):
        return ("effect", _check_status(value[1]))
    return _check_status(value)


def _to_method(value: str) -> str:
    return value.upper()


def _to_header(value: float | str | None) -> str | None:
    return None if value is None else str(value)


def matches(method: str, path: str, *, wanted_method: str, path_glob: str) -> bool:
    """Return whether a request matches a method (`*` for any) and a glob for its path.

    The glob is matched against the percent-encoded path, with or without `/api/v1`, `/v2` or `/v3` at its start;
    `*` also matches slashes.
    """
    if wanted_method not in {"*", method}:
        return False
    if fnmatchcase(path, path_glob):
        return True
    return any(path.startswith(base + "/") and fnmatchcase(path[len(base) :], path_glob) for base in _BASES)


@attrs.frozen
class FaultRule:
    """A fault for certain requests.

    Attributes:
        method: The method, or `*` for any.
        path_glob: A glob for the percent-encoded path, with or without `/api/v1`, `/v2` or `/v3` at its start;
            `*` also matches slashes.
        nth: Which of the matching requests to affect, counted from 1 since the rule was added; None for all.
        action: A status, a `Fault` or its name, or `("effect", status)`.
        retry_after: The `Retry-After` header of the response, for any status.
    """

    method: str = attrs.field(default="*", converter=_to_method)
    path_glob: str = "*"
    nth: int | None = attrs.field(default=None)
    action: int | Fault | EffectThen = attrs.field(default=503, converter=_to_action)
    retry_after: str | None = attrs.field(default=None, converter=_to_header, kw_only=True)

    @nth.validator
    def _check_nth(self, _attribute: attrs.Attribute[int | None], value: int | None) -> None:
        if value is not None and value < 1:
            raise ValueError("requests are counted from 1")


@attrs.frozen
class Decision:
    """The faults to inject into one request."""

    action: int | Fault | EffectThen | None = None
    retry_after: str | None = None
    cut_export: bool = False


_NOTHING: Final = Decision()


@attrs.define(kw_only=True)
class Faults:
    """The faults to inject, and how often. By default there are none.

    Shares are fractions of all requests. One number is drawn for each request in order of arrival, so with the same
    seed, the same sequence of requests meets the same faults. Rules take precedence over chance, and earlier rules
    over later ones.

    Attributes:
        seed: The seed of the random numbers.
        status: Shares of requests that get an error status and have no effect, such as `{503: 0.03, 429: 0.02}`.
        retry_after: The `Retry-After` header of injected 429s and 503s.
        drop_before: Share of connections dropped before the request takes effect.
        drop_after: Share of connections dropped after the effect and before the response.
        late_effect: Share of connections dropped at once, whose request takes effect `late_by` seconds later.
        late_by: The delay of a late effect, in seconds.
        latency: The delay of every request, in seconds.
        cut_download: Share of exports whose body is truncated.
        injected: The number of times each action was injected: `injected[503]`, `injected["drop_before"]`,
            `injected["effect", 503]`.
    """

    seed: int = 0
    status: Mapping[int, float] = attrs.field(factory=dict)
    retry_after: str | None = attrs.field(default=None, converter=_to_header)
    drop_before: float = 0.0
    drop_after: float = 0.0
    late_effect: float = 0.0
    late_by: float = 0.2
    latency: float = 0.0
    cut_download: float = 0.0
    injected: Counter[int | str | EffectThen] = attrs.field(init=False, factory=Counter)
    _rules: list[FaultRule] = attrs.field(init=False, factory=list)
    _seen: list[int] = attrs.field(init=False, factory=list)
    _random: random.Random = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # faults are to be repeatable, not secret
        for status in self.status:
            _check_status(status)
        shares = [*self.status.values(), self.drop_before, self.drop_after, self.late_effect]
        if not all(0.0 <= share <= 1.0 for share in [*shares, self.cut_download]) or sum(shares) > 1.0:
            raise ValueError("shares must be between 0 and 1, and their sum at most 1")
        if min(self.latency, self.late_by) < 0.0:
            raise ValueError("a delay cannot be negative")

    def add(self, rule: FaultRule) -> None:
        """Add a rule for requests from now on.

        Args:
            rule: The rule. Rules that were added earlier take precedence.
        """
        self._rules.append(rule)
        self._seen.append(0)

    def decide(self, method: str, path: str) -> Decision:
        """Decide the faults of the next request. Called once for each request, in order of arrival.

        Args:
            method: The method of the request.
            path: Its percent-encoded path.
        """
        chance, export_chance = self._random.random(), self._random.random()
        rule = self._rule_for(method, path)
        if rule is not None:
            retry_after = rule.retry_after if rule.retry_after is not None else self._usual(rule.action)
            return Decision(rule.action, retry_after)
        action = self._by_chance(chance)
        if action is None:
            return Decision(cut_export=True) if export_chance < self.cut_download else _NOTHING
        return Decision(action, self._usual(action))

    def _rule_for(self, method: str, path: str) -> FaultRule | None:
        """Return the first rule that applies to a request; every matching rule counts the request."""
        chosen: FaultRule | None = None
        for index, rule in enumerate(self._rules):
            if not matches(method, path, wanted_method=rule.method, path_glob=rule.path_glob):
                continue
            self._seen[index] += 1
            if chosen is None and rule.nth in {None, self._seen[index]}:
                chosen = rule
        return chosen

    def _by_chance(self, chance: float) -> int | Fault | None:
        shares: list[tuple[int | Fault, float]] = [
            *self.status.items(),
            (Fault.DROP_BEFORE, self.drop_before),
            (Fault.DROP_AFTER, self.drop_after),
            (Fault.LATE_EFFECT, self.late_effect),
        ]
        for action, share in shares:
            if chance < share:
                return action
            chance -= share
        return None

    def _usual(self, action: int | Fault | EffectThen) -> str | None:
        status = action[1] if isinstance(action, tuple) else action
        return self.retry_after if status in {429, 503} else None
