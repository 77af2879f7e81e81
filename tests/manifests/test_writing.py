"""Manifests into files: what is written is read as it was, and what only a file knows is kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scarf_async.entities import LibraryType, PermissionLevel, Role, RouteCreate
from scarf_async.errors import ManifestError, ValidationError
from scarf_async.manifests import read_manifest, write_manifest
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.writing import manifest_text, merge_manifests
from scarf_async.names import user_key

from .test_reading import ACME, YAML

ADMIN, MEMBER = PermissionLevel.ADMIN, PermissionLevel.MEMBER

characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=12) | st.sampled_from(
    ["no", "1", "", " a", "a: b", "- x", "a\n\nb\n", "a\n b", "#"]
)
names = st.sampled_from(["no", "<<", "7", "a b", "#", "{name}"]) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6
).filter(str.strip)
users = names.filter(lambda name: "@" not in name and not name.startswith("group:"))
maybe_text = st.none() | texts


def tables(
    values: st.SearchStrategy[Role] | st.SearchStrategy[PermissionLevel],
) -> st.SearchStrategy[dict[str, object]]:
    """Return a strategy of tables in which nobody is twice."""
    pairs = st.lists(st.tuples(users, values), max_size=5, unique_by=lambda pair: user_key(pair[0]))
    return pairs.map(dict)


# A path in place of an address is refused.
addresses = texts.filter(str.strip).filter(str.isprintable).filter(lambda text: not text.startswith("/"))
routes = st.builds(RouteCreate, addresses, names)
packages = st.builds(
    PackageSpec,
    name=names,
    library_type=st.sampled_from([LibraryType.NPM, LibraryType.FILE, "new"]),
    short_description=maybe_text,
    long_description=maybe_text,
    website=maybe_text,
    permissions=st.none() | tables(st.sampled_from(PermissionLevel)),
    routes=st.none() | st.lists(routes, max_size=3, unique=True).map(tuple),
    domains=st.none() | st.lists(names, max_size=3, unique_by=str.casefold).map(tuple),
)
package_lists = st.none() | st.lists(packages, max_size=3, unique_by=lambda spec: spec.name.rpartition("/")[2]).map(
    tuple
)
organizations = st.builds(
    OrganizationSpec,
    name=names,
    description=maybe_text,
    website=maybe_text,
    billing_email=maybe_text,
    members=st.none() | tables(st.sampled_from(Role)),
    packages=package_lists,
)
manifests = st.builds(
    Manifest,
    organizations=st.lists(organizations, max_size=3, unique_by=lambda spec: user_key(spec.name)).map(tuple),
    packages=package_lists,
    people=st.dictionaries(st.sampled_from(["ann", "bob"]), st.just("x")).filter(lambda people: len(people) < 2),
    me=st.none() | users,
)


def back(manifest: Manifest, suffix: str) -> Manifest:
    """Write a manifest, and read it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, f"x{suffix}")
        write_manifest(manifest, path)
        assert [entry.name for entry in Path(directory).iterdir()] == [path.name]
        return read_manifest(path)


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
@given(manifest=manifests)
def test_what_is_written_is_read_as_it_was(manifest: Manifest, suffix: str) -> None:
    """Any manifest, with whatever characters, comes back equal."""
    assert back(manifest, suffix) == manifest


@given(text=st.text(characters))
def test_any_text_is_written(text: str) -> None:
    """Line breaks, quotes, words that look like numbers: a text stays the text that it was."""
    manifest = Manifest(packages=(PackageSpec(name="w", long_description=text),))
    assert back(manifest, ".yaml") == manifest


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
@given(text=st.text(characters), name=names)
def test_what_is_written_steers_no_terminal(text: str, name: str, suffix: str) -> None:
    """Control characters, and those that turn the direction of a line, are escaped in keys and values."""
    manifest = Manifest(organizations=(OrganizationSpec(name=name, description=text),))
    assert all(map(str.isprintable, manifest_text(manifest, f"x{suffix}").split("\n")))


def test_a_written_file_is_readable(tmp_path: Path) -> None:
    """Block style, names in order, texts of several lines as such, equal permissions once, a word on addresses."""
    permissions = {"carol": MEMBER, "bob": ADMIN, "ann": ADMIN}
    manifest = Manifest(
        me="ann",
        organizations=(
            OrganizationSpec(
                name="acme",
                description="Tools:\n\n- sharp\n",
                website="no",
                members={"bob": Role.ADMIN, "ann": Role.OWNER},
                packages=(
                    PackageSpec(name="web", library_type="docker", permissions=permissions),
                    PackageSpec(name="api", permissions=permissions, domains=("a.example",), routes=()),
                    PackageSpec(name="bare"),
                ),
            ),
        ),
    )
    write_manifest(manifest, tmp_path / "acme.yaml")
    written = (tmp_path / "acme.yaml").read_text()
    header, _, body = written.partition("\n\n")
    assert all(line.startswith("# ") for line in header.splitlines())
    assert "backend_url, public_url and repository_url" in header
    assert (
        body
        == """version: 1
me: ann
organizations:
  acme:
    description: |
      Tools:

      - sharp
    website: "no"
    members:
      ann: owner
      bob: admin
    packages:
      - name: web
        type: docker
        permissions: &permissions-1
          ann: admin
          bob: admin
          carol: member
      - name: api
        permissions: *permissions-1
        routes: []
        domains:
          - a.example
      - bare
"""
    )


@pytest.mark.parametrize("name", ["acme.toml", "acme"])
def test_what_cannot_be_written(name: str, tmp_path: Path) -> None:
    """TOML and unknown formats are not written."""
    with pytest.raises(ValidationError, match=r"written as \.yaml, \.yml or \.json; got"):
        write_manifest(ACME, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    """A manifest that no file may hold is refused, and the file that is there stays."""
    path = tmp_path / "acme.json"
    path.write_text("mine")
    twice = Manifest(packages=(PackageSpec(name="a"), PackageSpec(name="a")))
    with pytest.raises(ManifestError, match=r"packages\[1\]: the package \"a\" was already given at") as caught:
        write_manifest(twice, path)
    assert caught.value.problems[0].line == 0
    spelled = Manifest(packages=(PackageSpec(name="a", permissions={"ann": ADMIN, "Ann": ADMIN}),))
    with pytest.raises(ValidationError, match="two spellings"):
        write_manifest(spelled, path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


# Keeping


def test_keep_keeps_what_only_the_file_knows(tmp_path: Path) -> None:
    """Addresses, people, spellings and the order stay; what the service says is taken."""
    path = tmp_path / "acme.yaml"
    path.write_text(YAML)
    pulled = Manifest(
        organizations=(
            OrganizationSpec(
                name="acme",
                description="New",
                website="",
                members={"ANN": Role.OWNER},
                packages=(
                    PackageSpec(name="new", library_type=LibraryType.NPM),
                    PackageSpec(
                        name="web", library_type=LibraryType.DOCKER, website="w", permissions={"bob": MEMBER}
                    ),
                ),
            ),
        )
    )
    write_manifest(pulled, path, keep=True)
    (organization,) = ACME.organizations
    assert organization.packages is not None
    assert read_manifest(path) == attrs.evolve(
        ACME,
        organizations=(
            attrs.evolve(
                organization,
                description="New",
                members={"ann": Role.OWNER},
                packages=(
                    attrs.evolve(organization.packages[0], website="w", permissions={"bob@example.com": MEMBER}),
                    PackageSpec(name="new", library_type=LibraryType.NPM),
                ),
            ),
        ),
    )


def test_keep_does_not_touch_what_is_right(tmp_path: Path) -> None:
    """If nothing has to change, groups, templates and comments stay as they are."""
    path = tmp_path / "acme.yaml"
    path.write_text(f"# Ours.\n{YAML}")
    (organization,) = ACME.organizations
    without = tuple(attrs.evolve(spec, backend_url=None) for spec in organization.packages or ())
    pulled = Manifest(organizations=(attrs.evolve(organization, packages=without[::-1]),))
    write_manifest(pulled, path, keep=True)
    assert path.read_text() == f"# Ours.\n{YAML}"


def test_keep_needs_a_readable_file(tmp_path: Path) -> None:
    """A file that cannot be read is not written over; one that is not there is written."""
    path = tmp_path / "acme.yaml"
    write_manifest(ACME, path, keep=True)
    assert read_manifest(path) == ACME
    path.write_text("version: 1\nme: no")
    with pytest.raises(ManifestError):
        write_manifest(ACME, path, keep=True)
    assert path.read_text() == "version: 1\nme: no"


@given(said=manifests, pulled=manifests)
def test_merging_again_changes_nothing(said: Manifest, pulled: Manifest) -> None:
    """What was merged once has all that was pulled."""
    assume(len({*said.people.values(), *pulled.people.values()}) < 2)
    merged = merge_manifests(said, pulled)
    assert merge_manifests(merged, pulled) == merged
    assert merge_manifests(said, said) == said
