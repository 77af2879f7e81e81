"""Requests of any version whose bodies are not entities: exports, and calls without a method. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias, TypeVar

from scarf_async.dialects.v1.requests import remark as v1_remark
from scarf_async.dialects.v2.refusals import CONFLICTS
from scarf_async.dialects.v2.refusals import remark as v2_remark
from scarf_async.entities import ApiVersion
from scarf_async.protocol.messages import Answer, Endpoint, Resend
from scarf_async.protocol.wire import Wire

__all__ = ["VERSIONS", "WIRE", "AnyVersion", "bare_endpoint"]

T = TypeVar("T")

AnyVersion: TypeAlias = ApiVersion | Literal["v3"]
"""A version that has a URL."""

VERSIONS: Final[tuple[AnyVersion, ...]] = ("v1", "v2", "v3")
WIRE: Final = Wire(entities=(), upserts=(), name=lambda _, attribute: attribute)
_REMARKS: Final[Mapping[str, Callable[[str, Answer], str | None]]] = {
    "v1": v1_remark,
    "v2": v2_remark,
    "v3": lambda _, __: None,
}


def bare_endpoint(method: str, template: str, resend: Resend, answer: type[T] | None, version: str) -> Endpoint[T]:
    """Return an endpoint of a version, with the known meanings of that version's errors."""
    may_conflict = version == "v2" and resend not in {Resend.READ, Resend.EXPORT}
    conflicts = CONFLICTS if may_conflict else ()
    return Endpoint(method, template, resend, answer, WIRE, version, conflicts=conflicts, remark=_REMARKS[version])
