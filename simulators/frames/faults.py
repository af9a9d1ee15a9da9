"""Faults of devices and gateways, laid over recorded replies by share and by seed."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Self

from simulators.frames.memory import Key
from simulators.wire.answering import EXCEPTION_FLAG, exception
from simulators.wire.framing import Frame, Framing

_HIGHEST_UNIT = 247
_FOREIGN = 0x8000
"""Changes a transaction into one that is far from any under way."""
_HIGHEST_CODE = 0x7F
_OVERSIZED_DATA = 255


class FaultKind(StrEnum):
    """What goes wrong with a reply."""

    LATE = "late"
    """It comes after the next request."""
    DUPLICATE = "duplicate"
    """It comes twice."""
    WRONG_UNIT = "wrong-unit"
    """It bears another unit's number, and other values."""
    WRONG_TRANSACTION = "wrong-transaction"
    """It bears a transaction that was never asked, and other values; not with RTU, which has none."""
    EXCEPTION = "exception"
    """The device refuses: ``exception`` with code 4, ``exception:6`` with another."""
    TRUNCATED = "truncated"
    """It breaks off in the middle."""
    STUCK = "stuck"
    """That share of all different requests always gets its first reply."""
    SILENT = "silent"
    """There is none."""
    GARBAGE = "garbage"
    """Random bytes come instead."""
    OVERSIZED = "oversized"
    """It is longer than Modbus allows."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault."""

    kind: FaultKind
    code: int = 4
    """Of an exception."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """The fault that ``late`` or ``exception:6`` names.

        Raises:
            ValueError: there is no such fault; the message names those there are.
        """
        name, colon, code = text.partition(":")
        if name not in list(FaultKind):
            raise ValueError(f"{name!r} is no fault; there are {', '.join(FaultKind)}")
        kind = FaultKind(name)
        if not colon:
            return cls(kind)
        if kind is not FaultKind.EXCEPTION:
            raise ValueError(f"{text!r}: only an exception has a code")
        if not code.isascii() or not code.isdigit() or not 1 <= int(code) <= _HIGHEST_CODE:
            raise ValueError(
                f"{text!r}: {code!r} is no exception code; give a number from 1 to {_HIGHEST_CODE}"
            )
        return cls(kind, int(code))


class FaultPlan:
    """Which replies go wrong, and how. The same seed and the same requests give the same faults."""

    def __init__(self, shares: Iterable[tuple[Fault, float]] = (), seed: int = 1) -> None:
        """``shares``: 0…1 of the replies, in all no more than 1; of ``stuck``, of the different requests.

        Raises:
            ValueError: the shares are more than 1 in all.
        """
        given = tuple(shares)
        self._stuck = min(1.0, sum(share for fault, share in given if fault.kind is FaultKind.STUCK))
        self._shares = tuple((fault, share) for fault, share in given if fault.kind is not FaultKind.STUCK)
        total = sum(share for _, share in self._shares)
        if total > 1 + 1e-9:
            raise ValueError(f"the shares of the faults are {total:g} in all; they must not be more than 1")
        self._seed = seed
        self._random = Random(seed)

    @property
    def kinds(self) -> frozenset[FaultKind]:
        """The kinds that may happen."""
        return frozenset(fault.kind for fault, share in self._shares if share > 0)

    def draw(self) -> Fault | None:
        """The fault of the next reply; None if it is right."""
        number = self._random.random()
        for fault, share in self._shares:
            if number < share:
                return fault
            number -= share
        return None

    def is_stuck(self, key: Key) -> bool:
        """Whether a request gets its first reply for ever."""
        unit, pdu = key
        return Random(f"{self._seed} {unit} {pdu.hex()}").random() < self._stuck

    def distort(self, fault: Fault, request: Frame, reply: bytes, framing: Framing) -> bytes:
        """What comes over the wire instead of a reply PDU; of one that is late, the right frame."""
        unit, transaction, pdu = request.unit, request.transaction, reply
        match fault.kind:
            case FaultKind.WRONG_UNIT:
                unit, pdu = unit % _HIGHEST_UNIT + 1, _with_other_values(reply)
            case FaultKind.WRONG_TRANSACTION:
                transaction, pdu = transaction ^ _FOREIGN, _with_other_values(reply)
            case FaultKind.EXCEPTION:
                pdu = exception(request.function, fault.code)
            case FaultKind.OVERSIZED:
                data = self._random.randbytes(_OVERSIZED_DATA)
                pdu = bytes((request.function, _OVERSIZED_DATA)) + data
        frame = framing.wrap(unit, pdu, transaction)
        match fault.kind:
            case FaultKind.DUPLICATE:
                return frame + frame
            case FaultKind.TRUNCATED:
                return frame[: len(frame) // 2]
            case FaultKind.SILENT:
                return b""
            case FaultKind.GARBAGE:
                return self._garbage(frame)
        return frame

    def _garbage(self, frame: bytes) -> bytes:
        """Random bytes in which no part of the true frame's beginning or end is left."""
        noise = bytearray(self._random.randbytes(len(frame)))
        for at in (*range(4), -2, -1):
            if noise[at] == frame[at]:
                noise[at] ^= 0xFF
        return bytes(noise)


def _with_other_values(reply: bytes) -> bytes:
    """The reply with all data inverted, so that who takes it for the answer shows what no device said."""
    if reply[0] & EXCEPTION_FLAG:
        return reply
    return reply[:2] + bytes(byte ^ 0xFF for byte in reply[2:])
