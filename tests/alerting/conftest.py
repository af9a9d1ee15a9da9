import pytest

from tests.alerting.plant import Plant
from tests.alerting.silences import ALL


@pytest.fixture
def plant() -> Plant:
    """Nothing read yet, no rules."""
    return Plant()


@pytest.fixture
def talking(plant: Plant) -> Plant:
    """Every device was read at 0."""
    for device in ALL:
        plant.read_device(device, 0)
    plant.tick(0)
    return plant
