"""Halls run beside their platform in one process, so both are given the time a busy machine takes away."""

from collections.abc import Iterator

import pytest

from tests.steady import SteadyLoop, steady_collectors


def pytest_asyncio_loop_factories() -> dict[str, type[SteadyLoop]]:
    return {"steady": SteadyLoop}


@pytest.fixture(scope="package", autouse=True)
def steady() -> Iterator[None]:
    with steady_collectors():
        yield
