"""Which request a reply answers, as far as that can be told from outside."""

from dataclasses import dataclass

from simulators.wire.framing import Frame

_EXCEPTION_FLAG = 0x80
_BIT_READS, _REGISTER_READS = frozenset({1, 2}), frozenset({3, 4})
READS = frozenset({1, 2, 3, 4, 7, 11, 12, 17, 20, 24})
"""Functions that change nothing in a device; and 43 with type 14."""
_IDENTIFY = b"\x2b\x0e"
_READ_LENGTH, _EXCEPTION_LENGTH = 5, 2
_MOST_OPEN = 256


def is_read(pdu: bytes) -> bool:
    """Whether a request changes nothing in a device."""
    return pdu[0] in READS or pdu[:2] == _IDENTIFY


@dataclass(frozen=True, slots=True)
class _Open:
    """A request that has not been answered."""

    number: int
    frame: Frame


class Pairing:
    """Pairs the replies with the requests of one connection.

    Where several open requests are alike, as when a collector on an RTU line asked again because a reply was
    late, a reply is nobody's, and so are those requests: better none than the wrong one.
    """

    def __init__(self) -> None:
        self._open: list[_Open] = []

    def asked(self, number: int, request: Frame) -> None:
        """A request went out."""
        self._open.append(_Open(number, request))
        del self._open[:-_MOST_OPEN]

    def answered(self, reply: Frame) -> int | None:
        """The number of the request that a reply answers; None if there is none, or more than one."""
        fitting = [each for each in self._open if fits(each.frame, reply)]
        self._open = [each for each in self._open if each not in fitting]
        return fitting[0].number if len(fitting) == 1 else None


def fits(request: Frame, reply: Frame) -> bool:
    """Whether a reply may be to a request."""
    if reply.transaction != request.transaction or reply.unit != request.unit:
        return False
    if reply.function == request.function | _EXCEPTION_FLAG:
        return len(reply.pdu) == _EXCEPTION_LENGTH
    return reply.function == request.function and _length_fits(request.pdu, reply.pdu)


def _length_fits(request: bytes, reply: bytes) -> bool:
    """Whether a reply is as long as its request asked for."""
    function = request[0]
    if function not in _BIT_READS | _REGISTER_READS:
        return True
    if len(request) != _READ_LENGTH:
        return False
    count = int.from_bytes(request[3:5], "big")
    data = 2 * count if function in _REGISTER_READS else (count + 7) // 8
    return len(reply) == 2 + data and reply[1] == data
