"""What is summed up of all devices."""

from collections import Counter

from collectors.health import CollectionTotals, DeviceState, DeviceTally
from collectors.modbus.census import polls_of, tally_of
from collectors.modbus.device import DeviceReader
from collectors.profiles import Table
from tests.collectors.driving import START, Drive, profile_of


def reader(due: int, done: int, missed: int, failed: int, samples: int) -> DeviceReader:
    found = Drive(profile_of(words=[0, 1])).reader
    found.polls_due, found.polls_done, found.polls_missed = due, done, missed
    found.polls_failed, found.samples = failed, samples
    return found


def test_polls_are_those_of_all_devices_and_what_there_was_before() -> None:
    readers = [reader(10, 5, 3, 2, 50), reader(200, 100, 60, 30, 1000)]
    before = Counter(due=1000, done=2000, missed=3000, failed=4000, samples=5000)
    assert polls_of(readers, before) == CollectionTotals(
        polls_due=1210, polls_done=2105, polls_missed=3063, polls_failed=4032, samples=6050
    )


def test_without_devices_there_is_what_there_was_before() -> None:
    assert polls_of([], Counter(done=7)) == CollectionTotals(
        polls_due=0, polls_done=7, polls_missed=0, polls_failed=0, samples=0
    )
    assert tally_of([], [DeviceState.ONLINE], 3) == DeviceTally(
        states={DeviceState.ONLINE: 1}, refused=0, identity_changes=3
    )


def test_devices_are_tallied_by_state_with_what_they_refuse() -> None:
    waiting, suspect, refusing = (reader(0, 0, 0, 0, 0) for _ in range(3))
    suspect.unit.failed(START)
    refusing.unit.succeeded(START)
    refusing.lesson.refused = {(Table.HOLDING, 1): 2, (Table.HOLDING, 7): 2}
    suspect.lesson.refused = {(Table.INPUT, 1): 2}
    found = tally_of([waiting, suspect, refusing], [DeviceState.ONLINE, DeviceState.DORMANT], 4)
    assert found == DeviceTally(
        states={
            DeviceState.WAITING: 1,
            DeviceState.SUSPECT: 1,
            DeviceState.ONLINE: 2,
            DeviceState.DORMANT: 1,
        },
        refused=3,
        identity_changes=4,
    )
