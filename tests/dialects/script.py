"""Drives the programs of a dialect with answers that were written down, without a socket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

import attrs

from scarf_async import APIError, DecodeError, TransportError
from scarf_async.protocol.messages import Answer, Request, Resend, error_of
from scarf_async.protocol.steps import Read, Rewrite, Steps

__all__ = ["Script", "refused", "said"]

T = TypeVar("T")


def said(value: object, status: int = 200) -> Answer:
    """Return a response whose body is JSON."""
    return Answer(status, {}, json.dumps(value).encode())


def refused(status: int, value: object = None) -> Answer:
    """Return a response that says no, maybe with a body."""
    return Answer(status, {}, b"" if value is None else json.dumps(value).encode())


@attrs.define
class Script:
    """What the service answers, in order; and what it was sent.

    Attributes:
        answers: those that are left.
        sent: method, path with query, and body of what arrived.
    """

    answers: list[Answer | TransportError]
    sent: list[tuple[str, str, object]] = attrs.field(factory=list)

    @classmethod
    def of(cls, *answers: Answer | TransportError) -> Script:
        """Write a script."""
        return cls(list(answers))

    def run(self, steps: Steps[T]) -> T:
        """Carry out a program; every response has to be asked for."""
        value = self._run(steps)
        assert self.answers == []
        return value

    def fail(self, steps: Steps[T]) -> Exception:
        """Carry out a program up to its error, and return that."""
        try:
            self.run(steps)
        except Exception as error:  # noqa: BLE001 # the test says which it has to be
            return error
        raise AssertionError("it did not fail")

    def _run(self, steps: Steps[T]) -> T:
        given: object = None
        failure: Exception | None = None
        while True:
            try:
                wanted = steps.send(given) if failure is None else steps.throw(failure)
            except StopIteration as end:
                value: T = end.value
                return value
            given, failure = None, None
            try:
                given = self._run(wanted.steps()) if isinstance(wanted, Read) else self._send(wanted)
            except (APIError, TransportError, DecodeError) as error:
                failure = error

    def _send(self, wanted: Request[object] | Rewrite[object]) -> Answer:
        request = self._run(wanted.make()) if isinstance(wanted, Rewrite) else wanted
        body = None if request.body is None else json.loads(request.body)
        self.sent.append((request.endpoint.method, request.target, body))
        answer = self.answers.pop(0)
        if isinstance(answer, TransportError):
            raise answer
        if not 200 <= answer.status < 300:
            raise error_of(request, answer, attempts=1)
        assert request.endpoint.resend is not Resend.EXPORT
        return answer

    @property
    def asked(self) -> Sequence[str]:
        """What arrived, without bodies."""
        return [f"{method} {target}" for method, target, _ in self.sent]
