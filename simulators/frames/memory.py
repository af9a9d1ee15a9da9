"""What a recording of frames knows of devices: their replies in turn, and the last word of each register."""

import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from simulators.errors import RecordingError
from simulators.frames.pairing import fits
from simulators.frames.recording import FrameLine, FrameRecording, Kind
from simulators.wire.answering import (
    EXCEPTION_FLAG,
    MOST_BITS,
    MOST_REGISTERS,
    TABLES,
    Refusal,
    exception,
)
from simulators.wire.framing import Frame, Framing, Side

_READ = struct.Struct(">BHH")
_BIT_READS = frozenset({1, 2})
_NANOSECONDS = 1_000_000_000
_CUT_OFF = 2 * _NANOSECONDS
"""A request this close to the end of a recording was cut off by it, and not left unanswered by its device."""

Key = tuple[int, bytes]
"""Unit and PDU of a request: what it asks, whatever its transaction."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a device did with a request."""

    pdu: bytes | None
    """Its reply; None if it did not answer."""
    delay: float
    """Seconds it took."""
    recorded: bool = True
    """Whether the very request was recorded, and not only its registers or nothing of it."""


class FrameMemory:
    """Answers requests as recorded.

    A request that was recorded is answered with its recorded replies, one after the other and again from the
    first. Another read whose registers were all read by recorded ones gets the last words known of them. For
    anything else there is an exception: 1 for a function that is no read of registers or bits, 2 for
    registers that were never read, 3 for an impossible quantity, 11 for a unit that was never asked.
    """

    def __init__(self, recording: FrameRecording) -> None:
        """Raises:
        RecordingError: a line is no frame, or answers a request that is not there; with file and line.
        """
        self._turns: dict[Key, list[Turn]] = {}
        self._next: Counter[Key] = Counter()
        self._words: dict[tuple[int, int], dict[int, int]] = {}
        self._fill(recording)
        self._units = {unit for unit, _ in self._turns}
        delays = [turn.delay for turns in self._turns.values() for turn in turns if turn.pdu is not None]
        self._delay = median(delays) if delays else 0.0

    @property
    def units(self) -> tuple[int, ...]:
        """The units that were asked, in order."""
        return tuple(sorted(self._units))

    @property
    def requests(self) -> int:
        """How many different requests there are."""
        return len(self._turns)

    def take(self, unit: int, pdu: bytes, *, stuck: bool = False) -> Turn:
        """What the device does with a request now; ``stuck`` devices give their first reply each time."""
        key = unit, pdu
        turns = self._turns.get(key)
        if turns is None:
            return Turn(self._assembled(unit, pdu), self._delay, recorded=False)
        if stuck:
            return next((turn for turn in turns if turn.pdu is not None), turns[0])
        turn = turns[self._next[key] % len(turns)]
        self._next[key] += 1
        return turn

    def _assembled(self, unit: int, pdu: bytes) -> bytes:
        function = pdu[0]
        if unit not in self._units:
            return exception(function, Refusal.GATEWAY_NO_RESPONSE)
        if function not in TABLES:
            return exception(function, Refusal.ILLEGAL_FUNCTION)
        bits = function in _BIT_READS
        if len(pdu) != _READ.size:
            return exception(function, Refusal.ILLEGAL_VALUE)
        _, address, count = _READ.unpack(pdu)
        if not 1 <= count <= (MOST_BITS if bits else MOST_REGISTERS):
            return exception(function, Refusal.ILLEGAL_VALUE)
        known = self._words.get((unit, function), {})
        words = [known.get(at) for at in range(address, address + count)]
        found = [word for word in words if word is not None]
        if len(found) < count:
            return exception(function, Refusal.ILLEGAL_ADDRESS)
        data = _packed(found) if bits else struct.pack(f">{count}H", *found)
        return bytes((function, len(data))) + data

    def _fill(self, recording: FrameRecording) -> None:
        end = recording.lines[-1].at if recording.lines else 0
        framing = recording.framing
        asked: dict[int, tuple[FrameLine, Frame]] = {}
        answered: dict[int, Turn] = {}
        for line in recording.lines:
            if line.kind is Kind.REQUEST:
                if line.number in asked:
                    raise RecordingError(f"{line.place}: a second request of number {line.number}")
                asked[line.number] = line, _frame(line, framing, Side.REQUEST)
            elif line.kind is Kind.REPLY:
                if line.number not in asked or line.number in answered:
                    why = "a second one" if line.number in answered else "which is not above it"
                    raise RecordingError(f"{line.place}: a reply to request {line.number}, {why}")
                request_line, request = asked[line.number]
                reply = _frame(line, framing, Side.REPLY)
                _check_pair(line, request, reply)
                answered[line.number] = Turn(reply.pdu, (line.at - request_line.at) / _NANOSECONDS)
                self._learn(request, reply.pdu)
        for number, (line, request) in asked.items():
            turn = answered.get(number)
            if turn is not None or line.at < end - _CUT_OFF:
                self._turns.setdefault((request.unit, request.pdu), []).append(turn or Turn(None, 0.0))

    def _learn(self, request: Frame, reply: bytes) -> None:
        if request.function not in TABLES or reply[0] & EXCEPTION_FLAG:
            return
        _, address, count = _READ.unpack(request.pdu)
        data = reply[2:]
        if request.function in _BIT_READS:
            words: Iterable[int] = (data[at // 8] >> at % 8 & 1 for at in range(count))
        else:
            words = struct.unpack(f">{count}H", data)
        self._words.setdefault((request.unit, request.function), {}).update(enumerate(words, address))


def _frame(line: FrameLine, framing: Framing, side: Side) -> Frame:
    pieces = framing.splitter(side).feed(line.raw)
    if len(pieces) != 1 or not isinstance(pieces[0], Frame) or pieces[0].raw != line.raw:
        raise RecordingError(f"{line.place}: {line.raw.hex()} is not one whole frame; was it edited?")
    return pieces[0]


def _check_pair(line: FrameLine, request: Frame, reply: Frame) -> None:
    """A reply is to its request: a wrong one would be replayed as the truth."""
    if not fits(request, reply):
        raise RecordingError(
            f"{line.place}: {reply.raw.hex()} is no answer to request {line.number}, {request.raw.hex()}"
        )


def _packed(bits: list[int]) -> bytes:
    data = bytearray((len(bits) + 7) // 8)
    for place, bit in enumerate(bits):
        data[place // 8] |= bit << place % 8
    return bytes(data)
