"""What a manifest means: groups, templates and defaults expanded, in each of the formats."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from scarf_async.entities import LibraryType, PermissionLevel, Role, RouteCreate
from scarf_async.errors import ConfigurationError, ManifestError
from scarf_async.manifests import people, read_manifest
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec

EXAMPLES = Path(__file__).parents[2] / "examples"

ACME = Manifest(
    me="ann",
    people={"bob": "bob@example.com"},
    organizations=(
        OrganizationSpec(
            name="acme",
            description="Tools",
            website="",
            members={"ann": Role.OWNER, "bob": Role.ADMIN, "carol": Role.ADMIN},
            packages=(
                PackageSpec(
                    name="acme/web",
                    library_type=LibraryType.DOCKER,
                    website="https://acme.example/web",
                    backend_url="https://ghcr.io/acme/web",
                    permissions={"ann": PermissionLevel.ADMIN, "bob@example.com": PermissionLevel.BLOCKED},
                ),
                PackageSpec(
                    name="files",
                    library_type=LibraryType.FILE,
                    routes=(RouteCreate("https://acme.example/{version}", "/files/{version}"),),
                    domains=(),
                ),
            ),
        ),
    ),
    packages=(),
)

YAML = """
version: 1
me: ann
people: {bob: bob@example.com}
groups:
  maintainers: [ann, bob]
  all: [group:maintainers, carol]
templates:
  base: {permissions: {group:maintainers: admin}}
  image:
    template: base
    type: docker
    website: https://nowhere.example
    backend_url: "https://ghcr.io/acme/{name}"
  archive:
    type: file
    routes: [{template_path: "/{name}/{version}", outgoing_url: "https://acme.example/{version}"}]
organizations:
  acme:
    description: Tools
    website: ""
    members: {group:all: admin, ann: owner}
    defaults: {template: image, website: "https://acme.example/{name}"}
    packages:
      - {name: acme/web, permissions: {bob@example.com: blocked}}
      - {name: files, template: archive, domains: []}
packages: []
"""

TOML = """
version = 1
me = "ann"
people.bob = "bob@example.com"
packages = []

[groups]
maintainers = ["ann", 'bob']
all = ["group:maintainers", "carol"]

[templates]
base.permissions = {"group:maintainers" = "admin"}

[templates.image]
template = "base"
type = "docker"
website = "https://nowhere.example"
backend_url = "https://ghcr.io/acme/{name}"

[templates.archive]
type = "file"
routes = [{template_path = "/{name}/{version}", outgoing_url = "https://acme.example/{version}"}]

[organizations.acme]
description = "Tools"
website = ""
members = {"group:all" = "admin", ann = "owner"}
defaults = {template = "image", website = "https://acme.example/{name}"}

[[organizations.acme.packages]]
name = "acme/web"
[organizations.acme.packages.permissions]
"bob@example.com" = "blocked"

[[organizations.acme.packages]]
name = "files"
template = "archive"
domains = []
"""


def read(text: str, tmp_path: Path, name: str = "acme.yaml") -> Manifest:
    """Read a manifest from a text."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_manifest(path)


def read_body(body: str, tmp_path: Path) -> Manifest:
    """Read a YAML manifest without its version."""
    return read(f"version: 1\n{body}", tmp_path)


def only_package(manifest: Manifest) -> PackageSpec:
    """Return the one package of the user."""
    assert manifest.packages is not None
    (package,) = manifest.packages
    return package


def first_problem(text: str, tmp_path: Path, name: str = "acme.yaml") -> tuple[int, int, str]:
    """Return line, column and path of the first thing that is wrong."""
    with pytest.raises(ManifestError) as caught:
        read(text, tmp_path, name)
    problem = caught.value.problems[0]
    return problem.line, problem.column, problem.path


def test_yaml(tmp_path: Path) -> None:
    """YAML is read; a byte order mark and Windows' line ends do no harm."""
    assert read(YAML, tmp_path) == ACME
    assert read("\ufeff" + YAML.replace("\n", "\r\n"), tmp_path, "acme.yml") == ACME


def test_toml(tmp_path: Path) -> None:
    """TOML of the same shape means the same."""
    assert read(TOML, tmp_path, "acme.toml") == ACME
    assert read(TOML.replace("\n", "\r\n"), tmp_path, "acme.toml") == ACME


def test_json(tmp_path: Path) -> None:
    """JSON of the same shape means the same, indented with tabs as well, and may name its schema."""
    data = {
        "$schema": "schema.json",
        "version": 1,
        "organizations": {"a": {"packages": ["w", {"name": "\u00fc"}]}},
    }
    expected = Manifest(
        organizations=(OrganizationSpec(name="a", packages=(PackageSpec(name="w"), PackageSpec(name="\u00fc"))),)
    )
    for text in (json.dumps(data), json.dumps(data, indent="\t"), json.dumps(data, ensure_ascii=False)):
        assert read(text, tmp_path, "acme.json") == expected


def test_the_example() -> None:
    """`linuxserver.yaml` means 25 people on 115 images each, and a package with a route for each of them."""
    (organization,) = read_manifest(EXAMPLES / "linuxserver.yaml").organizations
    packages = organization.packages or ()
    images, (sources,) = packages[:-1], packages[-1:]
    roles = organization.members or {}
    assert Counter(roles.values()) == {Role.ADMIN: 7, Role.MEMBER: 18}
    assert len(images) == len({spec.name for spec in images}) == 115
    assert all(spec.permissions == {user: str(role) for user, role in roles.items()} for spec in images)
    assert images[0] == PackageSpec(
        name="linuxserver/airsonic",
        library_type=LibraryType.DOCKER,
        short_description="The container image airsonic",
        website="https://github.com/linuxserver/docker-airsonic",
        backend_url="https://ghcr.io/linuxserver/airsonic",
        public_url="https://lscr.io/linuxserver/airsonic",
        permissions=images[0].permissions,
    )
    assert (sources.name, sources.library_type) == ("sources", LibraryType.FILE)
    assert [route.template_path for route in sources.routes or ()] == [
        f"/{spec.name.removeprefix('linuxserver/')}/{{version}}.tar.gz" for spec in images
    ]
    assert sources.domains == ("sources.linuxserver.example",)


# Groups and people


def test_a_persons_own_entry_goes_before_a_groups(tmp_path: Path) -> None:
    """In whatever order they are, and however the person is spelled."""
    body = """
people: {bob: bob@example.com}
groups: {g: [ann, Bob]}
packages: [{name: w, permissions: {bob@example.com: member, group:g: admin, ANN: blocked}}]
"""
    assert only_package(read_body(body, tmp_path)).permissions == {
        "ANN": PermissionLevel.BLOCKED,
        "bob@example.com": PermissionLevel.MEMBER,
    }


def test_what_is_nearer_goes_before(tmp_path: Path) -> None:
    """A package's permissions go before its template's, and these before those of the template under it."""
    body = """
groups: {g: [ann, bob]}
templates:
  base: {permissions: {ann: blocked, bob: blocked, carol: blocked}}
  top: {template: base, permissions: {bob: member, ann: member}}
packages: [{name: w, template: top, permissions: {group:g: admin, bob: default}}]
"""
    assert only_package(read_body(body, tmp_path)).permissions == {
        "ann": PermissionLevel.ADMIN,
        "bob": PermissionLevel.DEFAULT,
        "carol": PermissionLevel.BLOCKED,
    }


def test_entries_that_agree_are_no_conflict(tmp_path: Path) -> None:
    """A person in two groups of one role, or said twice alike, is one member."""
    body = "groups: {a: [ann], b: [ANN]}\norganizations: {x: {members: {group:a: admin, group:b: admin}}}"
    assert read_body(body, tmp_path).organizations[0].members == {"ann": Role.ADMIN}


def test_members_known_by_address(tmp_path: Path) -> None:
    """An address in `members` stands for the username that `people` gives it."""
    body = """
people: {bob: bob@example.com}
groups: {g: [BOB@example.com]}
organizations: {x: {members: {group:g: owner}}}
"""
    assert read_body(body, tmp_path).organizations[0].members == {"bob": Role.OWNER}


# Templates


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("/{name}/{version}", "/web/{version}"),
        ("{{name}}", "{name}"),
        ("{{{name}}}", "{{name}}"),
        ("{{version}} {name}{name}", "{{version}} webweb"),
        ("{Name} {", "{Name} {"),
    ],
)
def test_braces(said: str, meant: str, tmp_path: Path) -> None:
    """Of all braces only `{name}` is filled, in templates and defaults; a package's own words are its own."""
    body = f'me: ann\ndefaults: {{website: "{said}"}}\npackages: [ann/web]'
    assert only_package(read_body(body, tmp_path)).website == meant
    body = f'packages: [{{name: web, website: "{said}"}}]'
    assert only_package(read_body(body, tmp_path)).website == said


def test_a_package_with_a_template_has_no_defaults(tmp_path: Path) -> None:
    """A template of its own takes the place of the defaults."""
    body = "templates: {t: {}}\ndefaults: {type: docker, domains: [a.example]}\npackages: [{name: w, template: t}]"
    assert only_package(read_body(body, tmp_path)) == PackageSpec(name="w")


def test_lists_take_each_others_place(tmp_path: Path) -> None:
    """An empty list of domains is none at all, whatever the defaults say."""
    body = "defaults: {domains: [a.example]}\npackages: [{name: w, domains: []}]"
    assert only_package(read_body(body, tmp_path)).domains == ()


def test_what_is_not_said_stays_unsaid(tmp_path: Path) -> None:
    """None is what nothing was said of; an empty table is something."""
    manifest = read_body("organizations: {x: {}, y: {members: {}, packages: []}}", tmp_path)
    assert manifest.organizations == (
        OrganizationSpec(name="x"),
        OrganizationSpec(name="y", members={}, packages=()),
    )
    assert manifest.packages is None


# YAML


def test_anchors(tmp_path: Path) -> None:
    """A list or table that has an anchor can be in other places too."""
    body = "groups: {a: &people [ann, bob], b: *people}\norganizations: {x: {members: {group:b: member}}}"
    assert read_body(body, tmp_path).organizations[0].members == {"ann": Role.MEMBER, "bob": Role.MEMBER}


def test_quoted_words_are_texts(tmp_path: Path) -> None:
    """Quotes, `!!str` and blocks make texts of what would be something else."""
    body = """
packages:
- 'no'
- "1"
- !!str 7
- |-
  2024-01-01
"""
    packages = read_body(body, tmp_path).packages
    assert [spec.name for spec in packages or ()] == ["no", "1", "7", "2024-01-01"]


def test_the_words_of_other_readers_are_refused(tmp_path: Path) -> None:
    """What YAML 1.1 or 1.2 takes for a number, a truth value, a date or nothing has to be quoted."""
    for word in ("No", "ON", "true", "1_000", "0x1F", "0o17", "1e3", ".5", "-.inf", ".NaN", "12:30", "2024-1-1"):
        assert first_problem(f"version: 1\nme: {word}", tmp_path) == (2, 5, "me"), word
    for word in ("nobody", "1a", "x1", "1-2", "v1.0", "null-null", "2024-1"):
        assert read_body(f"me: {word}", tmp_path).me == word


# Limits


@pytest.mark.parametrize(
    ("name", "limit", "message"),
    [
        ("large.json", 32, "the file is larger than 32 MiB$"),
        ("large.YML", 4, "the file is larger than 4 MiB, the most for YAML; as JSON it may have 32 MiB$"),
    ],
)
def test_a_large_file_is_refused(name: str, limit: int, message: str, tmp_path: Path) -> None:
    """What takes minutes to read is not read; YAML is the slowest."""
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(limit * 2**20 + 1)
    with pytest.raises(ManifestError, match=message):
        read_manifest(path)


def test_megabytes_of_aliases_are_refused_quickly(tmp_path: Path) -> None:
    """What aliases multiply is counted, and not made."""
    lines = ["a0: &a0 [" + ", ".join(["x"] * 100) + "]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 100) + "]" for i in range(1, 5000)]
    text = "version: 1\ngroups:\n  " + "\n  ".join(lines)
    assert 3_500_000 < len(text) < 4 * 2**20
    start = time.perf_counter()
    assert first_problem(text, tmp_path)[2] == ""
    assert time.perf_counter() - start < 5


def test_groups_that_multiply_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file cannot ask for millions of permissions."""
    monkeypatch.setattr(people, "_EXPANDED", 9_000)
    users = ", ".join(f"u{i}" for i in range(100))
    packages = "\n".join(f"  - p{i}" for i in range(100))
    body = f"groups: {{g: [{users}]}}\ndefaults: {{permissions: {{group:g: admin}}}}\npackages:\n{packages}"
    with pytest.raises(ManifestError, match="expand to more than 9,000 entries"):
        read_body(body, tmp_path)


def test_chains_are_no_recursion(tmp_path: Path) -> None:
    """Groups in groups and templates on templates may go deeper than the interpreter's stack."""
    groups = "\n".join(f"  g{i}: [group:g{i + 1}]" for i in range(3000))
    templates = "\n".join(f"  t{i}: {{template: t{i + 1}}}" for i in range(3000))
    body = f"""
groups:
{groups}
  g3000: [ann]
templates:
{templates}
  t3000: {{type: npm, permissions: {{group:g0: admin}}}}
packages: [{{name: w, template: t0}}]
"""
    package = only_package(read_body(body, tmp_path))
    assert package == PackageSpec(
        name="w", library_type=LibraryType.NPM, permissions={"ann": PermissionLevel.ADMIN}
    )


def test_ten_thousand_permissions_are_read_in_two_seconds(tmp_path: Path) -> None:
    """115 packages, each with the same 87 people, through a group."""
    users = "\n".join(f"    - user-{i}" for i in range(87))
    packages = "\n".join(f"      - package-{i}" for i in range(115))
    body = f"""
groups:
  all:
{users}
organizations:
  acme:
    defaults:
      permissions: {{group:all: member}}
    packages:
{packages}
"""
    start = time.perf_counter()
    (organization,) = read_body(body, tmp_path).organizations
    assert time.perf_counter() - start < 2
    assert sum(len(spec.permissions or ()) for spec in organization.packages or ()) == 10_005


# Places


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('version = 1\nme = """\n"]"""\n[organizations.a]\n"x" = 1', "organizations.a.x"),
        ("version = 1\n[[packages]]\nname='a'\n[[packages]]\n# no\n", "packages[1]"),
        ("version = 1\npackages = [\n 'a', # ]\n 7,\n]", "packages[1]"),
        ("version = 1\npackages = [{name = 'a', type = 1979-05-27 07:32:00}]", "packages[0].type"),
        ("version = 1\norganizations.a.members.x = true", "organizations.a.members.x"),
        (
            "version = 1\n[[packages]]\nname='a'\n[packages.permissions]\n'b' = ''",
            "packages[0].permissions.b",
        ),
    ],
)
def test_places_in_toml(text: str, path: str, tmp_path: Path) -> None:
    """Tables, arrays of tables, dotted keys, strings of several lines: problems are found by their path."""
    assert first_problem(text, tmp_path, "acme.toml") == (0, 0, path)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"version": 1,\n "me": "\\"]\\\\",\n\t"a":{}}', (3, 2, "a")),
        ('{"version": 1, "packages": [\r\n [], "a", {"name": -1.5E+10}]}', (2, 2, "packages[0]")),
        ('{"version": 1,\n"groups": {"\u2028{": [\n"a", true]}}', (3, 6, 'groups["\\u2028{"][1]')),
        ("[" * 100_000, (1, 65, "")),
        ('{"version": 1,\n "me": "ann}', (2, 8, "")),
    ],
)
def test_places_in_json(text: str, place: tuple[int, int, str], tmp_path: Path) -> None:
    """Problems are located, whatever texts hold and however deep it goes."""
    assert first_problem(text, tmp_path, "acme.json") == place


def test_an_unknown_format(tmp_path: Path) -> None:
    """The name's end says what is in a file."""
    with pytest.raises(ManifestError, match=r"must end in \.yaml, \.yml, \.json, \.toml"):
        read("version: 1", tmp_path, "acme.txt")


def test_yaml_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ruamel.yaml the error says what to install, and JSON is read all the same."""
    monkeypatch.setitem(sys.modules, "scarf_async.manifests.yamlfile", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'scarf-async\[manifests\]'"):
        read("version: 1", tmp_path)
    assert read('{"version": 1}', tmp_path, "acme.json") == Manifest()


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is the system's error."""
    with pytest.raises(FileNotFoundError):
        read_manifest(tmp_path / "none.yaml")


def test_many_problems_are_all_there(tmp_path: Path) -> None:
    """The message stops after a hundred, `.problems` after a thousand."""
    for count, told in ((150, 150), (5000, 1000)):
        text = "version: 1\n" + "\n".join(f"key-{i}: 1" for i in range(count))
        with pytest.raises(ManifestError) as caught:
            read(text, tmp_path)
        assert len(caught.value.problems) == told
        assert str(caught.value).endswith(f"\nand {told - 100} more problems")


def test_two_escapes_of_json_are_one_character(tmp_path: Path) -> None:
    """YAML reads a surrogate pair as JSON means it; half of one is refused."""
    file = tmp_path / "manifest.yaml"
    file.write_text('{"version": 1, "me": "\\ud83d\\ude00"}')
    assert read_manifest(file).me == "\U0001f600"
    file.write_text('{"version": 1, "me": "\\ude00\\ud83d"}')
    with pytest.raises(ManifestError, match="half of a surrogate pair"):
        read_manifest(file)
