"""What devices answer, byte by byte: reads, refusals, and who they say they are."""

import struct

import pytest

from collectors.profiles import DeviceIdentification, ModbusProfile
from facility.devices import DeviceKind
from simulators.wire.answering import Answerer, Identification, identification_of
from tests.simulators.literal_units import Registers

BASIC = Identification(vendor="Acme", product="X1", revision="1.0")
LONG = Identification(vendor="V" * 200, product="P" * 38, revision="3", name="N" * 244, model="M" * 100)


def identify(identification: Identification | None, code: int, first: int) -> bytes | None:
    unit = Registers(identification=identification)
    return Answerer({1: unit}).answer(1, bytes((43, 14, code, first)))


def test_basic_identification_is_the_reply_of_the_specification() -> None:
    expected = b"\x2b\x0e\x01\x81\x00\x00\x03" + b"\x00\x04Acme" + b"\x01\x02X1" + b"\x02\x031.0"
    assert identify(BASIC, 1, 0) == expected


@pytest.mark.parametrize(
    ("code", "first", "reply"),
    [
        (2, 0, b"\x2b\x0e\x02\x81\x00\x00\x03\x00\x04Acme\x01\x02X1\x02\x031.0"),
        (3, 2, b"\x2b\x0e\x03\x81\x00\x00\x01\x02\x031.0"),
        (1, 5, b"\x2b\x0e\x01\x81\x00\x00\x03\x00\x04Acme\x01\x02X1\x02\x031.0"),
        (4, 1, b"\x2b\x0e\x04\x81\x00\x00\x01\x01\x02X1"),
        (4, 5, b"\xab\x02"),
        (0, 0, b"\xab\x03"),
        (5, 0, b"\xab\x03"),
    ],
)
def test_other_codes_and_objects(code: int, first: int, reply: bytes) -> None:
    assert identify(BASIC, code, first) == reply


def test_what_does_not_fit_into_a_reply_follows_in_the_next() -> None:
    first = identify(LONG, 2, 0)
    assert (
        first == b"\x2b\x0e\x02\x82\xff\x04\x03\x00\xc8" + b"V" * 200 + b"\x01\x26" + b"P" * 38 + b"\x02\x013"
    )
    second = identify(LONG, 2, 4)
    assert second == b"\x2b\x0e\x02\x82\xff\x05\x01\x04\xf4" + b"N" * 244
    assert len(second) == 253
    assert identify(LONG, 2, 5) == b"\x2b\x0e\x02\x82\x00\x00\x01\x05\x64" + b"M" * 100


def test_basic_identification_leaves_the_regular_objects_out() -> None:
    reply = identify(Identification(vendor="A", product="B", revision="C", url="D"), 1, 0)
    assert reply == b"\x2b\x0e\x01\x82\x00\x00\x03\x00\x01A\x01\x01B\x02\x01C"


@pytest.mark.parametrize("request_", [b"\x2b\x0e\x01\x00", b"\x2b\x0d\x01\x00", b"\x2b"])
def test_a_device_without_identification_does_not_know_the_function(request_: bytes) -> None:
    assert Answerer({1: Registers()}).answer(1, request_) == b"\xab\x01"


def test_a_short_identify_request_is_refused_with_3() -> None:
    assert Answerer({1: Registers(identification=BASIC)}).answer(1, b"\x2b\x0e\x01") == b"\xab\x03"


@pytest.mark.parametrize("function", [5, 6, 15, 16, 22, 23])
def test_nothing_is_written(function: int) -> None:
    unit = Registers(1, 2, 3, identification=BASIC)
    assert Answerer({1: unit}).answer(1, struct.pack(">BHHBH", function, 0, 1, 2, 9)) == bytes(
        (function | 0x80, 1)
    )
    assert unit.words == (1, 2, 3)


def test_a_profile_that_tells_of_it_makes_its_devices_say_who_they_are() -> None:
    plain = ModbusProfile(name="p", kind=DeviceKind.RACK_PDU, points=(), sources=(), make="Acme X1")
    assert identification_of(plain) is None
    telling = ModbusProfile(
        name="p",
        kind=DeviceKind.RACK_PDU,
        points=(),
        sources=(),
        identification=DeviceIdentification(vendor="Acme", product="X1"),
        make="Acme X1 meter",
        firmware="2.7",
    )
    assert identification_of(telling) == Identification(
        vendor="Acme", product="X1", revision="2.7", name="Acme X1 meter"
    )
