"""Tables beside a manifest, and instead of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from scarf_async.entities import LibraryType, PermissionLevel, Role, RouteCreate
from scarf_async.errors import ManifestError
from scarf_async.manifests import read_manifest
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.manifests.nodes import Problems
from scarf_async.manifests.tables import parse_csv

MEMBERS = "organization,username,role\nacme,ann,owner\nacme,bob,member\n"
PERMISSIONS = (
    "organization,package,type,user,level\nacme,web,docker,ann,admin\nacme,web,,bob,member\n,own,,ann,admin\n"
)
ROUTES = 'organization,package,template_path,outgoing_url\nacme,files,/a,"https://a.example/?x=1,2"\n'

MEANT = Manifest(
    organizations=(
        OrganizationSpec(
            name="acme",
            members={"ann": Role.OWNER, "bob": Role.MEMBER},
            packages=(
                PackageSpec(
                    name="web",
                    library_type=LibraryType.DOCKER,
                    permissions={"ann": PermissionLevel.ADMIN, "bob": PermissionLevel.MEMBER},
                ),
                PackageSpec(name="files", routes=(RouteCreate("https://a.example/?x=1,2", "/a"),)),
            ),
        ),
    ),
    packages=(PackageSpec(name="own", permissions={"ann": PermissionLevel.ADMIN}),),
)


def write(directory: Path, **texts: str) -> Path:
    """Write tables into a directory."""
    for name, text in texts.items():
        (directory / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
    return directory


def test_tables_instead_of_a_manifest(tmp_path: Path) -> None:
    """A directory with tables declares what their rows name; an empty organization is the user."""
    assert read_manifest(write(tmp_path, members=MEMBERS, permissions=PERMISSIONS, routes=ROUTES)) == MEANT


def test_tables_as_spreadsheets_save_them(tmp_path: Path) -> None:
    """A byte order mark, semicolons, Windows' line ends, empty lines and columns in any order do no harm."""
    members = "\ufeffrole;username;organization\r\nowner;ann;acme\r\n;;\r\n\r\nmember;bob;acme"
    permissions = PERMISSIONS.replace(",", ";").replace("\n", "\r\n")
    assert read_manifest(write(tmp_path, members=members, permissions=permissions, routes=ROUTES)) == MEANT


def test_tables_beside_a_manifest(tmp_path: Path) -> None:
    """Rows add to what the manifest says, and may mention its groups and packages."""
    (tmp_path / "acme.yaml").write_text("""
version: 1
groups: {all: [ann, bob]}
templates: {image: {type: docker, backend_url: "https://ghcr.io/acme/{name}"}}
organizations:
  acme:
    members: {ann: owner}
    packages: [{name: acme/web, permissions: {ann: admin}}]
tables: {members: people.csv, permissions: permissions.csv, packages: packages.csv}
""")
    write(
        tmp_path,
        people="organization,username,role\nacme,group:all,member\n",
        permissions="organization,package,user,level\nacme,web,group:all,member\nacme,api,bob,admin\n",
        packages="organization,package,template,short_description\nacme,api,image,The API\n",
    )
    (organization,) = read_manifest(tmp_path / "acme.yaml").organizations
    assert organization == OrganizationSpec(
        name="acme",
        members={"ann": Role.OWNER, "bob": Role.MEMBER},
        packages=(
            PackageSpec(name="acme/web", permissions={"ann": PermissionLevel.ADMIN, "bob": PermissionLevel.MEMBER}),
            PackageSpec(
                name="api",
                library_type=LibraryType.DOCKER,
                short_description="The API",
                backend_url="https://ghcr.io/acme/api",
                permissions={"bob": PermissionLevel.ADMIN},
            ),
        ),
    )


def test_a_directory_with_a_manifest_and_tables(tmp_path: Path) -> None:
    """In a directory both are found by their names."""
    (tmp_path / "manifest.json").write_text('{"version": 1, "me": "ann", "organizations": {"acme": {}}}')
    manifest = read_manifest(write(tmp_path, members=MEMBERS))
    assert manifest.me == "ann"
    assert manifest.organizations[0].members == {"ann": Role.OWNER, "bob": Role.MEMBER}


def test_a_directory_without_anything(tmp_path: Path) -> None:
    """An empty directory is not a manifest, and two manifests are none either."""
    with pytest.raises(ManifestError, match=r"has none of manifest\.yaml"):
        read_manifest(tmp_path)
    for name in ("manifest.yaml", "manifest.json"):
        (tmp_path / name).write_text("version: 1")
    with pytest.raises(ManifestError, match=r"has \"manifest\.yaml\" and \"manifest\.json\"; keep one"):
        read_manifest(tmp_path)


def test_an_empty_table(tmp_path: Path) -> None:
    """A table needs its first line; rows it may lack."""
    with pytest.raises(ManifestError, match="the file is empty"):
        read_manifest(write(tmp_path, members=""))
    with pytest.raises(ManifestError, match="its first line names organization, username, role"):
        read_manifest(write(tmp_path, members=",,\n"))
    assert read_manifest(write(tmp_path, members="organization,username,role\n")) == Manifest()


def test_cells_know_their_places() -> None:
    """Lines and columns are those of the text, after quotes and line breaks in cells too."""
    text = 'a,b\n"x\ny ""z""",2\r\n3,"4"\n5,'
    cells = [
        (cell.text, cell.place.line, cell.place.column)
        for row in parse_csv(text, "t.csv", Problems())
        for cell in row
    ]
    assert cells == [
        ("a", 1, 1),
        ("b", 1, 3),
        ('x\ny "z"', 2, 1),
        ("2", 3, 10),
        ("3", 4, 1),
        ("4", 4, 3),
        ("5", 5, 1),
        ("", 5, 3),
    ]


def test_a_quote_that_does_not_end(tmp_path: Path) -> None:
    """The cell is named where it begins."""
    with pytest.raises(ManifestError, match=r"members\.csv:3:6: this quoted cell does not end"):
        read_manifest(write(tmp_path, members='organization,username,role\nacme,ann,admin\nacme,"bob,admin\n'))
