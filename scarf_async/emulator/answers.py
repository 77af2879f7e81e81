"""What a handler can say: an answer, a stream, or a refusal. Nothing here knows of HTTP libraries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TypeAlias

import attrs

__all__ = ["JSON", "Answer", "Refusal", "Reply", "Stream", "WrongField", "refused"]

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


@attrs.frozen
class Answer:
    """A whole answer: a status and, mostly, a JSON body. None means no body, and not JSON's `null`.

    `text` is a body instead, sent without a content type.
    """

    status: int = 200
    payload: JSON = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    text: str = ""


@attrs.frozen
class Stream:
    """An export: its chunks are made while they are sent."""

    media_type: str
    chunks: AsyncGenerator[bytes, None]
    filename: str | None = None
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)


Reply: TypeAlias = Answer | Stream


class Refusal(Exception):  # noqa: N818  # an answer that travels as an exception
    """The request is not carried out; what it wrote so far is rolled back.

    Attributes:
        status: The status to answer with.
        message: The words for a human.
        code: The word for a program, where the service has one.
        headers: Headers that belong to the status.
        plain: The body is the message alone, or nothing, and not JSON: so v2 answers what it cannot parse.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        plain: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers: Mapping[str, str] = headers or {}
        self.plain = plain

    def answer(self) -> Answer:
        """The refusal as it is answered."""
        if self.plain:
            return Answer(self.status, headers=self.headers, text=self.message)
        return refused(self.status, self.message, self.code, self.headers)


class WrongField(Refusal):
    """The refusal of one value by a rule. Each version calls the field by its own name.

    Attributes:
        field: The field's column.
        complaint: What is wrong with it.
    """

    def __init__(self, field: str, complaint: str, code: str | None = None) -> None:
        super().__init__(422, f"{field}: {complaint}.", code)
        self.field = field
        self.complaint = complaint


def refused(status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """An error as the emulator words it: `{"message": ..., "code": ...}`, the code where there is one."""
    payload: dict[str, JSON] = {"message": message}
    if code is not None:
        payload["code"] = code
    return Answer(status, payload, headers or {})
