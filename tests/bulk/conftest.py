"""A small service on a socket, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from scarf_async import Scarf

from .service import Service, client_of, serving


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """A service that takes everything."""
    async with serving() as service:
        yield service


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Scarf]:
    """A client of it that sends nothing twice."""
    async with client_of(service.url) as client:
        yield client
