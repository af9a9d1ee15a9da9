"""What is told of a device beside its values, and what becomes of it when a scan goes wrong."""

import json

import pytest

from collectors.health import DeviceState
from collectors.lessons import Lessons
from collectors.profiles import Manners
from facility.quality import Quality
from tests.collectors.conftest import running, until
from tests.collectors.driving import SECOND, START, Drive, Registers, profile_of

WORDS = {0: 10, 1: 11, 2: 12, 3: 13}


@pytest.mark.parametrize(
    ("own", "merged"),
    [
        (Manners(), Manners(timeout=3.0, pause=0.2)),
        (Manners(timeout=1.0), Manners(timeout=1.0, pause=0.2)),
        (Manners(pause=0.1), Manners(timeout=3.0, pause=0.1)),
        (Manners(timeout=1.0, pause=0.0), Manners(timeout=1.0, pause=0.0)),
    ],
)
def test_manners_of_a_device_go_before_those_of_its_profile_one_by_one(own: Manners, merged: Manners) -> None:
    drive = Drive(profile_of(words=[0], manners=Manners(timeout=3.0, pause=0.2)))
    assert drive.beside(manners=own).manners == merged


def test_values_that_cannot_be_taken_over_make_the_scan_a_failed_one() -> None:
    drive = Drive(profile_of(words=[0]))
    drive.scan(Registers(WORDS))
    drive.reader.spoil(ValueError("of no use"), START + 7 * SECOND)
    health = drive.reader.health()
    assert (health.polls_done, health.polls_failed, health.state) == (0, 1, DeviceState.SUSPECT)
    assert health.last_error == "ValueError while its values were taken over: of no use"
    assert (drive.samples[-1].time, drive.quality) == (START + 7 * SECOND, [Quality.BAD])
    drive.scan(Registers(WORDS))
    health = drive.reader.health()
    assert (health.polls_done, health.state) == (1, DeviceState.WAITING)
    assert drive.last == [10.0]


def test_the_last_success_is_when_the_last_complete_scan_ended() -> None:
    drive = Drive(profile_of(words=[0]))
    assert drive.reader.health().last_success is None
    drive.scan(Registers(WORDS))
    drive.reader.fail("no reply in time")
    assert drive.reader.health().last_success == START + SECOND


async def test_a_device_of_the_site_no_more_hands_nothing_on_of_a_scan_that_ends() -> None:
    drive = Drive(profile_of(words=[0]))
    request = drive.reader.begin()
    assert request is not None
    drive.reader.take(b"\0\1", 0.01)
    drive.reader.retire()
    drive.reader.complete(drive.clock.now())
    drive.reader.fail("closed")
    drive.harvest.flush()
    assert drive.samples == []


def test_what_is_refused_is_part_of_what_a_scan_takes_of_the_bus() -> None:
    drive = Drive(profile_of(words=[0, 1, 2, 3]))
    asked = drive.scan(Registers({0: 10, 1: 11, 3: 13}), seconds=0.25)
    assert len(asked) > 1
    assert drive.reader.cycle == pytest.approx(0.25 * len(asked))


def test_a_read_that_is_waited_for_in_vain_is_part_of_it_too() -> None:
    drive = Drive(profile_of(words=[0, 500]))
    device = Registers({0: 10, 500: 15})
    device.silent = {500}
    drive.scan(device, seconds=0.25)
    assert drive.reader.health().polls_failed == 1
    assert drive.scan(device, seconds=0.25) == [(0, 1), (500, 1)]
    assert drive.reader.health().polls_done == 1
    assert drive.reader.cycle == pytest.approx(0.5)


async def test_what_is_forgotten_is_forgotten_in_what_is_kept_too() -> None:
    kept: list[bytes] = []
    lessons = Lessons(kept.append, pause=0.0)
    drive = Drive(profile_of(words=[0, 1]), lessons)
    async with running(lessons.run()):
        drive.scan(Registers({0: 10}))
        await until(lambda: bool(kept))
        assert [each["refused"] for each in json.loads(kept[-1])["lessons"]] == [[["holding", 1, 2]]]
        drive.reader.forget()
        await until(lambda: len(kept) > 1)
        assert json.loads(kept[-1])["lessons"] == []
