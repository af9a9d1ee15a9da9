"""The image shows the newest reading of each point and never what was not read."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from facility.sample import Scans
from ingest.batch import gather
from ingest.live_image import LiveImage
from tests.ingest.plant import NOON, SECOND, sample


def shown(image: LiveImage) -> list[tuple[float | None, int, int]]:
    """(value or None, seconds after noon or 0, quality) of each point."""
    return [
        (None if math.isnan(value) else value, 0 if time == 0 else (time - NOON) // SECOND, code)
        for value, time, code in zip(
            image.values.tolist(), image.times.tolist(), image.quality.tolist(), strict=True
        )
    ]


def image_after(*samples: tuple[int, Sequence[float], Sequence[int] | int]) -> LiveImage:
    image = LiveImage(2)
    for second, values, quality in samples:
        image.apply(sample(0, NOON + second * SECOND, values, quality))
    return image


def test_before_the_first_reading_every_point_waits() -> None:
    assert shown(LiveImage(2)) == [(None, 0, 32), (None, 0, 32)]


def test_a_reading_is_shown_with_its_time_and_quality() -> None:
    assert shown(image_after((1, [5.0, 6.0], [192, 64]))) == [(5.0, 1, 192), (6.0, 1, 64)]


def test_an_older_reading_is_refused_and_counted() -> None:
    image = image_after((2, [5.0, 6.0], 192))
    assert not image.apply(sample(0, NOON + SECOND, [1.0, 1.0]))
    assert shown(image) == [(5.0, 2, 192), (6.0, 2, 192)]
    assert image.late == 1


def test_a_reading_of_the_same_time_replaces() -> None:
    image = image_after((2, [5.0, 6.0], 192), (2, [7.0, 8.0], 192))
    assert shown(image) == [(7.0, 2, 192), (8.0, 2, 192)]
    assert image.late == 0


def test_points_of_one_sample_are_judged_one_by_one() -> None:
    image = LiveImage(2)
    image.apply(sample(1, NOON + 3 * SECOND, [9.0]))
    assert image.apply(sample(0, NOON + 2 * SECOND, [5.0, 6.0]))
    assert shown(image) == [(5.0, 2, 192), (9.0, 3, 192)]
    assert image.late == 0


def test_in_a_sample_that_is_late_in_part_the_same_time_still_replaces() -> None:
    image = image_after((2, [5.0, 6.0], 192))
    image.apply(sample(1, NOON + 3 * SECOND, [9.0]))
    image.apply(sample(0, NOON + 2 * SECOND, [7.0, 8.0]))
    assert shown(image) == [(7.0, 2, 192), (9.0, 3, 192)]


def test_a_late_failed_read_does_not_touch_what_was_read_since() -> None:
    image = image_after((1, [5.0, 6.0], 192))
    image.apply(sample(1, NOON + 3 * SECOND, [9.0]))
    image.apply(sample(0, NOON + 2 * SECOND, [float("nan")] * 2, 24))
    assert shown(image) == [(5.0, 1, 20), (9.0, 3, 192)]


def test_a_failed_read_keeps_value_and_time() -> None:
    nan = float("nan")
    assert shown(image_after((1, [5.0, 6.0], 192), (2, [nan, nan], 24))) == [(5.0, 1, 20), (6.0, 1, 20)]


def test_a_failed_read_of_what_was_never_read_shows_no_value() -> None:
    nan = float("nan")
    assert shown(image_after((2, [nan, nan], [20, 24]))) == [(None, 0, 24), (None, 0, 24)]


def test_a_good_reading_after_a_failure_is_shown() -> None:
    nan = float("nan")
    image = image_after((1, [5.0, 6.0], 192), (2, [nan, nan], 24), (3, [7.0, 8.0], 192))
    assert shown(image) == [(7.0, 3, 192), (8.0, 3, 192)]


def test_other_bad_codes_show_no_value_even_if_one_is_sent() -> None:
    image = image_after((1, [5.0, 6.0], 192), (2, [7.0, 8.0], [16, 192]))
    assert shown(image) == [(None, 2, 16), (8.0, 2, 192)]


def test_computed_values_are_shown_as_they_are_whatever_was_there() -> None:
    image = image_after((5, [5.0, 6.0], 192))
    image.put(sample(0, NOON + SECOND, [1.0, float("nan")], [192, 24]))
    assert shown(image) == [(1.0, 1, 192), (None, 1, 24)]


def test_a_reading_older_than_what_was_computed_in_its_place_is_refused() -> None:
    image = LiveImage(2)
    image.put(sample(0, NOON + 5 * SECOND, [5.0, 6.0]))
    assert not image.apply(sample(0, NOON + 2 * SECOND, [7.0, 8.0]))
    assert shown(image) == [(5.0, 5, 192), (6.0, 5, 192)]


def test_after_the_clock_was_set_back_points_are_still_judged_one_by_one() -> None:
    image = image_after((60, [5.0, 6.0], 192))
    image.set_back(NOON + 2 * SECOND)
    image.apply(sample(1, NOON + 4 * SECOND, [9.0]))
    image.apply(sample(0, NOON + 3 * SECOND, [7.0, 8.0]))
    assert shown(image) == [(7.0, 3, 192), (9.0, 4, 192)]


def test_arrays_stay_the_same_objects() -> None:
    image = LiveImage(2)
    values = image.values
    image.apply(sample(0, NOON, [5.0, 6.0]))
    np.testing.assert_array_equal(values, [5.0, 6.0])


def test_a_million_points_take_seventeen_megabytes() -> None:
    assert LiveImage(1_000_000).nbytes == 17_000_000


def test_readings_that_come_together_are_taken_together_though_other_devices_show_newer_ones() -> None:
    image = LiveImage(6)
    image.apply(sample(0, NOON + 9 * SECOND, [1.0, 2.0]))
    times = [NOON + 3 * SECOND, NOON + 2 * SECOND]
    assert image.apply_good(Scans([2, 4], times, np.array([[3.0, 4.0], [5.0, 6.0]]), None))
    assert image.values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert image.times.tolist() == [NOON + at * SECOND for at in (9, 9, 3, 3, 2, 2)]
    assert image.quality.tolist() == [192] * 6


def test_none_of_them_is_taken_if_one_of_their_own_points_shows_a_newer_one() -> None:
    image = LiveImage(6)
    image.apply(sample(3, NOON + 9 * SECOND, [1.0]))
    times = [NOON + 3 * SECOND, NOON + 2 * SECOND]
    assert not image.apply_good(Scans([2, 4], times, np.array([[3.0, 4.0], [5.0, 6.0]]), None))
    assert np.isnan(image.values).tolist() == [True, True, True, False, True, True]


def shown_at_once(image: LiveImage, second: int) -> None:
    """Two readings of one device that came together with those of others."""
    image.apply_good(Scans([0], [NOON + second * SECOND], np.array([[5.0, 6.0]]), None))


def shown_in_a_batch(image: LiveImage, second: int) -> None:
    image.apply_usable(gather([sample(0, NOON + second * SECOND, [5.0, 6.0])], NOON))


def shown_before_the_site_changed(image: LiveImage, second: int) -> None:
    before = LiveImage(3)
    before.apply(sample(1, NOON + second * SECOND, [5.0, 6.0]))
    image.take_over(before, [(0, 1, 2)])


@pytest.mark.parametrize("show", [shown_at_once, shown_in_a_batch, shown_before_the_site_changed])
def test_nothing_late_overwrites_what_is_shown_however_it_came(
    show: Callable[[LiveImage, int], None],
) -> None:
    image = LiveImage(2)
    show(image, 5)
    older = NOON + 2 * SECOND
    assert not image.apply(sample(0, older, [7.0, 8.0]))
    assert not image.apply_good(Scans([0], [older], np.array([[7.0, 8.0]]), None))
    assert image.apply_usable(gather([sample(0, older, [7.0, 8.0])], NOON)) == 1
    assert shown(image) == [(5.0, 5, 192), (6.0, 5, 192)]


def test_an_image_goes_on_from_another_where_both_have_the_points() -> None:
    before = LiveImage(3)
    before.apply(sample(0, NOON + SECOND, [1.0, 2.0, 3.0], [192, 64, 24]))
    after = LiveImage(4)
    after.take_over(before, [(0, 1, 1), (3, 0, 1)])
    assert shown(after) == [(2.0, 1, 64), (None, 0, 32), (None, 0, 32), (1.0, 1, 192)]


def test_of_readings_that_come_as_a_batch_one_of_the_same_time_replaces() -> None:
    image = image_after((2, [5.0, 6.0], 192))
    assert image.apply_usable(gather([sample(0, NOON + 2 * SECOND, [7.0, 8.0])], NOON)) == 0
    assert shown(image) == [(7.0, 2, 192), (8.0, 2, 192)]


def test_in_a_batch_only_what_is_older_in_each_of_its_points_is_late() -> None:
    image = image_after((2, [5.0, 6.0], 192))
    image.apply(sample(1, NOON + 4 * SECOND, [6.5]))
    assert image.apply_usable(gather([sample(0, NOON + 3 * SECOND, [7.0, 8.0])], NOON)) == 0
    assert shown(image) == [(7.0, 3, 192), (6.5, 4, 192)]
    assert image.apply_usable(gather([sample(0, NOON + SECOND, [1.0, 1.0])], NOON)) == 1
    assert image.late == 1


def test_an_image_that_goes_on_from_another_counts_on() -> None:
    before, after = image_after((2, [5.0, 6.0], 192)), LiveImage(2)
    before.apply(sample(0, NOON + SECOND, [1.0, 1.0]))
    after.take_over(before, [])
    assert after.late == 1


def test_what_is_forgotten_was_never_read() -> None:
    image = LiveImage(4)
    image.apply(sample(0, NOON, [1.0, 2.0, 3.0, 4.0]))
    image.forget(1, 2)
    assert shown(image) == [(1.0, 0, 192), (None, 0, 32), (None, 0, 32), (4.0, 0, 192)]
    assert image.times.tolist() == [NOON, 0, 0, NOON]
    image.apply(sample(1, NOON - SECOND, [7.0, 8.0]))
    assert image.values.tolist() == [1.0, 7.0, 8.0, 4.0]
