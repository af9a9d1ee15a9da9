"""What devices that report by exception said last, written and read."""

from dataclasses import replace

import pytest

from collectors.config import CollectionPlan, MqttBinding, MqttBroker
from collectors.profiles import MqttProfile
from collectors.profiles.reader import shipped
from dcops.memory import MemoryUnreadableError
from dcops.standing_values import Remembered, decode, encode, origins_of
from ingest.standing import StandingValue

NOON = 1_767_268_800_000_000_000
SAID = {"door": {"open": StandingValue(NOON, 1.0, 192)}, "leak": {"wet": StandingValue(NOON + 1, 0.1, 68)}}


ORIGINS = {"door": "192.0.2.20:1883 dcops/door 0", "leak": "192.0.2.20:1883 dcops/leak 0"}


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_written_is_read(*, whole: bool) -> None:
    remembered = Remembered(values=SAID, origins=ORIGINS, whole=whole)
    assert decode(encode(remembered)) == remembered


def test_what_was_written_before_origins_were_is_read() -> None:
    body = b'{"format": 1, "whole": true, "devices": {"door": {"open": [1767268800000000000, 1.0, 192]}}}'
    found = decode(body)
    assert found.still_from({}) == {"door": SAID["door"]}
    assert found.whole


def test_what_is_of_another_origin_by_now_is_left_out() -> None:
    remembered = Remembered(values=SAID, origins=ORIGINS, whole=True)
    assert remembered.still_from(ORIGINS) == SAID
    assert remembered.still_from(ORIGINS | {"leak": "192.0.2.21:1883 dcops/leak 0"}) == {"door": SAID["door"]}
    assert remembered.still_from({}) == {}
    assert Remembered(values=SAID, origins={}, whole=True).still_from(ORIGINS) == {}


def test_a_map_that_reads_another_topic_or_path_or_scale_is_another_origin() -> None:
    profile = shipped()["rack-climate"]
    assert isinstance(profile, MqttProfile)

    def origin(read: MqttProfile, port: int = 1883, topic: str = "door") -> str:
        door = MqttBinding(device="door", first=0, broker="b", topic=topic, period=1.0, profile=read)
        broker = MqttBroker(id="b", host="192.0.2.20", port=port, client_id="c")
        return origins_of(CollectionPlan(brokers=(broker,), mqtt=(door,)), {"door"})["door"]

    first, *others = profile.fields
    fields = (replace(first, topic="a"), replace(first, path=("a",)), replace(first, scale=7.0))
    found = [origin(replace(profile, fields=(each, *others))) for each in fields]
    found += [origin(profile), origin(profile, port=1884), origin(profile, topic="gate")]
    assert len(set(found)) == len(found)
    assert origin(replace(profile, caveats="reworded")) == origin(profile)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"format": 3, "whole": true, "devices": {}}',
        b'{"format": 1, "whole": true, "devices": {"door": {"open": [1]}}}',
        b'{"format": 1, "whole": true, "devices": {"door": 7}}',
    ],
)
def test_what_is_none_such_is_said(body: bytes) -> None:
    with pytest.raises(MemoryUnreadableError):
        decode(body)
