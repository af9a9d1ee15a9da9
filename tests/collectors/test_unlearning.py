"""What was learned wrongly is unlearned: of a device that was starting, or that another one answered for."""

from collections.abc import Callable

from collectors.lessons import Lessons
from collectors.profiles import Table
from tests.collectors.driving import DAY, Drive, Registers, profile_of
from tests.collectors.test_device_lessons import device


def scans_that(
    drive: Drive, answers: Registers, asks: Callable[[list[tuple[int, int]]], bool], count: int
) -> list[int]:
    """Numbers of those of so many scans, a second apart, that ask so."""
    return [number for number in range(1, count + 1) if asks(drive.scan(answers))]


def test_what_is_refused_is_asked_for_again_after_a_quarter_of_an_hour_and_then_twice_as_late_each_time() -> (
    None
):
    drive = Drive(profile_of(words=range(10)))
    drive.scan(device(4))
    asked = scans_that(drive, device(4), lambda asked: (4, 1) in asked, 30_000)
    assert asked == [900, 2700, 6300, 13500, 27900]


def test_it_is_asked_for_once_a_day_in_the_end() -> None:
    drive = Drive(profile_of(words=range(10)))
    drive.scan(device(4))
    for _ in range(20):
        drive.clock.time += DAY
        drive.scan(device(4))
    drive.clock.time += DAY - 5 * 1_000_000_000
    asked = scans_that(drive, device(4), lambda asked: (4, 1) in asked, 10)
    assert asked == [5]


def test_the_first_value_of_all_is_asked_for_again_like_any_other() -> None:
    drive = Drive(profile_of(words=range(10)))
    drive.scan(device(0))
    for _ in range(900):
        drive.scan(device())
    assert drive.quality == [192] * 10
    assert drive.scan(device()) == [(0, 10)]


def test_several_values_share_the_time_between_two_rounds() -> None:
    drive = Drive(profile_of(words=range(10)))
    drive.scan(device(2, 4, 8))
    asked = [drive.scan(device(2, 4, 8)) for _ in range(3000)]
    again = [
        (number, each) for number, reads in enumerate(asked, 1) for each in reads if each[0] in {2, 4, 8}
    ]
    assert again == [
        (300, (2, 1)),
        (600, (4, 1)),
        (900, (8, 1)),
        (1500, (2, 1)),
        (2100, (4, 1)),
        (2700, (8, 1)),
    ]


def test_half_a_device_that_was_refused_for_a_while_is_back_within_scans_of_its_end() -> None:
    drive = Drive(profile_of(words=range(60)))
    for _ in range(1500):
        drive.scan(device(*range(30, 60)))
    assert drive.quality == [192] * 30 + [8] * 30
    for _ in range(8):
        drive.scan(device())
    assert drive.quality == [192] * 60
    assert drive.scan(device()) == [(0, 60)]
    assert not drive.reader.lesson


def test_asking_for_all_again_takes_nothing_from_what_is_read() -> None:
    drive = Drive(profile_of(words=range(60)))
    for _ in range(1500):
        drive.scan(device(*range(0, 60, 2)))
    for _ in range(70):  # one is due within a minute
        asked = drive.scan(device(50))
        assert len(asked) <= 30 + 16
        assert drive.quality[1::2] == [192] * 30
    assert drive.scan(device(50)) == [(0, 50), (51, 9)]
    assert drive.quality == [192] * 50 + [8] + [192] * 9


def test_what_a_slow_group_was_refused_is_asked_for_again_beside_that_of_a_fast_one() -> None:
    drive = Drive(profile_of(words=[0, 1, 10, 11], every={10: 5, 11: 5}))
    for _ in range(6):
        drive.scan(device(1, 11))
    assert drive.quality == [192, 8]
    for _ in range(3000):
        drive.scan(device(1))
    assert set(drive.reader.lesson.refused) == {(Table.HOLDING, 1)}


def test_a_device_that_is_back_is_asked_at_once() -> None:
    drive = Drive(profile_of(words=range(10)))
    for _ in range(15_000):
        drive.scan(device(4))
    drive.reader.returned()
    assert drive.scan(device(4)) == [(0, 4), (4, 1), (5, 5)]
    assert scans_that(drive, device(4), lambda asked: (4, 1) in asked, 6000) == [1800, 5400]


def test_one_that_failed_a_scan_is_asked_within_a_quarter_of_an_hour() -> None:
    drive = Drive(profile_of(words=range(10)))
    for _ in range(15_000):
        drive.scan(device(4))
    drive.reader.begin()
    drive.reader.fail("no reply in time")
    drive.scan(device(4))
    assert scans_that(drive, device(4), lambda asked: (4, 1) in asked, 12_000) == [900]


def test_a_cut_that_is_needed_after_all_is_asked_for_ever_more_seldom() -> None:
    drive = Drive(profile_of(words=[*range(10), *range(15, 20)], max_gap=8))
    lacking = device(10, 11, 12, 13, 14)
    drive.scan(lacking)
    assert scans_that(drive, lacking, lambda asked: (0, 20) in asked, 15_000) == [900, 2700, 6300, 13500]
    assert drive.quality == [192] * 15


def test_a_cut_that_is_not_needed_goes() -> None:
    drive = Drive(profile_of(words=[*range(10), *range(15, 20)], max_gap=8))
    drive.scan(device(10, 11, 12, 13, 14))
    for _ in range(900):
        drive.scan(device())
    assert drive.scan(device()) == [(0, 20)]
    assert not drive.reader.lesson


def test_what_was_learned_before_a_restart_is_asked_for_a_quarter_of_an_hour_after_it() -> None:
    first = Drive(profile_of(words=range(10)))
    first.scan(device(4))
    again = Drive(profile_of(words=range(10)), Lessons(document=first.lessons.document()))
    assert scans_that(again, device(4), lambda asked: (4, 1) in asked, 3000) == [900, 2700]


def test_a_register_that_keeps_silent_is_asked_for_at_once_when_its_device_is_back() -> None:
    drive = Drive(profile_of(words=[0, 50]))
    mute = device()
    mute.silent = {50}
    for _ in range(300):
        drive.scan(mute)
    assert drive.reader.health().silent == 1
    drive.reader.returned()
    drive.scan(device())
    assert drive.quality == [192, 192]
