"""Random losses of devices, gateways and network, and restarts: all that is silent is told, and ends."""

from random import Random

import numpy as np
import pytest

from alerting.alarms import Alarm
from alerting.board import AlarmBoard
from facility.quality import Quality
from tests.alerting.plant import SECOND, T0, Plant, two_rows

TICKS, CALM = 3_000, 900
STALE = 25
MOST_UNTOLD = 3 * 10 + 5
"""Seconds that a device may be silent with no alarm up that speaks for it: three polls, counted anew after an
alarm of many has ended, and some for the ticks.
"""


class Losses:
    """Twelve PDUs, two behind each gateway, polled every 10 s."""

    def __init__(self, random: Random) -> None:
        self.plant = Plant(two_rows())
        self.ids = [device.id for device in self.plant.site.devices]
        self.gateways = self.plant.endpoints = {each: f"gw{at // 2}" for at, each in enumerate(self.ids)}
        self.plant.watch = self.plant.make_watch(())
        self.random = random
        self.dead: set[str] = set()
        """Ids of devices and gateways, and ``network``."""
        self.untold = dict.fromkeys(self.ids, 0)
        self.up: set[str] = set()

    def lose_and_find(self) -> None:
        often = {"network": 0.001} | dict.fromkeys(self.gateways.values(), 0.003)
        for each in (*often, *self.ids):
            back = 0.01 if each == "network" and each in self.dead else 0.0
            if self.random.random() < max(often.get(each, 0.001), back):
                self.dead ^= {each}

    def poll(self, tick: int) -> None:
        plant, first = self.plant, self.plant.site.first_points
        for at, each in enumerate(self.ids):
            place = slice(int(first[at]), int(first[at + 1]))
            if tick % 10 == at % 10 and self.dead.isdisjoint((each, self.gateways[each], "network")):
                plant.values[place], plant.times[place] = 1.0, T0 + tick * SECOND
                plant.quality[place] = Quality.GOOD
            elif plant.times[place][0] and T0 + (tick - STALE) * SECOND > plant.times[place][0]:
                plant.quality[place] = Quality.COMM_FAILURE_LAST_VALUE

    def restart(self, tick: int) -> None:
        plant = self.plant
        plant.values[:], plant.times[:], plant.quality[:] = np.nan, 0, Quality.WAITING_FOR_DATA
        board = AlarmBoard()
        board.restore(plant.board.snapshot())
        board.listen(plant.told.append)
        plant.board = board
        plant.watch = plant.make_watch(())
        plant.watch.resume(T0 + tick * SECOND)
        self.untold = dict.fromkeys(self.ids, 0)

    def check(self, told: list[Alarm]) -> None:
        for alarm in told:
            if alarm.cleared is None:
                assert alarm.id not in self.up, f"{alarm.id} is raised twice"
                self.up.add(alarm.id)
            else:
                assert alarm.id in self.up, f"{alarm.id} ends and was not up"
                self.up.remove(alarm.id)
        spoken_for = {each for alarm in self.plant.board.active() for each in self.members(alarm)}
        for at, each in enumerate(self.ids):
            quality = self.plant.quality[self.plant.site.first_points[at]]
            is_silent = quality != Quality.GOOD
            most = MOST_UNTOLD + (30 if quality == Quality.WAITING_FOR_DATA else 0)
            self.untold[each] = self.untold[each] + 1 if is_silent and each not in spoken_for else 0
            assert self.untold[each] <= most, f"{each} is silent and nobody is told"

    def members(self, alarm: Alarm) -> list[str]:
        match alarm.rule:
            case "device-silent":
                return [alarm.device]
            case "endpoint-silent":
                return [each for each in self.ids if self.gateways[each] == alarm.device]
            case "network-silent":
                return [each for each in self.ids if self.is_in(each, alarm.device)]
            case "feed-silent":
                feed = alarm.point[-1]
                return [each for each in self.ids if each.endswith(feed) and self.is_in(each, alarm.device)]
        raise AssertionError(alarm.id)

    def is_in(self, device: str, space: str) -> bool:
        site = self.plant.site
        return space in {each.id for each in site.ancestors(site.device(device).space)}


@pytest.mark.parametrize("seed", range(4))
def test_everything_silent_is_told_once_and_ends(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a seed
    losses = Losses(random)
    for tick in range(1, TICKS):
        if tick < TICKS - CALM:
            losses.lose_and_find()
            if random.random() < 0.001:
                losses.restart(tick)
        else:
            losses.dead.clear()
        losses.poll(tick)
        before = len(losses.plant.told)
        losses.plant.watch.watch(T0 + tick * SECOND)
        losses.check(losses.plant.told[before:])
    assert losses.plant.board.active() == ()
    assert len(losses.plant.told) > 20
