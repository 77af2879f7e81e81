"""Manifests into files: whole, or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias

from scarf_async.disk import write_whole
from scarf_async.entities import JSON
from scarf_async.errors import ManifestError, ValidationError
from scarf_async.manifests.expand import expand
from scarf_async.manifests.merging import merge_manifests
from scarf_async.manifests.model import VERSION, Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.nodes import Problems, shown
from scarf_async.manifests.reading import needs_yaml, parse_manifest, read_manifest

__all__ = ["manifest_text", "write_manifest"]

_HEADER: Final = (
    "# The service does not give back backend_url, public_url and repository_url of packages. Where this file does"
    "\n# not say them, packages may have them nevertheless, and keep them.\n\n"
)
# Fewer permissions are sooner read than looked up.
_SHARED_FROM: Final = 3
_Shared: TypeAlias = dict[tuple[tuple[str, JSON], ...], dict[str, JSON]]
_BEYOND_ASCII: Final = re.compile(r"[^\n -~]")


def write_manifest(manifest: Manifest, path: str | PathLike[str], *, keep: bool = False) -> None:
    """Write a manifest to a YAML or JSON file, whole or not at all; TOML is read only.

    Permissions and members are in the order of their names; equal permissions of several packages are in YAML
    once, under an anchor.

    Args:
        manifest: what to write.
        path: the file; `.yaml`, `.yml` or `.json`.
        keep: if the file is there, keep what it says and `manifest` does not: addresses, people, `me`, how names
            and texts are spelled, organizations that are not in `manifest`. If nothing has to change, the
            file is not touched. If something has, it is written anew: groups, templates and tables are then
            expanded, and comments are gone.

    Raises:
        ManifestError: `keep`, and the file that is there cannot be read; or the manifest holds what no file may
            say, such as one package twice.
        ValidationError: the name does not end as it must, or the file would not be read as it was meant.
        ConfigurationError: a YAML file, and ruamel.yaml is not installed.
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
    """Return the text of a file of this name for a manifest; the name's end says the format.

    Raises:
        ManifestError: the manifest holds what no file may say, such as one package twice.
        ValidationError: the file would not be read as it was meant.
        ConfigurationError: a YAML file, and ruamel.yaml is not installed.
    """
    text = _text(manifest, as_json=name.lower().endswith(".json"))
    _check(manifest, text, name)
    return text


def _check(manifest: Manifest, text: str, name: str) -> None:
    """Refuse what would not be read as it was meant."""
    problems = Problems()
    try:
        again = expand(parse_manifest(text, name, problems), problems)
        if problems:
            raise problems.error()
    except ManifestError as error:
        # There is no such file to look into.
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
    """Escape what JSON leaves as it is and what steers a terminal; letters of all scripts stay."""
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
    data |= {
        field: value
        for field in (
            "short_description",
            "long_description",
            "website",
            "backend_url",
            "public_url",
            "repository_url",
        )
        if (value := getattr(spec, field)) is not None
    }
    if spec.permissions is not None:
        permissions = _sorted(spec.permissions)
        if len(permissions) >= _SHARED_FROM:
            # YAML writes one object once.
            permissions = shared.setdefault(tuple(permissions.items()), permissions)
        data["permissions"] = permissions
    if spec.routes is not None:
        data["routes"] = [
            {"template_path": route.template_path, "outgoing_url": route.outgoing_url} for route in spec.routes
        ]
    if spec.domains is not None:
        data["domains"] = list(spec.domains)
    return spec.name if len(data) == 1 else data
