"""What a device refuses: split off once, known from then on, seen again when it comes back."""

import math

import pytest

from collectors.lessons import Lessons
from collectors.profiles import DataType, Table
from tests.collectors.driving import DAY, SILENCE, Drive, Registers, profile_of


def device(*missing: int, of: int = 60) -> Registers:
    """Registers 0 … ``of`` - 1, each holding its address plus 100, without the missing ones."""
    return Registers({at: 100 + at for at in range(of) if at not in missing})


def test_one_illegal_register_of_sixty_costs_one_request_more_and_no_other_value() -> None:
    drive = Drive(profile_of(words=range(60)))
    whole = device(37)

    asked = drive.scan(whole)

    assert len(drive.samples) == 1
    assert drive.quality == [192] * 37 + [8] + [192] * 22
    assert drive.last[:37] == [float(100 + at) for at in range(37)]
    assert drive.last[38:] == [float(100 + at) for at in range(38, 60)]
    assert math.isnan(drive.last[37])
    assert asked[0] == (0, 60)
    assert len(asked) <= 1 + 2 * 6
    for _ in range(3):
        assert drive.scan(whole) == [(0, 37), (38, 22)]
        assert drive.quality == [192] * 37 + [8] + [192] * 22


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        ((0,), [(1, 59)]),
        ((59,), [(0, 59)]),
        ((20, 21), [(0, 20), (22, 38)]),
        ((10, 30, 50), [(0, 10), (11, 19), (31, 19), (51, 9)]),
    ],
)
def test_what_is_left_is_read_in_as_few_requests_as_possible(
    missing: tuple[int, ...], asked: list[tuple[int, int]]
) -> None:
    drive = Drive(profile_of(words=range(60)))
    drive.scan(device(*missing))
    assert drive.scan(device(*missing)) == asked
    assert [at for at, code in enumerate(drive.quality) if code == 8] == list(missing)


def test_nothing_is_learned_twice() -> None:
    first = Drive(profile_of(words=range(60)))
    first.scan(device(37))

    again = Drive(profile_of(words=range(60)), Lessons(document=first.lessons.document()))

    assert again.scan(device(37)) == [(0, 37), (38, 22)]
    assert again.quality == [192] * 37 + [8] + [192] * 22


def test_lessons_of_another_map_are_not_taken_over() -> None:
    first = Drive(profile_of(words=range(60)))
    first.scan(device(37))

    other = Drive(profile_of(words=range(1, 60)), Lessons(document=first.lessons.document()))

    assert other.scan(device())[0] == (1, 59)


def test_a_value_of_two_registers_is_never_torn() -> None:
    drive = Drive(profile_of([(at, DataType.U32) for at in range(0, 20, 2)]))
    for _ in range(2):
        for address, count in drive.scan(device(7)):
            assert address % 2 == 0
            assert count % 2 == 0
    assert drive.scan(device(7)) == [(0, 6), (8, 12)]
    assert drive.quality == [192] * 3 + [8] + [192] * 6


def test_values_that_share_a_refused_register_are_refused_together() -> None:
    profile = profile_of([(0, DataType.U16), (1, DataType.BIT), (1, DataType.U16), (2, DataType.U16)])
    drive = Drive(profile)
    drive.scan(device(1))
    assert drive.scan(device(1)) == [(0, 1), (2, 1)]
    assert drive.quality == [192, 8, 8, 192]


def test_a_gap_the_device_refuses_to_be_read_across_costs_one_request() -> None:
    drive = Drive(profile_of(words=[*range(10), *range(15, 20)], max_gap=8))
    lacking = device(10, 11, 12, 13, 14)
    assert drive.scan(lacking)[0] == (0, 20)
    assert drive.quality == [192] * 15
    assert drive.scan(lacking) == [(0, 10), (15, 5)]
    assert drive.reader.lesson.cuts == {(Table.HOLDING, 15)}
    again = Drive(
        profile_of(words=[*range(10), *range(15, 20)], max_gap=8), Lessons(document=drive.lessons.document())
    )
    assert again.scan(lacking) == [(0, 10), (15, 5)]


def test_a_device_that_answers_fewer_registers_than_its_profile_says_is_read_in_smaller_blocks() -> None:
    drive = Drive(profile_of(words=range(60)))
    narrow = device()
    narrow.most = 40
    drive.scan(narrow)
    assert drive.quality == [192] * 60
    assert drive.scan(narrow) == [(0, 30), (30, 30)]


def test_what_is_refused_widely_is_learned_in_bounded_steps() -> None:
    missing = tuple(range(0, 60, 2))
    drive = Drive(profile_of(words=range(60)))
    scans = [drive.scan(device(*missing)) for _ in range(12)]
    assert max(len(asked) for asked in scans) <= 30 + 2 * 16
    assert [each for each in scans[-1] if each[0] % 2] == [(at, 1) for at in range(1, 60, 2)]
    assert (
        len(scans[-1]) <= 30 + 1
    )  # at first each refused one is asked for again within a quarter of an hour
    assert drive.quality == [8, 192] * 30


def test_a_device_that_refuses_everything_teaches_nothing_and_is_asked_one_thing_a_scan() -> None:
    drive = Drive(profile_of(words=[*range(20), *range(40, 60)]))
    starting = Registers({})
    drive.scan(starting)
    assert drive.quality == [8] * 40
    assert drive.reader.lesson.refused == {}
    asked = [drive.scan(starting) for _ in range(4)]
    assert [len(each) for each in asked] == [1, 1, 1, 1]
    assert asked[0] != asked[1]
    assert drive.quality == [8] * 40
    assert drive.reader.last_error.startswith("exception 2 (illegal data address) reading holding ")

    drive.scan(device())
    assert drive.scan(device()) == [(0, 20), (40, 20)]
    assert drive.quality == [192] * 40


def test_busy_is_no_refusal() -> None:
    drive = Drive(profile_of(words=range(10)))
    busy = device()
    busy.codes = {3: 6}
    assert drive.scan(busy) == [(0, 10)]
    assert drive.quality == [24] * 10
    assert drive.scan(device()) == [(0, 10)]
    assert drive.quality == [192] * 10


def test_a_failure_is_taken_for_a_refusal_only_when_it_comes_three_times_in_a_row() -> None:
    drive = Drive(profile_of(words=[*range(10), 50]))
    failing = device()
    failing.codes = {4: 4}
    for _ in range(2):
        assert drive.scan(failing) == [(0, 10), (50, 1)]
        assert drive.quality == [12] * 10 + [192]
    assert drive.scan(device()) == [(0, 10), (50, 1)]
    for _ in range(2):
        assert drive.scan(failing) == [(0, 10), (50, 1)]
    drive.scan(failing)
    assert drive.quality == [192] * 4 + [12] + [192] * 6
    assert drive.scan(failing) == [(0, 4), (5, 5), (50, 1)]
    assert drive.quality == [192] * 4 + [12] + [192] * 6


def test_a_refused_register_is_asked_for_again_and_comes_back() -> None:
    drive = Drive(profile_of(words=range(10)))
    drive.scan(device(4))
    assert drive.scan(device(4)) == [(0, 4), (5, 5)]
    drive.clock.time += DAY
    assert drive.scan(device(4)) == [(0, 4), (4, 1), (5, 5)]
    assert drive.quality == [192] * 4 + [8] + [192] * 5
    assert drive.scan(device(4)) == [(0, 4), (5, 5)]
    drive.clock.time += DAY
    assert drive.scan(device()) == [(0, 4), (4, 1), (5, 5)]
    assert drive.quality == [192] * 10
    assert drive.scan(device()) == [(0, 10)]


def test_one_refused_register_at_a_time_is_asked_for_again() -> None:
    drive = Drive(profile_of(words=range(10)))
    drive.scan(device(2, 5))
    again = []
    for _ in range(2):
        drive.clock.time += DAY // 2
        again += [each for each in drive.scan(device(2, 5)) if each in {(2, 1), (5, 1)}]
    assert sorted(again) == [(2, 1), (5, 1)]


def test_a_scan_that_breaks_off_while_splitting_teaches_nothing() -> None:
    drive = Drive(profile_of(words=range(60)))
    lacking = device(37)
    answers = iter([True, True])
    answer = lacking.answer
    lacking.answer = lambda request: answer(request) if next(answers, False) else SILENCE  # type: ignore[method-assign]
    drive.scan(lacking)
    assert drive.reader.lesson.refused == {}
    lacking.answer = answer  # type: ignore[method-assign]
    assert drive.scan(lacking)[0] == (0, 60)
    assert drive.scan(lacking) == [(0, 37), (38, 22)]


def test_forgetting_begins_anew() -> None:
    drive = Drive(profile_of(words=range(10)))
    drive.scan(device(4))
    drive.reader.forget()
    assert drive.scan(device()) == [(0, 10)]
    assert drive.quality == [192] * 10


def test_groups_are_read_at_their_own_pace_and_each_gives_its_own_sample() -> None:
    profile = profile_of(words=[0, 1, 10, 20], every={10: 3, 20: 6})
    drive = Drive(profile)
    sound = Registers({0: 1, 1: 2, 10: 3, 20: 4})
    asked = [drive.scan(sound) for _ in range(7)]
    assert asked[0] == [(0, 2), (10, 1), (20, 1)]
    assert [sample.first for sample in drive.samples[:3]] == [0, 2, 3]
    assert [sample.values.tolist() for sample in drive.samples[:3]] == [[1.0, 2.0], [3.0], [4.0]]
    assert asked[1:6] == [[(0, 2)], [(0, 2)], [(0, 2), (10, 1)], [(0, 2)], [(0, 2)]]
    assert asked[6] == [(0, 2), (10, 1), (20, 1)]


def test_after_a_failure_every_group_is_read_again() -> None:
    drive = Drive(profile_of(words=[0, 10], every={10: 60}))
    sound = Registers({0: 1, 10: 3})
    drive.scan(sound)
    assert drive.scan(sound) == [(0, 1)]
    drive.reader.begin()
    drive.reader.fail("no reply in time")
    assert drive.quality == [24, 24]
    assert drive.scan(sound) == [(0, 1), (10, 1)]


def test_a_register_that_two_groups_need_is_refused_once() -> None:
    drive = Drive(profile_of(words=[0, 1, 10], every={10: 2}))
    drive.scan(device(1))
    assert drive.scan(device(1)) == [(0, 1)]
    assert drive.scan(device(1)) == [(0, 1), (10, 1)]


def test_what_reads_cost_is_counted_by_block() -> None:
    drive = Drive(profile_of(words=[0, 10], every={10: 2}))
    sound = Registers({0: 1, 10: 3})
    for _ in range(4):
        drive.scan(sound, seconds=0.25)
    costs = [(cost.text, cost.count, cost.seconds) for cost in drive.reader.costs()]
    assert costs == [("holding 0+1", 4, 1.0), ("holding 10+1", 2, 0.5)]
    assert 0.25 < drive.reader.health().cycle < 0.5


def test_health_counts_refused_values() -> None:
    drive = Drive(profile_of(words=range(10)))
    assert math.isnan(drive.reader.health().cycle)
    drive.scan(device(4, 5))
    assert drive.reader.health().refused == 2
