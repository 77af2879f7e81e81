"""No name that a service sends leads to a file of its own choice."""

from __future__ import annotations

from pathlib import Path

import pytest
from acceptance.hostile import FAST, TOKEN, Hostile, Raw, head, package_json
from cli.shell import RANGE as EXPORTED
from cli.shell import environment, invoke

from scarf_async import ExportError, ExportJob, Manifest, Scarf, ValidationError, read_manifest, write_manifest

RANGE = ("2024-01-01", "2024-01-03")
OUTSIDE = "../../outside"
NAMES = [
    OUTSIDE,
    "/etc/passwd",
    "..\\..\\outside",
    "C:\\outside",
    "CON",
    "aux.yaml",
    "con:stream",
    "a=b/month=2024-01",
    "lock",
    "manifest.json",
    "~root",
    "$HOME",
    "*",
    "-rf",
    "n" * 5000,
]
BODY = b"id,type,time,package\n" + b"".join(
    b"%d,pull,2024-01-01T00:00:00Z,%s\n" % (number, name.encode()) for number, name in enumerate(NAMES)
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory three floors down, in which the process runs."""
    home = tmp_path / "one" / "two" / "home"
    home.mkdir(parents=True)
    monkeypatch.chdir(home)
    return home


def below(directory: Path) -> set[str]:
    """Return all files that are anywhere in a directory."""
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir()}


def client(url: str) -> Scarf:
    """Return a client of a service."""
    return Scarf(TOKEN, base_url=url, v2_url=url, retry=FAST)


@pytest.mark.parametrize(
    "header",
    [
        f'Content-Disposition: attachment; filename="{OUTSIDE}.csv"',
        "Content-Disposition: attachment; filename*=UTF-8''%2Fetc%2Fpasswd",
        f"Content-Location: file:///{OUTSIDE}",
        f"X-Filename: {OUTSIDE}\r\nLink: <file:///etc/passwd>; rel=self",
    ],
)
async def test_a_saved_file_has_the_name_it_was_given(header: str, home: Path, tmp_path: Path) -> None:
    """Whatever the response proposes; from Python, from a shell into a file, and to standard output."""
    async with Raw(head("200 OK", [header], length=len(BODY)) + BODY) as service:
        async with client(service.url) as scarf:
            saved = await scarf.exports.pixel_events(*RANGE).save("saved.csv")
        for target in ("out.csv", "-"):
            done = await invoke("export", "pixel-events", *EXPORTED, "-o", target, env=environment(service.url))
            assert done.status == 0, done.err
    assert saved.path == Path("saved.csv")
    assert done.out == BODY
    assert below(tmp_path) == {"one/two/home/saved.csv", "one/two/home/out.csv"}


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "//../etc/passwd", "data:text/csv,type%2Ctime", "ftp://x.invalid/"]
)
async def test_an_export_comes_from_a_service(location: str, home: Path, tmp_path: Path) -> None:
    """A redirect leads to no file of this machine, and leaves none."""
    async with Raw(head("302 No", [f"Location: {location}"], length=0)) as service, client(service.url) as scarf:
        with pytest.raises(ExportError, match="302 from "):
            await scarf.exports.pixel_events(*RANGE).save(home / "saved.csv")
    assert below(tmp_path) == set()


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
async def test_a_job_stays_in_its_directory(form: str, home: Path, tmp_path: Path) -> None:
    """Its files are named by their days, and in Parquet by packages whose names are spelled out of harm's way."""
    async with Raw(head(length=len(BODY)) + BODY) as service, client(service.url) as scarf:
        for owner in (OUTSIDE, "C:\\outside"):
            by = "artifact" if form == "parquet" else None
            job = ExportJob("owner_events", owner, *RANGE, form, partition_by=by)  # type: ignore[arg-type] # all are formats
            report = await scarf.exports.run(job, home / f"job-{len(owner)}")
            assert (report.complete, report.rows) == (True, len(NAMES))
        with pytest.raises(ValidationError, match="cannot be part of a URL"):
            await scarf.exports.run(ExportJob("owner_events", "..", *RANGE), home / "none")
    written = below(tmp_path)
    assert all(name.startswith("one/two/home/job-") for name in written)
    parts = {part for name in written for part in Path(name).parts}
    # Besides: lock, journal and manifest.
    assert len(written) == 2 * (3 + (len(NAMES) if form == "parquet" else 1))
    assert all(len(part) <= 255 and not set(part) & set('\\:*?"<>|$\0') for part in parts)
    assert not {part.partition(".")[0].upper() for part in parts} & {"CON", "AUX", "NUL", "PRN", "COM1", "LPT1"}


async def pulled(service: Hostile, names: list[str]) -> Manifest:
    """Pull an organization with packages of these names."""
    service.add("organizations", "", {"name": "acme"})
    for number, name in enumerate(names):
        shown = package_json(name, uuid=f"u{number}", owner="acme", libraryType="file")
        service.add("packages", "organizations/acme", shown)
    async with client(service.url) as scarf:
        return await scarf.manifests.pull("acme")


async def test_a_pulled_manifest_is_one_file(home: Path, tmp_path: Path) -> None:
    """However its packages are named, and the names are in it as they are."""
    async with Hostile() as service:
        manifest = await pulled(service, NAMES)
        for suffix in ("yaml", "json"):
            write_manifest(manifest, f"acme.{suffix}")
            assert read_manifest(home / f"acme.{suffix}") == manifest
        done = await invoke("pull", "acme", "-o", "shell.yaml", env=environment(service.url))
        assert done.status == 0, done.err
    assert {spec.name for spec in manifest.organizations[0].packages or ()} == set(NAMES)
    assert below(tmp_path) == {f"one/two/home/{name}" for name in ("acme.yaml", "acme.json", "shell.yaml")}


@pytest.mark.parametrize("name", ["a\0b", "a\x1b[2J", "a\nb", "a\x9b"])
async def test_a_name_that_no_manifest_can_have(name: str, home: Path, tmp_path: Path) -> None:
    """It is refused in words that steer no terminal, and nothing is written."""
    async with Hostile() as service:
        manifest = await pulled(service, [name])
        with pytest.raises(ValidationError, match="must not contain control characters") as caught:
            write_manifest(manifest, home / "acme.yaml")
    assert str(caught.value).isprintable()
    assert below(tmp_path) == set()
