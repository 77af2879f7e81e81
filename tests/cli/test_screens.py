"""What a terminal shows."""

from __future__ import annotations

import pytest

from .screens import SCREENS, WIDTHS, draw


@pytest.mark.parametrize("width", WIDTHS)
def test_screens_are_as_they_were_looked_at(width: int) -> None:
    """Help, plan, tables, progress and errors; `python -m tests.cli.screens tests/cli/screens` draws them again."""
    drawn = draw(width)
    assert drawn == (SCREENS / f"{width}.txt").read_text()
    # What is one line however long, such as a change, the terminal wraps.
    for screen in drawn.split("======== "):
        if not screen.startswith(("plan", "errors")):
            assert max([len(line) for line in screen.splitlines()], default=0) <= width, screen
