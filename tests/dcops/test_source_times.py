"""Devices that stamp their messages themselves, with clocks that jump: from the message to what is shown."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.config import MqttBinding
from collectors.mqtt_device import Decoders, MqttDevice
from dcops.site_file import load
from ingest.batch import Batch
from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from ingest.tick import Tick
from tests.climate import climate_site as site_text
from tests.collectors.mqtt_pipeline import climate_profile, climate_site
from tests.ingest.plant import NOON, SECOND, StillClock

YEAR = 365 * 86_400
GOOD, LAST_VALUE, WAITING = 192, 20, 32


class Rig:
    """One climate sensor that sends each second, up to the live image and what is stored."""

    def __init__(self, *, by_exception: bool = False) -> None:
        site = climate_site()
        devices = tuple(replace(each, reports_by_exception=by_exception) for each in site.devices)
        site = replace(site, devices=devices)
        self.clock = StillClock()
        self.image = LiveImage(site.point_count)
        self.batches: list[Batch] = []
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(site, frozenset({"c0"})),
            device_points=site.point_count,
            clock=self.clock,
            hand_over=self.batches.append,
        )
        self.errors: Counter[str] = Counter()
        profile = climate_profile()
        binding = MqttBinding(device="c0", first=0, broker="b", topic="t", period=1.0, profile=profile)
        binding = replace(binding, by_exception=by_exception)
        device = MqttDevice(binding, Decoders(profile), self.tick.accept, self.errors, set())
        (self.taker,) = device.takers

    def send(self, second: int, temperature: float, *, ahead: int = 0) -> None:
        """A message that comes so many seconds after noon from a device whose clock is ahead by some."""
        self.clock.time = NOON + second * SECOND
        stamp = (self.clock.time + ahead * SECOND) // 1_000_000
        values = {"ts": stamp, "temperature": temperature, "humidity": 40.0}
        self.taker.take(json.dumps(values).encode(), self.clock.time, retained=False, held=False)
        self.tick.close(self.clock.time)

    def close(self, second: int) -> None:
        self.clock.time = NOON + second * SECOND
        self.tick.close(self.clock.time)

    @property
    def shown(self) -> tuple[float, float, int]:
        """Temperature, seconds after noon, quality."""
        time = (int(self.image.times[0]) - NOON) / SECOND
        return float(self.image.values[0]), time, int(self.image.quality[0])

    @property
    def stored(self) -> list[tuple[float, float]]:
        """(temperature, seconds after noon)"""
        found = []
        for batch in self.batches:
            each = batch.expand()
            rows = zip(each.points.tolist(), each.values.tolist(), each.times.tolist(), strict=True)
            found += [(value, (time - NOON) / SECOND) for point, value, time in rows if point == 0]
        return found


@pytest.mark.parametrize("ahead", [61, 3600, YEAR, 1000 * YEAR])
def test_one_that_is_ahead_is_shown_and_stored_at_its_arrival_and_holds_nothing_up(ahead: int) -> None:
    rig = Rig()
    rig.send(0, 20.0)
    rig.send(1, 21.0, ahead=ahead)
    assert rig.shown == (21.0, 1.0, GOOD)
    rig.send(2, 22.0)
    assert rig.shown == (22.0, 2.0, GOOD)
    assert rig.stored == [(20.0, 0.0), (21.0, 1.0), (22.0, 2.0)]
    assert rig.errors == {"time": 1}


def test_one_that_is_ahead_by_less_is_believed_and_holds_up_what_follows_for_no_longer() -> None:
    rig = Rig()
    rig.send(0, 20.0, ahead=60)
    assert rig.shown == (20.0, 60.0, GOOD)
    rig.send(59, 21.0)
    assert rig.shown == (20.0, 60.0, GOOD)
    rig.send(60, 22.0)
    assert rig.shown == (22.0, 60.0, GOOD)
    assert rig.tick.counts.late == 1


@pytest.mark.parametrize("behind", [60, 3600, 20 * YEAR])
def test_one_that_is_behind_changes_nothing_that_is_shown_and_is_told_as_silent(behind: int) -> None:
    rig = Rig()
    rig.send(0, 20.0)
    for second in range(1, 32):
        rig.send(second, 25.0, ahead=-behind)
    assert rig.shown == (20.0, 0.0, LAST_VALUE)
    assert rig.stored[1] == (25.0, 1.0 - behind)
    assert rig.tick.counts.late == 31
    rig.send(32, 22.0)
    assert rig.shown == (22.0, 32.0, GOOD)


def test_one_that_was_behind_from_the_start_is_shown_as_old_as_it_says() -> None:
    rig = Rig()
    rig.send(0, 20.0, ahead=-3600)
    assert rig.shown == (20.0, -3600.0, LAST_VALUE)
    rig.send(1, 21.0)
    assert rig.shown == (21.0, 1.0, GOOD)


@pytest.mark.parametrize("stamp", [0, -1, 86_400_000, 946_684_799_999])
def test_one_whose_clock_was_never_set_is_shown_at_its_arrival(stamp: int) -> None:
    rig = Rig()
    payload = json.dumps({"ts": stamp, "temperature": 20.0, "humidity": 40.0}).encode()
    rig.taker.take(payload, NOON, retained=False, held=False)
    assert rig.shown == (20.0, 0.0, GOOD)
    assert rig.errors == {"time": 1}


def test_of_one_that_was_never_heard_nothing_from_the_past_is_good() -> None:
    rig = Rig()
    rig.close(0)
    assert rig.shown[2] == WAITING
    rig.send(1, 20.0, ahead=-86_400)
    assert rig.shown == (20.0, 1.0 - 86_400, LAST_VALUE)


@pytest.mark.parametrize("behind", [1, 3600, 20 * YEAR])
def test_what_one_that_reports_by_exception_says_last_is_shown_though_its_clock_was_set_back(
    behind: int,
) -> None:
    rig = Rig(by_exception=True)
    rig.send(100, 20.0)
    rig.send(101, 25.0, ahead=-behind - 1)
    assert rig.shown == (25.0, 101.0, GOOD)
    rig.send(5000, 26.0, ahead=-behind - 1)
    assert rig.shown[::2] == (26.0, GOOD)
    assert rig.tick.counts.late == 0


def test_the_site_says_which_devices_report_by_exception(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(site_text(1, "c0", more=", reports_by_exception: true"))
    assert [each.by_exception for each in load(tmp_path / "site.yaml").plan.mqtt] == [True]
    (tmp_path / "site.yaml").write_text(site_text(1, "c0"))
    assert [each.by_exception for each in load(tmp_path / "site.yaml").plan.mqtt] == [False]


def test_nor_is_it_hidden_by_one_that_was_stamped_ahead() -> None:
    rig = Rig(by_exception=True)
    rig.send(0, 20.0, ahead=60)
    rig.send(1, 25.0)
    assert rig.shown == (25.0, 60.001, GOOD)
    rig.send(2, 26.0)
    assert rig.shown == (26.0, 60.002, GOOD)
    rig.send(100, 27.0)
    assert rig.shown == (27.0, 100.0, GOOD)
    assert rig.errors == {"time": 2}


def test_what_the_broker_had_of_it_from_before_stays_from_before() -> None:
    rig = Rig(by_exception=True)
    rig.send(100, 20.0)
    old = json.dumps({"ts": NOON // 1_000_000, "temperature": 5.0, "humidity": 40.0}).encode()
    rig.taker.take(old, rig.clock.time, retained=True, held=False)
    rig.taker.take(old, rig.clock.time, retained=False, held=True)
    rig.tick.close(rig.clock.time)
    assert rig.shown == (20.0, 100.0, GOOD)
    assert rig.stored == [(20.0, 100.0), (5.0, 0.0), (5.0, 0.0)]
