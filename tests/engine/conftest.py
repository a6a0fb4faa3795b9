from collections.abc import AsyncIterator

import pytest

from tests.engine.world import World, open_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A whole engine of this test alone, on SQLite and on PostgreSQL."""
    async with open_world(database_url) as opened:
        yield opened
