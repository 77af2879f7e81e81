"""Files of old and new names."""

from __future__ import annotations

from pathlib import Path

import pytest

from scarf_async.cli.mapping import NameMap, read_map
from scarf_async.errors import ValidationError

WANTED = NameMap(members={"ann": "bob", "eve": None}, packages={"web": "site"})


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("m.yaml", "members: {ann: bob, eve: }\npackages:\n  web: site\n", WANTED),
        ("m.json", '{"members": {"ann": "bob", "eve": null}, "packages": {"web": "site"}}', WANTED),
        ("m.toml", '[domains]\n"a.example" = ""\n', NameMap(domains={"a.example": ""})),
    ],
)
def test_three_formats(tmp_path: Path, name: str, text: str, wanted: NameMap) -> None:
    """YAML, JSON and TOML say the same; what is not said is empty, and none leaves out."""
    (tmp_path / name).write_text(text)
    assert read_map(tmp_path / name) == wanted


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("m.yaml", "members: [ann]", "not a map of names"),
        ("m.yaml", "members: {ann: 1}", "not a map of names"),
        ("m.yaml", "members: {", "not a map of names"),
        ("m.yaml", "members: !!python/object:os.system {}", "not a map of names"),
        ("m.json", "[" * 100_000, "not a map of names"),
        ("m.toml", "members", "not a map of names"),
        ("m.json", '{"teams\\u001b": {}}', "section 'teams"),
        ("m.txt", "", "must end in"),
        ("m.json", "\udcff", "not a map of names"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    """The file is named, in one line without control characters."""
    (tmp_path / name).write_text(text, errors="surrogateescape")
    with pytest.raises(ValidationError, match=says) as refused:
        read_map(tmp_path / name)
    assert str(refused.value).isprintable()
    assert name in str(refused.value)
