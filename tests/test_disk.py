"""What files ask of the system."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from scarf_async.disk import write_whole


def mode(path: Path) -> int:
    """Who may read and write a file."""
    return path.stat().st_mode & 0o777


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is written, whether or not that is there."""
    (tmp_path / "there").write_text("old")
    for name in ("there", "missing"):
        link = tmp_path / f"to-{name}"
        link.symlink_to(name)
        write_whole(link, [b"new"])
        assert link.is_symlink()
        assert (tmp_path / name).read_text() == "new"


def test_who_may_read_it_stays(tmp_path: Path) -> None:
    """A file that only its owner reads does not become everybody's; where a mode is given, that counts."""
    path = tmp_path / "file"
    write_whole(path, [b"new"])
    assert mode(path) & 0o600 == 0o600
    path.chmod(0o600)
    write_whole(path, [b"newer"])
    assert mode(path) == 0o600
    path.chmod(0o664)
    write_whole(path, [b"newer"])
    assert mode(path) == 0o664
    write_whole(path, [b"newest"], mode=0o600)
    assert mode(path) == 0o600


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    """What is no regular file, such as /dev/null, is refused and not replaced."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file") as refused:
        write_whole(path, [b"new"])
    assert refused.value.filename == str(path)
    assert path.is_fifo()


def test_what_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory, a file that may not be written, and one whose directory is not there; nothing is left behind."""
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(FileNotFoundError) as missing:
        write_whole(tmp_path / "none" / "file", [b"new"])
    assert missing.value.filename == str(tmp_path / "none" / "file")
    with pytest.raises(IsADirectoryError) as directory:
        write_whole(tmp_path, [b"new"])
    assert directory.value.filename == str(tmp_path)
    # To root everything is writable.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError) as locked:
        write_whole(path, [b"new"])
    assert locked.value.filename == str(path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system does not say what it had no room for; what was there is as it was, with nothing left beside it."""
    path = tmp_path / "file"
    path.write_text("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as failed:
        write_whole(path, [b"new"])
    assert failed.value.filename == str(path)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
