"""The site most of these tests work on."""

import pytest

from facility.site import Site
from tests.simulators.sites import build_site


@pytest.fixture(scope="session")
def site() -> Site:
    return build_site()
