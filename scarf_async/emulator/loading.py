"""Load a state from a file: organizations, packages and events, with the fields of API v1."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Final
from uuid import UUID

import attrs

from scarf_async.emulator.answers import JSON, Answer, Refusal
from scarf_async.emulator.calls import Call, Handler
from scarf_async.emulator.events import store_events
from scarf_async.emulator.store import Transaction
from scarf_async.emulator.v1 import endpoints as v1
from scarf_async.emulator.world import World

__all__ = ["Document", "is_empty", "load", "read_document"]

Document = Mapping[str, JSON]

_DOCUMENT: Final = frozenset({"organizations", "packages", "pixelEvents"})
_ORGANIZATION: Final = frozenset({"name", "description", "website", "billingEmail", "users", "packages"})
_MEMBER: Final = frozenset({"username", "role"})
_PACKAGE: Final = frozenset(
    {
        "uuid", "name", "shortDescription", "longDescription", "website", "libraryType", "backendUrl", "publicUrl",
        "repositoryURL", "permissions", "routes", "domains", "events",
    }
)  # fmt: skip
_PERMISSION: Final = frozenset({"userQuery", "permissionLevel"})
_ROUTE: Final = frozenset({"id", "outgoingUrl", "templatePath"})
_DOMAIN: Final = frozenset({"id", "name"})


def read_document(path: str | PathLike[str]) -> Document:
    """Read a JSON document.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a JSON object.
    """
    try:
        document: JSON = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 # of a file, not of an argument
    return document


def is_empty(db: Transaction) -> bool:
    """Return whether a database is empty."""
    tables = ("organizations", "packages", "events")
    return db.one(" UNION ALL ".join(f"SELECT 1 FROM {table}" for table in tables)) is None  # noqa: S608 # of ours


def load(world: World, db: Transaction, document: Document) -> None:
    """Load a document into an empty database, with the same rules as for requests.

    Raises:
        ValueError: Something in it would be refused; the message names its place.
    """
    _Loader(world, db).document(_Item(dict(document), ""))


@attrs.frozen
class _Item:
    """An object of the document, and its place, such as `organizations[0].packages[2]`."""

    values: dict[str, JSON]
    place: str

    def check(self, known: frozenset[str]) -> None:
        """Refuse unknown keys, which would be ignored."""
        if unknown := sorted(self.values.keys() - known):
            raise self.error(f"{unknown[0]!r} is not known here; known are {', '.join(sorted(known))}")

    def items(self, name: str) -> Iterator[_Item]:
        """Return the objects of a list, which may be absent."""
        found = self.values.get(name, [])
        if not isinstance(found, list):
            raise self.error(f"{name} is to be a list")
        for number, values in enumerate(found):
            item = _Item(values if isinstance(values, dict) else {}, f"{self._dotted}{name}[{number}]")
            if item.values is not values:
                raise item.error("is to be an object")
            yield item

    def text(self, name: str) -> str | None:
        """Return a non-empty string, or None if it is absent."""
        value = self.values.get(name)
        if value is None or (isinstance(value, str) and value):
            return value
        raise self.error(f"{name} is to be a text")

    def error(self, message: str) -> ValueError:
        """Return an error that names the place."""
        return ValueError(f"{self.place}: {message}" if self.place else message)

    @property
    def _dotted(self) -> str:
        return f"{self.place}." if self.place else ""


@attrs.frozen
class _Loader:
    """Passes the objects of a document to the handlers of the requests that create them."""

    world: World
    db: Transaction

    def document(self, document: _Item) -> None:
        """Load the whole document."""
        document.check(_DOCUMENT)
        for organization in document.items("organizations"):
            self._organization(organization)
        for package in document.items("packages"):
            self._package(package, v1.post_package)
        self._events(None, document, "pixelEvents")

    def _organization(self, item: _Item) -> None:
        item.check(_ORGANIZATION)
        defaults: dict[str, JSON] = {"description": "", "billingEmail": ""}
        self._send(v1.post_organization, item, defaults=defaults)
        params = {"organization": str(item.values["name"])}
        for member in item.items("users"):
            member.check(_MEMBER)
            self._send(v1.post_member, member, params)
        for package in item.items("packages"):
            self._package(package, v1.post_organization_package, params)

    def _package(self, item: _Item, create: Handler, params: Mapping[str, str] | None = None) -> None:
        item.check(_PACKAGE)
        made = self._send(create, item, params, defaults={"shortDescription": ""})
        uuid = self._renamed("packages", str(made["uuid"]), _uuid(item), item)
        package = {"package": uuid}
        for permission in item.items("permissions"):
            permission.check(_PERMISSION)
            self._send(v1.post_permissions, permission, package)
        for route in item.items("routes"):
            route.check(_ROUTE)
            made = self._send(v1.post_route, route, package)
            self._renamed("routes", str(made["id"]), route.text("id"), route)
        for domain in item.items("domains"):
            domain.check(_DOMAIN)
            made = self._domain(domain, package)
            self._renamed("package_domains", str(made["id"]), domain.text("id"), domain)
        self._events(uuid, item, "events")

    def _domain(self, item: _Item, package: Mapping[str, str]) -> Mapping[str, JSON]:
        """Load a domain; that of the package's public URL becomes a row, so that it has an id."""
        listed = v1.get_domains(Call(self.world, self.db, package, {}, None)).payload
        key = (item.text("name") or "").casefold()
        for found in listed if isinstance(listed, list) else ():
            if isinstance(found, dict) and str(found["name"]).casefold() == key:
                self.db.write(
                    "INSERT OR IGNORE INTO package_domains (uuid, package_id, key, name)"
                    " SELECT ?, id, ?, ? FROM packages WHERE uuid = ?",
                    str(found["id"]),
                    key,
                    str(found["name"]),
                    package["package"],
                )
                return found
        return self._send(v1.post_domain, item, package)

    def _events(self, package: str | None, item: _Item, name: str) -> None:
        rows = [{column: _cell(value) for column, value in event.values.items()} for event in item.items(name)]
        try:
            store_events(self.db, package, rows)
        except ValueError as error:
            raise item.error(f"{name}: {error}") from None

    def _send(
        self,
        handler: Callable[[Call], object],
        item: _Item,
        params: Mapping[str, str] | None = None,
        *,
        defaults: dict[str, JSON] | None = None,
    ) -> Mapping[str, JSON]:
        """Let a handler carry out a request with this body; return its response."""
        try:
            answer = handler(Call(self.world, self.db, params or {}, {}, {**(defaults or {}), **item.values}))
        except Refusal as refusal:
            raise item.error(refusal.message) from None
        payload = answer.payload if isinstance(answer, Answer) else None
        return payload if isinstance(payload, dict) else {}

    def _renamed(self, table: str, made: str, wanted: str | None, item: _Item) -> str:
        """Give a new entity the id from the document."""
        if wanted is None:
            return made
        taken = Refusal(409, f"the id {wanted!r} is taken already")
        try:
            self.db.write(f"UPDATE {table} SET uuid = ? WHERE uuid = ?", wanted, made, taken=taken)  # noqa: S608 # of ours
        except Refusal as refusal:
            raise item.error(refusal.message) from None
        return wanted


def _uuid(item: _Item) -> str | None:
    text = item.text("uuid")
    try:
        return None if text is None else str(UUID(text))
    except ValueError:
        raise item.error(f"uuid: {text!r} is not a UUID") from None


def _cell(value: JSON) -> str:
    """Return a value in CSV form: empty for null, `true` and `false`, numbers as in JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
