"""The JSON Schema: the one that is published, what it takes, what it refuses."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

import scarf_async.manifests
from scarf_async.manifests import manifest_schema, read_manifest, write_manifest

from .test_reading import ACME, TOML
from .test_reading import YAML as ACME_YAML

SCHEMA = manifest_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_published_schema_is_this_one() -> None:
    """`schema.json` is what `manifest_schema()` returns."""
    published = Path(scarf_async.manifests.__file__).parent / "schema.json"
    assert published.read_text(encoding="utf-8") == json.dumps(SCHEMA, indent=2) + "\n"


def test_it_is_a_schema() -> None:
    """It fits the rules of JSON Schema 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_good_manifests_fit(tmp_path: Path) -> None:
    """The example, the tests' own manifests and what is written fit."""
    write_manifest(read_manifest(EXAMPLES / "linuxserver.yaml"), tmp_path / "written.json")
    write_manifest(ACME, tmp_path / "acme.json")
    yaml = YAML(typ="safe", pure=True)
    documents = [
        yaml.load((EXAMPLES / "linuxserver.yaml").read_text()),
        yaml.load(ACME_YAML),
        tomllib.loads(TOML),
        json.loads((tmp_path / "written.json").read_text()),
        json.loads((tmp_path / "acme.json").read_text()),
        {"version": 1, "tables": {"members": "m.csv"}, "$schema": "x", "packages": ["a"]},
    ]
    for document in documents:
        VALIDATOR.validate(document)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, "$"),
        ([], "$"),
        ({"version": 2}, "$.version"),
        ({"version": 1, "me": ""}, "$.me"),
        ({"version": 1, "me": "a\u001b"}, "$.me"),
        ({"version": 1, "members": {}}, "$"),
        ({"version": 1, "organizations": {"a": {"members": {"ann": "boss"}}}}, "$.organizations.a.members.ann"),
        ({"version": 1, "organizations": {"a": {"permisions": {}}}}, "$.organizations.a"),
        ({"version": 1, "packages": [7]}, "$.packages[0]"),
        ({"version": 1, "packages": [{"type": "npm"}]}, "$.packages[0]"),
        ({"version": 1, "templates": {"t": {"permissions": {"a": "boss"}}}}, "$.templates.t.permissions.a"),
        ({"version": 1, "defaults": {"routes": [{"template_path": "/a"}]}}, "$.defaults.routes[0]"),
        ({"version": 1, "groups": {"g": "ann"}}, "$.groups.g"),
        ({"version": 1, "tables": {"domains": "d.csv"}}, "$.tables"),
        ({"version": 1, "people": None}, "$.people"),
    ],
)
def test_wrong_manifests_do_not_fit(document: object, path: str) -> None:
    """What the reader refuses for its shape, the schema refuses in the same place."""
    assert [error.json_path for error in VALIDATOR.iter_errors(document)] == [path]
