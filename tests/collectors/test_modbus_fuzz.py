"""Spoilt replies never raise, never become a value, and never keep the next good poll from succeeding."""

from bench.fuzz_frames import Asked, crc, first_rtu_outcome, meaning
from bench.fuzz_modbus import fuzz


def test_sixty_thousand_spoilt_replies() -> None:
    tcp, udp, rtu = fuzz(60_000)

    assert all(each.frames >= 20_000 and each.polls > 5_000 for each in (tcp, udp, rtu))
    assert all(each.values > 1_000 and each.nothing > 500 for each in (tcp, udp, rtu))
    for name in (
        "garbage",
        "truncated",
        "duplicate",
        "foreign",
        "wrong_unit",
        "wrong_function",
        "wrong_length",
    ):
        assert tcp.errors[name] > 0
    for name in ("checksum", "garbage", "truncated", "late", "wrong_unit", "wrong_function", "oversized"):
        assert rtu.errors[name] > 0
    assert udp.errors["oversized"] > 0
    assert (udp.reopened, rtu.reopened) == (0, 0)


def test_the_oracle_knows_the_examples_of_the_specification() -> None:
    """Modbus application protocol 1.1b3, 6.3: registers 107 to 109 are 555, 0 and 100."""
    asked = Asked(unit=17, function=3, count=3)
    assert meaning(asked, 17, bytes.fromhex("0306022b00000064")) == bytes.fromhex("022b00000064")
    assert meaning(asked, 18, bytes.fromhex("0306022b00000064")) is None
    assert meaning(asked, 17, bytes.fromhex("0304022b0000")) == "malformed"
    assert meaning(asked, 17, bytes.fromhex("8302")) == "exception 2"
    assert crc(bytes.fromhex("01030000000a")) == bytes.fromhex("c5cd")
    frame = bytes.fromhex("110306022b00000064")
    assert first_rtu_outcome(asked, frame + crc(frame)) == bytes.fromhex("022b00000064")
    assert first_rtu_outcome(asked, frame + b"\0\0") is None
