"""What a healthy service holds and answers. It refuses nothing: whatever is made twice is there twice."""

from __future__ import annotations

import datetime as dt
import email.utils
import gzip
import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import attrs

__all__ = ["CSV", "JSON", "NDJSON", "PACKAGE", "JSONObject", "Reply", "World", "WorldV2"]

JSONObject = dict[str, object]

PACKAGE: Final = "00000000-0000-4000-8000-000000000001"
JSON: Final = "application/json"
CSV: Final = b"type,time\nbinary-download,2024-01-01T08:00:00Z\npixel-view,2024-01-02T09:00:00Z\n"
NDJSON: Final = b"".join(
    json.dumps({"breakdown": "total", "date": day, "package": "web", "total": 3}).encode() + b"\n"
    for day in ("2024-01-01", "2024-01-02")
)
LOG: Final = 2 * b'{"type": "progress", "class": "info", "events_count": 1}\n'
_EXPORT = re.compile(r".*/(events|events\.csv|pixel-rollup|aggregates|aggregations/export|log)")
_EXPORTED: Final = {"aggregates": NDJSON, "aggregations/export": NDJSON, "log": LOG}
_KEYS: Final = ("id", "uuid", "name", "username")
_DONE: Final[JSONObject] = {"message": "done"}


@attrs.frozen
class Reply:
    """A response."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def head(self) -> bytes:
        """The status line and the headers, with what is not said: a length, a type and a date."""
        headers = {
            "Content-Length": str(len(self.body)),
            "Content-Type": JSON,
            "Date": email.utils.formatdate(usegmt=True),
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode()


class World:
    """Organizations, packages and what hangs on them, each list under its path."""

    def __init__(self) -> None:
        package = {"uuid": PACKAGE, "owner": "home", "name": "web", "libraryType": "file", "shortDescription": ""}
        self.lists: dict[str, list[JSONObject]] = {
            "organizations": [{"name": name, "description": "", "billingEmail": ""} for name in ("home", "bare")],
            "organizations/home/users": [{"organizationName": "home", "username": "ann", "role": "member"}],
            "organizations/bare/users": [{"organizationName": "bare", "username": "me", "role": "owner"}],
            "packages": [dict(package)],
            f"packages/{PACKAGE}/permissions": [{"username": "bob", "permissionLevel": "member"}],
            f"packages/{PACKAGE}/routes": [{"id": "r1", "outgoingUrl": "https://r.example/", "templatePath": "/r"}],
            f"packages/{PACKAGE}/domains": [{"id": "d1", "name": "d.example"}],
        }

    def count(self, path: str, **fields: object) -> int:
        """Count the things of a list that have these fields."""
        return sum(fields.items() <= thing.items() for thing in self.lists.get(path, []))

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        """Do what a request asks for, and answer it; the path without a slash in front, encoded."""
        if export := _EXPORT.fullmatch(path):
            return Reply(200, _EXPORTED.get(export[1], CSV), {"Content-Type": "text/plain"})
        if path.endswith("/import"):
            body = gzip.decompress(body)
        status, value = self._do(method, unquote(path), json.loads(body) if body else None)
        return Reply(status, json.dumps(value).encode())

    def _do(self, method: str, path: str, sent: object) -> tuple[int, object]:
        parent, _, last = path.rpartition("/")
        things = self.lists.get(parent, [])
        if method == "POST":
            return 200, self._add(parent, last, sent)
        if method == "GET" and last in {"users", "packages", "permissions", "routes", "domains"}:
            if last == "packages" and parent:
                return 200, [thing for thing in self.lists[last] if thing["owner"] == parent.rpartition("/")[2]]
            return 200, self.lists.get(path, [])
        found = next((thing for thing in things if last in {thing.get(key) for key in _KEYS}), None)
        if found is None:
            return 404, {"message": "there is no such thing"}
        if method == "DELETE":
            things.remove(found)
            return 200, _DONE
        if isinstance(sent, dict):
            found |= sent
        return 200, found

    def _add(self, parent: str, kind: str, sent: object) -> JSONObject:
        things = self.lists.setdefault(kind if kind == "packages" else f"{parent}/{kind}".strip("/"), [])
        if isinstance(sent, list):
            for entry in sent:
                self._set(things, {"username": entry["userQuery"], "permissionLevel": entry["permissionLevel"]})
            return _DONE
        assert isinstance(sent, dict)
        if kind == "users":
            return self._set(things, {"organizationName": parent.rpartition("/")[2], **sent})
        number = f"{kind}-{len(things)}"
        told: JSONObject = {"id": number}
        if kind == "packages":
            now = dt.datetime.now(dt.UTC).isoformat()
            told = {"uuid": number, "owner": parent.rpartition("/")[2] or "me", "createdAt": now}
        things.append({**sent, **(told if kind != "organizations" else {})})
        return things[-1]

    def _set(self, things: list[JSONObject], shown: JSONObject) -> JSONObject:
        things[:] = [thing for thing in things if thing["username"] != shown["username"]]
        things.append(shown)
        return shown


class WorldV2(World):
    """The same in v2: packages below their owner, and bare lists, which are short enough to be whole."""

    def __init__(self) -> None:
        self.lists = {
            "organizations": [
                {"id": "o1", "name": "home", "billing_email": "pay@home.example"},
                {"id": "o2", "name": "bare", "billing_email": "pay@home.example"},
            ],
            "organizations/bare/members": [],
            "packages/bare": [
                {
                    "id": "p2",
                    "owner": "bare",
                    "name": "anvil",
                    "type": "python",
                    "repository_url": "https://r.example/",
                }
            ],
            "organizations/home/members": [{"user_id": "u1", "username": "ann", "role": "member"}],
            "packages/home": [{"id": PACKAGE, "owner": "home", "name": "web", "type": "file"}],
            f"packages/home/{PACKAGE}/permissions": [
                {"user_id": "u2", "username": "bob", "permission_level": "member"}
            ],
            f"packages/home/{PACKAGE}/routes": [
                {"id": "r1", "outgoing_url": "https://r.example/", "incoming_path": "/r"}
            ],
            f"packages/home/{PACKAGE}/domains": [{"id": "d1", "name": "d.example"}],
            "packages/home/overview": [{"package": {"id": PACKAGE, "name": "web"}, "total_installs": 3}],
            "domains/home/d.example": [{"id": "status", "cname_status": "valid"}],
            "tracking-pixels/home": [{"id": "x1", "owner": "home", "name": "pages", "track_companies": True}],
            "tracking-pixels/home/x1/domains": [{"id": "d2", "name": "x.example"}],
            "collections/home": [{"id": "c1", "owner": "home", "pattern": "home/*", "backend_domain": "ghcr.io"}],
            "users": [{"id": "u1", "name": "ann"}],
            "users/ann/organizations": [{"organization_id": "o1", "organization_name": "home", "role": "owner"}],
            "imports/home": [{"id": "i1", "status": "done"}],
        }

    def _do(self, method: str, path: str, sent: object) -> tuple[int, object]:
        if path == "search":
            return 200, [{"type": "package", "package": {"id": PACKAGE, "name": "web"}}]
        if path.endswith("/abort"):
            return 200, _DONE
        if path.endswith("/import") and isinstance(sent, dict):
            # What has an identifier is imported once.
            things = self.lists.setdefault(path, [])
            things[:] = [thing for thing in things if "$unique_id" not in thing or thing != sent]
            things.append(sent)
            return 200, {"id": "i1", "status": "importing"}
        if method == "GET" and path in self.lists:
            return 200, self.lists[path]
        if method == "POST" and isinstance(sent, dict):
            things = self.lists.setdefault(path, [])
            if "username" in sent:
                return 200, self._set(things, sent)
            things.append({"id": f"{path}-{len(things)}", **sent})
            return 201, things[-1]
        return super()._do(method, path.replace("/file/", "/"), sent)
