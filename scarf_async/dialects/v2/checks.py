"""What is checked before anything of v2 is sent, and before anything is changed."""

from __future__ import annotations

from scarf_async.errors import DecodeError, ValidationError
from scarf_async.protocol.messages import Request, class_name

__all__ = ["check_id", "needed_owner"]


def needed_owner(owner: str | None, of_client: str | None, argument: str = "owner") -> str:
    """Return the owner that a call means.

    Raises:
        ValidationError: neither the call nor the client names one.
    """
    owner = of_client if owner is None else owner
    if owner is not None:
        return owner
    raise ValidationError(
        f"v2 needs an owner: give {argument}=, make the client with Scarf(owner=...), or set $SCARF_OWNER;"
        " nothing was sent",
        field=argument,
    )


def check_id(request: Request[object], shown: str, asked: str) -> None:
    """Refuse to change a thing into what was read of another.

    Raises:
        DecodeError: what was read has another id than was asked for.
    """
    if shown.casefold() != asked.casefold():
        raise DecodeError(
            f"it is {shown!r}, and {asked!r} was asked for; nothing was changed",
            endpoint=request.endpoint.name,
            entity=class_name(request.endpoint.answer),
            path="id",
        )
