"""What a check of a client's settings finds."""

from __future__ import annotations

import attrs

__all__ = ["Check"]


@attrs.frozen(kw_only=True)
class Check:
    """Whether a client can work with the service as it is set up.

    Attributes:
        ok: whether everything that the version needs was tried and works.
        token: whether the service takes the token; None where that could not be tried.
        version: whether the version answers at its address; None where that could not be tried.
        owner: whether the token may read the owner's packages; None where that was not tried.
        advice: what to change, or that nothing needs to be changed.
    """

    ok: bool
    token: bool | None
    version: bool | None
    owner: bool | None
    advice: str
