"""What is checked before anything of v2 is sent, and before anything is changed."""

from __future__ import annotations

from scarf_async.errors import ValidationError

__all__ = ["needed_owner"]


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
