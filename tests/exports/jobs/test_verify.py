"""What is said about files that are not as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from scarf_async import verify_export

from .service import names, service

FIRST = "2024-01-01--2024-01-03"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_every_change_is_found(tmp_path: Path, form: str) -> None:
    """A file that is gone, shorter, changed, or no file; one that nobody knows; and rows that were miscounted."""
    async with service() as some:
        await some.scarf.exports.run(some.job(format=form, end="2024-01-03"), tmp_path)
    file, manifest = tmp_path / "data" / f"{FIRST}.{form}", tmp_path / "manifest.json"
    assert verify_export(str(tmp_path)) == []
    whole, text = file.read_bytes(), manifest.read_text()

    def problem() -> str:
        (only,) = verify_export(tmp_path)
        assert str(only) == f"{only.path}: {only.problem}"
        assert only.path in {file, manifest, stranger}
        return only.problem

    stranger = tmp_path / "data" / f"2023-01-01--2023-01-02.{form}"
    stranger.touch()
    assert problem() == "no window of the manifest has this file"
    stranger.unlink()
    file.write_bytes(whole[:-1])
    assert problem() == f"it has {len(whole) - 1} bytes, and was written with {len(whole)}"
    file.write_bytes(whole.replace(b"a", b"b", 1))
    assert problem() == "it was changed: its SHA-256 is another"
    file.unlink()
    assert problem() == "it is missing"
    file.mkdir()
    assert problem() == "it is not a regular file"
    file.rmdir()
    file.write_bytes(whole)
    manifest.write_text(text.replace('"rows": 40', '"rows": 41'))
    assert problem() == "it has 40 rows where the manifest has 41"
    manifest.unlink()
    assert "has no manifest.json" in problem()
    assert names(tmp_path) == [f"data/{file.name}", "lock"]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """It is an error, not a list of problems."""
    with pytest.raises(FileNotFoundError):
        verify_export(tmp_path / "none")


@pytest.mark.parametrize(
    "path", ["../other.csv", "/etc/passwd", f"x/{FIRST}.csv", f"{FIRST}.csv", "data/2024-01-03--2024-01-05.csv"]
)
async def test_a_manifest_leads_nowhere_else(tmp_path: Path, path: str) -> None:
    """Paths that this package does not write are damage: nothing would be read, replaced or removed there."""
    async with service() as some:
        await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f"data/{FIRST}.csv", path))
    (problem,) = verify_export(tmp_path)
    assert "is damaged" in problem.problem


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"start": "2024-01-01",\n   "end"', '"start": "2024-01-03",\n   "end"'),
        ('"start": "2024-01-01",\n   "end"', '"end"'),
        ('"limit_days": null', '"limit_days": 0'),
        ('"rows": 40,\n   "duplicates"', '"rows": 41,\n   "duplicates"'),
        ('"sha256": "', '"sha256": 1, "x": "'),
    ],
)
async def test_what_contradicts_itself_is_damage(tmp_path: Path, old: str, new: str) -> None:
    """A window that ends before it begins, one without a beginning, or rows that are not those of the files."""
    async with service() as some:
        await some.scarf.exports.run(some.job(end="2024-01-03"), tmp_path)
    manifest = tmp_path / "manifest.json"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    (problem,) = verify_export(tmp_path)
    assert "is damaged" in problem.problem
