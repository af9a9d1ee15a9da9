"""A device with a SunSpec model: the model is looked for, walked to, remembered and found again."""

import pytest

from collectors.lessons import Lessons
from collectors.profiles import (
    SunSpecModel,
    Table,
)
from tests.collectors.driving import Drive, Registers, profile_of, text_words


def sunspec(base: int, *models: tuple[int, int]) -> Registers:
    """Marker, a common model, further models (id, length), end."""
    held = dict(zip(range(base, base + 2), text_words("SunS", 2), strict=True))
    common = [1, 66, *text_words("Acme", 16), *text_words("PM 1", 16), *text_words("", 8)]
    common += [*text_words("1.2", 8), *text_words("SN-7", 16), 1, 0x8000]
    at = base + 2
    held |= dict(zip(range(at, at + len(common)), common, strict=True))
    at += len(common)
    for model, length in models:
        held |= dict(enumerate([model, length, *range(length)], at))
        at += 2 + length
    held |= {at: 0xFFFF, at + 1: 0}
    return Registers(held)


SUNSPEC = profile_of(words=[2, 3], sunspec=SunSpecModel(model=213))


def test_a_sunspec_model_is_found_by_walking_from_header_to_header() -> None:
    drive = Drive(SUNSPEC)
    device = sunspec(40000, (12, 98), (213, 124))
    assert drive.scan(device) == [
        (40000, 2),
        (40002, 2),
        (40002, 66),
        (40070, 2),
        (40170, 2),
        (40172, 2),
    ]
    assert drive.last == [0.0, 1.0]
    assert drive.scan(device) == [(40172, 2)]
    assert drive.reader.texts == {
        "manufacturer": "Acme",
        "model": "PM 1",
        "version": "1.2",
        "serial": "SN-7",
    }


@pytest.mark.parametrize(("base", "looked"), [(0, [40000, 0]), (50000, [40000, 0, 50000])])
def test_the_marker_is_looked_for_in_three_places(base: int, looked: list[int]) -> None:
    drive = Drive(SUNSPEC)
    asked = drive.scan(sunspec(base, (213, 124)))
    assert asked[: len(looked)] == [(place, 2) for place in looked]
    assert drive.last == [0.0, 1.0]


def test_a_device_without_the_model_or_the_marker_says_so() -> None:
    drive = Drive(SUNSPEC)
    drive.scan(sunspec(40000, (203, 105)))
    assert drive.quality == [4, 4]
    assert drive.reader.last_error == "it is not a test: it has no SunSpec model 213, only: 1, 203"
    drive.scan(Registers({0: 230, 1: 231}))
    assert drive.reader.last_error == (
        "it is not a test: it is no SunSpec device: there is no marker at 40000, 0, 50000"
    )


def test_where_a_model_was_found_is_remembered_and_looked_up_anew_after_a_restart() -> None:
    drive = Drive(SUNSPEC)
    drive.scan(sunspec(40000, (213, 124)))
    assert drive.reader.lesson.start == 40070
    again = Drive(SUNSPEC, Lessons(document=drive.lessons.document()))
    assert again.reader.lesson.start == 40070
    again.scan(sunspec(40000, (12, 98), (213, 124)))
    assert again.reader.lesson.start == 40170
    assert again.last == [0.0, 1.0]


def test_a_model_that_has_moved_is_found_again_when_all_reads_are_refused() -> None:
    drive = Drive(SUNSPEC)
    drive.scan(sunspec(40000, (12, 98), (213, 124)))
    moved = sunspec(0, (213, 124))
    for _ in range(3):
        drive.scan(moved)
    assert drive.scan(moved) == [(72, 2)]
    assert drive.quality == [192, 192]


def test_a_refused_register_of_a_sunspec_model_is_learned_by_its_offset() -> None:
    drive = Drive(SUNSPEC)
    device = sunspec(40000, (213, 124))
    del device.words[40073]
    drive.scan(device)
    assert drive.scan(device) == [(40072, 1)]
    assert drive.reader.lesson.refused == {(Table.HOLDING, 3): 2}
    assert drive.quality == [192, 8]


def test_a_sunspec_model_whose_values_would_lie_behind_the_last_address_is_none() -> None:
    marker = dict(zip((40000, 40001), text_words("SunS", 2), strict=True))
    far = Registers({0: 1} | marker | {40002: 1, 40003: 25528, 65532: 103, 65533: 50})
    drive = Drive(profile_of(words=[10], sunspec=SunSpecModel(model=103)))
    drive.scan(far)
    assert drive.quality == [4]
    assert drive.reader.last_error == (
        "it is not a test: its SunSpec model 103 begins at 65532,"
        " so that what its profile asks for would lie behind the last address, 65535"
    )


def test_a_busy_sunspec_device_is_not_said_to_be_another(caplog: pytest.LogCaptureFixture) -> None:
    device = sunspec(40000, (213, 124))
    device.codes = dict.fromkeys((40000, 0, 50000), 6)
    drive = Drive(SUNSPEC)
    drive.scan(device)
    assert drive.quality == [24, 24]
    device.codes = {40070: 6}
    drive.scan(device)
    assert drive.quality == [24, 24]
    device.codes = {}
    drive.scan(device)
    assert drive.quality == [192, 192]
    assert caplog.records == []
