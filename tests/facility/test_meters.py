"""Which counters make up an energy, what stands in for those it lacks, and what a meter can carry."""

import math
from dataclasses import replace

import numpy as np

from facility.devices import Device, DeviceKind, PointSpec
from facility.meters import entering, meters_of, names_of
from facility.point_types import POINT_TYPES
from facility.quantities import ENERGIES
from facility.site import Site
from facility.sources import ratings_of
from tests.facility.plant import SPACES, device

IMPORTED = next(each for each in ENERGIES if each.returned_type_key is not None)
BACK = str(IMPORTED.returned_type_key)


def input_meter(name: str, *points: str) -> Device:
    bare = device(name, DeviceKind.UTILITY_METER, "b1", "active_power")
    return replace(bare, points=tuple(PointSpec(each, POINT_TYPES[each]) for each in points))


def test_counters_come_in_the_order_of_their_points_with_what_stands_in_and_what_counts_back() -> None:
    site = Site(
        name="test",
        spaces=SPACES,
        devices=(
            input_meter("bare", "active_power"),
            input_meter("both", BACK, "active_power", "active_energy"),
            input_meter("back-only", BACK),
            input_meter("plain", "active_energy", "active_power"),
        ),
    )
    found = meters_of(site, IMPORTED)
    assert names_of(site, found) == ("bare", "both returned", "both", "plain")
    names = [point.name for each in site.devices for point in each.points]
    assert [names[at] for at in found.points] == ["active_power", BACK, "active_energy", "active_energy"]
    assert found.points.tolist() == sorted(found.points.tolist())
    assert found.integrated.tolist() == [True, False, False, False]
    assert found.returned.tolist() == [False, True, False, False]
    assert entering(found).tolist() == [2]


def test_a_meter_can_carry_its_own_rating_else_that_of_its_rack_else_nobody_knows() -> None:
    devices = (
        device("rated", DeviceKind.RACK_PDU, "k1", "active_energy", rated=50e3),
        device("in-rack", DeviceKind.RACK_PDU, "k1", "active_energy"),
        device("zero", DeviceKind.RACK_PDU, "k2", "active_energy", rated=0.0),
        device("in-hall", DeviceKind.UTILITY_METER, "h1", "active_energy"),
    )
    spaces = tuple(replace(each, rated_power=5e6) if each.id == "h1" else each for each in SPACES)
    found = ratings_of(Site(name="test", spaces=spaces, devices=devices), np.arange(4)).tolist()
    assert found[:3] == [50e3, 100e3, 100e3]
    assert math.isnan(found[3])
