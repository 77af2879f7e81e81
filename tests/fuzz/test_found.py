"""What fuzzing has found, and a little of each target, so that they go on working."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from scarf_async.bulk import BulkPlan
from scarf_async.errors import JournalError, ValidationError

from .files import known_of, written_journal
from .targets import TARGETS

FEW = settings(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_holds(name: str) -> None:
    """For a few examples; `python -m tests.fuzz` has more."""
    target = TARGETS[name]
    FEW(given(target.examples)(target.check))()


def test_a_plan_names_no_field_that_steers_a_terminal(tmp_path: Path) -> None:
    """What a file calls a field is told with its control characters escaped."""
    path = tmp_path / "plan"
    path.write_bytes(
        b'{"format":"scarf-async-plan","version":1,"operations":1}\n{"kind":"remove_member","\\u001b[2J":""}\n'
    )
    with pytest.raises(ValidationError, match=r"argument '\\x1b\[2J'"):
        BulkPlan.load(path)


def test_a_journal_that_was_changed_on_the_disk_is_not_believed() -> None:
    """Whichever bit of an outcome flips, be it of its place or of its status, it is refused."""
    journal, _ = written_journal()
    lines = journal.splitlines(keepends=True)
    before, line, behind = lines[:6], lines[6], lines[7:]
    assert line.startswith(b'{"outcome":[2],"status":"succeeded"')
    for at in range(len(line) * 8):
        flipped = bytearray(line)
        flipped[at // 8] ^= 1 << at % 8
        # A line of an older version has no check sum.
        if b"crc" in flipped:
            with pytest.raises(JournalError, match="damaged"):
                known_of(b"".join((*before, flipped, *behind)))
