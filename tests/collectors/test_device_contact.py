"""Who a device is: asked before its values, and seldom again; another one's numbers are never taken."""

import logging
import struct

import pytest

from collectors.lessons import Lessons
from collectors.modbus import Answer, Fault, FaultKind
from collectors.modbus.frames import Request
from collectors.profiles import (
    DeviceIdentification,
    IdentityCheck,
    ModbusProfile,
    Table,
    TextRegister,
)
from tests.collectors.driving import HOUR, SILENCE, Drive, Registers, profile_of, text_words

MODEL = IdentityCheck(table=Table.HOLDING, address=11, length=1, low=1648, high=1653)
SERIAL = TextRegister(name="serial", table=Table.HOLDING, address=100, length=3)


def meter(model: int = 1650, serial: str = "BX1234") -> Registers:
    held = {0: 230, 1: 231, 11: model}
    held |= dict(zip(range(100, 103), text_words(serial, 3), strict=True))
    return Registers(held)


def meter_profile(**changes: object) -> ModbusProfile:
    return profile_of(words=[0, 1], **({"identity": (MODEL,), "texts": (SERIAL,)} | changes))


def test_identity_and_texts_are_read_before_the_first_values_and_then_not() -> None:
    drive = Drive(meter_profile())
    assert drive.scan(meter()) == [(11, 1), (100, 3), (0, 2)]
    assert drive.quality == [192, 192]
    assert drive.reader.texts == {"serial": "BX1234"}
    assert [drive.scan(meter()) for _ in range(3)] == [[(0, 2)]] * 3


def test_identity_is_asked_again_about_once_an_hour() -> None:
    drive = Drive(meter_profile())
    drive.scan(meter())
    drive.clock.time += HOUR // 2
    assert drive.scan(meter()) == [(0, 2)]
    drive.clock.time += HOUR
    assert drive.scan(meter()) == [(11, 1), (100, 3), (0, 2)]


def test_a_device_of_another_kind_gives_no_number(caplog: pytest.LogCaptureFixture) -> None:
    drive = Drive(meter_profile())
    for _ in range(3):
        assert drive.scan(meter(model=71)) == [(11, 1)]
        assert drive.quality == [4, 4]
    assert drive.reader.last_error == "it is not a test: holding register 11 reads 71, expected 1648 to 1653"
    assert drive.reader.polls_failed == 3
    assert [record.getMessage() for record in caplog.records] == [
        "device device-1 is not a test: holding register 11 reads 71, expected 1648 to 1653"
    ]

    drive.scan(meter())
    assert drive.quality == [192, 192]


def test_an_identity_that_cannot_be_read_proves_nothing() -> None:
    lacking = meter()
    del lacking.words[11]
    drive = Drive(meter_profile())
    assert drive.scan(lacking) == [(11, 1), (100, 3), (0, 2)]
    assert drive.quality == [192, 192]


@pytest.mark.parametrize(("shown", "good"), [("EM24-DIN", True), ("EM24", True), ("EM340", False)])
def test_a_text_begins_with_what_is_expected(shown: str, *, good: bool) -> None:
    check = IdentityCheck(table=Table.HOLDING, address=100, length=4, text="EM24")
    device = Registers({0: 1, 1: 2} | dict(zip(range(100, 104), text_words(shown, 4), strict=True)))
    drive = Drive(profile_of(words=[0, 1], identity=(check,)))
    drive.scan(device)
    assert drive.quality == ([192, 192] if good else [4, 4])
    if not good:
        assert drive.reader.last_error == (
            "it is not a test: holding register 100 reads 'EM340', expected 'EM24' at its beginning"
        )


def test_a_number_of_several_registers_is_most_significant_first() -> None:
    check = IdentityCheck(table=Table.HOLDING, address=100, length=2, low=0x42323320, high=0x42323320)
    device = Registers({0: 1, 1: 2, 100: 0x4232, 101: 0x3320})
    drive = Drive(profile_of(words=[0, 1], identity=(check,)))
    drive.scan(device)
    assert drive.quality == [192, 192]


def test_another_serial_number_forgets_what_was_learned(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "collectors")
    profile = meter_profile()
    drive = Drive(profile)
    lacking = meter()
    del lacking.words[1]
    drive.scan(lacking)
    assert drive.scan(lacking) == [(0, 1)]

    after = Drive(profile, Lessons(document=drive.lessons.document()))
    assert after.scan(meter(serial="BX9999")) == [(11, 1), (100, 3), (0, 2)]
    assert after.quality == [192, 192]
    assert after.reader.health().identity_changes == 1
    assert [record.getMessage() for record in caplog.records] == [
        ("device device-1 was replaced: serial was 'BX1234' and is now 'BX9999'; its lessons are forgotten")
    ]


def test_the_same_serial_number_keeps_what_was_learned() -> None:
    profile = meter_profile()
    drive = Drive(profile)
    lacking = meter()
    del lacking.words[1]
    drive.scan(lacking)
    after = Drive(profile, Lessons(document=drive.lessons.document()))
    assert after.scan(lacking) == [(11, 1), (100, 3), (0, 1)]
    assert after.reader.health().identity_changes == 0


def test_a_unit_that_comes_back_is_asked_who_it_is() -> None:
    drive = Drive(meter_profile())
    drive.scan(meter())
    drive.reader.begin()
    drive.reader.returned()
    assert drive.reader.next_request().text == "holding 11+1"


def test_a_talk_that_breaks_off_begins_anew_with_the_next_scan() -> None:
    drive = Drive(meter_profile())
    drive.reader.begin()
    drive.reader.take(struct.pack(">H", 1650), 0.01)
    drive.reader.fail("no reply in time")
    assert drive.scan(meter()) == [(11, 1), (100, 3), (0, 2)]


IDENTIFICATION = bytes.fromhex("0e 01 01 00 00 03 00 05 41636d65 20 01 04 50 4d 20 31 02 04 56 31 2e 32")
"""Basic objects: "Acme ", "PM 1", "V1.2"."""


def test_device_identification_is_shown_and_checked() -> None:
    profile = profile_of(words=[0, 1], identification=DeviceIdentification(vendor="Acme", product="PM"))
    drive = Drive(profile)
    device = meter()
    device.identification = IDENTIFICATION
    drive.scan(device)
    assert drive.quality == [192, 192]
    assert drive.reader.texts == {"vendor": "Acme", "product": "PM 1", "revision": "V1.2"}


def test_another_makers_identification_is_told() -> None:
    profile = profile_of(words=[0, 1], identification=DeviceIdentification(vendor="Other"))
    drive = Drive(profile)
    device = meter()
    device.identification = IDENTIFICATION
    drive.scan(device)
    assert drive.quality == [4, 4]
    assert drive.reader.last_error == (
        "it is not a test: its vendor is 'Acme' (function 43/14), expected 'Other' at its beginning"
    )


def test_identification_in_several_replies_is_put_together() -> None:
    first = bytes.fromhex("0e 01 01 ff 02 02 00 01 41 01 01 42")
    second = bytes.fromhex("0e 01 01 00 00 01 02 01 43")
    replies = iter([first, second])
    profile = profile_of(words=[0, 1], identification=DeviceIdentification())
    drive = Drive(profile)
    drive.reader.begin()
    assert drive.reader.next_request().text == "holding 0+1"
    drive.reader.take(b"\0\0", 0.01)
    requests = []
    while drive.reader.next_request().function == 43:
        requests.append(drive.reader.next_request().tail[-1])
        drive.reader.take(next(replies), 0.01)
    assert requests == [0, 2]
    assert drive.reader.texts == {"vendor": "A", "product": "B", "revision": "C"}


def test_a_device_without_identification_is_read_all_the_same() -> None:
    profile = profile_of(words=[0, 1], identification=DeviceIdentification(vendor="Acme"))
    device = meter()
    device.identification = Fault(FaultKind.EXCEPTION, 1)
    drive = Drive(profile)
    drive.scan(device)
    assert drive.quality == [192, 192]


def test_a_device_that_is_silent_to_identification_is_not_asked_for_it_again() -> None:
    profile = profile_of(words=[0, 1], identification=DeviceIdentification(vendor="Acme"))
    device = meter()
    device.identification = SILENCE
    drive = Drive(profile)
    drive.scan(device)
    assert drive.quality == [24, 24]
    drive.scan(device)
    assert drive.quality == [192, 192]


def identified(vendor: str) -> Registers:
    """A meter whose basic identification is a vendor and the product "X"."""
    device = meter()
    objects = bytes((0, len(vendor))) + vendor.encode() + bytes((1, 1)) + b"X"
    device.identification = bytes((14, 1, 1, 0, 0, 2)) + objects
    return device


ACME = profile_of(words=[0], identification=DeviceIdentification(vendor="ACME", product="X"))


def test_a_device_that_was_silent_to_identification_is_asked_for_it_when_it_returns() -> None:
    drive = Drive(ACME)
    silent = meter()
    silent.identification = SILENCE
    drive.scan(silent)
    drive.scan(silent)
    drive.reader.returned()
    drive.scan(identified("OTHER"))
    drive.scan(identified("OTHER"))
    assert drive.quality == [4]
    drive.scan(identified("ACME"))
    assert drive.quality == [192]


def test_a_device_that_was_off_is_asked_for_its_identification_though_it_was_not_given_up() -> None:
    drive = Drive(ACME)
    off = Silent({})
    drive.scan(off)
    drive.scan(off)
    drive.scan(identified("OTHER"))
    assert drive.quality == [4]


def test_a_device_that_never_answers_identification_is_asked_for_it_once_an_hour() -> None:
    drive = Drive(ACME)
    silent = meter()
    silent.identification = SILENCE
    told = []
    for _ in range(4):
        drive.scan(silent)
        told.append(drive.reader.polls_failed)
    drive.clock.time += 2 * HOUR
    for _ in range(4):
        drive.scan(silent)
        told.append(drive.reader.polls_failed)
    assert told == [1, 1, 1, 1, 2, 2, 2, 2]


class Silent(Registers):
    """A device that is off."""

    def answer(self, request: Request) -> Answer | None:
        return SILENCE


def test_a_device_of_another_kind_shows_no_texts_of_the_one_before() -> None:
    drive = Drive(meter_profile())
    drive.scan(meter())
    assert drive.reader.texts == {"serial": "BX1234"}
    drive.reader.returned()
    drive.scan(meter(model=71))
    assert drive.quality == [4, 4]
    assert drive.reader.texts == {}


@pytest.mark.parametrize("code", [5, 6])
def test_a_busy_device_is_asked_again_who_it_is_before_its_values_are_taken(code: int) -> None:
    drive = Drive(meter_profile())
    busy = meter()
    busy.codes = {11: code}
    assert drive.scan(busy) == [(11, 1)]
    assert drive.quality == [24, 24]
    assert drive.reader.last_error.startswith("it cannot be asked what it is: exception")
    assert drive.reader.health().state == "suspect"
    busy.codes = {}
    assert drive.scan(busy) == [(11, 1), (100, 3), (0, 2)]
    assert drive.quality == [192, 192]
    assert drive.scan(busy) == [(0, 2)]
