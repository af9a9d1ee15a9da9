"""Reading Modbus devices: what a link has to offer, whatever carries it.

Only the four read functions exist in this package, and the one that asks a device what it is; the plant is
never written to.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from collectors.modbus.frames import Request


class FaultKind(StrEnum):
    """Why a read gave no data."""

    EXCEPTION = "exception"
    """The device, or the gateway before it, said no."""
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    """The reply was to this request, but not of the length asked for."""
    DAMAGED = "damaged"
    """What came was cut short, or its checksum is wrong."""


_WORDS = {
    FaultKind.TIMEOUT: "no reply in time",
    FaultKind.MALFORMED: "a reply of the wrong length",
    FaultKind.DAMAGED: "a reply that was damaged",
}


_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, still working",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target did not respond",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A read that gave no data."""

    kind: FaultKind
    code: int = 0
    """Modbus exception code, if it was one."""

    def __str__(self) -> str:
        if self.kind is FaultKind.EXCEPTION:
            return f"exception {self.code} ({_EXCEPTIONS.get(self.code, 'undefined')})"
        return _WORDS[self.kind]


Answer = bytes | Fault
"""Data bytes of a reply, of exactly the length asked for, or why there are none."""
Done = Callable[[Answer], None]
Lost = Callable[[str], None]
"""Told once, with the reason, when a link is gone; a read under way is then never answered."""


class Errors(Protocol):
    """Counts what goes wrong by class, as a Counter does."""

    def __getitem__(self, kind: str, /) -> int:
        """How often it did."""
        ...

    def __setitem__(self, kind: str, count: int, /) -> None:
        """It did so often."""
        ...


class Link(Protocol):
    """An open connection, or a line, that carries reads."""

    @property
    def several(self) -> bool:
        """Whether a read may begin while others are under way, because replies can be told apart."""
        ...

    @property
    def hung_up(self) -> bool:
        """Whether it was the other side that ended it."""
        ...

    def read(self, request: Request, done: Done, timeout: float | None = None) -> None:
        """Begin a read; ``done`` is called once, later, unless the link is lost before.

        Args:
            request: what to read.
            done: takes the answer.
            timeout: seconds to wait for it; the link's own if None.
        """
        ...

    def owes(self, unit: int) -> bool:
        """Whether a reply of a unit that was given up may yet come and be taken for another."""
        ...

    def close(self, reason: str) -> None:
        """Give the connection up; it is then lost with this reason."""
        ...


Connect = Callable[[Lost], Awaitable[Link]]
"""Opens a link; raises OSError or TimeoutError if that fails."""
