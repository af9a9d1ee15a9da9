"""What a review found and is not mended yet: each test fails until it is, and then its mark must go."""

import struct

import pytest

from collectors.modbus import Fault, FaultKind
from collectors.profiles import DeviceIdentification, IdentityCheck, SunSpecModel, Table, TextRegister
from tests.collectors.driving import SILENCE, Drive, Registers, profile_of

MODEL = IdentityCheck(table=Table.HOLDING, address=11, length=1, low=1650, high=1650)
SERIAL = TextRegister(name="serial", table=Table.HOLDING, address=100, length=2)
BUSY = Fault(FaultKind.EXCEPTION, 6)


def finding(words: str, *, always: bool = True) -> pytest.MarkDecorator:
    return pytest.mark.xfail(strict=always, reason=words)


def identification(vendor: bytes) -> bytes:
    """A basic identification with a vendor and a product ``X``."""
    return bytes((14, 1, 1, 0, 0, 2, 0, len(vendor))) + vendor + bytes((1, 1)) + b"X"


@finding("one silence switches function 43 off for good, so another make's values are taken")
def test_a_device_that_was_off_at_the_start_is_asked_for_its_identification() -> None:
    drive = Drive(profile_of(words=[0], identification=DeviceIdentification(vendor="ACME", product="X")))
    off = Registers({0: 7})
    off.identification = SILENCE
    drive.scan(off)
    drive.scan(off)
    other_make = Registers({0: 7})
    other_make.identification = identification(b"OTHER")
    drive.reader.returned()
    drive.scan(other_make)
    drive.scan(other_make)
    assert drive.quality == [4]


@finding("a model near the end of the addresses ends the scan with struct.error")
def test_a_sunspec_model_whose_values_would_lie_behind_the_last_address_is_none() -> None:
    marker = dict(zip((40000, 40001), struct.unpack(">HH", b"SunS"), strict=True))
    far = Registers({0: 1} | marker | {40002: 1, 40003: 25528, 65532: 103, 65533: 50})
    drive = Drive(profile_of(words=[10], sunspec=SunSpecModel(model=103)))
    drive.scan(far)
    assert drive.quality == [4]


@finding("a busy device is taken for one of another kind")
def test_a_busy_sunspec_device_is_not_said_to_be_another() -> None:
    busy = Registers({})
    busy.codes = dict.fromkeys((40000, 0, 50000), 6)
    drive = Drive(profile_of(words=[10], sunspec=SunSpecModel(model=103)))
    drive.scan(busy)
    assert drive.quality == [24]


@finding("texts of the device before it are shown for one that is not what its profile describes")
def test_a_device_of_another_kind_shows_no_texts_of_the_one_before() -> None:
    drive = Drive(profile_of(words=[0], identity=(MODEL,), texts=(SERIAL,)))
    drive.scan(Registers({0: 230, 11: 1650, 100: 0x4258, 101: 0x3132}))
    assert drive.reader.texts == {"serial": "BX12"}
    drive.reader.returned()
    drive.scan(Registers({0: 230, 11: 71}))
    assert drive.quality == [4]
    assert drive.reader.texts == {}
