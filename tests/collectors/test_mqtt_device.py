"""The time of messages that bring none."""

from collections import Counter

import pytest

from collectors.config import MqttBinding
from collectors.mqtt_device import Decoders, MqttDevice
from facility.sample import Sample
from tests.collectors.mqtt_pipeline import climate_profile

NOON = 1_767_268_800_000_000_000
MS = 1_000_000
UNTIMED = b'{"temperature": 21.5, "humidity": 40}'


@pytest.mark.parametrize(
    ("arrivals", "times"),
    [
        ([0, 0, 10, 5 * MS], [0, MS, 2 * MS, 5 * MS]),
        ([0, 900_000, 1_100_000], [0, MS, 2 * MS]),
        ([60_000 * MS, 0], [60_000 * MS, 0]),
    ],
    ids=["at once", "within a ms", "the clock was set back"],
)
def test_messages_that_come_together_have_a_ms_each(arrivals: list[int], times: list[int]) -> None:
    samples: list[Sample] = []
    profile = climate_profile()
    binding = MqttBinding(device="c", first=0, broker="b", topic="t", period=1.0, profile=profile)
    device = MqttDevice(binding, Decoders(profile), samples.append, Counter(), set())
    (taker,) = device.takers
    for arrival in arrivals:
        taker.take(UNTIMED, NOON + arrival, retained=False, held=False)
    assert [sample.time - NOON for sample in samples] == times
