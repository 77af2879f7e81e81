"""What is wrong with a manifest is said so that a person can fix it: the messages, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest

from scarf_async.errors import ManifestError
from scarf_async.manifests import read_manifest

FOLDER = Path(__file__).parent / "malformed"
MESSAGES = sorted(FOLDER.glob("*.txt"))


def test_every_file_has_its_message() -> None:
    """No malformed manifest is left out, and there are many."""
    manifests = {path.name for path in FOLDER.iterdir() if path.suffix not in {".csv", ".txt"}}
    assert manifests == {path.stem for path in MESSAGES}
    assert len(manifests) >= 30


@pytest.mark.parametrize("message", MESSAGES, ids=lambda path: path.stem)
def test_the_message(message: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every problem of the file is named with its file, line, column and path, and nothing else is said."""
    monkeypatch.chdir(FOLDER)
    with pytest.raises(ManifestError) as caught:
        read_manifest(message.stem)
    assert str(caught.value) + "\n" == message.read_text(encoding="utf-8")
    assert str(caught.value).isascii()
    assert len(caught.value.problems) == len(str(caught.value).splitlines())
