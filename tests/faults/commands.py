"""The commands of the command line that call the service, by the rows of the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from scarf_async import ApiVersion
from scarf_async.cli.naming import as_typed

from .bench import TOKEN, Bench, Done
from .calls import AT, HOME, PIXELS, RANGE, Call, makes
from .world import PACKAGE

__all__ = ["MANIFEST", "REPORTED", "ROWS", "command_calls"]

MANIFEST: Final = "version: 1\norganizations:\n  home:\n    members: {ann: admin}\n"
"""What `plan` and `apply` are given, in a file named `manifest.yaml`."""
ROWS: Final = '{"$time": "2024-01-01T00:00Z", "$unique_id": "u"}\n'
"""What `imports send` is given, in a file named `rows.ndjson`."""
REPORTED: Final = "reported"
"""How a command ends whose report tells of an error, which names no class."""

_DAYS: Final = ("--start", RANGE[0], "--end", RANGE[1])
_MONTH: Final = ("--start", "2024-01-01", "--end", "2024-01-31")

Judge = Callable[[Bench, Done], str]


def _ended(_: Bench, done: Done) -> str:
    """Say how a command ended, by its status and by what it says on standard error."""
    said = done.err.splitlines()
    if TOKEN in done.err + done.out.decode() or "Traceback" in done.err:
        return "it shows what it should not"
    if done.status == 0:
        return "ok"
    if done.status != 1:
        return f"status {done.status}: {done.err}"
    if done.error is None:
        return REPORTED
    notes = getattr(done.error, "__notes__", [])
    expected = [as_typed(str(done.error), done.error), *map(as_typed, notes)]
    if said[-len(expected) :] != [f"scarf-async: {line}" for line in expected]:
        return f"it does not say what happened: {done.err}"
    name = type(done.error).__name__
    return "unknown" if name == "OutcomeUnknownError" else name


def _shows(bench: Bench, done: Done) -> str:
    """Say how a command ended that has something to show."""
    ended = _ended(bench, done)
    return "nothing to show" if ended == "ok" and not done.out else ended


def _copies(bench: Bench, done: Done) -> str:
    """Say how a command ended that writes what the service sends."""
    ended = _ended(bench, done)
    return "not what was sent" if ended == "ok" and done.out != bench.service.bodies[-1] else ended


def _applies(bench: Bench, done: Done) -> str:
    """Say what its report, in JSON, says of the first change, for which all others wait."""
    ended = _ended(bench, done)
    if ended not in {"ok", REPORTED}:
        return ended
    run = json.loads(done.out)["bulk"]
    status = str(run["outcomes"][0]["status"])
    if (status == "succeeded") != (ended == "ok"):
        return f"{status}, and status {done.status}"
    if status == "skipped" and run["resume_after"] is not None:
        return "later"
    return {"succeeded": "ok", "failed": REPORTED}.get(status, status)


def _command(
    method: str,
    path: str,
    *arguments: str,
    row: str = "",
    judge: Judge = _ended,
    version: ApiVersion = "v1",
) -> Call:
    def run(bench: Bench) -> str:
        places = {
            "MANIFEST": str(bench.directory / "manifest.yaml"),
            "ROWS": str(bench.directory / "rows.ndjson"),
            "FRESH": str(bench.fresh()),
        }
        return judge(bench, bench.invoke(*(places.get(word, word) for word in arguments)))

    name = f"$ {' '.join(arguments)}".replace(PACKAGE, "PACKAGE")
    if arguments[0] == "imports" or arguments[1] in {"company-events", "pixel-rollup"}:
        return Call(row, name, method, path, run, version="v2")
    if row.startswith(("events", "aggregates", "saved")):
        return Call(row, name, method, path, run, version="v3" if "insights" in path else "v1")
    usual, stands = makes(method, path, version, renames="--name" in arguments)
    return Call(row or usual, name, method, path, run, stands, version)


def command_calls() -> list[Call]:
    """Return the commands."""
    return [*_questions(), *_changes(), *_exports(), *_imports()]


def _imported(bench: Bench, done: Done) -> str:
    """Say the outcome of the only batch."""
    ended = _ended(bench, done)
    return "unknown" if ended == REPORTED and b"\tunknown\t" in done.out else ended


def _imports() -> list[Call]:
    send = ("imports", "send", "ROWS", "--owner", "home", "--package", PACKAGE, "--no-wait")
    of_home, one = ("--owner", "home"), "imports/home/i1"
    company = ("export", "company-events", "corp.example", *of_home, *_DAYS)
    return [
        _command("POST", f"packages/home/{PACKAGE}/import", *send, row="import", judge=_imported),
        _command("GET", "imports/home", "imports", "list", *of_home, row="read", judge=_shows),
        _command("GET", one, "imports", "get", "i1", *of_home, row="read", judge=_shows),
        _command("POST", f"{one}/abort", "imports", "abort", "i1", *of_home, row="state"),
        _command("GET", f"{one}/log", "imports", "log", "i1", *of_home, row="aggregates", judge=_shows),
        _command("GET", "companies/home/corp.example/events", *company, row="events", judge=_copies),
        _command(
            "GET",
            "companies/home/pixel-rollup",
            *("export", "pixel-rollup", *of_home, *_DAYS),
            row="rollup",
            judge=_copies,
        ),
    ]


def _questions() -> list[Call]:
    return [
        _command("GET", HOME, "orgs", "get", "home", judge=_shows),
        _command("GET", f"{HOME}/users", "members", "list", "home", judge=_shows),
        _command("GET", f"{HOME}/users", "members", "get", "home", "ann", judge=_shows),
        _command("GET", f"{HOME}/packages", "packages", "list", "home", judge=_shows),
        _command("GET", AT, "packages", "get", PACKAGE, judge=_shows),
        _command("GET", f"{AT}/permissions", "permissions", "list", PACKAGE, judge=_shows),
        _command("GET", f"{AT}/routes", "routes", "list", PACKAGE, judge=_shows),
        _command("GET", f"{AT}/routes", "routes", "get", PACKAGE, "r1", judge=_shows),
        _command("GET", f"{AT}/domains", "domains", "list", PACKAGE, judge=_shows),
        _command("GET", f"{AT}/domains", "domains", "get", PACKAGE, "d1", judge=_shows),
        _command("GET", f"{HOME}/users", "plan", "MANIFEST", "--json", judge=_shows),
        _command("GET", HOME, "pull", "home", judge=_shows),
    ]


def _changes() -> list[Call]:
    create = ("packages", "create", "anvil", "--type", "file")
    return [
        _command("POST", "organizations", "orgs", "create", "acme", judge=_shows),
        _command("PUT", HOME, "orgs", "update", "home", "--description", "new", judge=_shows),
        _command("PUT", HOME, "orgs", "update", "home", "--name", "house", judge=_shows),
        _command("POST", f"{HOME}/users", "members", "set", "home", "ann", "admin", judge=_shows),
        _command("DELETE", f"{HOME}/users/ann", "members", "remove", "home", "ann", "--yes"),
        _command("POST", "packages", *create, judge=_shows),
        _command("POST", f"{HOME}/packages", *create, "--organization", "home", judge=_shows),
        _command("PUT", AT, "packages", "update", PACKAGE, "--short-description", "new", judge=_shows),
        _command("DELETE", AT, "packages", "delete", PACKAGE, "--yes"),
        _command("POST", f"{AT}/permissions", "permissions", "set", PACKAGE, "bob", "admin"),
        _command("POST", f"{AT}/routes", "routes", "add", PACKAGE, "/x", "https://x.example/", judge=_shows),
        _command("DELETE", f"{AT}/routes/r1", "routes", "delete", PACKAGE, "r1", "--yes"),
        _command("POST", f"{AT}/domains", "domains", "add", PACKAGE, "x.example", judge=_shows),
        _command("DELETE", f"{AT}/domains/d1", "domains", "delete", PACKAGE, "d1", "--yes"),
        _command("POST", f"{HOME}/users", "apply", "MANIFEST", "--yes", "--json", row="apply", judge=_applies),
        _command("POST", "organizations", "copy", "bare", "acme", "--yes", "--json", row="copy", judge=_applies),
        _command(
            "PUT",
            f"{HOME}/members/ann",
            *("apply", "MANIFEST", "--yes", "--json", "--api", "v2"),
            row="apply",
            judge=_applies,
            version="v2",
        ),
        # v2 creates no organizations: the copy goes into one that is there.
        _command(
            "POST",
            "packages/home",
            *("copy", "bare", "home", "--yes", "--json", "--api", "v2"),
            row="copy",
            judge=_applies,
            version="v2",
        ),
    ]


def _exports() -> list[Call]:
    events = f"packages/home/{PACKAGE}/events"
    package = ("export", "package-events", "home", PACKAGE, *_DAYS)
    sums = f"{HOME}/aggregates"
    of_home = ("export", "aggregates", "--organization", "home", *_DAYS)
    counts = "insights/home/aggregations/export"
    of_v3 = ("export", "aggregations", "--owner", "home", *_DAYS)
    return [
        _command("GET", f"{events}/events.csv", *package, row="events", judge=_copies),
        _command("GET", events, *package, "--api", "v2", row="events", judge=_copies),
        _command("GET", f"{events}/events.csv", *package, "-o", "FRESH", row="saved events"),
        _command(
            "GET", "packages/home/events", "export", "owner-events", "home", *_DAYS, row="events", judge=_copies
        ),
        _command("GET", PIXELS, "export", "pixel-events", *_DAYS, row="events", judge=_copies),
        _command("GET", sums, *of_home, "--format", "csv", row="aggregates", judge=_shows),
        _command("GET", sums, *of_home, "-o", "FRESH", row="saved aggregates"),
        _command("GET", counts, *of_v3, "--format", "csv", row="aggregates", judge=_shows),
        _command("GET", counts, *of_v3, "-o", "FRESH", row="saved aggregates"),
        _command(
            "GET",
            "packages/home/events",
            *("export", "job", "owner_events", "home", *_MONTH, "--directory", "FRESH"),
            row="saved events",
        ),
    ]
