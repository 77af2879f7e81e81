"""What the package offers, what importing it costs, and which file may import what."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest

import scarf_async
from scarf_async import Scarf, ScarfEvent, entities, errors, events, resources
from scarf_async.dialects import v2
from scarf_async.exports import jobs

ROOT = Path(scarf_async.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
PURE = ("errors.py", "names.py", "text.py", "entities/", "protocol/", "dialects/")


@cache
def tree(path: Path) -> ast.Module:
    """Return a file parsed."""
    return ast.parse(path.read_text())


def place(path: Path) -> str:
    """Return where a file is in the package."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports, wherever in it."""
    package = ["scarf_async", *path.relative_to(ROOT).parts[:-1]]
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def tops(path: Path) -> set[str]:
    """Return the packages that a file imports from."""
    return {name.partition(".")[0] for name in imports(path)}


def within(name: str, module: str) -> bool:
    """Return whether a dotted name is a module, or something of it."""
    return name == module or name.startswith(f"{module}.")


def outside(*places: str) -> list[Path]:
    """Return the files that are not in these places."""
    return [path for path in FILES if not place(path).startswith(places)]


# Names.


def test_the_names_are_sorted_and_there() -> None:
    """`__all__` is in order, without doubles, and every name of it can be imported and is shown by `dir`."""
    names = scarf_async.__all__
    assert set(names) <= set(dir(scarf_async))
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(scarf_async, name)] == []
    for constants in (True, False):
        kind = [name for name in names if name.isupper() == constants and name[0].isupper()]
        assert kind == sorted(kind)


def test_nothing_else_is_offered() -> None:
    """Whatever the package imports from itself for its users is in `__all__`."""
    source = ast.parse((ROOT / "__init__.py").read_text())
    imported = {
        alias.asname or alias.name
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scarf_async")
        for alias in node.names
    }
    assert imported == set(scarf_async.__all__)


@pytest.mark.parametrize(
    "name",
    [
        *errors.__all__,
        *entities.__all__,
        *jobs.__all__,
        *(
            kind.__name__
            for kind in vars(events).values()
            if isinstance(kind, type) and issubclass(kind, ScarfEvent)
        ),
        "Scarf",
        "RetryPolicy",
        "__version__",
    ],
)
def test_what_a_user_meets_is_exported(name: str) -> None:
    """Every public error, entity, event and option can be imported from the package itself."""
    assert name in scarf_async.__all__


def test_every_class_of_the_data_is_public() -> None:
    """No class of the errors' or the entities' modules is missing from their own lists."""
    for module in (errors, entities):
        classes = {name for name, value in vars(module).items() if isinstance(value, type) and name[0] != "_"}
        own = {name for name in classes if getattr(module, name).__module__.startswith(module.__name__)}
        assert own - set(module.__all__) == set()


def test_every_list_is_true() -> None:
    """What a module names in `__all__` is there."""
    for path in FILES:
        body = tree(path).body
        defined = set().union(*map(_defined, body))
        lists = [node.value for node in body if isinstance(node, ast.Assign) and _defined(node) == {"__all__"}]
        missing = {name for value in lists for name in ast.literal_eval(value)} - defined
        assert missing == set(), place(path)


def test_what_others_take_is_on_the_list() -> None:
    """A name that one module imports from another is in the `__all__` of that one."""
    lists = {
        dotted(path): set(ast.literal_eval(node.value))
        for path in FILES
        for node in tree(path).body
        if isinstance(node, ast.Assign) and _defined(node) == {"__all__"}
    }
    taken = {tuple(name.rpartition(".")[::2]) for path in FILES for name in imports(path) if name not in MODULES}
    assert {f"{module}.{name}" for module, name in taken if name not in lists.get(module, {name})} == set()


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.If):
        return set().union(*map(_defined, node.body))
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    if isinstance(node, ast.AnnAssign):
        return {ast.unparse(node.target)}
    return {ast.unparse(target) for target in node.targets} if isinstance(node, ast.Assign) else set()


def test_every_module_says_what_it_is() -> None:
    """A module begins with a docstring."""
    assert [place(path) for path in FILES if not ast.get_docstring(tree(path))] == []


PLACES = [
    "",
    ".bulk",
    ".data",
    ".emulator",
    ".entities",
    ".errors",
    ".events",
    ".exports",
    ".imports",
    ".manifests",
    ".observe",
    ".observe.otel",
    ".testing",
]
PUBLIC = {f"scarf_async{place}": list(import_module(f"scarf_async{place}").__all__) for place in PLACES}


def test_every_public_name_is_described() -> None:
    """A class or a function has a docstring, a constant or an alias is followed by one."""
    described = {"__version__"}
    for path in FILES:
        for node, following in zip_longest(body := tree(path).body, body[1:]):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                described |= {node.name} if ast.get_docstring(node) else set()
            elif isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                described |= _defined(node)
    assert {name for names in PUBLIC.values() for name in names} - described == set()


def test_every_public_name_is_used() -> None:
    """Each is met in a test, in an example or in the documentation, beside the lists of names."""
    root = Path(__file__).parents[1]
    files = [file for place in ("tests", "examples", "docs") for file in (root / place).rglob("*")]
    texts = [file for file in (*files, root / "README.md") if file.suffix in {".py", ".md"}]
    words = {word for file in texts if file != Path(__file__) for word in re.findall(r"\w+", file.read_text())}
    assert {(module, name) for module, names in PUBLIC.items() for name in names if name not in words} == set()


# What importing costs.


def test_importing_the_package_imports_no_extras() -> None:
    """Neither the emulator nor what only an extra brings is loaded before it is asked for."""
    probe = "import sys; from scarf_async import *; print(*sorted(sys.modules), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    loaded = done.stdout.split()
    assert "scarf_async.client" in loaded
    extras = ("scarf_async.emulator", "scarf_async.testing", "scarf_async.cli", "pyarrow", "typer", "rich")
    readers = ("duckdb", "pandas", "psycopg", "fsspec", "obstore", "distributed", "dlt")
    others = ("opentelemetry", "prometheus_client", "pytest", "trustme", "aiohttp.web")
    for extra in (*extras, "scarf_async.observe", *readers, *others):
        assert [name for name in loaded if within(name, extra)] == []


def test_a_name_costs_what_it_needs() -> None:
    """Nothing is loaded unasked: errors do not bring the client, nor the client what v2 or exports need."""
    large = ("errors", "entities.exports", "entities.pixels", "client", "dialects.v2.requests")
    probe = (
        f"import sys, scarf_async; {{}}; print(*(n for n in {large} if f'scarf_async.{{{{n}}}}' in sys.modules))"
    )
    for use, loaded in (
        ("pass", []),
        ("scarf_async.ScarfError", ["errors"]),
        ("scarf_async.Event", ["errors", "entities.exports"]),
        ("scarf_async.Scarf", ["errors", "client"]),
    ):
        done = subprocess.run([sys.executable, "-c", probe.format(use)], check=True, capture_output=True, text=True)
        assert done.stdout.split() == loaded, use


def test_what_every_program_imports_is_made_quickly() -> None:
    """Below the groups of calls classes are msgspec's, made in a tenth of the time, but for what users make."""
    made = {
        node.name
        for path in FILES
        if place(path).startswith(("protocol/", "dialects/", "http/", "sending/"))
        for node in tree(path).body
        if isinstance(node, ast.ClassDef) and any("attrs." in ast.unparse(one) for one in node.decorator_list)
    }
    assert made == {"RetryPolicy"}


def test_names_that_are_loaded_later_are_listed() -> None:
    """A shell completes them."""
    probe = "from scarf_async import entities; print({*entities.__all__} - {*dir(entities)})"
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("group", [Scarf, *(vars(resources)[name] for name in resources.__all__)])
def test_annotations_of_calls_can_be_read(group: type) -> None:
    """Tools that read them when they run find the classes, also those that are loaded later."""
    for call in filter(inspect.isfunction, vars(group).values()):
        assert "return" in get_type_hints(call), call


@pytest.mark.parametrize("module", [scarf_async, entities, v2])
def test_a_name_that_is_not_there_is_missed_as_everywhere(module: ModuleType) -> None:
    """A module's own error is raised, and names the name."""
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'Scraf'"):
        getattr(module, "Scraf")  # noqa: B009 # a type checker would refuse it


# Who imports what.


def test_only_the_transport_speaks_http() -> None:
    """Only the room of HTTP imports aiohttp, the client for a type, and the emulator and the pytest plugin."""
    files = outside("http/", "client.py", "testing.py", "emulator/")
    assert [place(path) for path in files if "aiohttp" in tops(path)] == []


def test_the_pure_modules_are_pure() -> None:
    """The protocol, the entities and the errors know neither the event loop nor a socket nor a clock."""
    pure = [path for path in FILES if place(path).startswith(PURE)]
    assert len(pure) > len(PURE)
    for path in pure:
        assert not tops(path) & {"asyncio", "anyio", "aiohttp", "socket", "ssl", "tenacity", "time"}, place(path)
        assert not {name for name in imports(path) if within(name, "scarf_async.clock")}, place(path)


def test_the_emulator_stands_apart() -> None:
    """It takes nothing of the SDK but the enums, so that the two can disagree."""
    for path in set(FILES) - set(outside("emulator/")):
        taken = {name for name in imports(path) if within(name, "scarf_async")}
        allowed = ("scarf_async.emulator", "scarf_async.entities.enums")
        assert {name for name in taken if not any(within(name, module) for module in allowed)} == set(), place(path)


def test_nobody_but_tests_and_tools_needs_the_emulator() -> None:
    """Outside of it, only the pytest plugin and the command line import the emulator."""
    for path in outside("emulator/", "cli/", "testing.py"):
        assert not {name for name in imports(path) if within(name, "scarf_async.emulator")}, place(path)


FLOORS = (
    ("version", "errors", "names", "text", "clock"),
    ("checks", "files", "events", "entities"),
    ("settings", "observe", "emulator"),
    ("protocol",),
    ("dialects", "http"),
    ("sending",),
    ("resources",),
    ("exports", "bulk"),
    ("imports", "manifests", "data"),
    ("client",),
    ("testing", "dlt", "distributed"),
    ("cli",),
    ("__main__",),
)
"""The rooms from the ground up. The package's own `__init__` gathers the public names, and is above them all."""


def dotted(path: Path) -> str:
    """Return a file's dotted name."""
    return ".".join(["scarf_async", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")


MODULES = {dotted(path): path for path in FILES}


def imported(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, hidden in a function or for type checkers too."""
    found = {name if name in MODULES else name.rpartition(".")[0] for name in imports(path)}
    return found & set(MODULES)


def floor(module: str) -> int:
    """Return how far above the ground a module is."""
    room = f"{module}.".split(".")[1]
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), len(FLOORS))


def test_every_room_has_a_floor() -> None:
    """And each floor's rooms exist: nothing escapes the rule because nobody thought of it."""
    rooms = {module.split(".")[1] for module in MODULES if module != "scarf_async"}
    assert sorted(rooms) == sorted(room for floor in FLOORS for room in floor)


def test_imports_go_downwards() -> None:
    """A file imports from its own room and from rooms on lower floors, every file."""
    upwards = {
        (module, name)
        for module, path in MODULES.items()
        for name in imported(path)
        if name.split(".")[1:2] != module.split(".")[1:2] and floor(name) >= floor(module)
    }
    assert upwards == set()


def test_no_import_goes_round_in_a_circle() -> None:
    """Nor does one that hides in a function, or is for type checkers only."""
    TopologicalSorter({module: imported(path) - {module} for module, path in MODULES.items()}).prepare()


WIRE_NAMES = {
    "billingEmail",
    "libraryType",
    "permissionLevel",
    "userQuery",
    "outgoingUrl",
    "templatePath",
    "repositoryURL",
    "packageType",
    "startDate",
    "start_date",
}


def test_wire_names_stand_in_one_place() -> None:
    """Only the tables of endpoints and the wire know them, for a second dialect to come beside."""
    for path in outside("dialects/", "emulator/"):
        nodes = ast.walk(tree(path))
        strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        assert strings & WIRE_NAMES == set(), place(path)
