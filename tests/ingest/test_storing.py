"""What of the readings is stored when a site has points reported by exception."""

import math
from dataclasses import replace
from random import Random

import pytest

from facility.catalogue import build_catalogue
from facility.devices import DeviceKind
from facility.sample import Sample
from facility.storing import StoringRule, plan_storing
from ingest.batch import Batch, decode, encode, gather
from ingest.line_protocol import LineEncoder
from ingest.storing import ByException, Reduction, StoringCounts
from tests.ingest.plant import (
    DEVICE_POINTS,
    GRID,
    K1_PDU,
    K2_CLIMATE,
    NOON,
    SECOND,
    batch,
    catalogue,
    sample,
    site,
)

NAN = math.nan
TEMPERATURE = StoringRule(points=frozenset({"air_inlet_temperature"}), deadband=0.5, heartbeat=60 * SECOND)
EQUAL = StoringRule(points=None, heartbeat=60 * SECOND)
SHARE = StoringRule(points=frozenset({"active_power"}), share=0.01, heartbeat=60 * SECOND)


def reporting(*rules: StoringRule) -> Reduction:
    plan = plan_storing(site(), rules)
    assert plan is not None
    return Reduction(plan, catalogue().point_count, StoringCounts())


def flat(made: Batch) -> list[tuple[int, float, float | None, int]]:
    """(point, seconds after noon, value or None, quality)"""
    found = made.expand()
    return [
        (point, (time - NOON) / SECOND, None if math.isnan(value) else value, code)
        for point, time, value, code in zip(
            found.points.tolist(),
            found.times.tolist(),
            found.values.tolist(),
            found.quality.tolist(),
            strict=True,
        )
    ]


def climate(second: float, temperature: float, humidity: float = 40.0, quality: int = 192) -> Sample:
    return sample(K2_CLIMATE, NOON + round(second * SECOND), [temperature, humidity], [quality, 192])


def stored(
    by: Reduction, *readings: tuple[float, float] | tuple[float, float, int]
) -> list[tuple[float, float | None]]:
    """(seconds, temperature) of what is stored of the first point, a batch for each reading."""
    found = []
    for second, value, *quality in readings:
        found += flat(by.reduce(batch(NOON, climate(second, value, quality=quality[0] if quality else 192))))
    return [(second, value) for point, second, value, _ in found if point == K2_CLIMATE]


def test_what_stays_within_the_deadband_is_held_and_the_rest_of_its_sample_stored() -> None:
    by = reporting(TEMPERATURE)
    assert flat(by.reduce(batch(NOON, climate(0, 20.0)))) == [(8, 0.0, 20.0, 192), (9, 0.0, 40.0, 192)]
    assert flat(by.reduce(batch(NOON, climate(5, 20.5)))) == [(9, 5.0, 40.0, 192)]
    assert flat(by.reduce(batch(NOON, climate(10, 19.5)))) == [(9, 10.0, 40.0, 192)]
    assert by.counts.held == 2


def test_the_deadband_is_measured_from_what_is_stored_so_that_a_slow_drift_is_seen() -> None:
    readings = [(5.0 * n, 20.0 + 0.125 * n) for n in range(9)]
    assert stored(reporting(TEMPERATURE), *readings) == [(0.0, 20.0), (20.0, 20.5), (25.0, 20.625)]


def test_a_change_is_stored_together_with_the_last_reading_before_it() -> None:
    found = stored(reporting(TEMPERATURE), (0, 20.0), (5, 20.1), (10, 20.2), (15, 25.0), (20, 30.0))
    assert found == [(0.0, 20.0), (10.0, 20.2), (15.0, 25.0), (20.0, 30.0)]


def test_an_unchanged_value_is_stored_at_its_heartbeat() -> None:
    found = stored(reporting(TEMPERATURE), *[(5.0 * n, 20.0) for n in range(30)])
    assert found == [(0.0, 20.0), (60.0, 20.0), (120.0, 20.0)]


def test_a_change_of_quality_is_stored_and_what_is_not_usable_always() -> None:
    found = stored(
        reporting(TEMPERATURE),
        (0, 20.0),
        (5, 20.0),
        (10, 20.0, 68),
        (15, 20.0, 68),
        (20, NAN, 24),
        (25, NAN, 24),
        (30, 20.0),
    )
    assert found == [
        (0.0, 20.0),
        (5.0, 20.0),
        (10.0, 20.0),
        (15.0, 20.0),
        (20.0, None),
        (25.0, None),
        (30.0, 20.0),
    ]


def test_a_share_is_of_the_value_stored_last() -> None:
    by = reporting(SHARE)
    taken = []
    for second, power in ((0, 1000.0), (10, 1010.0), (20, 990.0), (30, 1011.0), (40, 1021.0)):
        taken += flat(by.reduce(batch(NOON, sample(GRID, NOON + second * SECOND, [power, 1.0]))))
    assert [(second, value) for point, second, value, _ in taken if point == GRID] == [
        (0.0, 1000.0),
        (20.0, 990.0),
        (30.0, 1011.0),
    ]


def test_counters_and_states_are_held_only_while_they_are_equal() -> None:
    by = reporting(replace(EQUAL, share=0.5))
    by.reduce(batch(NOON, sample(GRID, NOON, [1000.0, 5000.0])))
    made = by.reduce(batch(NOON, sample(GRID, NOON + 10 * SECOND, [1100.0, 5000.0])))
    assert flat(made) == []
    made = by.reduce(batch(NOON, sample(GRID, NOON + 20 * SECOND, [1100.0, 5001.0])))
    assert flat(made) == [(1, 10.0, 5000.0, 192), (1, 20.0, 5001.0, 192)]


def test_the_last_rule_that_names_a_point_counts() -> None:
    by = reporting(EQUAL, replace(TEMPERATURE, kinds=frozenset({DeviceKind.ENVIRONMENT_SENSOR})))
    by.reduce(batch(NOON, climate(0, 20.0)))
    assert flat(by.reduce(batch(NOON, climate(5, 20.4, 40.1)))) == [(9, 5.0, 40.1, 192)]
    by = reporting(EQUAL, replace(TEMPERATURE, kinds=frozenset({DeviceKind.CDU})))
    by.reduce(batch(NOON, climate(0, 20.0)))
    assert flat(by.reduce(batch(NOON, climate(5, 20.4, 40.0)))) == [(8, 5.0, 20.4, 192)]


def test_several_readings_of_a_point_in_one_batch_are_judged_in_their_order() -> None:
    by = reporting(TEMPERATURE)
    made = by.reduce(
        gather(
            [climate(0, 20.0), climate(5, 20.2), climate(10, 22.0), climate(15, 22.1), climate(20, 22.0)],
            NOON,
        )
    )
    assert sorted((at, value) for point, at, value, _ in flat(made) if point == K2_CLIMATE) == [
        (0.0, 20.0),
        (5.0, 20.2),
        (10.0, 22.0),
    ]


def test_a_late_reading_is_stored_and_changes_nothing_for_those_after_it() -> None:
    found = stored(reporting(TEMPERATURE), (10, 20.0), (5, 24.0), (15, 20.1))
    assert found == [(10.0, 20.0), (5.0, 24.0)]


def test_a_late_reading_is_stored_though_it_says_the_same() -> None:
    found = stored(reporting(TEMPERATURE), (30, 20.0), (20, 20.0), (35, 20.0))
    assert found == [(30.0, 20.0), (20.0, 20.0)]


def test_of_what_is_held_the_newest_counts_whichever_comes_last() -> None:
    found = stored(reporting(TEMPERATURE), (0, 20.0), (20, 20.2), (10, 20.1), (30, 25.0))
    assert found == [(0.0, 20.0), (20.0, 20.2), (30.0, 25.0)]


def test_silence_of_exactly_a_heartbeat_is_told_too() -> None:
    found = stored(reporting(TEMPERATURE), (0, 20.0), (5, 20.1), (65, 20.1))
    assert found == [(0.0, 20.0), (5.0, 20.1), (65.0, 20.1)]


def test_a_share_is_of_what_flows_either_way_and_rules_without_one_keep_their_deadband() -> None:
    by = reporting(TEMPERATURE, SHARE)

    def power(second: int, watts: float, degrees: float) -> list[tuple[int, float, float | None, int]]:
        pdu = sample(K1_PDU, NOON + second * SECOND, [watts, 1.0, 1.0])
        found = flat(by.reduce(batch(NOON, pdu, climate(second, degrees))))
        return [each for each in found if each[0] in {K1_PDU, K2_CLIMATE}]

    assert len(power(0, -1000.0, 20.0)) == 2
    assert power(5, -1009.0, 20.4) == []
    assert by.counts.held == 2
    assert power(10, -1011.0, 20.4) == [(K1_PDU, 5.0, -1009.0, 192), (K1_PDU, 10.0, -1011.0, 192)]
    assert by.counts.ended == 1


def test_what_ends_is_stored_at_its_own_time_point_by_point() -> None:
    """Two points behind each other that were held last at different times change together."""
    by = reporting(StoringRule(points=None, heartbeat=60 * SECOND))
    by.reduce(batch(NOON, climate(0, 20.0, 40.0)))
    by.reduce(batch(NOON, sample(K2_CLIMATE, NOON + 5 * SECOND, [20.0])))
    by.reduce(batch(NOON, sample(K2_CLIMATE + 1, NOON + 10 * SECOND, [40.0])))
    assert flat(by.reduce(batch(NOON, climate(20, 25.0, 50.0)))) == [
        (K2_CLIMATE, 5.0, 20.0, 192),
        (K2_CLIMATE + 1, 10.0, 40.0, 192),
        (K2_CLIMATE, 20.0, 25.0, 192),
        (K2_CLIMATE + 1, 20.0, 50.0, 192),
    ]


def test_what_is_left_of_a_batch_keeps_its_number_and_says_whether_it_is_whole() -> None:
    by = reporting(TEMPERATURE)
    by.reduce(batch(NOON, climate(0, 20.0)))
    left = by.reduce(gather([climate(5, 20.0)], NOON, 7, whole=False))
    assert (left.number, left.whole, left.point_count) == (7, False, 1)


def test_what_was_held_by_a_clock_that_was_ahead_is_not_stored_once_it_is_set_back() -> None:
    made: list[Batch] = []
    by = ByException(made.append)
    by.use(plan_storing(site(), (TEMPERATURE,)), catalogue().point_count)
    for accepted, each in (
        (3600, climate(3600, 20.0)),
        (3605, climate(3605, 20.1)),
        (5, climate(5, 25.0)),
        (10, climate(10, 25.1)),
        (15, climate(15, 30.0)),
    ):
        by(batch(NOON + accepted * SECOND, each))
    found = [each[:3] for part in made for each in flat(part) if each[0] == K2_CLIMATE]
    assert found == [
        (K2_CLIMATE, 3600.0, 20.0),
        (K2_CLIMATE, 5.0, 25.0),
        (K2_CLIMATE, 10.0, 25.1),
        (K2_CLIMATE, 15.0, 30.0),
    ]


@pytest.mark.parametrize(("back", "stored_again"), [(60, False), (61, True)])
def test_a_clock_is_set_back_if_it_goes_back_by_more_than_a_minute(*, back: int, stored_again: bool) -> None:
    made: list[Batch] = []
    by = ByException(made.append)
    by.use(plan_storing(site(), (TEMPERATURE,)), catalogue().point_count)
    by(batch(NOON + 100 * SECOND, climate(0, 20.0)))
    by(batch(NOON + (100 - back) * SECOND, climate(5, 20.0)))
    assert (K2_CLIMATE in made[1].expand().points.tolist()) is stored_again


def test_a_change_that_comes_after_what_was_held_later_keeps_both() -> None:
    found = stored(reporting(TEMPERATURE), (0, 20.0), (30, 20.1), (10, 24.0), (35, 20.1))
    assert found == [(0.0, 20.0), (30.0, 20.1), (10.0, 24.0)]


def test_what_was_held_later_than_a_change_is_what_those_after_it_are_compared_with() -> None:
    found = stored(reporting(TEMPERATURE), (0, 20.0), (20, 20.2), (10, 25.0, 64), (30, 20.2), (35, 20.3))
    assert found == [(0.0, 20.0), (20.0, 20.2), (10.0, 25.0)]


def test_a_reading_that_comes_twice_is_stored_once() -> None:
    assert stored(reporting(TEMPERATURE), (0, 20.0), (0, 20.0), (0, 21.0)) == [(0.0, 20.0), (0.0, 21.0)]


def test_after_silence_the_last_reading_before_it_is_stored_too() -> None:
    found = stored(reporting(TEMPERATURE), (0, 20.0), (30, 20.1), (600, 20.0))
    assert found == [(0.0, 20.0), (30.0, 20.1), (600.0, 20.0)]


def test_derived_points_are_always_stored() -> None:
    by = reporting(EQUAL)
    made = batch(NOON, sample(DEVICE_POINTS, NOON, [1.0, 2.0]))
    by.reduce(made)
    assert by.reduce(made) is made


def test_what_is_left_of_samples_can_be_encoded_and_written_as_one_line_a_group() -> None:
    by = reporting(StoringRule(points=frozenset({"active_energy"}), heartbeat=60 * SECOND))
    by.reduce(batch(NOON, sample(K1_PDU, NOON, [1.0, 2.0, 50.0])))
    made = by.reduce(batch(NOON, sample(K1_PDU, NOON + 10 * SECOND, [3.0, 2.0, 50.5])))
    assert (made.first.tolist(), made.count.tolist()) == ([2, 4], [1, 1])
    assert flat(decode(encode(made))) == [(2, 10.0, 3.0, 192), (4, 10.0, 50.5, 192)]
    lines = list(LineEncoder(catalogue()).encode(made))
    assert [line.points for line in lines] == [2]
    assert lines[0].body.decode().split(" ")[-2:] == [
        "active_power=3.0,frequency=50.5",
        f"{NOON + 10 * SECOND}\n",
    ]


def test_after_a_start_and_after_a_loss_the_first_reading_is_stored() -> None:
    assert stored(reporting(TEMPERATURE), (0, 20.0)) == [(0.0, 20.0)]
    by = reporting(TEMPERATURE)
    assert stored(by, (0, 20.0), (5, 20.0)) == [(0.0, 20.0)]
    by.forget()
    assert stored(by, (10, 20.0), (15, 20.0)) == [(10.0, 20.0)]


def test_a_site_without_rules_has_no_plan() -> None:
    assert plan_storing(site(), ()) is None
    assert plan_storing(site(), (replace(TEMPERATURE, kinds=frozenset({DeviceKind.CDU})),)) is None


def test_a_catalogue_knows_how_long_a_stored_reading_stands() -> None:
    made = build_catalogue(site(), (TEMPERATURE,))
    assert [field.hold for field in made.group("k2-climate").fields] == [72_500_000_000, 0]


@pytest.mark.parametrize("seed", range(15))
def test_what_is_stored_stands_for_every_reading(seed: int) -> None:
    """Of each reading: what is stored last by then is of its quality, within deadband and heartbeat."""
    random = Random(seed)  # noqa: S311 - a seed
    reduction = reporting(TEMPERATURE)
    told: list[tuple[int, float, int]] = []
    stored: dict[int, tuple[float, int]] = {}
    value, second = 20.0, 0
    for _ in range(300):
        samples = []
        for _ in range(random.choice((1, 1, 1, 2, 5))):
            second += random.choice((1, 5, 5, 5, 30, 90))
            value += random.choice((0.0, 0.0, 0.1, -0.1, 0.3, 0.6, -2.0))
            code = random.choice((192,) * 12 + (64, 20))
            reading = value if code >= 64 else NAN
            told.append((second, reading, code))
            samples.append(sample(K2_CLIMATE, NOON + second * SECOND, [reading], code))
        for point, at, kept, code in flat(reduction.reduce(batch(NOON + second * SECOND, *samples))):
            assert point == K2_CLIMATE
            stored[round(at)] = (NAN if kept is None else kept, code)
    assert len(stored) < len(told) - 100
    for at, reading, code in told:
        last = max(each for each in stored if each <= at)
        kept, quality = stored[last]
        assert quality == code
        assert at - last < 60
        assert last == at if math.isnan(reading) else abs(kept - reading) <= 0.5 + 1e-9
