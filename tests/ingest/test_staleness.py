"""Silence shows within three polls, and only where silence means something."""

from dataclasses import replace

import numpy as np
import pytest

from ingest.live_image import LiveImage
from ingest.staleness import StalenessPlan
from tests.ingest.plant import (
    DEVICE_POINTS,
    GRID,
    K2_CLIMATE,
    K2_DOOR,
    K2_PDU,
    NOON,
    SECOND,
    catalogue,
    sample,
    site,
)

PUSHED = frozenset({"k2-climate", "k2-door"})


def quality_after(seconds: float, first: int, values: list[float], quality: int = 192) -> list[int]:
    image = LiveImage(catalogue().point_count)
    image.apply(sample(first, NOON, values, quality))
    StalenessPlan(site(), PUSHED).mark(image, NOON + int(seconds * SECOND))
    codes: list[int] = image.quality[first : first + len(values)].tolist()
    return codes


@pytest.mark.parametrize(
    ("seconds", "expected"), [(5.0, 192), (25.0, 192), (25.1, 20), (3_000_000_000.0, 20)]
)
def test_a_polled_point_is_stale_after_two_and_a_half_periods(seconds: float, expected: int) -> None:
    assert quality_after(seconds, GRID, [1.0, 2.0]) == [expected, expected]


@pytest.mark.parametrize(("seconds", "expected"), [(5.0, 192), (5.1, 20)])
def test_the_limit_is_the_devices_own(seconds: float, expected: int) -> None:
    assert quality_after(seconds, K2_PDU, [1.0, 2.0, 3.0]) == [expected] * 3


@pytest.mark.parametrize(("seconds", "expected"), [(5.1, (192, 20)), (25.1, (20, 20))])
def test_devices_with_the_very_same_points_have_limits_of_their_own(
    seconds: float, expected: tuple[int, int]
) -> None:
    plain = site()
    first, second = (plain.device(name) for name in ("k1-pdu-a", "k2-pdu-a"))
    alike = replace(
        plain,
        devices=tuple(
            replace(each, points=first.points) if each is second else each for each in plain.devices
        ),
    )
    image = LiveImage(catalogue().point_count)
    places = [int(alike.first_points[alike.device_index[each.id]]) for each in (first, second)]
    for place in places:
        image.apply(sample(place, NOON, [1.0, 2.0, 3.0]))
    StalenessPlan(alike, PUSHED).mark(image, NOON + int(seconds * SECOND))
    assert tuple(int(image.quality[place]) for place in places) == expected


def test_a_point_read_in_every_sixth_scan_is_stale_after_two_and_a_half_of_those() -> None:
    plain = site()
    grid = plain.devices[0]
    power, energy = grid.points
    seldom = replace(grid, points=(power, replace(energy, every=6)))
    slower = replace(plain, devices=(seldom, *plain.devices[1:]))
    plan = StalenessPlan(slower, PUSHED)
    image = LiveImage(catalogue().point_count)
    image.apply(sample(GRID, NOON, [1.0, 2.0]))
    plan.mark(image, NOON + 150 * SECOND)
    assert image.quality[GRID : GRID + 2].tolist() == [20, 192]
    plan.mark(image, NOON + 151 * SECOND)
    assert image.quality[GRID : GRID + 2].tolist() == [20, 20]


@pytest.mark.parametrize(("seconds", "expected"), [(30.0, 192), (30.1, 20)])
def test_a_pushed_point_is_given_thirty_seconds(seconds: float, expected: int) -> None:
    assert quality_after(seconds, K2_CLIMATE, [1.0, 2.0]) == [expected, expected]


@pytest.mark.parametrize(("seconds", "expected"), [(180.0, 192), (180.1, 20)])
def test_a_pushed_point_of_a_longer_period_is_given_three_of_them(seconds: float, expected: int) -> None:
    plain = site()
    devices = tuple(replace(each, period=60.0) if each.id == "k2-climate" else each for each in plain.devices)
    image = LiveImage(catalogue().point_count)
    image.apply(sample(K2_CLIMATE, NOON, [1.0, 2.0]))
    StalenessPlan(replace(plain, devices=devices), PUSHED).mark(image, NOON + int(seconds * SECOND))
    assert image.quality[K2_CLIMATE : K2_CLIMATE + 2].tolist() == [expected, expected]


def test_what_reports_by_exception_is_never_stale() -> None:
    assert quality_after(86_400.0, K2_DOOR, [1.0]) == [192]


def test_an_uncertain_value_goes_stale_too_and_keeps_its_value() -> None:
    image = LiveImage(catalogue().point_count)
    image.apply(sample(GRID, NOON, [1.0, 2.0], 64))
    StalenessPlan(site(), PUSHED).mark(image, NOON + 60 * SECOND)
    assert image.quality[GRID : GRID + 2].tolist() == [20, 20]
    assert image.values[GRID : GRID + 2].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(("before", "after"), [(16, 24), (0, 24), (28, 28), (12, 24)])
def test_a_bad_reading_in_silence_becomes_no_communication(before: int, after: int) -> None:
    assert quality_after(60.0, GRID, [1.0, 2.0], before) == [after, after]


def test_points_never_read_go_on_waiting_and_derived_ones_are_left_alone() -> None:
    image = LiveImage(catalogue().point_count)
    image.quality[DEVICE_POINTS:] = 192
    StalenessPlan(site(), PUSHED).mark(image, NOON)
    assert np.unique(image.quality[:DEVICE_POINTS]).tolist() == [32]
    assert np.unique(image.quality[DEVICE_POINTS:]).tolist() == [192]
