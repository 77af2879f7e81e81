"""Where the SDK and the description differ on purpose. Whatever else differs is a fault in one of them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Set as AbstractSet
from typing import get_args

import attrs

__all__ = ["is_promised", "said_kinds", "said_openness", "said_path", "said_shape"]


def said_path(template: str) -> str:
    """A path without the names of its parameters, which are not seen on the wire.

    The service ignores the name of a file; the SDK always sends the same.

    >>> said_path("/packages/{package}/events/events.csv")
    '/packages/{}/events/{}.csv'
    """
    return re.sub(r"{[^}]*}", "{}", template).replace("/events/events.csv", "/events/{}.csv")


def said_kinds(kinds: AbstractSet[str], *, answer: bool) -> AbstractSet[str]:
    """The types of a field. Ids are opaque to the SDK; null in a response reads as absent, so neither needs it."""
    opaque = {"string" if kind == "string (uuid)" else kind for kind in kinds}
    return opaque - {"null"} if answer else opaque


def said_openness(*, is_open: bool, answer: bool) -> bool:
    """Whether a list of words is open. Of answers the SDK takes every word, whatever is described."""
    return is_open and not answer


def said_shape(shapes: AbstractSet[str]) -> str:
    """The shape of a body. Where one thing or several may be sent, the SDK always sends an array."""
    return max(shapes, key=lambda shape: "array" in shape)


def is_promised(attribute: attrs.Attribute[object]) -> bool:
    """Whether a field has to be there.

    In answers the SDK forgives the absence of texts that it can do without (they read "") and of times (they read
    None), though they are promised. No field of a request has such a default.
    """
    is_time = dt.datetime in {attribute.type, *get_args(attribute.type)}
    return attribute.default in {attrs.NOTHING, ""} or is_time
