"""Modbus RTU, on a serial line or over TCP to a serial device server: one read at a time.

A frame is unit, function, data and a checksum; it has no number of its own, and it ends by silence. A reply
is taken only if its checksum is right and unit, function and length agree with the read under way. A whole
frame of another unit or function is counted and passed over. Where a checksum is wrong or the length of a
frame cannot be known, everything is dropped until the line is silent, and the read has failed.

What RTU cannot tell: a late reply to an earlier read of the same unit, function and length from the reply
to the present one. So after a read without a reply its unit is asked nothing until that reply has come, and
is dropped, or twice the timeout has passed since the read was sent; other units are read meanwhile. A scan of
it that is due earlier fails, and a read that is begun all the same is held back, for no longer than it would
wait for its reply. Over TCP the connection is opened anew as well, with which most device servers forget what
has not arrived. What still cannot be told
apart: a reply that takes more than twice the timeout, on a serial line or behind a device server that hands
on whatever comes to whoever is connected. Such a unit fails again and again, so that its timeout is seen to
be too short for it. After a reply that was damaged the next read is held back until the line is silent.

Between frames a line is silent for 3.5 characters, 1.75 ms above 19200 baud; a character of 11 bits. The
1.5 characters that may lie within a frame are not checked: operating system and USB adapters hand bytes
over in lumps.
"""

import asyncio
import math
from typing import cast

from collectors.modbus import Answer, Done, Errors, Fault, FaultKind, Lost
from collectors.modbus.deadlines import Deadlines
from collectors.modbus.frames import EXCEPTION_FLAG, FUNCTIONS, IDENTIFY, TOLD_BY_ITSELF, Request, objects_end
from collectors.modbus.link import LinkState, judge

FRAME_LIMIT = 256
"""Bytes of the longest frame."""
CHARACTER_BITS = 11
"""Bits a character takes with start, parity and stop; without parity there are two stop bits."""
NETWORK_SETTLE = 0.05
"""Seconds without a byte after which a serial device server is taken to be silent."""

_FAST_BAUD = 19200
_FAST_GAP = 0.00175
_GAP_CHARACTERS = 3.5
_POLYNOMIAL = 0xA001
_CHECKSUM_LENGTH = 2
_HEAD = 2
_EXCEPTION_FRAME = 5
_COUNTED_FRAME = 5
"""Bytes of a reply with a byte count, but for what it counts."""
_UNKNOWN = -1
_BELATED = 2.0
"""A reply that comes at all is taken to come within so many timeouts."""
_READS = frozenset(FUNCTIONS.values())


def _checksum_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _POLYNOMIAL if byte & 1 else byte >> 1
    return byte


_TABLE = tuple(_checksum_of(byte) for byte in range(256))


def checksum(data: bytes) -> bytes:
    """The two bytes that end a frame: CRC-16 with polynomial 0xA001 from 0xFFFF, low byte first."""
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


def character_time(baud: int) -> float:
    """Seconds a character takes on the line."""
    return CHARACTER_BITS / baud


def frame_gap(baud: int) -> float:
    """Seconds of silence between two frames. Source: Modbus over serial line 1.02, 2.5.1.1."""
    return _FAST_GAP if baud > _FAST_BAUD else _GAP_CHARACTERS * character_time(baud)


def frame_length(data: bytes) -> int:
    """How long the frame is that begins here; more than there is if it goes on; -1 if that is not known."""
    if len(data) <= _HEAD:
        return _HEAD + 1
    function = data[1]
    if function & EXCEPTION_FLAG:
        return _EXCEPTION_FRAME
    if function in _READS:
        return _COUNTED_FRAME + data[_HEAD]
    if function == IDENTIFY:
        end = objects_end(data[_HEAD:])
        return _UNKNOWN if end is None else _HEAD + end + _CHECKSUM_LENGTH
    return _UNKNOWN


Belated = dict[int, float]
"""Of each unit that owes a reply: until when it may come, in monotonic time."""


class _Hold:
    """A request that waits for the line to be silent."""

    __slots__ = ("_link",)

    def __init__(self, link: "RtuLink") -> None:
        self._link = link

    def expire(self) -> None:
        """It may be now."""
        self._link.try_again()


class RtuLink(asyncio.Protocol):
    """A line, or a connection to one. Where a frame begins is known after a silence."""

    __slots__ = (
        "_belated",
        "_character",
        "_deadlines",
        "_done",
        "_dropping",
        "_errors",
        "_filled",
        "_gap",
        "_give_up_at",
        "_hold",
        "_last_byte",
        "_lost",
        "_patience",
        "_request",
        "_settle",
        "_stray",
        "_timeout",
        "_transport",
        "_unsettled",
        "hung_up",
        "state",
    )
    several = False

    def __init__(
        self,
        *,
        timeout: float,
        deadlines: Deadlines,
        errors: Errors,
        lost: Lost,
        gap: float = 0.0,
        settle: float = NETWORK_SETTLE,
        character: float = 0.0,
        belated: Belated | None = None,
    ) -> None:
        """Set up a link.

        Args:
            timeout: seconds to wait for a reply, the time of its bytes on the line aside.
            deadlines: watches over the timeouts.
            errors: counted by class here.
            lost: told when the link is gone.
            gap: seconds of silence between two frames.
            settle: seconds of silence after which nothing belated is expected.
            character: seconds a character takes; 0 if the line is not ours.
            belated: units that owe a reply, of the link before this one to the same line.
        """
        self.state = LinkState.CLOSED
        self.hung_up = False
        """Whether it was the other side that ended it."""
        self._timeout = timeout
        self._deadlines = deadlines
        self._errors = errors
        self._lost = lost
        self._gap = gap
        self._settle = settle
        self._character = character
        self._belated: Belated = {} if belated is None else belated
        self._stray = b""
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self._done: Done | None = None
        self._patience = timeout
        self._filled = b""
        self._dropping = False
        self._unsettled = False
        self._last_byte = -math.inf
        self._give_up_at = math.inf
        self._hold: _Hold | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: the connection stands."""
        self._transport = cast("asyncio.Transport", transport)
        self.state = LinkState.IDLE

    def read(self, request: Request, done: Done, timeout: float | None = None) -> None:
        """Begin a read; the link must be idle. It is sent once the line has been silent for long enough."""
        if self.state is not LinkState.IDLE or self._transport is None:
            raise RuntimeError(f"read of {request.text} on a link that is {self.state}")
        self._request = request
        self._done = done
        self._patience = self._timeout if timeout is None else timeout
        self.state = LinkState.READING
        now = self._deadlines.now()
        free_at = self._free_at(request)
        if free_at <= now:
            self._transmit()
        else:
            self._hold_until(free_at)
            self._deadlines.start(self, now + self._patience)

    def owes(self, unit: int) -> bool:
        """Whether a reply of a unit that was given up may yet come and be taken for another."""
        return self._deadlines.now() < self._belated.get(unit, -math.inf)

    def close(self, reason: str) -> None:
        """Give the line up at once; it is then lost with this reason."""
        if self.state is LinkState.CLOSED:
            return
        self.state = LinkState.CLOSED
        self._request = self._done = None
        self._deadlines.stop(self)
        self._release()
        if self._transport is not None:
            self._transport.abort()
        self._lost(reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: the connection is gone."""
        self.hung_up = True
        self.close(str(exc) if exc else "closed by the other side")

    def expire(self) -> None:
        """The reply did not come in time, or what came since is of no use."""
        self._unsettled = True
        if self._dropping:
            self._answer(Fault(FaultKind.DAMAGED))
        elif self._filled:
            self._errors["truncated"] += 1
            self._answer(Fault(FaultKind.DAMAGED))
        else:
            self._errors["timeout"] += 1
            if self._request is not None and self._hold is None:
                longer = _BELATED * max(self._patience, self._timeout) - self._patience
                self._belated[self._request.unit] = self._give_up_at + longer
            self._answer(Fault(FaultKind.TIMEOUT))

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        now = self._deadlines.now()
        burst = now - self._last_byte <= self._settle
        self._last_byte = now
        if self._request is None or self._hold is not None:
            if not (burst and self._unsettled):
                self._errors["late"] += 1
                self._stray = b""
            self._unsettled = True
            if self._belated:
                self._stray = (self._stray + data)[:FRAME_LIMIT]
                self._settle_belated(self._stray)
        elif self._dropping:
            self._await_silence(now)
        else:
            self._filled += data
            self._take_frames()

    def _transmit(self) -> None:
        request = self._request
        if request is None or self._transport is None:
            return
        self._filled = b""
        self._dropping = self._unsettled = False
        self._belated.pop(request.unit, None)
        now = self._deadlines.now()
        body = request.unit_and_pdu
        frame = body + checksum(body)
        self._transport.write(frame)
        expected = FRAME_LIMIT if request.payload_length == TOLD_BY_ITSELF else request.payload_length
        on_line = (len(frame) + _COUNTED_FRAME + expected) * self._character
        self._give_up_at = now + self._patience + on_line
        self._deadlines.start(self, self._give_up_at)

    def _hold_until(self, at: float) -> None:
        self._hold = _Hold(self)
        self._deadlines.start(self._hold, at)

    def try_again(self) -> None:
        """The line may now have been silent for long enough."""
        self._hold = None
        if self._request is None:
            return
        free_at = self._free_at(self._request)
        if free_at <= self._deadlines.now():
            self._transmit()
        else:
            self._hold_until(free_at)

    def _free_at(self, request: Request) -> float:
        """When a request may be sent: the line is silent, and its unit owes no reply."""
        silent_at = self._last_byte + (self._settle if self._unsettled else self._gap)
        return max(silent_at, self._belated.get(request.unit, silent_at)) if self._belated else silent_at

    def _settle_belated(self, data: bytes) -> None:
        """If this is the whole reply that a unit owed, it may be asked again."""
        if len(data) < frame_length(data) or data[-_CHECKSUM_LENGTH:] != checksum(data[:-_CHECKSUM_LENGTH]):
            return
        if self._belated.pop(data[0], None) is not None and self._hold is not None:
            self._release()
            self.try_again()

    def _take_frames(self) -> None:
        while self._filled and self._request is not None:
            length = frame_length(self._filled)
            if length > FRAME_LIMIT or length == _UNKNOWN:
                self._drop("oversized" if length > FRAME_LIMIT else "garbage")
                return
            if len(self._filled) < length:
                return
            frame, self._filled = self._filled[:length], self._filled[length:]
            if frame[-_CHECKSUM_LENGTH:] != checksum(frame[:-_CHECKSUM_LENGTH]):
                self._drop("checksum")
                return
            self._take(self._request, frame)

    def _take(self, request: Request, frame: bytes) -> None:
        if frame[0] != request.unit:
            late = self._belated.pop(frame[0], None) is not None
            self._errors["late" if late else "wrong_unit"] += 1
            return
        answer = judge(request, frame[1], frame[_HEAD:-_CHECKSUM_LENGTH], self._errors)
        if answer is None:
            return
        if self._filled:
            self._errors["duplicate" if self._filled.startswith(frame[:_HEAD]) else "late"] += 1
            self._filled = b""
            self._unsettled = True
        elif answer == Fault(FaultKind.MALFORMED):
            self._unsettled = True
        self._answer(answer)

    def _drop(self, why: str) -> None:
        """Nothing that comes now can be trusted: the read has failed once the line is silent."""
        self._errors[why] += 1
        self._filled = b""
        self._dropping = True
        self._await_silence(self._deadlines.now())

    def _await_silence(self, now: float) -> None:
        """Fail the read once the line is silent; on a line that never is, soon after its time."""
        self._deadlines.start(self, min(now, self._give_up_at) + self._settle)

    def _answer(self, answer: Answer) -> None:
        done = self._done
        self._request = self._done = None
        self._filled = b""
        self._dropping = False
        self._deadlines.stop(self)
        self._release()
        if done is not None:
            self.state = LinkState.IDLE
            done(answer)

    def _release(self) -> None:
        if self._hold is not None:
            self._deadlines.stop(self._hold)
            self._hold = None
