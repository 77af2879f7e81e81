"""Files that are read again: what was written comes out of them, or they are refused in words."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec
from bulk.plans import plans
from hypothesis import strategies as st
from manifests.test_reading_fuzz import SCRAPS, WORDS, documents

from scarf_async.bulk.journal import Journal, Known
from scarf_async.bulk.plan import BulkPlan
from scarf_async.bulk.planfile import digest, write_plan
from scarf_async.bulk.report import Outcome
from scarf_async.entities import Member, Organization, PackageUpsert, Route
from scarf_async.errors import APIError, ExportError, JournalError, ManifestError, ValidationError
from scarf_async.exports.jobs import ExportJob, verify_export
from scarf_async.exports.jobs.directory import Directory
from scarf_async.exports.jobs.manifest import UnusableManifestError, dump, load
from scarf_async.manifests import read_manifest
from scarf_async.manifests.changes import Change, Changes
from scarf_async.manifests.saved import read_changes, write_changes
from scarf_async.text import printable

from .made import Target, damaged, file_of, spoiled, written

__all__ = ["TARGETS", "known_of", "written_journal"]

_SERVER: Final = "http://127.0.0.1:1/api/v1"
_SECONDS_A_KIB: Final = 2.0


def _check_words(error: Exception) -> None:
    assert printable(str(error)) == str(error)


# Manifests of organizations


def _check_problems(error: ManifestError) -> None:
    assert error.problems
    assert all(str(problem).isprintable() for problem in error.problems)


def _check_manifest(case: tuple[str, bytes]) -> None:
    name, data = case
    began = time.perf_counter()
    with file_of(data, name) as path:
        try:
            read_manifest(path.parent if name.endswith(".csv") else path)
        except ManifestError as error:
            _check_problems(error)
    assert time.perf_counter() - began < _SECONDS_A_KIB * (1 + len(data) / 1024)


_NAMES = st.sampled_from(
    ["m.yaml", "m.json", "m.toml", "members.csv", "packages.csv", "routes.csv", "permissions.csv"]
)
_HEADINGS = st.sampled_from(
    [
        "",
        "organization,username,role\n",
        "organization,package,template_path,outgoing_url\n",
        "organization,package\n",
    ]
)
_TEXTS = (
    st.builds(
        lambda head, scraps: head + "".join(scraps),
        _HEADINGS,
        st.lists(st.sampled_from([*SCRAPS, *WORDS]), max_size=60),
    ).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | documents.map(written)
    | st.binary(max_size=200)
)


# Journals


def _journal_plan() -> BulkPlan:
    plan = BulkPlan()
    for index in range(12):
        plan.upsert_member("acme", f"user{index}", "member")
    plan.create_package(PackageUpsert(name="web", short_description=""), "acme")
    return plan


@cache
def written_journal() -> tuple[bytes, str]:
    """Write a journal with outcomes of every kind; return it with its plan's digest."""
    plan = _journal_plan()
    refused = APIError("no", status=422, method="POST", url="http://127.0.0.1/", code=None, body=b"", attempts=1)
    with tempfile.TemporaryDirectory() as directory:
        journal = _open(Path(directory, "j"))
        for place, operation in enumerate(plan):
            journal.intend([place])
            outcome: Outcome[object] = Outcome(
                operation,
                "succeeded",
                Member(organization_name="acme", username=f"user{place}", role="admin"),
                attempts=1,
            )
            if place == 3:
                outcome = Outcome(operation, "failed", error=refused, attempts=2)
            elif place == 5:
                outcome = Outcome(operation, "unknown", attempts=1)
            elif place == 7:
                outcome = Outcome(
                    operation, "succeeded", Organization(name="acme", extra={"crc": 1}), reconciled=True
                )
            elif place == 9:
                outcome = Outcome(
                    operation,
                    "succeeded",
                    Route(id="1", outgoing_url="https://a.example", template_path="/a"),
                    unchanged=True,
                )
            if place != 11:
                journal.record([place], outcome)
        journal.flush()
        assert journal.close() is None
        return Path(directory, "j").read_bytes(), digest(plan)


def _open(path: Path) -> Journal:
    plan = _journal_plan()
    return Journal.open(path, plan=digest(plan), operations=len(plan), server=_SERVER)


def known_of(data: bytes) -> dict[int, Known]:
    """Return what a journal of these bytes knows."""
    with file_of(data, "j") as path:
        journal = _open(path)
        assert journal.close() is None
        return journal.known


@cache
def _beginnings() -> list[dict[int, Known]]:
    lines = written_journal()[0].splitlines(keepends=True)
    return [known_of(b"".join(lines[:count])) for count in range(len(lines) + 1)]


def _check_journal(data: bytes) -> None:
    try:
        known = known_of(data)
    except JournalError as error:
        _check_words(error)
        return
    assert known in _beginnings()


def _check_foreign_journal(data: bytes) -> None:
    try:
        known_of(data)
    except JournalError as error:
        _check_words(error)


def _damaged_once() -> st.SearchStrategy[bytes]:
    data = written_journal()[0]
    flips = st.builds(
        lambda at, bit: data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :],
        st.integers(0, len(data) - 1),
        st.integers(0, 7),
    )
    return flips | st.integers(0, len(data)).map(lambda at: data[:at])


def _odd_lines() -> st.SearchStrategy[bytes]:
    lines = written_journal()[0].splitlines(keepends=True)
    line = st.sampled_from(lines[1:]).flatmap(lambda line: spoiled(json.loads(line))).map(written)
    return (
        st.lists(line, max_size=3).map(lambda more: lines[0] + b"".join(one + b"\n" for one in more)) | st.binary()
    )


# Plans


def _check_plan(data: bytes) -> None:
    with file_of(data, "plan") as path:
        try:
            plan = BulkPlan.load(path)
        except ValidationError as error:
            _check_words(error)
            return
        plan.dump(path)
        assert digest(BulkPlan.load(path)) == digest(plan)


def _plan_bytes(plan: BulkPlan) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        write_plan(plan, Path(directory, "plan"))
        return Path(directory, "plan").read_bytes()


@st.composite
def _spoiled_plans(draw: st.DrawFn) -> bytes:
    lines = _plan_bytes(draw(plans())).splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = written(draw(spoiled(json.loads(lines[at]))))
    return b"\n".join(lines) + b"\n"


# Changes


_CHANGES: Final = Changes(
    (
        Change(action="create", kind="member", organization="acme", name="bob", after={"role": "admin"}),
        Change(action="update", kind="organization", organization="acme", before={"website": "b"}, after={}),
        Change(action="blocked", kind="package", organization="acme", package="web", note="no addresses"),
    ),
    ownerless=("umbra",),
    there={"member": 2},
)


def _changes_document() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "c")
        write_changes(_CHANGES, path, server=_SERVER)
        document: dict[str, Any] = json.loads(path.read_bytes())
    return document


def _resealed(document: Any) -> bytes:
    """Write changes with the digest that they should have: an editor may know it."""
    if isinstance(document, dict) and "changes" in document:
        try:
            sealed = msgspec.json.encode(msgspec.json.decode(written(document["changes"])), order="deterministic")
            document = {**document, "sha256": hashlib.sha256(sealed).hexdigest()}
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
            pass
    return written(document)


def _check_changes(data: bytes) -> None:
    with file_of(data, "c") as path:
        try:
            saved = read_changes(path)
        except ValidationError as error:
            _check_words(error)
            return
        shown = str(saved.changes).split("\n")
        assert [printable(line) for line in shown] == shown
        compared = [change for change in saved.changes if change.action != "uncompared"]
        assert len(shown) == len(compared) + len(saved.changes.ownerless) + 1
        write_changes(saved.changes, path, server=saved.server)
        assert read_changes(path) == saved


# Export directories


_JOB: Final = ExportJob("pixel_events", None, "2024-01-01", "2024-01-03", window_days=1)
_EXPORTED: Final[dict[str, Any]] = {
    **json.loads(dump(Directory(Path("x"), _JOB, _SERVER).manifest)),
    "limit_days": 7,
    "windows": [
        {
            "start": f"2024-01-0{day}",
            "end": f"2024-01-0{day + 1}",
            "rows": 2,
            "duplicates": 0,
            "outside": 0,
            "provisional": False,
            "finished_at": "2024-02-01T00:00:00Z",
            "files": [{"path": f"2024-01-0{day}.csv", "bytes": 3, "sha256": "0" * 64, "rows": 2}],
        }
        for day in (1, 2)
    ],
}


def _check_export_manifest(data: bytes) -> None:
    try:
        manifest = load(data)
    except UnusableManifestError as error:
        _check_words(error)
    else:
        assert load(dump(manifest)) == manifest
        for name in manifest.files:
            assert not Path(name).is_absolute()
            assert ".." not in Path(name).parts
    with file_of(data, "manifest.json") as path:
        assert all(str(problem).isprintable() for problem in verify_export(path.parent))
        directory = Directory(path.parent, _JOB, _SERVER)
        try:
            directory.open()
        except ExportError as error:
            _check_words(error)
        finally:
            directory.close()
        assert path.read_bytes() == data


def _named(name: str) -> Callable[[bytes], tuple[str, bytes]]:
    return lambda data: (name, data)


TARGETS: Final[dict[str, Target[Any]]] = {
    "manifest": Target(st.tuples(_NAMES, _TEXTS), _check_manifest),
    **{
        f"manifest-{kind}": Target(st.tuples(st.just(f"m.{kind}"), _TEXTS), _check_manifest, _named(f"m.{kind}"))
        for kind in ("yaml", "json", "toml")
    },
    "journal": Target(st.deferred(_damaged_once), _check_journal),
    "foreign-journal": Target(st.deferred(_odd_lines), _check_foreign_journal, bytes),
    "plan": Target(_spoiled_plans() | plans().map(_plan_bytes).flatmap(damaged), _check_plan, bytes),
    "changes": Target(
        st.deferred(lambda: spoiled(_changes_document())).map(_resealed)
        | st.deferred(lambda: damaged(_resealed(_changes_document()))),
        _check_changes,
        bytes,
    ),
    "export-manifest": Target(
        spoiled(_EXPORTED).map(written) | damaged(written(_EXPORTED)), _check_export_manifest, bytes
    ),
}
