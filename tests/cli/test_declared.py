"""`scarf-async plan`, `apply`, `pull`, `copy`, `validate` and `schema`, as a shell runs them."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from security.terminal import at_terminal

from scarf_async import (
    Changes,
    GuardError,
    Manifest,
    ManifestError,
    OrganizationSpec,
    OrganizationUpsert,
    Scarf,
    manifest_schema,
    read_manifest,
)
from scarf_async.cli.applying import ApplyOptions
from scarf_async.cli.manifests import serialize
from scarf_async.cli.options import ClientOptions
from scarf_async.emulator import Emulator, Quirks
from scarf_async.emulator.answers import JSON
from scarf_async.emulator.faults import FaultRule

from .shell import TOKEN, environment, files_in, finish, invoke, of, run, run_on_terminal, start, until

ACME = """
version: 1
organizations:
  acme:
    description: Tools
    members: {ann: admin}
    packages:
      - name: web
        type: file
        short_description: The web client
        permissions: {ann: admin, bob: member}
        routes: [{template_path: /x, outgoing_url: "https://x.example"}]
        domains: [dl.example]
"""
CHANGES = 7
BILLED = ACME.replace("description: Tools", "description: Tools\n    billing_email: b@b.example")
LOADED: dict[str, JSON] = {"organizations": [{"name": "acme", "billingEmail": "b@b.example"}]}
WORKS = Quirks(permissions_of_organizations="works")


@pytest_asyncio.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An empty server."""
    async with Emulator(token=TOKEN) as emulator:
        yield emulator


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    """The name of a manifest's file."""
    return written(tmp_path, ACME)


def written(directory: Path, text: str) -> str:
    """Write a manifest; return the name of its file."""
    file = directory / "acme.yaml"
    file.write_text(text)
    return str(file)


async def applied(emulator: Emulator, manifest: str) -> None:
    """Apply a manifest without the command line."""
    async with Scarf(TOKEN, base_url=emulator.url) as scarf:
        (await scarf.manifests.apply(await scarf.manifests.diff(read_manifest(manifest)))).raise_for_failures()


def writes(emulator: Emulator) -> list[str]:
    """Return the requests that were no questions."""
    return [request.method for request in emulator.requests if request.method != "GET"]


async def test_from_a_manifest_to_no_difference(emulator: Emulator, manifest: str, tmp_path: Path) -> None:
    """Plan, apply, plan again; the difference is on standard output, status 4 tells that there is one."""
    planned = await invoke("plan", manifest, "--detailed-exitcode", env=of(emulator))
    assert (planned.status, planned.err) == (4, "")
    lines = planned.out.decode().splitlines()
    assert lines[0] == "acme"
    assert "      + permission bob: member" in lines
    assert lines[-1] == f"{CHANGES} to create"
    assert (await invoke("plan", manifest, env=of(emulator))).status == 0
    assert writes(emulator) == []
    done = await run("apply", manifest, "--yes", "--journal", str(tmp_path / "j"), env=of(emulator))
    assert (done.status, done.out) == (0, b""), done.err
    assert f"{CHANGES} done; " in done.err
    again = await invoke("plan", manifest, "--detailed-exitcode", env=of(emulator))
    assert (again.status, again.out) == (0, b"no changes\n")


async def test_why_a_run_stopped_is_said(emulator: Emulator, manifest: str) -> None:
    """Where the service asks to wait too long, nothing has failed, and all that is left was skipped."""
    emulator.faults.add(FaultRule("POST", "*", None, 429, retry_after=3600))
    done = await invoke("apply", manifest, "--yes", env=of(emulator))
    assert done.status == 1
    assert f"{CHANGES} skipped; " in done.err
    assert "Stopped: the service asks to wait 3600 s" in done.err


async def test_json(emulator: Emulator, manifest: str) -> None:
    """Of a difference and of the outcome of it; nothing else is on standard output."""
    planned = json.loads((await invoke("plan", manifest, "--json", env=of(emulator))).out)
    assert len(planned["changes"]) == CHANGES
    told = json.loads((await invoke("apply", manifest, "--yes", "--json", env=of(emulator))).out)
    assert (told["ok"], told["counts"]["done"]) == (True, CHANGES)


async def test_a_kept_plan_is_applied_as_it_is(emulator: Emulator, manifest: str, tmp_path: Path) -> None:
    """Whatever the manifest says by then; what has moved since refuses all of it, with status 3."""
    plan = str(tmp_path / "acme.txt")
    assert (await invoke("plan", manifest, "-o", plan, env=of(emulator))).status == 0
    (planned, shown) = [
        (await invoke(*words, env=of(emulator))).out for words in (["plan", manifest], ["show", plan])
    ]
    assert planned == shown
    listed = await invoke("show", plan, "--markdown", env={})
    assert (listed.status, listed.out.decode().splitlines()[0]) == (0, f"**{CHANGES} to create**")
    assert (await invoke("show", plan, "--markdown", "--json", env={})).status == 2
    written(tmp_path, "version: 2")
    refused = await invoke("apply", plan, "--prune", "--yes", env=of(emulator))
    assert (refused.status, writes(emulator)) == (2, [])
    assert (await invoke("apply", plan, "--yes", env=of(emulator))).status == 0
    moved = await invoke("apply", plan, "--yes", env=of(emulator))
    assert moved.status == 3
    assert "compare again" in moved.err
    elsewhere = await invoke("apply", plan, "--yes", env=environment("http://127.0.0.1:9"))
    assert elsewhere.status == 2
    assert emulator.url in elsewhere.err


async def test_a_plan_that_a_journal_needs_is_not_replaced(tmp_path: Path) -> None:
    """Another run began the journal while the question waited: its plan stays, and nothing is sent."""
    journal, kept = tmp_path / "acme.journal", tmp_path / "acme.journal.plan"
    journal.write_bytes(b"begun")
    kept.write_bytes(b"of the other run")
    connection = ClientOptions(base_url="http://127.0.0.1:9")
    async with Scarf(TOKEN, base_url=connection.base_url) as scarf:
        with pytest.raises(GuardError, match=r"belongs to other changes"):
            await ApplyOptions(yes=True, journal=journal).carry_out(scarf, Changes(), connection=connection)
    assert kept.read_bytes() == b"of the other run"


async def test_nothing_is_applied_unasked(emulator: Emulator, manifest: str) -> None:
    """Without a terminal and --yes: status 3; a dry run: the difference, and status 0. Neither changes anything."""
    refused = await invoke("apply", manifest, env=of(emulator))
    assert (refused.status, refused.out) == (3, b"")
    assert "--yes" in refused.err
    dry = await invoke("apply", manifest, "--dry-run", env=of(emulator))
    assert dry.status == 0
    assert "+ organization acme" in dry.err
    assert "nothing was changed" in dry.err
    told = await invoke("apply", manifest, "--dry-run", "--json", env=of(emulator))
    assert len(json.loads(told.out)["changes"]) == CHANGES
    assert writes(emulator) == []


async def test_the_question_comes_after_the_difference(emulator: Emulator, manifest: str) -> None:
    """No leaves everything as it is; yes applies it."""
    status, shown = await run_on_terminal("apply", manifest, env=of(emulator), answer=b"no\n")
    assert (status, writes(emulator)) == (3, [])
    assert shown.index("organization") < shown.index(f"Make these {CHANGES} changes? [y/N]")
    status, shown = await run_on_terminal("apply", manifest, env=of(emulator, NO_COLOR="1"), answer=b"y\n")
    assert status == 0, shown
    assert f"{CHANGES} done" in shown
    assert "\x1b[3" not in shown


async def test_a_difference_is_coloured_for_people(emulator: Emulator, manifest: str) -> None:
    """Green for what is created, on a terminal only; with $NO_COLOR there is no escape at all."""
    _, coloured = await at_terminal("plan", manifest, env=of(emulator))
    assert "\x1b[32m+ member " in coloured
    _, plain = await at_terminal("plan", manifest, env=of(emulator), no_color="1")
    assert "\x1b" not in plain


async def test_removals_are_guarded(emulator: Emulator, manifest: str, tmp_path: Path) -> None:
    """--prune removes what a section does not name; more than --max-removals is refused with status 3."""
    await applied(emulator, manifest)
    less = re.sub(", bob: member|\\{template.*\\}", "", ACME)
    written(tmp_path, less)
    emulator.requests.clear()
    planned = await invoke("plan", manifest, "--prune", env=of(emulator))
    # The token's user has the organization and is not in the file.
    assert "! organization acme would be left without an owner" in planned.out.decode()
    written(tmp_path, less.replace("    members: {ann: admin}\n", ""))
    refused = await invoke("apply", manifest, "--prune", "--yes", "--max-removals", "1", env=of(emulator))
    assert (refused.status, writes(emulator)) == (3, []), refused.err
    assert "--max-removals as given is 1: check" in refused.err
    done = await invoke("apply", manifest, "--prune", "--yes", "--max-removals", "2", env=of(emulator))
    assert done.status == 0, done.err


async def test_what_failed_is_a_line(emulator: Emulator, manifest: str) -> None:
    """Status 1, and for each failure a line with tabs on standard output: the outcome of what, and why."""
    emulator.faults.add(FaultRule("POST", "*/domains", action=422))
    failed = await invoke("apply", manifest, "--yes", env=of(emulator))
    assert failed.status == 1, failed.err
    ((outcome, change, why),) = [line.split("\t") for line in failed.out.decode().splitlines()]
    assert (outcome, change) == ("failed", "+ domain acme/web/dl.example")
    assert "422" in why
    assert f"{CHANGES - 1} done, 1 failed" in failed.err


@pytest.mark.parametrize(("arguments", "permissions"), [(("--replace",), 0o640), (("--keep",), 0o600)])
async def test_who_may_read_a_pulled_file_stays(
    emulator: Emulator, manifest: str, tmp_path: Path, arguments: tuple[str, ...], permissions: int
) -> None:
    """The file that takes its place is as open as it was, and a link stays one; a plan is its owner's alone."""
    assert (await invoke("apply", manifest, "--yes", env=of(emulator))).status == 0
    file, link, plan = tmp_path / "pulled.yaml", tmp_path / "link.yaml", tmp_path / "plan"
    for place in (file, plan):
        place.write_text("version: 1\n")
        place.chmod(permissions)
    link.symlink_to("pulled.yaml")
    pulled = await invoke("pull", "acme", "-o", str(link), *arguments, env=of(emulator))
    assert pulled.status == 0, pulled.err
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == permissions
    assert read_manifest(file).organizations
    assert (await invoke("plan", manifest, "-o", str(plan), env=of(emulator))).status == 0
    assert plan.stat().st_mode & 0o777 == 0o600


def many(tmp_path: Path, packages: int) -> str:
    """Write a manifest that takes a while to apply."""
    names = "".join(f"\n      - {{name: p{place}, type: npm}}" for place in range(packages))
    file = tmp_path / "many.yaml"
    file.write_text(f"version: 1\norganizations:\n  acme:\n    packages:{names}\n")
    return str(file)


@pytest.mark.parametrize("times", [1, 2])
async def test_an_interrupted_apply_goes_on(emulator: Emulator, tmp_path: Path, times: int) -> None:
    """Ctrl-C: status 130 and the command that goes on, which does the rest and doubles nothing."""
    manifest, journal = many(tmp_path, 40), tmp_path / "a journal"
    emulator.faults.latency = 0.1
    if times == 2:
        # One is in progress until the second.
        emulator.faults.add(FaultRule("POST", "*", 8, "hang"))
    arguments = ("apply", manifest, "--yes", "--journal", str(journal), "--concurrency", "2", "--timeout", "3")
    process = start(*arguments, env=of(emulator))
    await until(lambda: len(writes(emulator)) > 7)
    process.send_signal(signal.SIGINT)
    if times == 2:
        assert process.stderr is not None
        stderr = process.stderr
        while b"again stops at once" not in await asyncio.to_thread(stderr.readline):
            pass
        process.send_signal(signal.SIGINT)
    done = await finish(process)
    assert done.status == 130, done.err
    again = shlex.split(done.err.partition("to continue: scarf-async ")[2].splitlines()[0])
    assert again[:3] == ["apply", f"{journal}.plan", "--yes"]
    emulator.faults.latency = 0
    refused = await invoke(*arguments, env=of(emulator))
    assert refused.status == 3
    assert f"{journal}.plan" in refused.err
    rest = await invoke(*again, env=of(emulator))
    assert rest.status == 0, rest.err
    async with Scarf(TOKEN, base_url=emulator.url) as scarf:
        assert sorted(package.name for package in await scarf.packages.list("acme")) == sorted(
            f"p{place}" for place in range(40)
        )


async def test_how_far_it_is_is_seen_on_a_terminal(emulator: Emulator, tmp_path: Path) -> None:
    """A line that moves; Ctrl-C on the terminal says what it does and, without a journal, how to go on."""
    emulator.faults.latency = 0.1
    interrupt = asyncio.Event()

    async def press() -> None:
        await until(lambda: len(writes(emulator)) > 12)
        interrupt.set()

    pressing = asyncio.create_task(press())
    arguments = ("apply", many(tmp_path, 40), "--yes", "--concurrency", "2")
    status, shown = await run_on_terminal(*arguments, env=of(emulator), interrupt=interrupt)
    await pressing
    assert status == 130, shown
    assert re.search(r"\d+ of 41 changes \(\d+%\)  \d+ requests", shown)
    assert "Ctrl-C again stops at once" in shown
    assert "to continue: scarf-async " in shown


async def test_pull(emulator: Emulator, manifest: str, tmp_path: Path) -> None:
    """To standard output or into a file, as YAML or JSON; with --keep the file's own words stay."""
    await applied(emulator, manifest)
    piped = await invoke("pull", "acme", "--format", "json", env=of(emulator))
    file = tmp_path / "pulled.json"
    file.write_bytes(piped.out)
    (organization,) = read_manifest(file).organizations
    assert (organization.name, organization.description) == ("acme", "Tools")
    assert b"organizations:\n  acme:" in (await invoke("pull", "acme", env=of(emulator))).out
    kept = tmp_path / "kept.yaml"
    kept.write_text("version: 1\npeople: {ann: ann@example.com}\norganizations: {acme: {}}\n")
    done = await invoke("pull", "acme", "-o", str(kept), "--keep", env=of(emulator))
    assert (done.status, done.out) == (0, b""), done.err
    assert "1 organization, 2 members, 1 package" in done.err
    assert read_manifest(kept).people == {"ann": "ann@example.com"}
    for wrong in (("--keep",), ("-o", str(kept), "--format", "json")):
        assert (await invoke("pull", "acme", *wrong, env=of(emulator))).status == 2


async def test_pull_replaces_no_file_unasked(emulator: Emulator, manifest: str, tmp_path: Path) -> None:
    """What someone wrote is not lost by a word too few: status 3, nothing written, and what to say is said."""
    await applied(emulator, manifest)
    file = tmp_path / "acme.yaml"
    file.write_text("version: 1 # mine\n")
    refused = await invoke("pull", "acme", "-o", str(file), env=of(emulator))
    assert (refused.status, file.read_text()) == (3, "version: 1 # mine\n")
    assert "--keep" in refused.err
    assert (await invoke("pull", "acme", "-o", str(file), "--keep", "--replace", env=of(emulator))).status == 2
    done = await invoke("pull", "acme", "-o", str(file), "--replace", env=of(emulator))
    assert done.status == 0, done.err
    assert read_manifest(file).organizations[0].name == "acme"


def test_what_cannot_be_said_is_no_fault_of_a_file() -> None:
    """A problem of what goes to standard output names no file, which nobody could look into."""
    with pytest.raises(ManifestError) as refused:
        serialize(Manifest(organizations=(OrganizationSpec(name="a\x1b"),)), "yaml")
    assert {problem.file for problem in refused.value.problems} == {"standard output"}


async def test_copy(emulator: Emulator, manifest: str, tmp_path: Path) -> None:
    """Under another name, with other names inside; a token for one server is not sent to another."""
    await applied(emulator, manifest)
    names = tmp_path / "names.toml"
    names.write_text('[members]\nbob = ""\n[packages]\nweb = "site"\n[domains]\n"dl.example" = "test.example"\n')
    emulator.requests.clear()
    dry = await invoke("copy", "acme", "acme-test", "--map", str(names), "--dry-run", env=of(emulator))
    assert (dry.status, writes(emulator)) == (0, [])
    done = await invoke("copy", "acme", "acme-test", "--map", str(names), "--yes", env=of(emulator))
    assert done.status == 0, done.err
    pulled = await invoke("pull", "acme-test", env=of(emulator))
    assert b"name: site" in pulled.out
    assert b"test.example" in pulled.out
    assert b"bob" not in pulled.out
    refused = await invoke("copy", "acme", "x", "--to-url", "http://127.0.0.1:9", "--yes", env=of(emulator))
    assert refused.status == 2
    assert "--to-token-file" in refused.err


@pytest.mark.parametrize(("here", "there"), [("v1", "v1"), ("v1", "v2"), ("v2", "v1"), ("v2", "v2")])
async def test_copy_to_another_server(here: str, there: str, emulator: Emulator, tmp_path: Path) -> None:
    """The copy is written there with the token and in the version for there, and nothing here."""
    await applied(emulator, written(tmp_path, BILLED))
    emulator.requests.clear()
    async with Emulator(token="other-token", load=LOADED, quirks=WORKS) as other:
        token = tmp_path / "token"
        token.write_text("other-token")
        token.chmod(0o600)
        url = other.url if there == "v1" else other.v2_url
        where = ("--to-url", url, "--to-token-file", str(token), "--api", here, "--to-api", there)
        done = await invoke("copy", "acme", "acme", *where, "--yes", env=of(emulator))
        assert done.status == 0, done.err
        assert writes(emulator) == []
        base = url.removeprefix(other.url.removesuffix("/api/v1"))
        assert {one.path.startswith(base) for one in other.requests} == {True}
        async with Scarf("other-token", base_url=other.url) as scarf:
            assert [package.name for package in await scarf.packages.list("acme")] == ["web"]


@pytest.mark.parametrize(("here", "there"), [("v1", "v2"), ("v2", "v1")])
async def test_copy_between_versions_of_one_server(
    here: str, there: str, emulator: Emulator, tmp_path: Path
) -> None:
    """With one token: what is read in one version is written in the other, and then nothing is left to do."""
    emulator.quirks = WORKS
    await applied(emulator, written(tmp_path, BILLED))
    async with Scarf(emulator.token, base_url=emulator.url) as scarf:
        await scarf.organizations.create(
            OrganizationUpsert(name="acme-two", description="", billing_email="b@b.example")
        )
    emulator.requests.clear()
    versions = ("--api", here, "--to-api", there, "--yes")
    done = await invoke("copy", "acme", "acme-two", *versions, env=of(emulator))
    assert done.status == 0, done.err
    assert {one.path.startswith("/v2/") for one in emulator.requests if one.method != "GET"} == {there == "v2"}
    again = await invoke("copy", "acme", "acme-two", *versions, env=of(emulator))
    assert "There was nothing to change" in again.err
    onto = await invoke("copy", "acme", "acme", *versions, env=of(emulator))
    assert (onto.status, "onto itself" in onto.err) == (2, True)


async def test_validate_names_all_problems(manifest: str, tmp_path: Path) -> None:
    """Each is a line with its place on standard output, and the status is 1; what is right is summed up."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\norganizations:\n  acme:\n    members: {ann: king}\n    wings: 2\n")
    done = await invoke("validate", manifest, str(wrong), str(tmp_path / "missing.yaml"), env={**environment("")})
    assert done.status == 1
    problems = done.out.decode().splitlines()
    assert len(problems) == 3
    assert problems[0].startswith(f"{wrong}:4:")
    assert "missing.yaml" in problems[2]
    assert f"{manifest}: 1 organization, 1 member, 1 package, 2 permissions, 1 route, 1 domain" in done.err
    planned = await invoke("plan", str(wrong), env=environment("http://127.0.0.1:9"))
    assert (planned.status, planned.err.count("scarf-async: ")) == (2, 2)
    assert files_in(tmp_path) == ["acme.yaml", "wrong.yaml"]


async def test_schema() -> None:
    """It is JSON."""
    done = await invoke("schema", env=environment(""))
    assert json.loads(done.out) == manifest_schema()
