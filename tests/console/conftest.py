from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient

from tests.console.campus import build_site
from tests.console.plant import Plant


@pytest.fixture
def plant() -> Plant:
    """Six racks; everything read once, ten seconds ago it was read too."""
    found = Plant(build_site())
    for _ in range(3):
        found.read_all()
        found.tick(10.0)
    found.read_all()
    found.tick(1.0)
    return found


@pytest.fixture
async def client(plant: Plant) -> AsyncIterator[TestClient]:
    async with plant.client() as opened:
        yield opened
