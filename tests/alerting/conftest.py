import pytest

from tests.alerting.plant import Plant


@pytest.fixture
def plant() -> Plant:
    """Nothing read yet, no rules."""
    return Plant()
