"""The search of v2: a read, though it is a POST."""

from __future__ import annotations

from typing import Final

from scarf_async.emulator.answers import JSON, Answer
from scarf_async.emulator.calls import Call, Endpoints
from scarf_async.emulator.model.packages import visible_packages
from scarf_async.emulator.model.pixels import visible_pixels
from scarf_async.emulator.v2.reading import Body
from scarf_async.emulator.v2.showing import package_name, show_identifier, with_optional

__all__ = ["ENDPOINTS"]


def post_search(call: Call) -> Answer:
    """POST /v2/search: everything that the user can see and whose name contains the text, in any case."""
    body = Body(call)
    text = body.text("query").casefold()
    body.optional("context")
    packages = visible_packages(call.world, call.db)
    results: list[JSON] = [
        {"type": "package", "package": show_identifier(row)}
        for row in packages
        if text in package_name(row).casefold()
    ]
    by_id = {row["id"]: row for row in packages}
    for row in visible_pixels(call.world, call.db):
        if text in row["name"].casefold():
            package = by_id.get(row["package_id"])
            shown: dict[str, JSON] = {"id": row["uuid"], "owner": row["owner"], "name": row["name"]}
            pixel = with_optional(call, shown, package=None if package is None else show_identifier(package))
            results.append({"type": "tracking-pixel", "tracking-pixel": pixel})
    return Answer(200, {"results": results})


ENDPOINTS: Final[Endpoints] = {"/v2/search": {"POST": post_search}}
