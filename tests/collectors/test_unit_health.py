"""Units: waiting → online → suspect → dormant → online, and how often a dormant one is asked."""

from collectors.health import DeviceState
from collectors.modbus.unit import Patience, Unit
from tests.collectors.conftest import seeded

SECOND = 1_000_000_000


def unit(period: float = 10.0, **patience: float) -> Unit:
    return Unit(5, period, Patience(**patience), seeded())  # type: ignore[arg-type]


def test_a_unit_waits_until_it_has_answered() -> None:
    it = unit()
    assert it.state is DeviceState.WAITING
    assert it.succeeded(SECOND) is False
    assert it.state is DeviceState.ONLINE


def test_one_failure_makes_it_suspect_and_one_success_mends_it() -> None:
    it = unit()
    it.succeeded(0)
    assert it.failed(10 * SECOND) is False
    assert (it.state, it.doubtful) == (DeviceState.SUSPECT, True)
    it.succeeded(20 * SECOND)
    assert (it.state, it.doubtful) == (DeviceState.ONLINE, False)


def test_many_failures_in_a_short_time_do_not_make_it_dormant() -> None:
    it = unit(period=1.0)
    it.succeeded(0)
    assert [it.failed(second * SECOND) for second in (1, 2, 3, 9)] == [False] * 4
    assert it.failed(10 * SECOND) is True
    assert it.state is DeviceState.DORMANT


def test_a_long_time_with_few_failures_does_not_make_it_dormant() -> None:
    it = unit()
    it.succeeded(0)
    assert [it.failed(time * SECOND) for time in (100, 200, 300)] == [False, False, True]


def test_it_goes_dormant_once_and_comes_back_once() -> None:
    it = unit()
    assert [it.failed(time * SECOND) for time in (0, 10, 20, 30)] == [False, False, True, False]
    assert it.succeeded(40 * SECOND) is True
    assert it.succeeded(50 * SECOND) is False


def turns_between_probes(it: Unit, probes: int) -> list[int]:
    for time in (0, 10, 20):
        it.failed(time * SECOND)
    turns = []
    for _ in range(probes):
        count = 1
        while not it.takes_turn():
            count += 1
        turns.append(count)
        it.failed(1000 * SECOND)
    return turns


def test_probes_of_a_dormant_unit_come_ever_more_seldom_up_to_six_periods() -> None:
    turns = turns_between_probes(unit(), 12)
    assert turns[0] == 1
    assert turns[1] in {1, 2, 3}
    assert max(turns) <= 6
    assert all(turn >= 4 for turn in turns[4:])


def test_probes_come_at_least_once_a_minute() -> None:
    assert max(turns_between_probes(unit(period=30.0), 10)) <= 2
    assert max(turns_between_probes(unit(period=300.0), 10)) == 1
