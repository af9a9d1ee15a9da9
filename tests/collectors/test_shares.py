"""Shares of a collection: disjoint, complete, and the same in every process and after every change."""

from collections import Counter

import pytest

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, MqttBinding, MqttBroker
from collectors.errors import ShareError
from collectors.profiles.reader import shipped
from collectors.shares import Share, owner, read_share, share_of

NAMES = [f"b{at % 4 + 1}-r{at:04}-pdus" for at in range(3000)]


def plan() -> CollectionPlan:
    profiles = shipped()
    modbus = next(each for each in profiles.values() if hasattr(each, "sources"))
    mqtt = next(each for each in profiles.values() if not hasattr(each, "sources"))
    return CollectionPlan(
        endpoints=tuple(ModbusEndpoint(id=f"gw-{at}", host="127.0.0.1", port=502) for at in range(40)),
        brokers=tuple(MqttBroker(id=f"mq-{at}", host="h", port=1883, client_id=f"c{at}") for at in range(6)),
        modbus=tuple(
            ModbusBinding(
                device=f"d{at}", first=at, endpoint=f"gw-{at % 40}", unit=1, period=10.0, profile=modbus
            )
            for at in range(120)
        ),
        mqtt=tuple(
            MqttBinding(
                device=f"m{at}", first=200 + at, broker=f"mq-{at % 6}", topic="t", period=10.0, profile=mqtt
            )
            for at in range(12)
        ),
    )


def test_shares_are_disjoint_and_together_everything() -> None:
    whole = plan()
    parts = [share_of(whole, Share(index, 3), "shard") for index in (1, 2, 3)]
    for part in parts:
        places = {each.id for each in part.endpoints} | {each.id for each in part.brokers}
        assert {each.endpoint for each in part.modbus} | {each.broker for each in part.mqtt} == places
    assert sorted(e.id for part in parts for e in part.endpoints) == sorted(e.id for e in whole.endpoints)
    assert sorted(e.id for part in parts for e in part.brokers) == sorted(e.id for e in whole.brokers)
    assert sorted(b.device for part in parts for b in part.modbus) == sorted(b.device for b in whole.modbus)
    assert sorted(b.device for part in parts for b in part.mqtt) == sorted(b.device for b in whole.mqtt)


def test_the_owner_of_an_endpoint_is_the_same_in_every_version() -> None:
    """Worked out once with b2sum -l 64: another hash would move devices between machines at an update."""
    assert [owner(name, 2, "shard") for name in ("gw-1", "gw-2", "gw-3", "gw-4")] == [2, 2, 2, 1]
    assert [owner("b1-r0001-pdus", count, "shard") for count in (1, 2, 3, 4)] == [1, 1, 1, 1]


def test_one_more_takes_its_share_and_moves_nothing_between_the_others() -> None:
    before = [owner(name, 3, "shard") for name in NAMES]
    after = [owner(name, 4, "shard") for name in NAMES]
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {4}
    assert 600 < len(moved) < 900  # a quarter of 3000


def test_shares_are_of_about_one_size() -> None:
    counts = Counter(owner(name, 4, "shard") for name in NAMES)
    assert all(650 < counts[index] < 850 for index in (1, 2, 3, 4))


def test_a_share_is_shared_out_again_evenly() -> None:
    mine = [name for name in NAMES if owner(name, 2, "shard") == 1]
    counts = Counter(owner(name, 2, "worker") for name in mine)
    assert min(counts[1], counts[2]) > 0.4 * len(mine)


def test_a_share_is_read_from_text() -> None:
    assert read_share("2/3") == Share(2, 3)
    assert str(Share(2, 3)) == "2/3"


@pytest.mark.parametrize("text", ["", "2", "0/2", "3/2", "a/b", "1/2/3", "-1/2", "1.0/2", "²/3"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ShareError, match="write 1/2"):
        read_share(text)
