"""Write manifests to files, completely or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import attrs

from scarf_async.entities import JSON, LibraryType, RouteCreate
from scarf_async.errors import ManifestError, ValidationError
from scarf_async.files import write_whole
from scarf_async.manifests.expand import expand
from scarf_async.manifests.fields import PackageFields
from scarf_async.manifests.model import VERSION, Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.nodes import Problems, shown
from scarf_async.manifests.reading import needs_yaml, parse_manifest, read_manifest
from scarf_async.names import domain_key, field_key, organization_key, package_key, route_key, user_key

__all__ = ["manifest_text", "merge_manifests", "write_manifest"]

S = TypeVar("S", OrganizationSpec, PackageSpec)
W = TypeVar("W")

_HEADER: Final = (
    "# Version 1 of the service does not return backend_url, public_url and repository_url of packages. Where"
    "\n# this file does not mention them, packages may have them all the same, and keep them.\n\n"
)
_PYTHON: Final = frozenset({LibraryType.PYPI, LibraryType.PYTHON})
# Few permissions are easier to read than an anchor.
_SHARED_FROM: Final = 3
_Shared: TypeAlias = dict[tuple[tuple[str, JSON], ...], dict[str, JSON]]
_BEYOND_ASCII: Final = re.compile(r"[^\n -~]")


def write_manifest(manifest: Manifest, path: str | PathLike[str], *, keep: bool = False) -> None:
    """Write a manifest to a YAML or JSON file atomically; TOML can only be read.

    Permissions and members are sorted by name; in YAML, equal permissions of several packages share an anchor.

    Args:
        manifest: the manifest.
        path: the file; `.yaml`, `.yml` or `.json`.
        keep: if the file exists, keep the values in it that `manifest` lacks: URLs, people, `me`, the spelling of
            names and texts, organizations that are not in `manifest`. If nothing changes, the file is not written.
            Otherwise the whole file is rewritten: groups, templates and tables are expanded, and comments are lost.

    Raises:
        ManifestError: with `keep`, the existing file cannot be read; or the manifest has contents that no file may
            have, such as a package twice.
        ValidationError: the ending of the name is unknown, or reading the file would give another manifest.
        ConfigurationError: the file is YAML and ruamel.yaml is not installed.
        OSError: the file cannot be read or written.
    """
    target = Path(path)
    if target.suffix.lower() not in {".yaml", ".yml", ".json"}:
        raise ValidationError(f"a manifest is written as .yaml, .yml or .json; got {shown(target.name)}")
    if keep and target.exists():
        said = read_manifest(target)
        manifest = merge_manifests(said, manifest)
        if manifest == said:
            return
    write_whole(target, [manifest_text(manifest, str(target)).encode()])


def manifest_text(manifest: Manifest, name: str) -> str:
    """Return the text of a manifest for a file with this name, whose ending selects the format.

    Raises:
        ManifestError: the manifest has contents that no file may have, such as a package twice.
        ValidationError: reading the text would give another manifest.
        ConfigurationError: the file is YAML and ruamel.yaml is not installed.
    """
    text = _text(manifest, as_json=name.lower().endswith(".json"))
    _check(manifest, text, name)
    return text


def _check(manifest: Manifest, text: str, name: str) -> None:
    """Refuse a text that would be read as another manifest."""
    problems = Problems()
    try:
        again = expand(parse_manifest(text, name, problems), problems)
        if problems:
            raise problems.error()
    except ManifestError as error:
        # The message must not refer to a file that does not exist.
        raise ManifestError([problem._replace(line=0, column=0) for problem in error.problems]) from None
    if again != manifest:
        raise ValidationError("this manifest has two spellings of one person or address, and cannot be written")


def _text(manifest: Manifest, *, as_json: bool) -> str:
    data = _document(manifest)
    if as_json:
        return _BEYOND_ASCII.sub(_legible, json.dumps(data, indent=2, ensure_ascii=False)) + "\n"
    with needs_yaml():
        from scarf_async.manifests.yamlfile import yaml_text  # noqa: PLC0415 # an extra
    return _HEADER + yaml_text(data)


def _legible(character: re.Match[str]) -> str:
    """Escape characters that JSON allows and that control a terminal; letters of all scripts stay."""
    return character.group() if character.group().isprintable() else json.dumps(character.group())[1:-1]


def _document(manifest: Manifest) -> dict[str, JSON]:
    data: dict[str, JSON] = {"version": VERSION}
    shared: _Shared = {}
    if manifest.me is not None:
        data["me"] = manifest.me
    if manifest.people:
        data["people"] = _sorted(manifest.people)
    if manifest.organizations:
        data["organizations"] = {spec.name: _organization(spec, shared) for spec in manifest.organizations}
    if manifest.packages is not None:
        data["packages"] = [_package(spec, shared) for spec in manifest.packages]
    return data


def _sorted(words: Mapping[str, str]) -> dict[str, JSON]:
    return {name: str(words[name]) for name in sorted(words)}


def _organization(spec: OrganizationSpec, shared: _Shared) -> dict[str, JSON]:
    data: dict[str, JSON] = {
        field: value
        for field in ("description", "website", "billing_email")
        if (value := getattr(spec, field)) is not None
    }
    if spec.members is not None:
        data["members"] = _sorted(spec.members)
    if spec.packages is not None:
        data["packages"] = [_package(package, shared) for package in spec.packages]
    return data


def _package(spec: PackageSpec, shared: _Shared) -> JSON:
    data: dict[str, JSON] = {"name": spec.name}
    if spec.library_type is not None:
        data["type"] = str(spec.library_type)
    data |= PackageFields.of(spec)
    if spec.permissions is not None:
        permissions = _sorted(spec.permissions)
        if len(permissions) >= _SHARED_FROM:
            # YAML writes the same object only once.
            permissions = shared.setdefault(tuple(permissions.items()), permissions)
        data["permissions"] = permissions
    if spec.routes is not None:
        data["routes"] = [
            {"template_path": route.template_path, "outgoing_url": route.outgoing_url or ""}
            for route in spec.routes
        ]
    if spec.domains is not None:
        data["domains"] = list(spec.domains)
    return spec.name if len(data) == 1 else data


# Merging a file with the pulled state


def _filled(said: S, pulled: S) -> S:
    """Return the pulled entity with the name and texts of the file, where the service has none or equal ones."""
    kept = {}
    for field in (field.name for field in attrs.fields(type(pulled))):
        ours, theirs = getattr(said, field), getattr(pulled, field)
        texts = isinstance(ours, str) and isinstance(theirs, str)
        if theirs is None or (texts and field_key(field, ours) == field_key(field, theirs)):
            kept[field] = ours
    return attrs.evolve(pulled, **{**kept, "name": said.name})


def _respelled(
    said: Iterable[W] | None, pulled: Iterable[W] | None, key: Callable[[W], Hashable]
) -> tuple[W, ...] | None:
    """Return the pulled entities with the spelling in the file."""
    if pulled is None:
        return None
    spellings = {key(thing): thing for thing in said or ()}
    return tuple(spellings.get(key(thing), thing) for thing in pulled)


def _route_key(route: RouteCreate) -> tuple[str, str]:
    return route_key(route.template_path, route.outgoing_url)


def _addressed(
    said: Iterable[RouteCreate] | None, pulled: Iterable[RouteCreate] | None
) -> tuple[RouteCreate, ...] | None:
    """Return the pulled routes; those whose URL is not shown get the one in the file, if any."""
    if pulled is None:
        return None
    paths: dict[str, list[RouteCreate]] = {}
    for route in said or ():
        paths.setdefault(_route_key(route)[0], []).append(route)

    def found(route: RouteCreate) -> RouteCreate:
        same = paths.get(_route_key(route)[0], [])
        return same[0] if not isinstance(route.outgoing_url, str) and len(same) == 1 else route

    return tuple(map(found, pulled))


class _Merge:
    def __init__(self, people: Mapping[str, str]) -> None:
        self._usernames = {user_key(email): user_key(name) for name, email in people.items()}

    def _key(self, user: str) -> str:
        key = user_key(user)
        return self._usernames.get(key, key)

    def _spelled(self, said: Mapping[str, W] | None, pulled: Mapping[str, W] | None) -> Mapping[str, W] | None:
        """Return the pulled people with the spelling in the file."""
        if pulled is None or said is None:
            return pulled
        spellings = {self._key(user): user for user in said}
        return {spellings.get(self._key(user), user): word for user, word in pulled.items()}

    def packages(
        self,
        said: tuple[PackageSpec, ...] | None,
        pulled: tuple[PackageSpec, ...] | None,
        owner: str | None,
    ) -> tuple[PackageSpec, ...] | None:
        if pulled is None or said is None:
            return said if pulled is None else pulled
        left = {(package_key(spec.name, owner), spec.library_type): spec for spec in pulled}
        merged = []
        for spec in said:
            name = package_key(spec.name, owner)
            # A file may omit the type of a package whose name is unique.
            fits = [key for key in left if key[0] == name and spec.library_type in {None, key[1]}]
            # The versions of the service have different words for one type.
            fits = fits or [key for key in left if key[0] == name and {spec.library_type, key[1]} == _PYTHON]
            if len(fits) == 1:
                other = left.pop(fits[0])
                if spec.library_type in _PYTHON:
                    other = attrs.evolve(other, library_type=spec.library_type)
                respelled = attrs.evolve(
                    other,
                    permissions=self._spelled(spec.permissions, other.permissions),
                    routes=_respelled(spec.routes, _addressed(spec.routes, other.routes), _route_key),
                    domains=_respelled(spec.domains, other.domains, domain_key),
                )
                merged.append(_filled(spec, respelled))
        return (*merged, *left.values())

    def organization(self, said: OrganizationSpec, pulled: OrganizationSpec) -> OrganizationSpec:
        return _filled(
            said,
            attrs.evolve(
                pulled,
                members=self._spelled(said.members, pulled.members),
                packages=self.packages(said.packages, pulled.packages, pulled.name),
            ),
        )


def merge_manifests(said: Manifest, pulled: Manifest) -> Manifest:
    """Merge the pulled manifest with values that only the file has.

    These are URLs of packages; people and `me`; the spelling of names and texts; the order; and organizations that
    were not pulled. A package that is missing from a pulled organization is dropped.

    Args:
        said: the manifest in the file.
        pulled: the pulled manifest.
    """
    merge = _Merge({**pulled.people, **said.people})
    there = {organization_key(spec.name): spec for spec in pulled.organizations}
    organizations = [
        merge.organization(spec, there.pop(organization_key(spec.name)))
        if organization_key(spec.name) in there
        else spec
        for spec in said.organizations
    ]
    me = said.me if said.me is not None else pulled.me
    return Manifest(
        organizations=(*organizations, *there.values()),
        packages=merge.packages(said.packages, pulled.packages, me),
        people={**pulled.people, **said.people},
        me=me,
    )
