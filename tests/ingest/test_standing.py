"""Devices that report by exception: what they said last stands as long as somebody would hear them."""

from dataclasses import replace

import pytest

from facility.quality import Quality
from facility.site import Site
from ingest.live_image import LiveImage
from ingest.standing import Standing, Touch
from tests.ingest.plant import GRID, K1_PDU, NOON, SECOND, catalogue, sample, site

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
