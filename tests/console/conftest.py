from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp.test_utils import TestClient
from selenium.webdriver import Chrome

from tests.console.campus import build_site
from tests.console.pages import serving
from tests.console.plant import Plant
from tests.servers.browser import chromium


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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
async def port(plant: Plant) -> AsyncIterator[int]:
    async with serving(plant) as found:
        yield found
