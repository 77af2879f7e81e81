"""A small service on a socket, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from scarf_async import Scarf

from .crashes import Base, base_of
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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def base() -> Base:
    """What a service holds at first, for those that want some."""
    return await base_of()
