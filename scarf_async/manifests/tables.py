"""Tables (CSV) beside the manifest: their rows become entries of the manifest. Pure.

The standard library's CSV reader gives no column numbers, so rows are split here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from scarf_async.entities import Importance, LibraryType, PermissionLevel, Role
from scarf_async.manifests.nodes import Kind, Place, Problems, Scalar, shown
from scarf_async.manifests.schema import DocumentDraft, OrganizationDraft, PackageDraft, RouteDraft
from scarf_async.manifests.shapes import OpenWord, Said, Shape, Text, Word, suggestion
from scarf_async.names import package_key

__all__ = ["TABLES", "add_tables", "parse_csv"]

_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"')
_BARE: Final = {separator: re.compile(rf"[^{separator}\r\n]*") for separator in ",;"}
_END: Final = re.compile(r"\r\n|\n|\r")
_NAME: Final = Text(name=True)
_TYPE: Final = OpenWord(LibraryType)


@attrs.frozen
class _Columns:
    """The required columns of a table, with a value in each row, and the optional ones."""

    needed: Mapping[str, Shape[Said]]
    others: Mapping[str, Shape[Said]]


TABLES: Final = {
    "members": _Columns({"organization": _NAME, "username": _NAME, "role": Word(Role)}, {}),
    "packages": _Columns(
        {"package": _NAME},
        {
            "organization": _NAME,
            "type": _TYPE,
            "short_description": Text(),
            "long_description": Text(),
            "website": Text(),
            "backend_url": Text(),
            "public_url": Text(),
            "repository_url": Text(),
            "importance": Word(Importance),
            "template": _NAME,
        },
    ),
    "permissions": _Columns(
        {"package": _NAME, "user": _NAME, "level": Word(PermissionLevel)}, {"organization": _NAME, "type": _TYPE}
    ),
    "routes": _Columns(
        {"package": _NAME, "template_path": _NAME, "outgoing_url": _NAME}, {"organization": _NAME, "type": _TYPE}
    ),
}
"""Packages first, since rows of other tables refer to them."""


def parse_csv(text: str, file: str, problems: Problems) -> Iterator[list[Scalar]]:
    """Return the rows including the header; empty lines are left out.

    Cells are separated by commas, or by semicolons if the first line has only these.

    Raises:
        ManifestError: a quoted cell does not end or something follows it, or the separator is ambiguous.
    """
    header = _END.split(text, 1)[0]
    if "," in header and ";" in header:
        raise problems.refuse(Place(file, 1, 1), "", "the first line has commas and semicolons; use one of them")
    separator = ";" if ";" in header else ","
    at, line, line_start = 0, 1, 0
    row: list[Scalar] = []
    while at < len(text):
        place = Place(file, line, at - line_start + 1)
        if text[at] == '"':
            cell = _QUOTED.match(text, at)
            if cell is None:
                raise problems.refuse(place, "", "this quoted cell does not end")
            row.append(Scalar(place, Kind.TEXT, cell[1].replace('""', '"')))
            if breaks := len(_END.findall(cell[0])):
                line += breaks
                line_start = at + max(cell[0].rfind("\n"), cell[0].rfind("\r")) + 1
        else:
            cell = _BARE[separator].match(text, at)
            assert cell is not None  # noqa: S101 # it matches the empty text too
            row.append(Scalar(place, Kind.TEXT, cell[0].strip()))
        at = cell.end()
        if text.startswith(separator, at):
            at += 1
            if at < len(text):
                continue
            row.append(Scalar(Place(file, line, at - line_start + 1), Kind.TEXT, ""))
        end = _END.match(text, at)
        if end is None and at < len(text):
            message = f"{shown(text[at])} follows a quoted cell; double the quotes that are part of it"
            raise problems.refuse(Place(file, line, at - line_start + 1), "", message)
        if any(cell.text for cell in row):
            yield row
        row = []
        if end is not None:
            at, line, line_start = end.end(), line + 1, end.end()


@attrs.frozen
class _Row:
    place: Place
    cells: Mapping[str, Said]


def _rows(kind: str, text: str, file: str, problems: Problems) -> Iterator[_Row]:
    columns = TABLES[kind]
    known = {**columns.needed, **columns.others}
    rows = parse_csv(text, file, problems)
    header = next(rows, None)
    if header is None:
        raise problems.refuse(Place(file), "", f"the table is empty; its first line names {', '.join(known)}")
    names = [cell.text.strip() for cell in header]
    if not _header(header, names, known, columns, problems):
        return
    for row in rows:
        place = row[0].place
        if len(row) > len(names):
            problems.add(row[len(names)].place, "", f"the row has {len(row)} cells, the first line {len(names)}")
            continue
        # An empty cell counts as missing.
        filled = [(name, cell) for name, cell in zip(names, row, strict=False) if cell.text]
        cells = {name: known[name].read(cell, name, problems) for name, cell in filled}
        missing = [name for name in columns.needed if name not in cells]
        for name in missing:
            problems.add(place, name, "the row says nothing here")
        if not missing and all(cells.values()):
            yield _Row(place, {name: said for name, said in cells.items() if said is not None})


def _header(
    header: list[Scalar],
    names: list[str],
    known: Mapping[str, Shape[Said]],
    columns: _Columns,
    problems: Problems,
) -> bool:
    """Check the names of the columns."""
    good = True
    for index, (cell, name) in enumerate(zip(header, names, strict=True)):
        if name in known and name not in names[:index]:
            continue
        good = False
        if name in known:
            problems.add(cell.place, name, "the column was already given")
        else:
            hint = suggestion(name, known) or f"; known here: {', '.join(known)}"
            problems.add(cell.place, "", f"{shown(name)} is an unknown column{hint}")
    for name in columns.needed:
        if name not in names:
            good = False
            problems.add(header[0].place, "", f"the column {shown(name)} is missing")
    return good


@attrs.define
class _Package:
    draft: PackageDraft
    permissions: list[tuple[Said, Said]] = attrs.field(factory=list)
    routes: list[RouteDraft] = attrs.field(factory=list)

    def done(self) -> PackageDraft:
        permissions = (
            (*(self.draft.permissions or ()), *self.permissions) if self.permissions else self.draft.permissions
        )
        routes = (*(self.draft.routes or ()), *self.routes) if self.routes else self.draft.routes
        return attrs.evolve(self.draft, permissions=permissions, routes=routes)


class _Owner:
    """An organization, or the user, with the packages of rows."""

    def __init__(self, name: str | None, packages: Iterable[PackageDraft] | None, problems: Problems) -> None:
        self._name = name
        self._problems = problems
        self.closed = packages is not None
        self.packages = [_Package(draft) for draft in packages or ()]
        self.members: list[tuple[Said, Said]] = []
        self._by_name: dict[str, list[_Package]] = {}
        for package in self.packages:
            self._by_name.setdefault(package_key(package.draft.name.text, name), []).append(package)

    def add(self, row: _Row) -> _Package:
        said = row.cells["package"]
        package = _Package(
            PackageDraft(
                place=row.place,
                path="",
                name=said,
                library_type=row.cells.get("type"),
                template=row.cells.get("template"),
                short_description=row.cells.get("short_description"),
                long_description=row.cells.get("long_description"),
                website=row.cells.get("website"),
                backend_url=row.cells.get("backend_url"),
                public_url=row.cells.get("public_url"),
                repository_url=row.cells.get("repository_url"),
                importance=row.cells.get("importance"),
            )
        )
        self.packages.append(package)
        self._by_name.setdefault(package_key(said.text, self._name), []).append(package)
        return package

    def find(self, row: _Row) -> _Package | None:
        """Return the package of a row; if none are declared, the row declares it."""
        said, word = row.cells["package"], row.cells.get("type")
        named = self._by_name.get(package_key(said.text, self._name), [])
        fits = [each for each in named if word is None or _type(each) in {None, word.text}]
        if len(fits) > 1:
            message = f"there are {len(fits)} packages {shown(said.text)}; say the type"
            self._problems.add(said.place, said.path, message)
            return None
        if fits:
            return fits[0]
        if not self.closed:
            return self.add(row)
        kind = "" if word is None or not named else f" of type {shown(word.text)}"
        hint = "" if named else suggestion(said.text, self._by_name)
        self._problems.add(said.place, said.path, f"there is no package {shown(said.text)}{kind} here{hint}")
        return None


def _type(package: _Package) -> str | None:
    return None if package.draft.library_type is None else package.draft.library_type.text


class _Tables:
    def __init__(self, document: DocumentDraft, problems: Problems) -> None:
        self._document = document
        self._problems = problems
        self._user = _Owner(None if document.me is None else document.me.text, document.packages, problems)
        self._owners = {
            name.text: _Owner(name.text, draft.packages, problems) for name, draft in document.organizations or ()
        }
        self._names: dict[str, Said] = {}

    def _owner(self, row: _Row) -> _Owner | None:
        """Return the owner of a row; if none are declared, the row declares it."""
        said = row.cells.get("organization")
        if said is None:
            return self._user
        if said.text not in self._owners:
            if self._document.organizations is not None:
                hint = suggestion(said.text, self._owners)
                message = f"the manifest has no organization {shown(said.text)}{hint}"
                self._problems.add(said.place, said.path, message)
                return None
            self._names[said.text] = said
            self._owners[said.text] = _Owner(said.text, None, self._problems)
        return self._owners[said.text]

    def add(self, kind: str, rows: Iterable[_Row]) -> None:
        for row in rows:
            owner = self._owner(row)
            if owner is None:
                continue
            if kind == "members":
                owner.members.append((row.cells["username"], row.cells["role"]))
            elif kind == "packages":
                owner.add(row)
            elif (package := owner.find(row)) is None:
                continue
            elif kind == "permissions":
                package.permissions.append((row.cells["user"], row.cells["level"]))
            else:
                package.routes.append(
                    RouteDraft(
                        place=row.place,
                        path="",
                        template_path=row.cells["template_path"],
                        outgoing_url=row.cells["outgoing_url"],
                    )
                )
        if kind == "packages":
            for owner in (self._user, *self._owners.values()):
                owner.closed = owner.closed or bool(owner.packages)

    def document(self) -> DocumentDraft:
        drafts = dict(self._document.organizations or ())
        drafts |= {said: OrganizationDraft(place=said.place, path=said.path) for said in self._names.values()}
        return attrs.evolve(
            self._document,
            organizations=tuple((said, self._organization(said, draft)) for said, draft in drafts.items()),
            packages=self._packages(self._user, self._document.packages),
        )

    def _organization(self, said: Said, draft: OrganizationDraft) -> OrganizationDraft:
        owner = self._owners[said.text]
        members = (*(draft.members or ()), *owner.members) if owner.members else draft.members
        return attrs.evolve(draft, members=members, packages=self._packages(owner, draft.packages))

    @staticmethod
    def _packages(owner: _Owner, said: tuple[PackageDraft, ...] | None) -> tuple[PackageDraft, ...] | None:
        return tuple(package.done() for package in owner.packages) or said


def add_tables(document: DocumentDraft, tables: Mapping[str, tuple[str, str]], problems: Problems) -> DocumentDraft:
    """Add the rows of tables to a document.

    A row must name an organization of the manifest, if it has any, and a package of that organization, if it has
    any.

    Args:
        document: the document.
        tables: members, packages, permissions, routes -> the text and the file's name.
        problems: records problems.
    """
    reader = _Tables(document, problems)
    for kind in ("packages", "members", "permissions", "routes"):
        if kind in tables:
            text, file = tables[kind]
            reader.add(kind, _rows(kind, text, file, problems))
    return reader.document()
