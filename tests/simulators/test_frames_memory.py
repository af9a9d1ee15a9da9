"""What is answered out of a recording: replies in turn, last words, exceptions; and which file is one."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from simulators.errors import RecordingError
from simulators.frames.memory import FrameMemory, Turn
from simulators.frames.recording import FrameRecording
from simulators.recording import Recording
from tests.simulators.frame_files import GOOD, HEAD, ask, line, pdu, recorded, tell


def test_a_recorded_request_gets_its_replies_in_turn_and_again(tmp_path: Path) -> None:
    memory = FrameMemory(recorded(tmp_path, *GOOD))
    turns = [memory.take(3, pdu(0, 2)) for _ in range(3)]
    first, second = bytes.fromhex("03 04 000A 0014"), bytes.fromhex("03 04 000B 0015")
    assert [turn.pdu for turn in turns] == [first, second, first]
    assert [turn.delay for turn in turns] == [0.02, 0.06, 0.02]
    assert memory.take(3, pdu(100, 1)) == Turn(b"\x83\x02", 0.02)
    assert memory.units == (3,)


def test_a_stuck_device_gives_its_first_reply(tmp_path: Path) -> None:
    memory = FrameMemory(recorded(tmp_path, *GOOD))
    for _ in range(3):
        assert memory.take(3, pdu(0, 2), stuck=True).pdu == bytes.fromhex("03 04 000A 0014")


@pytest.mark.parametrize(
    ("unit", "request_", "reply"),
    [
        (3, pdu(0, 3), "03 06 000B 0015 001E"),
        (3, pdu(1, 2), "03 04 0015 001E"),
        (3, pdu(2, 2), "83 02"),
        (3, pdu(100, 2), "83 02"),
        (3, pdu(0, 3, function=4), "84 02"),
        (3, pdu(0, 0), "83 03"),
        (3, pdu(0, 126), "83 03"),
        (3, b"\x03\x00", "83 03"),
        (3, b"\x06\x00\x00\x00\x01", "86 01"),
        (4, pdu(0, 2), "83 0B"),
    ],
)
def test_other_requests_get_the_last_words_known_or_an_exception(
    tmp_path: Path, unit: int, request_: bytes, reply: str
) -> None:
    turn = FrameMemory(recorded(tmp_path, *GOOD)).take(unit, request_)
    assert turn == Turn(bytes.fromhex(reply), pytest.approx(0.03), recorded=False)


def test_bits_are_put_together_too(tmp_path: Path) -> None:
    memory = FrameMemory(
        recorded(
            tmp_path,
            line(1, "request", 1, ask(1, 8, 10, function=2)),
            line(2, "reply", 1, "0001 0000 0005 03 02 02 A5 01"),
        )
    )
    assert memory.take(3, pdu(9, 9, function=2)).pdu == bytes.fromhex("02 02 D2 00")


def test_a_request_that_was_not_answered_is_not_answered_again(tmp_path: Path) -> None:
    memory = FrameMemory(
        recorded(
            tmp_path,
            line(1, "request", 1, ask(1, 0, 1)),
            line(3_000_000_000, "request", 2, ask(2, 0, 1)),
            line(3_000_000_001, "reply", 2, tell(2, 5)),
        )
    )
    assert [memory.take(3, pdu(0, 1)).pdu for _ in range(3)] == [None, b"\x03\x02\x00\x05", None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"seen\.frames:1: not a recording of frames: the first line is not JSON"),
        (
            '{"dcops_recording": 1, "series": []}',
            r"frames:1: this is a recording of samples, for 'dcops simulate",
        ),
        ("{}", r"frames:1: this is no recording"),
        (HEAD.replace(": 1,", ": 9,"), r"frames:1: a recording of version 9; this reads version 1"),
        (
            HEAD.replace("modbus-tcp", "bacnet"),
            r"frames:1: protocol 'bacnet' is none of modbus-tcp, modbus-rtu-tcp",
        ),
        (f"{HEAD}\n{GOOD[0]}\noops", r"frames:3: not JSON"),
        (f"{HEAD}\n[1]", r"frames:2: \[1\] is no object"),
        (f"{HEAD}\n{line(1, 'rumour', 1, '00')}", r"frames:2: kind 'rumour' is none of request, reply, "),
        (f"{HEAD}\n{line(-1, 'request', 1, '00')}", r"frames:2: 'at' is -1"),
        (f"{HEAD}\n{line(1, 'request', 1, 'zz')}", r"frames:2: 'hex' is 'zz'"),
        (
            f"{HEAD}\n{GOOD[1]}\n{GOOD[0]}",
            r"frames:3: 'at' is 1000000, before the line above it \(21000000\)",
        ),
    ],
)
def test_a_bad_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "seen.frames"
    file.write_text(text + "\n")
    with pytest.raises(RecordingError, match=message):
        FrameRecording.read(file)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(1, "request", 1, "0001")], r"frames:2: 0001 is not one whole frame"),
        ([GOOD[1]], r"frames:2: a reply to request 1, which is not above it"),
        ([GOOD[0], GOOD[1], GOOD[1]], r"frames:4: a reply to request 1, a second one"),
        ([GOOD[0], GOOD[0]], r"frames:3: a second request of number 1"),
        ([GOOD[0], line(9_000_000, "reply", 1, tell(1, 10))], r"frames:3: .* is no answer to request 1"),
    ],
)
def test_a_recording_that_contradicts_itself_is_not_replayed(
    tmp_path: Path, lines: Sequence[str], message: str
) -> None:
    with pytest.raises(RecordingError, match=message):
        FrameMemory(recorded(tmp_path, *lines))


def test_a_recording_of_frames_is_not_taken_for_one_of_samples(tmp_path: Path) -> None:
    with pytest.raises(
        RecordingError, match=r"is a recording of frames, not of samples; 'dcops replay' serves"
    ):
        Recording.read(recorded(tmp_path, *GOOD).path)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "seen.frames"
    file.write_text(f"{HEAD}\n{GOOD[0]}\n{GOOD[1]}\n{GOOD[2][:40]}")
    assert len(FrameRecording.read(file).lines) == 2
