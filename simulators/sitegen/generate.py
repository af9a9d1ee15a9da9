"""A whole site of a given shape, with the topology a designer would give it."""

from random import Random

from facility.devices import DeviceKind
from facility.spaces import Level
from simulators.sitegen.draft import BROKER, Draft
from simulators.sitegen.plant import add_building
from simulators.sitegen.rows import DeviceRow, GeneratedSite, SpaceRow
from simulators.sitegen.shape import SiteShape


def generate(shape: SiteShape, seed: int = 1) -> GeneratedSite:
    """Make up a site. The same shape and seed give the same site.

    Args:
        shape: sizes and addresses.
        seed: decides what is left to chance: which rack of a row holds the network.

    Raises:
        ShapeError: its endpoints need more ports than there are.
    """
    draft = Draft(shape, Random(seed))
    campus = draft.space(
        SpaceRow(
            id="campus",
            level=Level.CAMPUS,
            name=shape.name,
            rated_kw=shape.buildings * shape.building_kw,
        )
    )
    draft.device(
        DeviceRow(
            id="campus-weather",
            kind=DeviceKind.ENVIRONMENT_SENSOR,
            space=campus,
            profile="weather-station",
            endpoint=BROKER,
        )
    )
    for number in range(1, shape.buildings + 1):
        add_building(draft, campus, number)
    return draft.finish()
