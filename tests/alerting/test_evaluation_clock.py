"""Rules while the clock is set."""

from tests.alerting.plant import Plant
from tests.alerting.test_evaluation import INLET, high


def test_a_clock_that_is_set_back_delays_no_alarm(plant: Plant) -> None:
    plant.use(high(", on_delay: 60s, off_delay: 60s"))
    assert [plant.step(INLET, 28.0, at) for at in (1000, 1020, 1040)] == [False, False, False]
    assert [plant.step(INLET, 28.0, at) for at in (40, 50, 60)] == [False, False, True]
    assert [plant.step(INLET, 20.0, at) for at in (70, 100)] == [True, True]
    assert [plant.step(INLET, 20.0, at) for at in (0, 29, 30)] == [True, True, False]


def test_delays_do_not_run_while_the_clock_is_set_ahead(plant: Plant) -> None:
    """An hour that nobody has seen neither raises nor clears."""
    plant.use(high(", on_delay: 60s, off_delay: 60s"))
    for at in range(31):
        plant.read(INLET, 28.0, 10 * (at // 10))
        plant.tick(at)
    ahead = 3600
    for at in range(31, 70):
        plant.read(INLET, 28.0, 10 * (at // 10) + (ahead if at >= 40 else 0))
        plant.tick(at + ahead)
        assert plant.active() == []
    plant.read(INLET, 28.0, 70 + ahead)
    plant.tick(70 + ahead)
    assert len(plant.active()) == 1


def test_an_alarm_does_not_end_by_a_clock_that_is_set_ahead(plant: Plant) -> None:
    plant.use(high(", off_delay: 60s"))
    plant.step(INLET, 28.0, 0)
    for at in (1, 2, 3):
        plant.step(INLET, 20.0, at)
    assert plant.step(INLET, 20.0, 3604)
    assert plant.step(INLET, 20.0, 3660)
    assert not plant.step(INLET, 20.0, 3662)
