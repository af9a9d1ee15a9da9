"""RTU framing: checksums, gaps, and a line that says too much, too late or nothing."""

from collections import Counter

import pytest

from bench.fuzz_modbus import HandDeadlines, Wire
from collectors.modbus import Answer, Fault, FaultKind
from collectors.modbus.frames import Request, identify_request, read_request
from collectors.modbus.link import LinkState
from collectors.modbus.rtu import RtuLink, character_time, checksum, frame_gap, frame_length
from collectors.planning import Block
from collectors.profiles import Table

READ = read_request(1, Block(Table.HOLDING, 0, 2, (0,)))
SENT = bytes.fromhex("010300000002c40b")
REPLY = bytes.fromhex("01030400010002" + "2a32")
DATA = bytes.fromhex("00010002")
TIMEOUT = Fault(FaultKind.TIMEOUT)
DAMAGED = Fault(FaultKind.DAMAGED)
SETTLE = 0.05


class Line:
    """A link whose time is moved by hand."""

    def __init__(
        self, gap: float = 0.004, character: float = 0.0, belated: dict[int, float] | None = None
    ) -> None:
        self.time = HandDeadlines()
        self.errors: Counter[str] = Counter()
        self.lost: list[str] = []
        self.wire = Wire()
        self.link = RtuLink(
            timeout=1.0,
            deadlines=self.time,
            errors=self.errors,
            lost=self.lost.append,
            gap=gap,
            settle=SETTLE,
            character=character,
            belated=belated,
        )
        self.link.connection_made(self.wire)

    def read(self, request: Request = READ, timeout: float | None = None) -> list[Answer]:
        answers: list[Answer] = []
        self.link.read(request, answers.append, timeout)
        return answers


def framed(body: str) -> bytes:
    data = bytes.fromhex(body)
    return data + checksum(data)


def test_the_checksum_of_the_specification() -> None:
    assert checksum(bytes.fromhex("01030000000a")) == bytes.fromhex("c5cd")
    assert checksum(bytes.fromhex("0207")) == bytes.fromhex("4112")


@pytest.mark.parametrize(
    ("baud", "gap"),
    [(9600, 0.004010416667), (19200, 0.002005208333), (38400, 0.00175), (115200, 0.00175)],
)
def test_the_silence_between_frames(baud: int, gap: float) -> None:
    assert frame_gap(baud) == pytest.approx(gap, rel=1e-9)


def test_a_character_has_eleven_bits() -> None:
    assert 1.5 * character_time(9600) == pytest.approx(0.00171875)


def test_a_request_and_its_reply_are_these_frames() -> None:
    line = Line()
    answers = line.read()
    assert line.wire.sent == SENT
    line.link.data_received(REPLY)
    assert answers == [DATA]
    assert line.errors == {}


def test_a_reply_in_single_bytes_is_put_together() -> None:
    line = Line()
    answers = line.read()
    for byte in REPLY:
        assert answers == []
        line.link.data_received(bytes((byte,)))
        line.time.move(0.001)
    assert answers == [DATA]


def test_the_next_request_waits_for_the_gap() -> None:
    line = Line(gap=0.004)
    line.read()
    line.link.data_received(REPLY)
    line.read()
    line.time.move(0.0035)
    assert line.wire.count == 1
    line.time.move(0.001)
    assert line.wire.count == 2


def test_an_exception_tells_its_code() -> None:
    line = Line()
    answers = line.read()
    line.link.data_received(framed("018302"))
    assert answers == [Fault(FaultKind.EXCEPTION, 2)]
    assert line.errors == {"exception_2": 1}


def test_an_identification_is_as_long_as_it_says() -> None:
    line = Line()
    answers = line.read(identify_request(1))
    assert line.wire.sent == framed("012b0e0100")
    body = "0e0101000002" + "0003414243" + "010158"
    reply = framed("012b" + body)
    assert frame_length(reply) == len(reply)
    line.link.data_received(reply[:9])
    line.link.data_received(reply[9:])
    assert answers == [bytes.fromhex(body)]


def test_a_wrong_checksum_is_no_value_and_ends_with_silence() -> None:
    line = Line()
    answers = line.read()
    line.link.data_received(REPLY[:-1] + b"\x00")
    assert answers == []
    line.time.move(SETTLE - 0.01)
    line.link.data_received(REPLY)
    line.time.move(SETTLE - 0.01)
    assert answers == []
    line.time.move(0.02)
    assert answers == [DAMAGED]
    assert line.errors == {"checksum": 1}


def test_a_line_that_never_is_silent_does_not_hold_a_read_for_ever() -> None:
    line = Line()
    answers = line.read()
    for _ in range(200):
        line.link.data_received(b"\xff")
        line.time.move(0.01)
    assert answers == [DAMAGED]
    assert line.errors["checksum"] == 1


@pytest.mark.parametrize(
    ("frame", "counted"),
    [(framed("0203041111" + "2222"), "wrong_unit"), (framed("01040411112222"), "wrong_function")],
)
def test_a_frame_of_another_is_passed_over(frame: bytes, counted: str) -> None:
    line = Line()
    answers = line.read()
    line.link.data_received(frame + REPLY[:4])
    assert answers == []
    line.link.data_received(REPLY[4:])
    assert answers == [DATA]
    assert line.errors == {counted: 1}


def test_a_reply_of_another_length_is_no_value() -> None:
    line = Line()
    answers = line.read()
    line.link.data_received(framed("0103021111"))
    assert answers == [Fault(FaultKind.MALFORMED)]
    assert line.errors == {"wrong_length": 1}


def test_a_reply_that_breaks_off_is_damaged_and_the_next_one_good() -> None:
    line = Line()
    answers = line.read()
    line.link.data_received(REPLY[:-2])
    line.time.move(1.0)
    assert answers == [DAMAGED]
    assert line.errors == {"truncated": 1}
    line.time.move(SETTLE)
    answers = line.read()
    line.link.data_received(REPLY)
    assert answers == [DATA]


def test_silence_is_a_timeout_and_may_be_shorter_than_that_of_the_link() -> None:
    line = Line()
    answers = line.read(timeout=0.2)
    line.time.move(0.19)
    assert answers == []
    line.time.move(0.02)
    assert answers == [TIMEOUT]
    assert line.lost == []


def test_the_time_of_the_bytes_is_added_where_the_line_is_ours() -> None:
    """8 bytes out and 9 back at 300 baud take 0.623 s."""
    line = Line(character=character_time(300))
    answers = line.read(timeout=0.2)
    line.time.move(0.8)
    assert answers == []
    line.time.move(0.03)
    assert answers == [TIMEOUT]


def test_what_comes_late_is_dropped_and_the_next_request_waits_for_silence() -> None:
    line = Line()
    line.read()
    line.time.move(1.0)
    line.link.data_received(REPLY[:4])
    answers = line.read()
    line.time.move(0.01)
    line.link.data_received(REPLY[4:])
    line.time.move(SETTLE - 0.01)
    assert line.wire.count == 1
    line.time.move(0.02)
    assert line.wire.count == 2
    assert answers == []
    line.link.data_received(REPLY)
    assert answers == [DATA]
    assert line.errors == {"timeout": 1, "late": 1}


def test_a_unit_that_owes_a_reply_is_not_asked_again_before_it_has_come() -> None:
    line = Line()
    line.read(timeout=0.2)
    line.time.move(0.2)
    late = line.read()
    line.time.move(0.1)
    assert line.wire.count == 1
    line.link.data_received(REPLY[:5])
    line.link.data_received(REPLY[5:])
    line.time.move(SETTLE + 0.01)
    assert (late, line.wire.count) == ([], 2)
    line.link.data_received(framed("01030400070008"))
    assert late == [bytes.fromhex("00070008")]
    assert line.errors == {"timeout": 1, "late": 1}


def test_a_unit_that_owes_a_reply_is_asked_again_after_twice_the_timeout() -> None:
    line = Line()
    line.read()
    line.time.move(1.0)
    held = line.read(timeout=0.5)
    line.time.move(0.51)
    assert (held, line.wire.count) == ([TIMEOUT], 1)
    line.read()
    line.time.move(0.48)
    assert line.wire.count == 1
    line.time.move(0.02)
    assert line.wire.count == 2


def test_other_units_are_read_while_one_owes_a_reply() -> None:
    line = Line()
    line.read()
    line.time.move(1.0)
    answers = line.read(read_request(2, Block(Table.HOLDING, 0, 1, (0,))))
    assert line.wire.count == 2
    line.link.data_received(REPLY + framed("0203020009"))
    assert answers == [bytes.fromhex("0009")]
    assert line.errors == {"timeout": 1, "late": 1}
    line.time.move(0.01)
    line.read()
    line.time.move(0.01)
    assert line.wire.count == 3


def test_what_a_unit_owes_is_known_to_the_next_link_to_its_line() -> None:
    owed: dict[int, float] = {}
    before, after = Line(belated=owed), Line(belated=owed)
    before.read()
    before.time.move(1.0)
    after.time.move(1.0)
    after.read()
    after.time.move(0.9)
    assert after.wire.count == 0
    after.time.move(0.1)
    assert after.wire.count == 1


def test_a_line_that_babbles_gets_no_request_and_the_read_times_out() -> None:
    line = Line()
    line.link.data_received(b"\xff")
    answers = line.read()
    for _ in range(120):
        line.time.move(0.01)
        line.link.data_received(b"\xff")
    assert answers == [TIMEOUT]
    assert line.wire.count == 0


def test_a_reply_that_comes_twice_is_taken_once() -> None:
    line = Line()
    answers = line.read()
    line.link.data_received(2 * REPLY)
    assert answers == [DATA]
    assert line.errors == {"duplicate": 1}
    line.time.move(SETTLE)
    answers = line.read()
    line.link.data_received(REPLY)
    assert answers == [DATA]


def test_one_read_at_a_time() -> None:
    line = Line()
    line.read()
    with pytest.raises(RuntimeError, match="read of holding 0"):
        line.read()


def test_a_line_that_is_closed_is_told_once() -> None:
    line = Line()
    answers = line.read()
    line.link.connection_lost(None)
    line.link.close("again")
    line.time.move(2.0)
    assert line.lost == ["closed by the other side"]
    assert answers == []
    assert line.link.state is LinkState.CLOSED
