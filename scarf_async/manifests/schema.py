"""The format of manifests, including groups and templates: the only table of its keys.

Both the reader and the JSON Schema are derived from these classes.
"""

# ruff: noqa: RUF009 # `entry` and `needed` are attrs.field with a shape

from __future__ import annotations

import attrs

from scarf_async.entities import JSON, Importance, LibraryType, PermissionLevel, Role
from scarf_async.manifests.model import VERSION
from scarf_async.manifests.shapes import (
    ByKey,
    Draft,
    Each,
    Number,
    OpenWord,
    Pairs,
    Record,
    Said,
    Text,
    Word,
    entry,
    needed,
)

__all__ = [
    "DOCUMENT",
    "DocumentDraft",
    "FieldsDraft",
    "OrganizationDraft",
    "PackageDraft",
    "RouteDraft",
    "TablesDraft",
    "manifest_schema",
]

_NAME = Text(name=True)


@attrs.frozen(kw_only=True)
class RouteDraft(Draft):
    """A route."""

    template_path: Said = needed(_NAME, "The path that people fetch, such as /{version}.tar.gz.")
    outgoing_url: Said = needed(Text(name=True, empty=True), "What it leads to; in v2 an empty one only counts.")


@attrs.frozen(kw_only=True)
class FieldsDraft(Draft):
    """The keys that templates, defaults and packages have in common."""

    template: Said | None = entry(_NAME, "The template to use; in a package, it replaces the defaults.")
    library_type: Said | None = entry(OpenWord(LibraryType), "The type; it cannot change later.", key="type")
    short_description: Said | None = entry(Text(), "One line.")
    long_description: Said | None = entry(Text(), "A longer text.")
    website: Said | None = entry(Text(), "The package's website.")
    backend_url: Said | None = entry(Text(), "For docker: the registry's address. v1 does not return it.")
    public_url: Said | None = entry(
        Text(), "For docker: the address that people pull from. The service does not return it."
    )
    repository_url: Said | None = entry(Text(), "For pypi and python: the index. v1 does not return it.")
    importance: Said | None = entry(Word(Importance), "How important it is to its owner; v2 only.")
    permissions: Pairs[Said] | None = entry(
        ByKey(Word(PermissionLevel)), "Username, e-mail address or group:NAME -> level."
    )
    routes: tuple[RouteDraft, ...] | None = entry(Each(Record(RouteDraft)), "For file packages: their routes.")
    domains: tuple[Said, ...] | None = entry(Each(_NAME), "The names under which it is served.")


@attrs.frozen(kw_only=True)
class PackageDraft(FieldsDraft):
    """A package."""

    name: Said = needed(_NAME, "The name, with or without the owner's prefix.")


_PACKAGES = Each(Record(PackageDraft, short="name"))
_FIELDS = Record(FieldsDraft)


@attrs.frozen(kw_only=True)
class OrganizationDraft(Draft):
    """An organization."""

    description: Said | None = entry(Text(), "Free text.")
    website: Said | None = entry(Text(), "The organization's website.")
    billing_email: Said | None = entry(Text(), "The e-mail address for bills.")
    members: Pairs[Said] | None = entry(ByKey(Word(Role)), "Username or group:NAME -> role.")
    defaults: FieldsDraft | None = entry(_FIELDS, "What its packages get that name no template.")
    packages: tuple[PackageDraft, ...] | None = entry(_PACKAGES, "Its packages: a name, or a table.")


@attrs.frozen(kw_only=True)
class TablesDraft(Draft):
    """The tables beside the manifest."""

    members: Said | None = entry(_NAME, "CSV: organization, username, role.")
    packages: Said | None = entry(_NAME, "CSV: organization, package, and other fields of packages.")
    permissions: Said | None = entry(_NAME, "CSV: organization, package, type, user, level.")
    routes: Said | None = entry(_NAME, "CSV: organization, package, type, template_path, outgoing_url.")


@attrs.frozen(kw_only=True)
class DocumentDraft(Draft):
    """A manifest."""

    version: int = needed(Number(VERSION), "The version of the format.")
    schema: Said | None = entry(Text(), "For editors; ignored.", key="$schema")
    me: Said | None = entry(_NAME, "The username that the token belongs to.")
    people: Pairs[Said] | None = entry(
        ByKey(_NAME), "Username -> e-mail address: who is meant by an address in permissions."
    )
    groups: Pairs[tuple[Said, ...]] | None = entry(
        ByKey(Each(_NAME)), "Name -> usernames, e-mail addresses, and group:NAME."
    )
    templates: Pairs[FieldsDraft] | None = entry(
        ByKey(_FIELDS), "Name -> what a package gets; {name} is its name without the owner's prefix."
    )
    organizations: Pairs[OrganizationDraft] | None = entry(
        ByKey(Record(OrganizationDraft)), "Name -> organization."
    )
    defaults: FieldsDraft | None = entry(_FIELDS, "What packages of the user get that name no template.")
    packages: tuple[PackageDraft, ...] | None = entry(_PACKAGES, "Packages of the token's user.")
    tables: TablesDraft | None = entry(Record(TablesDraft), "CSV files next to the manifest that add to it.")


DOCUMENT = Record(DocumentDraft)


def manifest_schema() -> dict[str, JSON]:
    """Return the JSON Schema (2020-12) of manifests, for editors; it is also in `schema.json` beside this file.

    It describes the structure. References (groups, templates), addresses and duplicates are checked only by
    `read_manifest`.

    >>> manifest_schema()["$ref"]
    '#/$defs/Document'
    """
    definitions: dict[str, JSON] = {}
    root = DOCUMENT.schema(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Scarf organizations, as they should be",
        **root,
        "$defs": definitions,
    }
