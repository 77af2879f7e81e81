"""What files ask of the system."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scarf_async.files import PartFile, lock, sweep, write_whole


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
    """What is not a regular file, such as /dev/null, is refused and not replaced."""
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


def test_the_owner_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system lets us; where it refuses the owner, the group alone, and where it refuses both, neither."""
    path = tmp_path / "file"
    path.write_text("old")
    asked: list[tuple[int, int]] = []

    def refuse(_: object, owner: int, group: int) -> None:
        asked.append((owner, group))
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "chown", refuse)
    write_whole(path, [b"new"])
    assert path.read_text() == "new"
    status = path.stat()
    assert asked == [(status.st_uid, status.st_gid), (-1, status.st_gid)]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EINVAL])
@pytest.mark.parametrize("name", ["chmod", "utime", "setxattr", "listxattr"])
@pytest.mark.parametrize("given", [None, 0o600])
def test_what_cannot_be_set_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int, given: int | None
) -> None:
    """A file system without modes, times or attributes loses no file; it is then the owner's alone."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    os.setxattr(path, "user.colour", b"red")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, refuse)
    write_whole(path, [b"new"], mode=given)
    assert path.read_text() == "new"
    assert mode(path) == (0o600 if name == "chmod" or given is not None else 0o644)


def test_a_broken_disk_is_not_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other errors are told, and what was there stays."""
    path = tmp_path / "file"
    path.write_text("old")

    def break_down(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "chmod", break_down)
    with pytest.raises(OSError, match="Input/output"):
        write_whole(path, [b"new"])
    assert path.read_text() == "old"


def test_the_mode_is_set_after_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of owner takes setuid away; where it is refused, another's file does not get it."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o4755)
    write_whole(path, [b"new"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o4755
    real = Path.stat

    def of_another(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        status = real(self, follow_symlinks=follow_symlinks)
        if self != path:
            return status
        return os.stat_result([*status[:4], status.st_uid + 1, *status[5:]])

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "chown", refuse)
    monkeypatch.setattr(Path, "stat", of_another)
    write_whole(path, [b"newer"])
    monkeypatch.undo()
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_an_access_list_that_is_refused_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the group's bits would give the group what only someone in the list had."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o660)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "listxattr", lambda _: ["system.posix_acl_access"])
    monkeypatch.setattr(os, "getxattr", lambda *_: b"")
    monkeypatch.setattr(os, "setxattr", refuse)
    write_whole(path, [b"new"])
    assert mode(path) == 0o600


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/{}", "/proc/self/fd/{}", "/proc/{pid}/fd/{}", "link"])
def test_an_open_stream_is_not_replaced(tmp_path: Path, name: str) -> None:
    """What the shell redirected is a plain file; another in its place would lose what others write there."""
    path = tmp_path / "file"
    path.write_text("old")
    with path.open("a") as file:
        asked = tmp_path / "link" if name == "link" else Path(name.format(file.fileno(), pid=os.getpid()))
        if name == "link":
            asked.symlink_to(f"/dev/fd/{file.fileno()}")
        with pytest.raises(OSError, match="open stream") as refused:
            write_whole(asked, [b"new"])
    assert refused.value.filename == str(asked)
    assert path.read_text() == "old"
    through = Path(f"/proc/self/cwd/{os.path.relpath(path)}")
    write_whole(through, [b"new"])
    assert path.read_text() == "new"


def test_another_name_of_a_file_keeps_what_it_had(tmp_path: Path) -> None:
    """A hard link, as a snapshot has them, is not written through."""
    path, snapshot = tmp_path / "file", tmp_path / "snapshot"
    path.write_text("old")
    snapshot.hardlink_to(path)
    write_whole(path, [b"new"])
    assert (path.read_text(), snapshot.read_text()) == ("new", "old")


def test_a_link_to_itself_stays(tmp_path: Path) -> None:
    """It leads to no file that could be written."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match="symbolic links") as refused:
        write_whole(loop, [b"new"])
    assert refused.value.filename == str(loop)
    assert loop.is_symlink()


def test_nobody_else_reads_it_meanwhile(tmp_path: Path) -> None:
    """Of a file that only its owner reads, the part under its temporary name is no more open."""
    path = tmp_path / "file"
    path.touch(mode=0o600)
    seen: list[int] = []

    def parts() -> Iterator[bytes]:
        seen.extend(mode(part) for part in tmp_path.glob(".scarf-*.part"))
        yield b"new"

    write_whole(path, parts())
    assert seen == [0o600]


# Directories that cannot be synced, or listed.


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES])
@pytest.mark.parametrize("name", ["open", "fsync"])
def test_a_directory_that_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """Neither to open nor to sync it may be refused with an error once the file is in its place and synced."""
    real = getattr(os, name)
    refused: list[object] = []

    def refuse(what: int | Path, *rest: int, **named: int) -> object:
        if what == tmp_path or (isinstance(what, int) and stat.S_ISDIR(os.fstat(what).st_mode)):
            refused.append(what)
            raise OSError(number, os.strerror(number))
        return real(what, *rest, **named)

    monkeypatch.setattr(os, name, refuse)
    write_whole(tmp_path / "file", [b"new"])
    assert (tmp_path / "file").read_text() == "new"
    assert len(refused) == 1


def test_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk itself, in syncing a directory, is not a refusal."""

    def broken(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output") as failed:
        write_whole(tmp_path / "file", [b"new"])
    assert failed.value.filename == str(tmp_path / "file")


def test_what_cannot_be_synced_for_want_of_descriptors_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory is opened before the file is put in its place: an error leaves what was there."""
    path = tmp_path / "file"
    path.write_text("old")
    real = os.open

    def full(what: str | Path, *rest: int, **named: int) -> int:
        if os.fspath(what) == str(tmp_path):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(what, *rest, **named)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="Too many"):
        write_whole(path, [b"new"])
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


WRITING = """
import os, sys
from pathlib import Path
from scarf_async.bulk.journal import Journal
from scarf_async.files import write_whole
from scarf_async.exports.save import AtomicFile
from scarf_async.exports.jobs import ExportJob
from scarf_async.exports.jobs.directory import Directory
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
os.chdir(sys.argv[1])
try:
    os.listdir(".")
except PermissionError:
    pass
else:
    sys.exit("it can be listed")
write_whole("file", [b"old"])
write_whole("file", [b"new"])
Journal.open("journal", plan="p", operations=1, server="s").close()
for overwrite in (False, True):
    file = AtomicFile(Path("saved"), overwrite=overwrite)
    file.create()
    file.finish()
    file.publish()
os.mkdir("job", 0o300)
for _ in range(2):
    directory = Directory(Path("job"), ExportJob("pixel_events", None, "2024-01-01", "2024-01-02"), "s")
    directory.open()
    directory.close()
"""


def test_a_directory_that_may_be_written_and_not_listed() -> None:
    """Files are written and replaced in it, journals and export jobs begun, as everywhere."""
    # Not in `tmp_path`, which nobody but its owner may pass: root gives up being root, to whom all is allowed.
    with tempfile.TemporaryDirectory() as name:
        outer, place = Path(name), Path(name) / "drop"
        outer.chmod(0o711)
        place.mkdir()
        if os.geteuid() == 0:
            os.chown(place, 65534, 65534)
        place.chmod(0o300)
        done = subprocess.run(
            [sys.executable, "-c", WRITING, str(place)], capture_output=True, text=True, check=False
        )
        place.chmod(0o700)
        (place / "job").chmod(0o700)
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(entry.name for entry in place.iterdir()) == ["file", "job", "journal", "saved"]
        assert (place / "file").read_text() == "new"


# Parts of dead processes.


LEFT = ".scarf-0123456789abcdef.part"


def test_the_part_of_a_dead_process_is_swept(tmp_path: Path) -> None:
    """By the next writer beside it; what only looks like one stays, and so do links and other kinds of file."""
    (tmp_path / LEFT).touch()
    others = [".scarf-0123456789abcdef.seen", ".scarf-123.part", "scarf-0123456789abcdef.part", f"{LEFT}.csv"]
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / ".scarf-1111111111111111.part").symlink_to(others[1])
    (tmp_path / ".scarf-2222222222222222.part").mkdir()
    os.mkfifo(tmp_path / ".scarf-3333333333333333.part")
    before = set(tmp_path.iterdir())
    write_whole(tmp_path / "file", [b"new"])
    assert before - set(tmp_path.iterdir()) == {tmp_path / LEFT}


def test_the_part_of_a_living_process_stays(tmp_path: Path) -> None:
    """A second writer beside the first does not disturb it, even while its file is about to be put in its place."""
    first = PartFile.to_replace(tmp_path / "a")
    first.write(b"a")
    write_whole(tmp_path / "b", [b"b"])
    first.sync()
    write_whole(tmp_path / "b", [b"b"])
    first.replace(tmp_path / "a")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "a", "b": "b"}


def test_where_nothing_can_be_locked_nothing_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its owner is alive cannot be known; files are written all the same."""
    (tmp_path / LEFT).touch()

    def unable(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unable)
    write_whole(tmp_path / "file", [b"new"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [LEFT, "file"]


def test_a_part_that_is_swept_as_it_comes_into_being(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its making and its lock a sweep may take it for a dead one's: another is made."""
    real = fcntl.flock
    made: list[str] = []

    def late(descriptor: int, how: int) -> None:
        if not made:
            (part,) = tmp_path.glob(".scarf-*.part")
            made.append(part.name)
            sweep(tmp_path)
            assert not part.exists()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    write_whole(tmp_path / "file", [b"new"])
    assert made
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


def test_without_locks_the_error_says_what_needs_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on Windows, where nothing else of the package fails for it."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with (
        (tmp_path / "a").open("wb") as file,
        pytest.raises(OSError, match="export jobs need file locks"),
    ):
        lock(file.fileno())
