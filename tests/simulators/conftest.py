"""The site most of these tests work on, and the loop they run in."""

from collections.abc import Iterator

import pytest

from facility.site import Site
from tests.simulators.sites import build_site
from tests.steady import SteadyLoop, steady_collectors


def pytest_asyncio_loop_factories() -> dict[str, type[SteadyLoop]]:
    return {"steady": SteadyLoop}


@pytest.fixture(scope="package", autouse=True)
def steady() -> Iterator[None]:
    with steady_collectors():
        yield


@pytest.fixture(scope="session")
def site() -> Site:
    return build_site()
