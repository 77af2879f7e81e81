"""What all tests of jobs share."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _one_database(shared_engine: None) -> None:
    """One for all jobs of a file of tests."""
