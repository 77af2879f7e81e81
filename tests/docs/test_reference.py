"""What the pages name exists, and what exists is named."""

from __future__ import annotations

import inspect
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest
from ruamel.yaml import YAML

import scarf_async
from scarf_async import ExportKind, errors
from scarf_async.exports.group import Exports
from scarf_async.protocol.messages import api_error

from .commands import COMMANDS, options, reference
from .pages import DOCS, blocks

PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
COMMAND_LINE = "reference/command-line.md"


def text_of(page: str) -> str:
    """Return a page."""
    return (DOCS / page).read_text("utf-8")


def words_of(line: str) -> list[str] | None:
    """Return the words of a command as a shell takes them apart; None where it is none of ours."""
    _, name, rest = line.partition("scarf-async ")
    if not name or line.startswith("pip"):
        return None
    words = shlex.split(rest.replace("\\\n", " "), comments=True)
    return words[: next((place for place, word in enumerate(words) if word in {"&&", "|"}), len(words))]


def commands_of(page: str) -> list[list[str]]:
    """Return the commands of a page: those in blocks, and those in the text."""
    lines = [
        line.removeprefix("$ ")
        for block in blocks(page)
        if block.language in {"sh", "console"}
        for line in block.text.replace("\\\n", " ").splitlines()
        if block.language == "sh" or line.startswith("$ ")
    ]
    lines += re.findall(r"`(scarf-async [^`]+)`", text_of(page))
    return [words for line in lines if (words := words_of(line)) is not None]


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page: str) -> None:
    """Every command that a page shows is one, and has the options that it is shown with."""
    for words in commands_of(page):
        named = [" ".join(["scarf-async", *words[:length]]) for length in (1, 2)]
        command = next((name for name in COMMANDS if name in named), None)
        if command is None:  # a group of commands, in the text
            assert any(name.startswith(f"{named[0]} ") for name in COMMANDS), f"{page}: {shlex.join(words)}"
        else:
            given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
            assert given <= {*options(COMMANDS[command]), "--help"}, f"{page}: {shlex.join(words)}"


def test_the_command_line_is_as_described() -> None:
    """The page of the commands is what the commands say; `python -m tests.docs.commands` writes it."""
    page = text_of(COMMAND_LINE)
    assert page == reference(), f"write it again: python -m tests.docs.commands docs/{COMMAND_LINE}"
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == list(COMMANDS)
    assert {"scarf-async plan", "scarf-async export job", "scarf-async members set"} <= COMMANDS.keys()
    assert "`--output`, `-o` `PLAN`" in page


def test_every_extra_is_on_the_page_of_installing() -> None:
    """With what it takes on the disk; those of this project's own work are not for users."""
    extras = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+ MB) \|$", text_of("how-to/install.md"), re.MULTILINE))
    assert extras.keys() - {"benchmarks", "conformance", "docs", "test"} <= rows.keys()


def test_every_error_has_its_entry() -> None:
    """The catalogue has each class of error once, and no other: when it comes, what it means, what to do."""
    classes = {
        name
        for name in errors.__all__
        if isinstance(found := getattr(errors, name), type) and issubclass(found, Exception)
    }
    entries = re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text_of("errors.md"), re.MULTILINE | re.DOTALL)
    assert Counter(name for name, _ in entries) == Counter(classes)
    for name, entry in entries:
        assert re.findall(r"^- \*\*(.*?)\.\*\* \S", entry, re.MULTILINE) == [
            "When",
            "What it means",
            "What to do",
        ], name


def test_the_catalogue_knows_what_an_error_is() -> None:
    """An entry that says which error it is one of, or with which status it comes, says the truth."""
    for name, line in re.findall(r"^### (\w+)\n\n(An? .*)$", text_of("errors.md"), re.MULTILINE):
        for base in re.findall(r"`(\w+)`", line):
            assert issubclass(getattr(errors, name), getattr(errors, base, None) or TimeoutError), (name, base)
        for status in re.findall(r"\b(\d\d\d)\b", line):
            assert api_error(int(status)).__name__ == name


def test_every_public_name_has_its_place() -> None:
    """Each name of the package, and nothing that is not there, is on one page of the reference."""
    places = Counter(name for page in PAGES for name in re.findall(r"^::: (\S+)$", text_of(page), re.MULTILINE))
    assert [name for name, count in places.items() if count > 1] == []
    public = {f"scarf_async.{name}" for name in scarf_async.__all__ if name != "__version__"}
    assert public - places.keys() == set()
    assert {name for name in places if name.count(".") == 1} == public


def calls() -> Iterator[tuple[str, str, list[str]]]:
    """Yield the public functions and methods of the reference: name, docstring, parameters."""
    for page in PAGES:
        for name in re.findall(r"^::: (\S+)$", text_of(page), re.MULTILINE):
            found = resolve_name(name)
            bases = found.__mro__ if isinstance(found, type) else ()
            members = {
                key: inspect.getattr_static(found, key)
                for base in bases
                if base.__module__.startswith("scarf_async")
                for key in vars(base)
                if not key.startswith("_")
            }
            for called, value in (members or {"": found}).items():
                function = getattr(value, "__func__", value)
                if inspect.isfunction(function):
                    parameters = [
                        key for key in inspect.signature(function).parameters if key not in {"self", "cls"}
                    ]
                    yield f"{name}.{called}".rstrip("."), inspect.getdoc(function) or "", parameters


def test_every_call_says_more_than_one_line() -> None:
    """The hint of an editor describes the arguments of a public call, or the errors that it raises."""
    found = {name: doc for name, doc, parameters in calls() if parameters}
    assert {"scarf_async.BulkPlan.load", "scarf_async.read_manifest", "scarf_async.data.read"} <= found.keys()
    assert [name for name, doc in found.items() if not re.search(r"^(Args|Raises):$", doc, re.MULTILINE)] == []


def test_every_page_is_in_the_navigation() -> None:
    """The navigation names every page once, and none that is not there."""
    configuration = YAML(typ="safe", pure=True).load(Path(DOCS.parent / "mkdocs.yml"))
    assert sorted(_leaves(configuration["nav"])) == PAGES
    assert configuration["theme"]["font"] is False


def _leaves(node: object) -> list[str]:
    if isinstance(node, str):
        return [node]
    assert isinstance(node, dict | list)
    return [leaf for child in (node.values() if isinstance(node, dict) else node) for leaf in _leaves(child)]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """A link to another page, or to a heading of one, finds it."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)", text_of(page)):
        file = (DOCS / page).parent / target if target else DOCS / page
        assert file.is_file(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w]+", "-", heading.lower()).strip("-") for heading in headings}, anchor


def test_the_files_of_the_architecture_exist() -> None:
    """Each file and room that the page names is there."""
    named = set(
        re.findall(r"`((?:[a-z_0-9]+/)*(?:[a-z_0-9]+\.py|[a-z_0-9]+/))`", text_of("explanation/architecture.md"))
    )
    package = Path(scarf_async.__file__).parent
    assert len(named) > 40
    assert {name for name in named if not (package / name).exists() and not (DOCS.parent / name).exists()} == set()


def test_every_command_writes_json() -> None:
    """Programs need no other way to read what a command says."""
    assert [words for words, command in COMMANDS.items() if "--json" not in options(command)] == [
        "scarf-async help"
    ]


@pytest.mark.parametrize("name", [*ExportKind, "company_events", "pixel_rollup"])
def test_every_export_says_what_it_raises(name: str) -> None:
    """A reader of the reference, or of an editor's hint, need not look elsewhere."""
    said = inspect.getdoc(getattr(Exports, name)) or ""
    assert "Raises:" in said
    assert "Args:" in said
