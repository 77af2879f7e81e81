"""Whatever a file holds, it is read, or refused with a `ManifestError`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.errors import ManifestError
from scarf_async.manifests import read_manifest
from scarf_async.manifests.model import Manifest
from scarf_async.manifests.schema import DocumentDraft, FieldsDraft, OrganizationDraft, RouteDraft

FIELDS = [draft.__annotations__ for draft in (DocumentDraft, FieldsDraft, OrganizationDraft, RouteDraft)]
KEYS = ["name", "$schema", "type", "group:g", "image", "ann", "bob@example.com", "<<"]
KEYS += [field for fields in FIELDS for field in fields]
WORDS = ["admin", "member", "docker", "https://ghcr.io/acme/{name}", "no", "", "acme/web", *KEYS]

texts = st.sampled_from(WORDS) | st.text(max_size=8)
keys = st.sampled_from(KEYS) | st.text(max_size=4)
scalars = texts | st.integers(-1, 2) | st.booleans() | st.none() | st.floats(allow_nan=False)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)
documents = st.fixed_dictionaries(
    {"version": st.just(1)}, optional={key: trees for key in DocumentDraft.__annotations__ if key != "version"}
)

# What YAML is made of, in no order.
SCRAPS = [
    *(
        "- ",
        "? ",
        ": ",
        ":",
        "\n",
        "\n  ",
        "\n    ",
        "&a ",
        "*a",
        "!!str ",
        "!x",
        "{",
        "}",
        "[",
        "]",
        ",",
        "|",
        ">",
    ),
    *(
        "'",
        '"',
        "#",
        "%YAML 1.2",
        "---",
        "...",
        "\\",
        "\\U99999999",
        "\t",
        "<<",
        "~",
        "@",
        "`",
        "version: 1\n",
        "=",
    ),
    *("[[", "]]", '"""', "1979-05-27", ".", "{name}", "0x1", "\r\n", "\u2028", "\x85", "\uffff"),
]
scraps = st.lists(st.sampled_from([*SCRAPS, *WORDS]), max_size=30).map("".join)


def refusal(path: Path | str) -> ManifestError | None:
    """Read a manifest; return the error, if it is refused."""
    try:
        read_manifest(path)
    except ManifestError as error:
        return error
    return None


def check(data: bytes, suffix: str) -> Manifest | None:
    """Read a file of these bytes; None if it is refused as it should be."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, f"x{suffix}")
        path.write_bytes(data)
        error = refusal(path)
        if error is None:
            return read_manifest(path)
    assert error.problems
    assert all(str(problem).isprintable() for problem in error.problems)
    return None


@pytest.mark.parametrize("suffix", [".yaml", ".json", ".toml"])
@given(data=st.binary(max_size=60) | scraps.map(str.encode))
def test_random_bytes(data: bytes, suffix: str) -> None:
    """Bytes and scraps of syntax give a manifest or a `ManifestError`, and nothing unprintable is shown."""
    check(data, suffix)


@given(document=documents | trees)
def test_random_documents(document: object) -> None:
    """So do keys and words of the format in wrong places; and YAML, of which JSON is a part, means the same."""
    text = json.dumps(document)
    manifest, same = check(text.encode(), ".json"), check(text.encode(), ".yaml")
    assert manifest == same


@given(
    text=scraps | st.text(st.sampled_from('a,;"\n\r ')), kind=st.sampled_from(["members", "permissions", "routes"])
)
def test_random_tables(text: str, kind: str) -> None:
    """So do tables, with a header that is good and with others."""
    heading = "organization,package,template_path,outgoing_url" if kind == "routes" else "a"
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, f"{kind}.csv").write_text(f"{heading}\n{text}", encoding="utf-8", newline="")
        error = refusal(directory)
    assert error is None or error.problems
