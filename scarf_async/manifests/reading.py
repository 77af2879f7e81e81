"""Read manifests from files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path, PurePath
from typing import Final

from scarf_async.errors import ConfigurationError
from scarf_async.manifests.expand import expand
from scarf_async.manifests.jsonfile import parse_json
from scarf_async.manifests.model import VERSION, Manifest
from scarf_async.manifests.nodes import Kind, Node, Place, Problems, Scalar, Table, shown
from scarf_async.manifests.schema import DOCUMENT, DocumentDraft, TablesDraft
from scarf_async.manifests.shapes import Said
from scarf_async.manifests.tables import TABLES, add_tables
from scarf_async.manifests.tomlfile import parse_toml

__all__ = ["needs_yaml", "parse_manifest", "read_manifest"]

SIZE_LIMIT: Final = 32 * 2**20
# The YAML parser takes about ten seconds per MiB.
YAML_LIMIT: Final = 4 * 2**20
_YAML: Final = (".yaml", ".yml")
_SUFFIXES: Final = (*_YAML, ".json", ".toml")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ENCODINGS: Final = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read_manifest(path: str | PathLike[str]) -> Manifest:
    """Read a manifest from a file or directory.

    The ending of the name selects the format: `.yaml`, `.yml`, `.json` or `.toml`. A directory contains one file
    named `manifest` with one of these endings, or tables, or both.

    ```yaml
    version: 1
    groups:
      maintainers: [ann, bob]
    templates:
      image:
        type: docker
        backend_url: https://ghcr.io/acme/{name}
        permissions: {group:maintainers: admin}
    organizations:
      acme:
        members: {group:maintainers: admin, carol: member}
        defaults: {template: image}
        packages: [web, {name: worker, website: https://worker.example}]
    tables: {routes: routes.csv}
    ```

    - `group:NAME` means everybody in a group, as a key of `members` and `permissions`, in another group, and in
      tables. A person's own entry takes precedence over that of a group.
    - `{name}` in templates and defaults is the package's name without the owner's prefix; `{{name}}` is a literal
      `{name}`, and other braces are kept. Nothing is replaced in the values of a package itself.
    - Values of a package take precedence over those of its template, or of `defaults` if it names none, and these
      over the templates that they name. `permissions` are merged, with the nearest entry for each person; lists are
      replaced as a whole.
    - `tables` names CSV files next to the manifest: `members`, `packages`, `permissions`, `routes`. If a directory
      is read, files with these names are used by default. Their rows are added to the manifest.
    - YAML: anchors and aliases are supported, tags and merge keys (`<<`) are not; values such as `no` and `1.0`
      must be quoted where a string is expected.

    Args:
        path: the file or directory.

    Returns:
        The manifest, with groups and templates expanded.

    Raises:
        ManifestError: it lists all problems, each with file, line and column (in TOML, only syntax errors have a
            line).
        ConfigurationError: the file is YAML and ruamel.yaml is not installed.
        OSError: the file cannot be read.
    """
    source = Path(path)
    problems = Problems()
    if source.is_dir():
        document, names = _directory(source, problems)
    else:
        document = parse_manifest(_text(source, fspath(path), problems), fspath(path), problems)
        names = {}
    directory = source if source.is_dir() else source.parent
    if document.tables is not None:
        names |= _named(document.tables, directory, problems)
    texts = {kind: (_text(file, str(file), problems), str(file)) for kind, file in names.items()}
    if texts:
        document = add_tables(document, texts, problems)
    manifest = expand(document, problems)
    if problems:
        raise problems.error()
    return manifest


def _directory(source: Path, problems: Problems) -> tuple[DocumentDraft, dict[str, Path]]:
    names = {kind: file for kind in TABLES if (file := source / f"{kind}.csv").is_file()}
    files = [file for suffix in _SUFFIXES if (file := source / f"manifest{suffix}").is_file()]
    place = Place(str(source))
    if len(files) > 1:
        found = " and ".join(shown(file.name) for file in files)
        raise problems.refuse(place, "", f"the directory has {found}; keep one of them")
    if not files and not names:
        wanted = ", ".join((*(f"manifest{suffix}" for suffix in _SUFFIXES), *(f"{kind}.csv" for kind in TABLES)))
        raise problems.refuse(place, "", f"the directory has none of {wanted}")
    if not files:
        return DocumentDraft(place=place, path="", version=VERSION), names
    return parse_manifest(_text(files[0], str(files[0]), problems), str(files[0]), problems), names


def _named(tables: TablesDraft, directory: Path, problems: Problems) -> dict[str, Path]:
    """Return the files of the tables that a manifest names; none may be outside its directory."""
    files = {}
    for kind in TABLES:
        said: Said | None = getattr(tables, kind)
        if said is None:
            continue
        if PurePath(said.text).is_absolute() or ".." in PurePath(said.text).parts:
            problems.add(said.place, said.path, f"{shown(said.text)} is not in the manifest's directory")
        elif not (directory / said.text).is_file():
            problems.add(said.place, said.path, f"there is no file {shown(said.text)} next to the manifest")
        else:
            files[kind] = directory / said.text
    return files


def _text(source: Path, name: str, problems: Problems) -> str:
    is_yaml = source.suffix.lower() in _YAML
    limit = YAML_LIMIT if is_yaml else SIZE_LIMIT
    with source.open("rb") as file:
        data = file.read(limit + 1)
    place = Place(name)
    if len(data) > limit:
        hint = f", the most for YAML; as JSON it may have {SIZE_LIMIT // 2**20} MiB" if is_yaml else ""
        raise problems.refuse(place, "", f"the file is larger than {limit // 2**20} MiB{hint}")
    if data[:2] in _ENCODINGS:
        raise problems.refuse(place, "", "the file is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].removeprefix(b"\xef\xbb\xbf").decode()
        byte = data[error.start]
        message = f"the file is not UTF-8: found the byte 0x{byte:02x}"
        raise problems.refuse(Place.after(before, name), "", message) from None
    if control := _CONTROL.search(text):
        message = f"found the control character U+{ord(control.group()):04X}, which is not allowed"
        raise problems.refuse(Place.after(text[: control.start()], name), "", message)
    if not text.strip():
        raise problems.refuse(place, "", "the file is empty")
    return text


def parse_manifest(text: str, file: str, problems: Problems) -> DocumentDraft:
    """Parse a text, without expanding it.

    Raises:
        ManifestError: the text cannot be parsed, or has another version.
    """
    root = _parse(text, file, problems)
    if root is None:
        raise problems.refuse(Place(file), "", "the file is empty")
    _check_version(root, problems)
    document = DOCUMENT.read(root, "", problems)
    if document is None:
        raise problems.error()
    return document


def _parse(text: str, file: str, problems: Problems) -> Node | None:
    suffix = PurePath(file).suffix.lower()
    if suffix == ".json":
        return parse_json(text, file, problems)
    if suffix == ".toml":
        return parse_toml(text, file, problems)
    if suffix not in _SUFFIXES:
        raise problems.refuse(Place(file), "", f"a manifest's name must end in {', '.join(_SUFFIXES)}")
    with needs_yaml():
        from scarf_async.manifests.yamlfile import parse_yaml  # noqa: PLC0415 # an extra
    return parse_yaml(text, file, problems)


@contextmanager
def needs_yaml() -> Iterator[None]:
    """Convert a missing ruamel.yaml to an error that says what to install."""
    try:
        yield
    except ImportError as error:
        raise ConfigurationError(
            f"YAML needs ruamel.yaml: pip install 'scarf-async[manifests]' ({error})"
        ) from None


def _check_version(root: Node, problems: Problems) -> None:
    """Refuse a file with a newer version first: other problems in it may not be any."""
    for key, said in root.pairs if isinstance(root, Table) else ():
        if key.text != "version" or not isinstance(said, Scalar) or said.kind is not Kind.NUMBER:
            continue
        # Shortened, since int() refuses thousands of digits.
        if said.text.isdecimal() and int(said.text[:9]) > VERSION:
            message = (
                f"the file is of version {said.text[:9]}; this scarf-async reads version {VERSION}: use a newer one"
            )
            raise problems.refuse(said.place, "version", message)
