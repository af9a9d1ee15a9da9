"""What becomes of messages that carry some of a device's points, and of what its liveness topic says."""

from dataclasses import replace

import numpy as np
import pytest

from collectors.health import DeviceState
from collectors.payloads import LivenessDecoder
from collectors.profiles import MqttProfile
from collectors.profiles.reader import read_profile
from facility.sample import Sample
from ingest.live_image import LiveImage
from tests.collectors.mqtt_rig import Messages

NOON = 1_767_268_800_000_000_000
SECOND = 1_000_000_000
MS = 1_000_000
HEAD = "profile: p\nkind: board_meter\nprotocol: mqtt\ntopic: a\n"
POINTS = "".join(f"  - {{name: p{at}, type: generic, path: p{at}}}\n" for at in range(5))
TOPICS = "".join(f'  - {{name: p{at}, type: generic, topic: P{at}, path: ""}}\n' for at in range(3))
LIVENESS = "liveness: {topic: LWT}\n"


def rig(text: str, **words: object) -> Messages:
    found = read_profile(HEAD + text, "p.yaml")
    assert isinstance(found, MqttProfile)
    return Messages(found, "a", **words)


def told(samples: list[Sample]) -> list[tuple[int, list[float], list[int]]]:
    return [(sample.first, sample.values.tolist(), sample.quality.tolist()) for sample in samples]


def shown_by(samples: list[Sample], points: int) -> list[tuple[float, int, int]]:
    """Value, quality and seconds since noon of each point of an image that took the samples."""
    image = LiveImage(points)
    for sample in samples:
        image.apply(sample)
    times = ((image.times - NOON) // SECOND).tolist()
    return list(
        zip(np.nan_to_num(image.values, nan=-1.0).tolist(), image.quality.tolist(), times, strict=True)
    )


def test_a_topic_writes_its_points_only() -> None:
    it = rig(f"points:\n{TOPICS}", first=7)
    it.take("P1", "1.5")
    it.take("P0", "2.5")
    assert told(it.samples) == [(8, [1.5], [192]), (7, [2.5], [192])]
    assert it.health.polls_done == 2


def test_a_partial_message_writes_the_stretches_it_carries() -> None:
    it = rig(f"partial: true\npoints:\n{POINTS}", first=10)
    it.take("", '{"p1": 1, "p2": 2, "p4": null}')
    assert [(sample.first, len(sample.values)) for sample in it.samples] == [(11, 2), (14, 1)]
    assert it.samples[0].values.tolist() == [1.0, 2.0]
    assert it.samples[1].quality.tolist() == [16]
    assert len({sample.time for sample in it.samples}) == 1
    it.take("", '{"p0": 0, "p1": 1, "p2": 2, "p3": 3, "p4": 4}')
    assert told(it.samples[2:]) == [(10, [0.0, 1.0, 2.0, 3.0, 4.0], [192] * 5)]


def test_a_partial_message_without_a_point_says_nothing() -> None:
    """Shelly publishes events where it publishes changes of its status."""
    it = rig(f"partial: true\npoints:\n{POINTS}")
    it.take("", '{"method": "NotifyEvent"}')
    assert it.samples == []
    assert (it.health.polls_done, it.health.state) == (1, DeviceState.WAITING)
    it.take("", "")
    assert told(it.samples)[0][2] == [8] * 5


def test_a_shelly_notifies_of_what_has_changed() -> None:
    it = rig(
        "time: {path: params.ts, format: epoch_s}\npartial: true\npoints:\n"
        '  - {name: active_power, path: ["params", "em:0", "total_act_power"]}\n'
        '  - {name: frequency, path: ["params", "em:0", "a_freq"]}\n'
        '  - {name: voltage_l1, type: voltage, path: ["params", "em:0", "a_voltage"]}\n'
    )
    ts = NOON // SECOND + 5
    it.take(
        "", f'{{"src":"s","method":"NotifyStatus","params":{{"ts":{ts}.25,"em:0":{{"a_voltage":231.5}}}}}}'
    )
    assert told(it.samples) == [(2, [231.5], [192])]
    assert it.samples[0].time == NOON + 5_250 * MS


def test_what_a_message_leaves_out_is_as_it_was_and_as_old() -> None:
    it = rig(f"partial: true\npoints:\n{POINTS}")
    it.take("", '{"p0": 1, "p1": 2, "p2": 3, "p3": 4, "p4": 5}')
    it.take("", '{"p1": 20, "p3": 40}')
    assert shown_by(it.samples, 5) == [
        (1.0, 192, 10), (20.0, 192, 20), (3.0, 192, 10), (40.0, 192, 20), (5.0, 192, 10),
    ]  # fmt: skip


def test_each_topic_has_times_of_its_own() -> None:
    """What comes at once on many topics is not stamped apart; what comes at once on one is."""
    it = rig(f"points:\n{TOPICS}")
    now = it.clock.now()
    for below in ("P0", "P1", "P0"):
        it.intake._takers[f"a/{below}"][0].take(b"1", now, retained=False, held=False)
    assert [sample.time - now for sample in it.samples] == [0, 0, MS]


def test_of_a_device_that_reports_by_exception_the_last_message_of_each_topic_stands() -> None:
    text = "time: {path: t, format: epoch_s}\npoints:\n" + TOPICS.replace('path: ""', "path: v")
    it = rig(text, by_exception=True)
    noon = NOON // SECOND
    it.take("P0", f'{{"v": 1, "t": {noon + 9}}}')
    it.take("P1", f'{{"v": 2, "t": {noon + 8}}}')
    it.take("P0", f'{{"v": 3, "t": {noon - 3600}}}')
    assert [sample.time - NOON for sample in it.samples] == [9 * SECOND, 8 * SECOND, 30 * SECOND]
    assert it.errors == {"time": 1}


@pytest.mark.parametrize("how", ["retained", "held"])
def test_a_value_that_the_broker_kept_is_no_more_than_the_last_usable_one(how: str) -> None:
    it = rig(f"points:\n{TOPICS}")
    it.take("P0", "1", **{how: True})
    assert it.last == (0, 1, [68])
    assert it.errors == {how: 1}


def test_a_device_that_is_offline_shows_its_last_values_as_such_at_once() -> None:
    it = rig(f"{LIVENESS}points:\n{TOPICS}")
    it.take("P0", "1")
    it.take("P1", "2")
    it.take("LWT", "Offline")
    assert shown_by(it.samples, 3) == [(1.0, 20, 10), (2.0, 20, 20), (-1.0, 24, -NOON // SECOND)]
    assert it.health.state is DeviceState.SUSPECT
    assert it.health.last_error == "says that it is offline, or its broker says so for it"
    assert it.intake.offline == ("d",)


def test_being_online_makes_nothing_good() -> None:
    it = rig(f"{LIVENESS}points:\n{TOPICS}")
    it.take("P0", "1")
    it.take("LWT", "Offline")
    it.take("LWT", "Online")
    assert shown_by(it.samples, 3)[0] == (1.0, 20, 10)
    assert it.intake.offline == ()
    it.take("P0", "3")
    assert shown_by(it.samples, 3)[0] == (3.0, 192, 40)
    assert it.health.state is DeviceState.ONLINE


def test_a_device_that_is_heard_is_there_whatever_was_said_of_it() -> None:
    """A broker may tell of the end of a former connection when a device has long another one."""
    it = rig(f"{LIVENESS}points:\n{TOPICS}")
    it.take("LWT", "Offline")
    it.take("P0", "1")
    assert shown_by(it.samples, 3)[:2] == [(1.0, 192, 20), (-1.0, 24, -NOON // SECOND)]
    assert it.intake.offline == ()


@pytest.mark.parametrize("how", ["retained", "held"])
def test_what_the_broker_kept_of_a_device_that_is_offline_is_its_last_value(how: str) -> None:
    """What is retained comes in any order when a topic is subscribed."""
    text = f"time: {{path: t, format: epoch_s}}\n{LIVENESS}points:\n" + TOPICS.replace('path: ""', "path: v")
    it = rig(text)
    it.take("LWT", "Offline", retained=True)
    it.take("P0", f'{{"v": 1, "t": {NOON // SECOND + 5}}}', **{how: True})
    assert shown_by(it.samples, 3)[0] == (1.0, 20, 5)
    assert it.health.state is DeviceState.SUSPECT


def test_a_device_whose_clock_is_ahead_is_shown_as_offline_nevertheless() -> None:
    text = f"time: {{path: t, format: epoch_s}}\n{LIVENESS}points:\n" + TOPICS.replace('path: ""', "path: v")
    it = rig(text)
    it.take("P0", f'{{"v": 1, "t": {NOON // SECOND + 60}}}')
    it.take("LWT", "Offline")
    assert shown_by(it.samples, 3)[0] == (1.0, 20, 60)


def test_what_is_neither_online_nor_offline_is_put_aside_and_changes_nothing() -> None:
    it = rig(f"{LIVENESS}points:\n{TOPICS}")
    it.take("LWT", "maybe")
    assert it.aside == [("a/LWT", "neither 'online' nor 'offline': 'maybe'")]
    assert it.intake.offline == ()
    assert (it.health.polls_failed, it.health.polls_done) == (1, 0)


@pytest.mark.parametrize("number", ["9" * 400, "-" + "9" * 400, "1e400", "NaN", "192.0"])
def test_a_number_that_no_float_holds_is_neither_online_nor_good(number: str) -> None:
    it = rig(
        f"{LIVENESS}quality: {{path: q, good: [192], uncertain: [64]}}\n"
        "points:\n  - {name: p, type: generic, path: v}\n"
    )
    it.take("LWT", number)
    assert it.aside[0][0] == "a/LWT"
    assert it.aside[0][1].startswith("neither 'online' nor 'offline': ")
    it.take("", f'{{"v": 5, "q": {number}}}')
    assert it.samples[-1].quality.tolist() == [192 if number == "192.0" else 0]
    assert it.errors == {"payload": 1}


def test_a_fault_of_our_own_in_message_after_message_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> bool:
        raise ZeroDivisionError("a fault")

    it = rig(f"{LIVENESS}points:\n{TOPICS}")
    monkeypatch.setattr(LivenessDecoder, "is_online", broken)
    for _ in range(3):
        it.take("LWT", "online")
    assert it.errors == {"payload": 3}
    assert caplog.messages == ["a message on a/LWT cannot be used"]


def test_a_gateway_tells_of_all_its_devices_and_what_it_says_wrong_is_put_aside_once() -> None:
    it = rig(f"liveness: {{topic: ../status}}\npoints:\n{TOPICS}")
    it.intake.place([replace(it.binding, device=f"d{at}", first=3 * at, topic=f"g/{at}") for at in range(3)])
    it.topic = "g/0"
    it.take("../status", "offline")
    assert sorted(it.intake.offline) == ["d0", "d1", "d2"]
    assert [(sample.first, len(sample.values)) for sample in it.samples] == [(0, 3), (3, 3), (6, 3)]
    it.take("../status", "maybe")
    assert len(it.aside) == 1
    assert it.errors == {"payload": 1}


def test_a_device_that_moves_is_as_offline_as_it_was_and_writes_where_it_is() -> None:
    it = rig(f"{LIVENESS}points:\n{TOPICS}")
    it.take("LWT", "Offline")
    it.intake.place([replace(it.binding, first=30)], {"d"})
    assert it.intake.offline == ("d",)
    it.take("P2", "5")
    assert it.last == (32, 1, [192])


def test_a_device_that_is_read_anew_or_no_more_is_not_offline() -> None:
    it = rig(f"{LIVENESS}points:\n{TOPICS}")
    it.take("LWT", "Offline")
    it.intake.place([replace(it.binding, period=5.0)])
    assert it.intake.offline == ()
    it.take("LWT", "Offline")
    it.intake.place([])
    assert it.intake.offline == ()
    assert it.intake.polls()["done"] == 2
