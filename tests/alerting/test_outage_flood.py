"""Outages of thousands of devices: which places they are of, and what it costs to find out."""

from random import Random

import numpy as np
import pytest

from alerting.outage import PROVEN, Flags, Outages
from alerting.silence_groups import named
from facility.devices import Device, Feed
from facility.site import Site
from facility.spaces import Level, Space
from tests.alerting.plant import SECOND, T0, Plant, pdu
from tests.alerting.silences import silent
from tests.counting import calls

LEVELS = (Level.BUILDING, Level.HALL, Level.ROW, Level.RACK)


def site_of(*sizes: int) -> Site:
    """So many buildings, halls in each, rows in each, racks in each, and PDUs in each."""
    spaces = [Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus")]
    above = ["campus"]
    for level, size in zip(LEVELS, sizes, strict=False):
        inner = [(f"{each}-{number}", each) for each in above for number in range(size)]
        spaces += [Space(id=each, level=level, parent=parent, name=each) for each, parent in inner]
        above = [each for each, _ in inner]
    devices: list[Device] = [
        pdu(f"{rack}-{number}", rack, list(Feed)[number % 2]) for rack in above for number in range(sizes[-1])
    ]
    return Site(name="Campus", spaces=tuple(spaces), devices=tuple(devices))


def test_a_tick_does_less_than_one_thing_a_device_where_many_rows_of_a_campus_are_lost_at_once() -> None:
    """Two rows of five, of 20,000 devices with an address each. By loops over the places it was a minute."""
    plant = Plant(site_of(4, 5, 10, 10, 10))
    assert len(plant.site.devices) == 20_000
    plant.endpoints = {device.id: f"gw-{device.id}" for device in plant.site.devices}
    plant.watch = plant.make_watch(())
    for device in plant.site.devices:
        plant.read_device(device.id, 0)
    plant.tick(0)
    lost = [each.id for each in plant.site.devices if int(each.id.split("-")[3]) % 5 < 2]
    plant.lose(*lost)
    plant.tick(1)
    assert calls(lambda: (plant.tick(31), plant.tick(32))) < len(lost) == 8000
    assert silent(plant) == [
        f"network-silent:campus-{building}-{hall}-{row}"
        for building in range(4)
        for hall in range(5)
        for row in (0, 1, 5, 6)
    ]


class Plainly:
    """The same by loops: each endpoint is one device, and stands in the spaces that its id begins with."""

    def __init__(self, ids: tuple[str, ...], places: tuple[str, ...]) -> None:
        self.ids = ids
        self.places = places
        self.began: dict[str, int] = {}
        self.alive: dict[str, int] = {}
        self.proven: dict[str, int] = {}

    def within(self, place: str) -> list[str]:
        return [each for each in self.ids if each.startswith(f"{place}-")]

    def look(self, dead: set[str], now: int) -> None:
        """Note what answers, while an alarm stands."""
        if not self.began:
            return
        for each in self.ids:
            if each in dead:
                self.alive.pop(each, None)
            elif now - self.alive.setdefault(each, now) >= PROVEN:
                self.proven[each] = now

    def begins(self, dead: set[str]) -> list[str]:
        found: list[str] = []
        for place in self.places:
            larger = [each for each in self.began if place.startswith(f"{each}-")]
            untold = [
                each
                for each in self.within(place)
                if each in dead and not any(self.proven.get(each, 0) <= self.began[one] for one in larger)
            ]
            size = len(self.within(place))
            many = 2 * len(untold) > size if place == "campus" else 10 * len(untold) >= 9 * size
            inside = any(place.startswith(f"{each}-") for each in found)
            if many and len(untold) >= 5 and place not in self.began and not inside:
                found.append(place)
        return found


@pytest.mark.parametrize("seed", range(20))
def test_places_are_found_as_by_loops_over_all_of_them(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a test's
    site = site_of(2, 2, 2, 1, 6)
    ids = tuple(device.id for device in site.devices)
    outages = Outages(
        site,
        np.arange(len(ids)),
        named(ids, {each: each for each in ids}),
        np.full(len(ids), 10 * SECOND, dtype=np.int64),
    )
    plain = Plainly(ids, outages.spaces)
    for number in range(40):
        now = T0 + number * 300 * SECOND
        dead = _some(site, ids, random)
        lost: Flags = np.array([each in dead for each in ids], dtype=np.bool_)
        for at in outages.end(lost, now):
            del plain.began[outages.spaces[at]]
        plain.look(dead, now)
        if not plain.began:
            plain.alive, plain.proven = {}, {}
        begins = outages.begins(lost, lost)
        assert [outages.spaces[at] for at in begins] == plain.begins(dead)
        for at in begins:
            outages.put_up(at, now)
            plain.began[outages.spaces[at]] = now
            for inner in outages.within(at):
                outages.withdraw(inner)
                del plain.began[outages.spaces[inner]]
        assert [outages.spaces[at] for at in np.flatnonzero(outages.raised)] == sorted(
            plain.began, key=outages.spaces.index
        )


def _some(site: Site, ids: tuple[str, ...], random: Random) -> set[str]:
    """All that stands in one or the other space, and a few others; now and then all but a few."""
    spaces = [space.id for space in random.sample(site.spaces[1:], random.choice((0, 1, 1, 2, 4)))]
    spaces += ["campus"] * (random.random() < 0.1)
    found = {each for each in ids if any(each.startswith(f"{space}-") for space in spaces)}
    return (found | set(random.sample(ids, 3))) - set(random.sample(ids, 2))
