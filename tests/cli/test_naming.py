"""What an error tells to set can be set where it is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import Status
from scarf_async.emulator import Emulator, FaultRule
from scarf_async.errors import AuthenticationError, BulkError, ManifestError, ManifestProblem, ScarfError

from .shell import RANGE, TOKEN, answer, environment, invoke, of, server_of


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """Return a local service that takes the token."""
    async with Emulator(token=TOKEN) as emulator:
        yield emulator


def said(error: Exception, *options: str) -> str:
    """Return what a command that has two limits and the options of a client says of an error."""
    app = typer.Typer()

    @app.command()
    @command
    def fail(*, patience: float = 1.0, connection: ClientOptions) -> Status:
        raise error

    return CliRunner().invoke(app, options).stderr.removeprefix("scarf-async: ").rstrip("\n")


@pytest.mark.parametrize(
    ("of_the_sdk", "typed"),
    [
        ("longer than max_record_bytes (7); raise it", "longer than --max-record-bytes (7); raise it"),
        ("give it as ca_file.", "give it as --ca-file."),
        ("ca_file '/x' cannot be read", "--ca-file '/x' cannot be read"),
        ("longer than patience=600.0", "longer than --patience 600.0"),
        ("needs api='v2'; then", "needs --api v2; then"),
        ("timeout must be a number", "--timeout must be a number"),
        ("export_timeout must be a number", "--timeout must be a number"),
        ('needs api="v2"; then', "needs --api v2; then"),
        ("not sent: stop was set", "not sent: interrupted"),
        # No option of this command, or someone's text.
        ("max_removals is 3", "max_removals is 3"),
        ("the timeout of the service, and its api", "the timeout of the service, and its api"),
        ("column 'x': 'see api=v2' is not a number", "column 'x': 'see api=v2' is not a number"),
        ("the service's ca_file, the users' ca_file", "the service's --ca-file, the users' --ca-file"),
        ("GET https://x/?api=v2&ca_file=y: late", "GET https://x/?api=v2&ca_file=y: late"),
        ("/etc/ca_file: no such file", "/etc/ca_file: no such file"),
        ("ca_file.pem, 'ca_file', my-ca_file", "ca_file.pem, 'ca_file', my-ca_file"),
        ("check the token (SCARF_API_TOKEN)", "check the token (SCARF_API_TOKEN)"),
    ],
)
def test_names_are_options_of_the_command(of_the_sdk: str, typed: str) -> None:
    """A parameter is named as its option; words, paths, quoted texts and what the command lacks stay."""
    assert said(ScarfError(of_the_sdk)) == typed


WORDS = "no api=v1\nhere, ca_file (SCARF_API_TOKEN)"


def refusal() -> AuthenticationError:
    """Return a response whose words are like names of parameters."""
    return AuthenticationError(WORDS, status=401, method="GET", url="https://x/a?api=v2", code="ca_file")


def test_words_of_the_service_stay() -> None:
    """Of what it answered nothing is translated, also where another error quotes it; our advice is."""
    about = f"GET https://x/a?api=v2: 401 Unauthorized: {WORDS} [ca_file]; check the token".replace("\n", "\\n")
    assert said(refusal(), "--token-file", "t") == f"{about} (--token-file)"
    behind = ScarfError(f"ca_file, then {refusal()}")
    behind.__cause__ = refusal()
    assert said(behind, "--token-file", "t") == f"--ca-file, then {about} (--token-file)"
    group = BulkError(f"{refusal()}", [refusal()])
    assert said(group, "--token-file", "t").startswith(f"{about} (--token-file)")


async def test_a_report_quotes_the_service(tmp_path: Path) -> None:
    """So it is in the lines of a job."""
    words = "no start=1 package=foo here"
    body = json.dumps({"message": words}).encode()
    directory = str(tmp_path / "job")
    async with server_of(answer(body, "application/json", status="403 Forbidden")) as (url, _):
        job = await invoke(
            "export", "job", "owner_events", "acme", *RANGE, "--directory", directory, env=environment(url)
        )
    assert (job.status, words in job.err) == (1, True), job.err


def test_a_token_of_a_file_is_not_looked_for_in_a_variable() -> None:
    """With --token-file the advice is about the file."""
    assert said(ScarfError("check the token (SCARF_API_TOKEN)"), "--token-file", "t") == (
        "check the token (--token-file)"
    )


def test_a_manifest_is_quoted_as_it_is() -> None:
    """Its problems are about its own words."""
    problem = ManifestProblem("a.yaml", 1, 1, "ca_file", "is an unknown key")
    assert said(ManifestError([problem])) == "a.yaml:1:1: ca_file: is an unknown key"


async def test_a_record_that_is_too_long(emulator: Emulator, tmp_path: Path) -> None:
    """What the error names lets it pass, in a single export and in a job."""
    one = ("export", "owner-events", "emulator-user", *RANGE)
    directory = tmp_path / "job"
    job = ("export", "job", "owner_events", "emulator-user", *RANGE, "--directory", str(directory))
    await _package(emulator)
    for arguments in (one, job):
        refused = await invoke(*arguments, "--max-record-bytes", "9", env=of(emulator))
        assert refused.status == 1
        assert "is longer than --max-record-bytes (9)" in refused.err
        assert (await invoke(*arguments, "--max-record-bytes", "1000000", env=of(emulator))).status == 0


async def test_an_answer_that_is_too_long(emulator: Emulator) -> None:
    """So is it with an ordinary answer."""
    await _package(emulator)
    refused = await invoke("packages", "list", "--max-response-bytes", "9", env=of(emulator))
    assert (refused.status, "is longer than --max-response-bytes" in refused.err) == (1, True), refused.err
    assert (await invoke("packages", "list", "--max-response-bytes", "9999", env=of(emulator))).status == 0


async def _package(emulator: Emulator) -> None:
    done = await invoke(
        "packages", "create", "tool", "--type", "file", "--short-description", "A tool", env=of(emulator)
    )
    assert done.status == 0, done.err


async def test_a_service_that_asks_for_more_patience(emulator: Emulator, tmp_path: Path) -> None:
    """The run ends, and names the option with which it would have waited."""
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text("version: 1\norganizations:\n  acme: {members: {ann: admin}}\n")
    emulator.faults.add(FaultRule("POST", "/organizations", action=429, retry_after=2))
    refused = await invoke("apply", str(manifest), "--yes", "--patience", "1", env=of(emulator))
    assert refused.status == 1
    assert "asks to wait 2 s, longer than --patience 1\n" in refused.err


@pytest.mark.parametrize("arguments", [("packages", "list"), ("export", "owner-events", "acme", *RANGE)])
@pytest.mark.parametrize(
    ("where", "name"),
    [
        ({"SCARF_BASE_URL": "ftp://x"}, "SCARF_BASE_URL must be"),
        ({"SCARF_API_TOKEN": " "}, "give --token-file FILE"),
    ],
)
async def test_a_variable_is_named_as_it_is(arguments: tuple[str, ...], where: dict[str, str], name: str) -> None:
    """What came from the environment is not blamed on an option, and the advice is for a shell."""
    done = await invoke(*arguments, env={**environment("http://127.0.0.1:9"), **where})
    assert (done.status, name in done.err) == (2, True), done.err
    assert "base_url" not in done.err
    assert "Scarf(" not in done.err
