"""`scarf-async emulator`, as programs in any language start it."""

from __future__ import annotations

import csv
import json
import os
import ssl
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import attrs
import pytest

from scarf_async import Scarf
from scarf_async.cli.emulator import ClientLines, read_people, read_quirks
from scarf_async.emulator import Quirks
from scarf_async.entities import ApiVersion
from scarf_async.errors import ConfigurationError

from .shell import SCARF, environment, invoke

RANGE = "startDate=2024-01-01&endDate=2024-01-03"
UUID = "0f6b2c1e-3a4d-4e5f-8a6b-7c8d9e0f1a2b"
ACME = {
    "organizations": [{"name": "acme", "packages": [{"uuid": UUID, "name": "tool", "libraryType": "file"}]}],
}


@attrs.frozen
class Running:
    """An emulator in a process of its own, and what it printed for a shell."""

    variables: Mapping[str, str]

    def get(self, path: str, **headers: str) -> tuple[Mapping[str, str], bytes]:
        """Ask it as a program that knows nothing of Python's SDK does."""
        token, url = self.variables["SCARF_API_TOKEN"], self.variables["SCARF_BASE_URL"]
        request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}", **headers})
        file = self.variables.get("SSL_CERT_FILE")
        context = None if file is None else ssl.create_default_context(cafile=file)
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return answer.headers, answer.read()

    def rows(self, path: str) -> list[dict[str, str]]:
        """The rows of an export."""
        return list(csv.DictReader(self.get(path)[1].decode().splitlines(keepends=True)))


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """Run an emulator on a free port."""
    command = [*SCARF, "emulator", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            count = 4 + ("--tls" in arguments) + ("--api" in arguments) + ("--owner" in arguments)
            lines = [process.stdout.readline().strip().removeprefix("export ") for _ in range(count)]
            yield Running(dict(line.split("=", 1) for line in lines))
        finally:
            process.terminate()


def test_a_program_with_tests_of_its_own(tmp_path: Path) -> None:
    """TLS, known ids, people, the columns of 2022 with another, duplicates, and a log of what arrived."""
    (tmp_path / "acme.json").write_text(json.dumps(ACME))
    (tmp_path / "people").write_text("# Two people\nann = ann@acme.example\n\nbob=bob@acme.example\n")
    log, ca_file = tmp_path / "requests.jsonl", tmp_path / "ca.pem"
    options = {
        "--ca-file": ca_file, "--user": "ann", "--people": tmp_path / "people", "--load": tmp_path / "acme.json",
        "--columns": "2022,mood", "--duplicates": "1", "--events-per-day": "5", "--log": log,
    }  # fmt: skip
    with running("--tls", *(str(word) for option in options.items() for word in option)) as emulator:
        assert emulator.variables["SSL_CERT_FILE"] == str(ca_file)
        assert json.loads(emulator.get("/packages")[1])[0]["uuid"] == UUID
        assert json.loads(emulator.get("/organizations/acme/users")[1]) == [
            {"organizationName": "acme", "username": "ann", "role": "owner"}
        ]
        rows = emulator.rows(f"/packages/{UUID}/events/x.csv?{RANGE}")
        assert (list(rows[0])[:2], list(rows[0])[-2:]) == (["id", "type"], ["dnt", "mood"])
        assert set(Counter(row["id"] for row in rows).values()) == {2}
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in logged] == [
        ("GET", "/api/v1/packages", 200),
        ("GET", "/api/v1/organizations/acme/users", 200),
        ("GET", f"/api/v1/packages/{UUID}/events/x.csv", 200),
    ]
    assert logged[-1]["query"] == {"startDate": "2024-01-01", "endDate": "2024-01-03"}


async def test_the_sdk_speaks_to_it_under_a_name(tmp_path: Path) -> None:
    """`https://localhost` and the printed certificate are all that the client needs."""
    with running("--tls", "--ca-file", str(tmp_path / "ca.pem")) as emulator:
        url = emulator.variables["SCARF_BASE_URL"].replace("127.0.0.1", "localhost")
        async with Scarf("emulator-token", base_url=url, ca_file=tmp_path / "ca.pem") as scarf:
            assert await scarf.packages.list() == []


async def test_a_client_is_told_what_to_speak(tmp_path: Path) -> None:
    """The printed variables are all that a client of v2 needs, and v1 is served all the same."""
    (tmp_path / "acme.json").write_text(json.dumps(ACME))
    options = ("--api", "v2", "--owner", "acme", "--load", str(tmp_path / "acme.json"))
    with running(*options) as emulator, mock.patch.dict(os.environ, emulator.variables):
        origin = emulator.variables["SCARF_BASE_URL"].removesuffix("/api/v1")
        assert [emulator.variables[f"SCARF_V{number}_URL"] for number in (2, 3)] == [f"{origin}/v2", f"{origin}/v3"]
        async with Scarf() as scarf:
            assert (scarf.api, [package.uuid for package in await scarf.packages.list()]) == ("v2", [UUID])
        async with Scarf(api="v1") as scarf:
            assert (await scarf.packages.get(UUID)).name == "tool"


@pytest.mark.parametrize(
    ("api", "owner", "told"),
    [
        (None, None, {}),
        (None, "acme", {"SCARF_OWNER": "acme"}),
        ("v1", None, {"SCARF_API_VERSION": "v1"}),
        ("v2", None, {"SCARF_API_VERSION": "v2", "SCARF_OWNER": "ann"}),
    ],
)
def test_what_a_client_is_told(api: ApiVersion | None, owner: str | None, told: dict[str, str]) -> None:
    """Of v2, whose packages are meant: the token's user's, if nobody says more."""
    assert ClientLines(api=api, owner=owner).variables("ann") == told


def test_the_seed_and_compression(tmp_path: Path) -> None:
    """Another seed gives other events; exports are compressed; a range that is too long is refused."""
    (tmp_path / "acme.json").write_text(json.dumps(ACME))
    ids = []
    for seed in ("1", "2"):
        options = ("--load", str(tmp_path / "acme.json"), "--seed", seed, "--gzip", "--max-range-days", "2")
        with running(*options) as emulator:
            headers, _ = emulator.get(f"/packages/{UUID}/events/x.csv?{RANGE}", **{"Accept-Encoding": "gzip"})
            assert headers["Content-Encoding"] == "gzip"
            ids.append({row["id"] for row in emulator.rows(f"/packages/{UUID}/events/x.csv?{RANGE}")})
            with pytest.raises(urllib.error.HTTPError) as refused:
                emulator.get(f"/packages/{UUID}/events/x.csv?startDate=2024-01-01&endDate=2024-01-04")
            with refused.value as answer:
                assert json.load(answer)["code"] == "range-too-long"
    assert ids[0] & ids[1] == set()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--ca-file", "ca.pem"], "--ca-file needs --tls"),
        (["--tls", "--ca-file", "/nowhere/ca.pem"], "--ca-file /nowhere/ca.pem: No such file"),
        (["--tls", "--host", "no host"], "no certificate for the host 'no host'"),
        (["--load", "/nowhere/acme.json"], "--load /nowhere/acme.json: No such file"),
        (["--load", __file__], f"--load {__file__}: it is not JSON"),
        (["--log", "/nowhere/log"], "--log /nowhere/log: No such file"),
        (["--people", "/nowhere/people"], "--people /nowhere/people: No such file"),
        (["--people", "ann=nobody"], "each is USER=EMAIL, unlike 'ann=nobody'"),
        (["--columns", ""], "--columns '': each"),
        (["--token", ""], "--token: a client can send only visible ASCII"),
        (["--token", "a b"], "--token: a client can send only visible ASCII"),
        (["--token", " a"], "--token: a client can send only visible ASCII"),
        (["--token", "\u00e9"], "--token: a client can send only visible ASCII"),
        (["--user", ""], "--user is empty"),
        (["--owner", "."], "owner must be the name of an account; got '.'"),
        (["--columns", "time,,id"], "each column has a name and comes once, unlike ''"),
        (["--columns", "real,time"], "each column has a name and comes once, unlike 'time'"),
    ],
)
async def test_an_emulator_that_cannot_run(arguments: list[str], says: str) -> None:
    """Each is wrong usage: a line that names the option or the file."""
    done = await invoke("emulator", "--port", "0", *arguments, env=environment(""))
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert says in done.err


async def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS without trustme says what to install."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    done = await invoke("emulator", "--port", "0", "--tls", env=environment(""))
    assert done.status == 2
    assert "TLS needs trustme: pip install 'scarf-async[emulator]'" in done.err


def test_a_long_list_of_people() -> None:
    """It may be longer than the name of a file may be; what is neither list nor file is refused."""
    people = {f"user-{number}": f"user-{number}@acme.example" for number in range(500)}
    assert read_people(",".join(f"{user}={email}" for user, email in people.items())) == people
    with pytest.raises(ConfigurationError, match="USER=EMAIL"):
        read_people("=ann@acme.example")


def test_quirks_are_read_by_their_types() -> None:
    """Words, truths and numbers; what is left out is as usual."""
    read = read_quirks("paging=after, put_clears=false,max_per_page=50, import_seconds=0.5")
    assert read == Quirks(paging="after", put_clears=False, max_per_page=50, import_seconds=0.5)
    assert read_quirks("") == Quirks()


@pytest.mark.parametrize(
    "given", ["pages=after", "paging", "paging=pages", "put_clears=no", "max_per_page=0", "max_per_page=many", "=x"]
)
def test_quirks_that_do_not_exist(given: str) -> None:
    """The option and the name are in the message."""
    with pytest.raises(ConfigurationError, match=f"--quirks.*{given.partition('=')[0]}"):
        read_quirks(given)


def test_emulator_with_quirks(tmp_path: Path) -> None:
    """The server that is started has them."""
    load = tmp_path / "state.json"
    load.write_text(json.dumps(ACME))
    with running("--load", str(load), "--quirks", "absent=null") as emulator:
        url, token = emulator.variables["SCARF_V2_URL"], emulator.variables["SCARF_API_TOKEN"]
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{url}/organizations/acme", headers=headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["website"] is None
