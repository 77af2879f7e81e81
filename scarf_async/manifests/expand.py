"""Expand the groups, templates and defaults of a manifest, and check everything. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from scarf_async.entities import (
    DomainCreate,
    Importance,
    LibraryType,
    MemberUpsert,
    PackageUpsert,
    PermissionLevel,
    PermissionSet,
    Role,
    RouteCreate,
)
from scarf_async.errors import ValidationError
from scarf_async.manifests.fields import PackageFields, names_of
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.nodes import Place, Problems, shown
from scarf_async.manifests.people import Grant, Limit, People, report_cycles
from scarf_async.manifests.schema import DocumentDraft, FieldsDraft, OrganizationDraft, PackageDraft, RouteDraft
from scarf_async.manifests.shapes import Pairs, Said, suggestion
from scarf_async.names import domain_key, organization_key, package_key, plain_name, route_key

__all__ = ["expand"]

_TEXTS: Final = ("library_type", *names_of(PackageFields))
_NAME: Final = re.compile(r"\{\{name\}\}|\{name\}")


def fill(text: str, name: str) -> str:
    """Insert a package's name into a template; `{{name}}` is a literal `{name}`, other braces are kept.

    >>> fill("/{name}/{version}.tgz and {{name}}", "web")
    '/web/{version}.tgz and {name}'
    """
    return _NAME.sub(lambda match: "{name}" if match.group() == "{{name}}" else name, text)


@attrs.frozen
class _Layer:
    """One of the drafts that a package consists of.

    Attributes:
        draft: the draft.
        name: the package's name to insert; None for the package's own draft, which is not a template.
    """

    draft: FieldsDraft
    name: str | None

    def fill(self, said: Said) -> Said:
        """Return a text of this layer for the package."""
        return said if self.name is None else attrs.evolve(said, text=fill(said.text, self.name))


class _Expansion:
    def __init__(self, document: DocumentDraft, problems: Problems) -> None:
        self._problems = problems
        self._limit = Limit(document.place.file, problems)
        self._templates = {name.text: draft for name, draft in document.templates or ()}
        self.people = People(document, self._limit, problems)
        # An error in a template is reported once, not for each of its packages.
        self._told: set[tuple[Place, str]] = set()
        self._used: set[Place] = set()
        edges = {
            name: [said]
            for name, draft in self._templates.items()
            if (said := draft.template) is not None and self._known(said)
        }
        if report_cycles(edges, "templates", problems):
            self._templates = {name: attrs.evolve(draft, template=None) for name, draft in self._templates.items()}

    def _known(self, said: Said) -> bool:
        if said.text in self._templates:
            return True
        hint = suggestion(said.text, self._templates)
        self._problems.add(said.place, said.path, f"there is no template {shown(said.text)}{hint}")
        return False

    def _layers(self, draft: PackageDraft, defaults: FieldsDraft | None, name: str) -> list[_Layer]:
        """Return the layers of a package in order of precedence: itself, and its templates or the defaults."""
        layers = [_Layer(draft, None)]
        if draft.template is None and defaults is not None:
            layers.append(_Layer(defaults, name))
        while (said := layers[-1].draft.template) is not None and self._known(said):
            layers.append(_Layer(self._templates[said.text], name))
        self._limit.spend(len(layers))
        self._used.update(layer.draft.place for layer in layers)
        return layers

    def check_unused(self, drafts: Iterable[FieldsDraft | None]) -> None:
        """Check unused templates field by field, since the values of a package are not known."""
        for draft in drafts:
            if draft is None or draft.place in self._used:
                continue
            layer = _Layer(draft, "name")
            name = Said("name", draft.place, draft.path)
            for field in _TEXTS:
                value: Said | None = getattr(draft, field)
                if value is not None and field not in {"library_type", "importance"}:
                    self._fits(name, draft.path, {field: layer.fill(value)})
            self._permissions([draft.permissions or ()])
            self._routes(layer)
            self._domains(layer)

    def organization(self, name: Said, draft: OrganizationDraft) -> OrganizationSpec:
        return OrganizationSpec(
            name=name.text,
            description=_text(draft.description),
            website=_text(draft.website),
            billing_email=_text(draft.billing_email),
            members=None if draft.members is None else self._members(draft.members),
            packages=self.packages(draft.packages, draft.defaults, name.text),
        )

    def _members(self, entries: Pairs[Said]) -> dict[str, Role]:
        grants = self.people.grants(entries).values()
        named = [(self.people.username(grant), grant.word.text) for grant in grants]
        upserts = [MemberUpsert(username, Role(role)) for username, role in named if username is not None]
        return {upsert.username: upsert.role for upsert in upserts}

    def packages(
        self, drafts: Sequence[PackageDraft] | None, defaults: FieldsDraft | None, owner: str | None
    ) -> tuple[PackageSpec, ...] | None:
        if defaults is not None and defaults.template is not None:
            self._known(defaults.template)
        if drafts is None:
            return None
        specs = []
        typed: dict[tuple[str, str | None], Said] = {}
        named: dict[str, Said] = {}
        for draft in drafts:
            key = package_key(draft.name.text, owner)
            spec = self._package(draft, self._layers(draft, defaults, plain_name(draft.name.text, owner)))
            # Without a type it could be any package of this name.
            first = typed.get((key, spec.library_type)) or typed.get((key, None))
            if first is None and spec.library_type is None:
                first = named.get(key)
            if first is not None:
                message = f"the package {shown(spec.name)} was already given at {first.place}"
                self._problems.add(draft.name.place, draft.name.path, message)
            typed.setdefault((key, spec.library_type), draft.name)
            named.setdefault(key, draft.name)
            specs.append(spec)
        return tuple(specs)

    def _package(self, draft: PackageDraft, layers: Sequence[_Layer]) -> PackageSpec:
        said: dict[str, Said] = {}
        for layer in layers:
            for field in _TEXTS:
                value: Said | None = getattr(layer.draft, field)
                if value is not None and field not in said:
                    said[field] = layer.fill(value)
        self._check(draft.name, draft.path, said)
        texts = _texts(said)
        word = texts.pop("library_type", None)
        importance = texts.pop("importance", None)
        permissions = [layer.draft.permissions for layer in reversed(layers) if layer.draft.permissions is not None]
        routes = next((layer for layer in layers if layer.draft.routes is not None), None)
        domains = next((layer for layer in layers if layer.draft.domains is not None), None)
        return PackageSpec(
            name=draft.name.text,
            library_type=LibraryType(word) if word in list(LibraryType) else word,
            **texts,
            importance=None if importance is None else Importance(importance),
            permissions=self._permissions(permissions) if permissions else None,
            routes=None if routes is None else self._routes(routes),
            domains=None if domains is None else self._domains(domains),
        )

    def _check(self, name: Said, path: str, said: Mapping[str, Said]) -> None:
        """Have the SDK check each field, and then their combination."""
        alone = [self._fits(name, path, {field: said[field]}) for field in said if field != "library_type"]
        if all(alone):
            self._fits(name, path, said)

    def _fits(self, name: Said, path: str, said: Mapping[str, Said]) -> bool:
        try:
            PackageUpsert(**{"name": name.text, "short_description": "", **_texts(said)})
        except ValidationError as error:
            culprit = said.get(error.field or "", name)
            if (culprit.place, culprit.path) not in self._told:
                self._told.add((culprit.place, culprit.path))
                package = "" if culprit.path.startswith(path) else f" (for the package {shown(name.text)})"
                self._problems.add(culprit.place, culprit.path, f"{error}{package}")
            return False
        return True

    def _permissions(self, layers: Iterable[Pairs[Said]]) -> dict[str, PermissionLevel]:
        grants: dict[str, Grant] = {}
        for entries in layers:
            grants.update(self.people.grants(entries))
        sets = [PermissionSet(grant.user, PermissionLevel(grant.word.text)) for grant in grants.values()]
        return {each.user_query: each.permission_level for each in sets}

    def _routes(self, layer: _Layer) -> tuple[RouteCreate, ...]:
        routes: dict[tuple[str, str], tuple[RouteCreate, RouteDraft]] = {}
        for draft in layer.draft.routes or ():
            route = RouteCreate(layer.fill(draft.outgoing_url).text or None, layer.fill(draft.template_path).text)
            _, first = routes.setdefault(route_key(route.template_path, route.outgoing_url), (route, draft))
            if first is not draft:
                message = f"the route was already given at {first.place}"
                self._problems.add(draft.place, draft.path, message)
        return tuple(route for route, _ in routes.values())

    def _domains(self, layer: _Layer) -> tuple[str, ...]:
        names: dict[str, tuple[DomainCreate, Said]] = {}
        for said in layer.draft.domains or ():
            domain = DomainCreate(layer.fill(said).text)
            _, first = names.setdefault(domain_key(domain.name), (domain, said))
            if first is not said:
                message = f"the domain was already given at {first.place}"
                self._problems.add(said.place, said.path, message)
        return tuple(domain.name for domain, _ in names.values())


def _texts(said: Mapping[str, Said]) -> dict[str, str]:
    return {field: value.text for field, value in said.items()}


def _text(said: Said | None) -> str | None:
    return None if said is None else said.text


def expand(document: DocumentDraft, problems: Problems) -> Manifest:
    """Expand a document; problems are recorded.

    Raises:
        ManifestError: the expansion is too large.
    """
    expansion = _Expansion(document, problems)
    names: dict[str, Said] = {}
    organizations = []
    for name, draft in document.organizations or ():
        first = names.setdefault(organization_key(name.text), name)
        if first is not name:
            problems.add(name.place, name.path, f"the organization was already given at {first.place}")
        organizations.append(expansion.organization(name, draft))
    me = _text(document.me)
    packages = expansion.packages(document.packages, document.defaults, me)
    templates = [draft for _, draft in document.templates or ()]
    defaults = [document.defaults, *(draft.defaults for _, draft in document.organizations or ())]
    expansion.check_unused([*templates, *defaults])
    return Manifest(
        organizations=tuple(organizations),
        packages=packages,
        people=expansion.people.people,
        me=me,
    )
