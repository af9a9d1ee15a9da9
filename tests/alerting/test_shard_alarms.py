"""A shard on another machine that is not heard is one alarm, whatever it collects."""

import pytest

from alerting.alarms import Category, Priority
from tests.alerting.plant import Plant, two_rows
from tests.alerting.silences import run


def devices_of(plant: Plant) -> list[str]:
    return [device.id for device in plant.site.devices]


@pytest.fixture
def divided() -> Plant:
    """Each device an endpoint of its own; all but the first three are read by a shard."""
    plant = Plant(two_rows())
    ids = devices_of(plant)
    assert len(ids) >= 10
    plant.endpoints = {device: f"gw-{at}" for at, device in enumerate(ids)}
    plant.shards = dict.fromkeys(ids[3:], "shard 2/2")
    plant.watch = plant.make_watch(())
    for device in ids:
        plant.read_device(device, 0)
    plant.tick(0)
    return plant


def test_a_silent_shard_is_one_alarm_and_not_of_the_network(divided: Plant) -> None:
    divided.lose(*devices_of(divided)[3:])
    assert run(divided, 25, 100) == {55: ["shard-silent:shard 2/2"]}
    alarm = divided.board.active()[0]
    assert (alarm.priority, alarm.category) == (Priority.HIGH, Category.COMMUNICATION)
    assert f"all {len(divided.shards)} devices it collects silent" in alarm.message
    assert "reaches the head" in alarm.action


def test_a_shard_with_one_live_device_is_none(divided: Plant) -> None:
    lost = devices_of(divided)[4:]
    divided.lose(*lost)
    changes = run(divided, 25, 100)
    assert "shard-silent:shard 2/2" not in changes[55]
    assert "network-silent:campus" not in changes[55]


def test_when_a_shard_is_back_its_devices_get_their_delay_again(divided: Plant) -> None:
    ids = devices_of(divided)
    divided.lose(*ids[3:])
    run(divided, 25, 60)
    for at in range(60, 130, 10):
        divided.read_device(ids[3], at)
        changes = run(divided, at, at + 10)
        if changes:
            break
    assert changes == {80: []}, "after two polls"
    divided.read_device(ids[3], 90)
    for at in range(90, 130, 10):
        divided.read_device(ids[3], at)
        changes |= run(divided, at, at + 10)
    assert len(changes[110]) > 1, "those that stay silent are told by then"


def test_after_a_restart_the_alarm_of_a_shard_goes_on(divided: Plant) -> None:
    divided.lose(*devices_of(divided)[3:])
    run(divided, 25, 60)
    later = Plant(two_rows())
    later.endpoints, later.shards = divided.endpoints, divided.shards
    later.board.restore(divided.board.snapshot())
    later.watch = later.make_watch(())
    later.watch.resume(0)
    assert later.active(Category.COMMUNICATION) == ["shard-silent:shard 2/2"]
