"""The results of a handler: a response, a stream, or a refusal. Independent of HTTP libraries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import TypeAlias

import attrs

__all__ = ["JSON", "Answer", "Refusal", "Reply", "Stream", "WrongField", "refused"]

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


@attrs.frozen
class Answer:
    """A whole response: a status and usually a JSON body. None means no body, not JSON's `null`.

    `text` is an alternative body, sent without a content type.
    """

    status: int = 200
    payload: JSON = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    text: str = ""


@attrs.frozen
class Stream:
    """An export, whose chunks are generated while they are sent."""

    media_type: str
    chunks: AsyncGenerator[bytes, None]
    filename: str | None = None
    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)


Reply: TypeAlias = Answer | Stream


class Refusal(Exception):  # noqa: N818  # an answer that travels as an exception
    """The request is refused, and its writes are rolled back.

    Attributes:
        status: The status of the response.
        message: The readable message.
        code: The code for programs, if the service has one.
        headers: The headers that belong to the status.
        plain: Whether the body is only the message, or empty, instead of JSON, as v2 responds to requests that it
            cannot parse.
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
        """The response."""
        if self.plain:
            return Answer(self.status, headers=self.headers, text=self.message)
        return refused(self.status, self.message, self.code, self.headers)


class WrongField(Refusal):
    """A rule refuses the value of a field. Each version has its own name for the field.

    Attributes:
        field: The field's column.
        complaint: What is wrong with it.
    """

    def __init__(self, field: str, complaint: str, code: str | None = None) -> None:
        super().__init__(422, f"{field}: {complaint}.", code)
        self.field = field
        self.complaint = complaint


def refused(status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """The body of an error: `{"message": ..., "code": ...}`, without `code` if there is none."""
    payload: dict[str, JSON] = {"message": message}
    if code is not None:
        payload["code"] = code
    return Answer(status, payload, headers or {})
