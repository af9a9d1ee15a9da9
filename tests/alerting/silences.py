"""What falls silent in a plant, and what is up because of it."""

from alerting.alarms import Category
from tests.alerting.plant import Plant, build_site

ALL = tuple(device.id for device in build_site().devices)


def silent(plant: Plant) -> list[str]:
    return plant.active(Category.COMMUNICATION)


def run(plant: Plant, start: int, stop: int) -> dict[int, list[str]]:
    """Tick once a second; what was up, at the seconds it changed."""
    seen: dict[int, list[str]] = {}
    before = silent(plant)
    for at in range(start, stop):
        plant.tick(at)
        if silent(plant) != before:
            before = seen[at] = silent(plant)
    return seen
