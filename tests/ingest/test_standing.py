"""Devices that report by exception: what they said last stands as long as somebody would hear them."""

from dataclasses import replace

import numpy as np
import pytest

from facility.quality import Quality
from facility.sample import Sample
from facility.site import Site
from ingest.live_image import LiveImage
from ingest.standing import Standing, Touch
from tests.counting import calls
from tests.ingest.plant import DEVICES, GRID, K1_PDU, NOON, SECOND, SPACES, catalogue, sample, site

LOST = Touch(lost={"k1-pdu-a", "grid"})
MISSED = Touch(missed={"k1-pdu-a"})


@pytest.fixture
def image() -> LiveImage:
    image = LiveImage(catalogue().point_count)
    image.apply(sample(GRID, NOON, [1.0, 2.0]))
    image.apply(sample(K1_PDU, NOON, [3.0, 4.0], [Quality.GOOD, Quality.LAST_USABLE]))
    return image


def by_exception() -> Site:
    known = site()
    return replace(
        known,
        devices=tuple(replace(each, reports_by_exception=each.id == "k1-pdu-a") for each in known.devices),
    )


def codes(image: LiveImage) -> list[int]:
    return [int(code) for code in image.quality[K1_PDU : K1_PDU + 2]]


def test_what_a_lost_device_said_stands_no_more_and_again_once_it_would_be_heard(image: LiveImage) -> None:
    standing = Standing(by_exception())
    assert standing.devices == {"k1-pdu-a"}
    standing.mark(image, LOST)
    assert codes(image) == [20, 20]
    assert image.values[K1_PDU] == 3.0
    assert image.quality[GRID] == Quality.GOOD, "it does not report by exception"
    standing.mark(image, LOST)
    standing.mark(image, Touch())
    assert codes(image) == [192, 68]


def test_what_was_missed_meanwhile_makes_only_the_next_message_good(image: LiveImage) -> None:
    standing = Standing(by_exception())
    standing.mark(image, LOST)
    standing.mark(image, MISSED)
    assert codes(image) == [20, 20]
    standing.mark(image, Touch())
    assert codes(image) == [20, 20]
    image.apply(sample(K1_PDU, NOON + SECOND, [5.0, 6.0]))
    standing.mark(image, Touch())
    assert codes(image) == [192, 192]


def test_what_comes_late_while_it_is_lost_counts_when_it_is_back(image: LiveImage) -> None:
    standing = Standing(by_exception())
    standing.mark(image, LOST)
    image.apply(sample(K1_PDU, NOON + SECOND, [5.0, 6.0]))
    standing.mark(image, LOST)
    assert codes(image) == [20, 20]
    standing.mark(image, Touch())
    assert codes(image) == [192, 192]


def test_a_site_that_changes_meanwhile_forgets_nothing(image: LiveImage) -> None:
    before = Standing(by_exception())
    before.mark(image, LOST)
    after = Standing(by_exception())
    after.take_over(before)
    after.mark(image, Touch())
    assert codes(image) == [192, 68]


def fresh() -> tuple[Standing, LiveImage]:
    """As at a start."""
    return Standing(by_exception()), LiveImage(catalogue().point_count)


def test_what_is_remembered_is_what_was_said_last_even_if_it_would_not_be_heard_now(image: LiveImage) -> None:
    names = [
        point.name for point in next(each for each in by_exception().devices if each.id == "k1-pdu-a").points
    ]
    standing = Standing(by_exception())
    expected = {"k1-pdu-a": {names[0]: (NOON, 3.0, 192), names[1]: (NOON, 4.0, 68)}}
    assert standing.remember(image).by_device() == expected
    standing.mark(image, LOST)
    assert standing.remember(image).by_device() == expected
    standing.mark(image, MISSED)
    assert {told.quality for told in standing.remember(image).by_device()["k1-pdu-a"].values()} == {20}


def test_what_was_never_read_or_has_no_value_is_not_remembered() -> None:
    standing, image = fresh()
    assert standing.remember(image).by_device() == {}
    image.apply(sample(K1_PDU, NOON, [float("nan"), 4.0], [Quality.SENSOR_FAILURE, Quality.GOOD]))
    assert [told.value for told in standing.remember(image).by_device()["k1-pdu-a"].values()] == [4.0]


def test_after_a_restart_it_is_shown_with_its_time_and_stands_again_once_it_would_be_heard(
    image: LiveImage,
) -> None:
    said = Standing(by_exception()).remember(image).by_device()
    standing, shown = fresh()
    standing.restore(shown, said, whole=True)
    assert codes(shown) == [20, 20]
    assert shown.values[K1_PDU : K1_PDU + 2].tolist() == [3.0, 4.0]
    assert shown.times[K1_PDU : K1_PDU + 2].tolist() == [NOON, NOON]
    standing.mark(shown, LOST)
    assert codes(shown) == [20, 20]
    standing.mark(shown, Touch())
    assert codes(shown) == [192, 68]


@pytest.mark.parametrize(("whole", "touch"), [(False, Touch()), (True, MISSED)])
def test_after_a_kill_or_if_something_was_missed_only_the_next_message_makes_it_good(
    image: LiveImage, *, whole: bool, touch: Touch
) -> None:
    said = Standing(by_exception()).remember(image).by_device()
    standing, shown = fresh()
    standing.restore(shown, said, whole=whole)
    standing.mark(shown, LOST)
    standing.mark(shown, touch)
    assert codes(shown) == [20, 20]
    shown.apply(sample(K1_PDU, NOON + SECOND, [5.0, 6.0]))
    standing.mark(shown, Touch())
    assert codes(shown) == [192, 192]


def test_what_has_come_since_the_start_is_not_overwritten(image: LiveImage) -> None:
    said = Standing(by_exception()).remember(image).by_device()
    standing, shown = fresh()
    shown.apply(sample(K1_PDU, NOON + SECOND, [5.0]))
    standing.restore(shown, {**said, "gone": said["k1-pdu-a"]}, whole=True)
    standing.mark(shown, Touch())
    assert codes(shown) == [192, 68]
    assert shown.values[K1_PDU : K1_PDU + 2].tolist() == [5.0, 4.0]


def calls_for_lost(count: int) -> int:
    """How many calls a tick takes while so many devices stay lost."""
    devices = tuple(replace(DEVICES[4], id=f"door-{number}") for number in range(count))
    many = Site(name="North", spaces=SPACES, devices=devices, timezone="UTC")
    image, standing = LiveImage(many.point_count), Standing(many)
    image.put(Sample(0, NOON, np.ones(count), np.full(count, 192, np.uint8)))
    lost = Touch(lost=standing.devices)
    standing.mark(image, lost)
    found = calls(lambda: standing.mark(image, lost))
    assert set(image.quality.tolist()) == {20}
    standing.mark(image, Touch())
    assert set(image.quality.tolist()) == {192}
    return found


def test_lost_devices_take_no_more_steps_of_each_tick_the_more_they_are() -> None:
    assert calls_for_lost(500) == calls_for_lost(5)
