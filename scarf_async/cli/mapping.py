"""The names of a copy: a file of old and new names."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import attrs
import msgspec

from scarf_async.errors import ValidationError
from scarf_async.manifests.reading import needs_yaml
from scarf_async.text import printable

__all__ = ["NameMap", "read_map"]


@attrs.frozen(kw_only=True)
class NameMap:
    """Old name -> new name; None or `""` to leave it out.

    Attributes:
        members: usernames.
        packages: names of packages.
        domains: domains.
    """

    members: Mapping[str, str | None] = attrs.field(factory=dict)
    packages: Mapping[str, str | None] = attrs.field(factory=dict)
    domains: Mapping[str, str | None] = attrs.field(factory=dict)


_SECTIONS = frozenset({"members", "packages", "domains"})


def read_map(path: Path) -> NameMap:
    """Read a map from a YAML, JSON or TOML file with the sections members, packages, domains.

    Raises:
        ValidationError: it is something else.
        ConfigurationError: a YAML file, and ruamel.yaml is not installed.
        OSError: it cannot be read.
    """
    try:
        data = msgspec.convert(_parse(path, path.read_text("utf-8")), dict[str, dict[str, str | None]])
    # In older versions of msgspec its errors are not ValueErrors.
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        reason = printable(str(error).splitlines()[0])
        raise ValidationError(f"{path} is not a map of names: {reason}") from None
    if unknown := sorted(data.keys() - _SECTIONS):
        raise ValidationError(
            f"{path} has the section {printable(unknown[0])!r}; known are members, packages, domains"
        )
    return NameMap(**data)


def _parse(path: Path, text: str) -> object:
    match path.suffix.lower():
        case ".json":
            return json.loads(text)
        case ".toml":
            return tomllib.loads(text)
        case ".yaml" | ".yml":
            return _parse_yaml(text)
    raise ValidationError(f"{path}: a map's name must end in .yaml, .yml, .json, .toml")


def _parse_yaml(text: str) -> object:
    with needs_yaml():
        from ruamel.yaml import YAML  # noqa: PLC0415 # an extra
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    try:
        data: object = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        reason = str(error)
    else:
        return data
    raise ValueError(reason)
