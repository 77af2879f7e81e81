"""The result of checking a client's settings."""

from __future__ import annotations

import attrs

__all__ = ["Check"]


@attrs.frozen(kw_only=True)
class Check:
    """Whether a client works with its current settings.

    Attributes:
        ok: whether everything that the version needs was checked and works.
        token: whether the service accepts the token; None if that could not be checked.
        version: whether the API version responds at its URL; None if that could not be checked.
        owner: whether the token may read the owner's packages; None if that was not checked.
        advice: what to change, or that no change is needed.
    """

    ok: bool
    token: bool | None
    version: bool | None
    owner: bool | None
    advice: str
