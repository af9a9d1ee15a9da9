"""What a broker sends, read from its socket as often as is worth it."""

import asyncio
import math
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from collectors.mqtt_packets import Packets

LARGEST_PACKET = 16 << 20
"""Bytes. A broker of MQTT 5 is told not to send larger ones; over one that comes all the same the connection
ends as soon as its length has come, for it may be 256 MB."""
TURN = 0.02
"""Seconds after which other work has its turn."""
GATHER = 0.025
"""Seconds that messages which follow each other closely are left to gather: each moment at which some are
taken costs as much as a few more of them."""
_ROOM = 16 << 10


class Socket(Protocol):
    """That does not block."""

    def fileno(self) -> int:
        """Its number."""
        ...

    def recv(self, size: int, /) -> bytes:
        """What has come, so many bytes at most; none at its end. Raises if nothing has."""
        ...


class Inflow:
    """Takes packets until it is paused or closed; everything happens on the event loop's thread."""

    __slots__ = (
        "_came",
        "_clock",
        "_ended",
        "_gather",
        "_loop",
        "_next",
        "_packets",
        "_paused",
        "_read_last",
        "_sock",
        "_take",
    )

    def __init__(
        self,
        *,
        take: Callable[[bytes, int], None],
        ended: Callable[[Exception], None],
        came: Callable[[], None] = lambda: None,
        gather: float = GATHER,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Nothing is open yet.

        Args:
            take: takes a packet, with where its header ends.
            ended: told once that nothing more is taken, and why: an error of ``take`` or of the socket, also
                that the broker has closed the connection. Not told if it is closed from here.
            came: told that something has come, be it a part of a packet.
            gather: seconds for which messages that follow each other closely gather.
            clock: seconds, by which turns are measured.
        """
        self._take = take
        self._ended = ended
        self._came = came
        self._gather = gather
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sock: Socket | None = None
        self._packets = Packets(LARGEST_PACKET)
        self._paused = False
        self._read_last = -math.inf
        self._next: asyncio.Handle | None = None
        """When it is read next, if the socket is not watched."""

    def open(self, sock: Socket) -> None:
        """Read from here; whoever has had it watched before does so no more."""
        number = sock.fileno()
        if number >= 0:  # or it was closed since
            self._loop, self._sock = asyncio.get_running_loop(), sock
            self._loop.add_reader(number, self._read)

    def close(self) -> None:
        """Read no more; the socket is still open."""
        self._look_no_more()
        self._sock = None

    def pause(self) -> None:
        """Take nothing more for now."""
        self._paused = True
        self._look_no_more()

    def resume(self) -> None:
        """Take what has come meanwhile."""
        if self._paused:
            self._paused = False
            if self._loop is not None and self._sock is not None:
                self._next = self._loop.call_soon(self._read)

    def _look_no_more(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        elif self._loop is not None and self._sock is not None:
            self._loop.remove_reader(self._sock.fileno())

    def _read(self) -> None:
        """Take what has come; then go on behind others, look again in a moment, or wait until more comes."""
        before, was_watched = self._read_last, self._next is None
        self._read_last = self._clock()
        self._next = None
        try:
            came, is_left = self._take_packets()
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is broken
            self.close()
            self._ended(error)
            return
        loop, sock = self._loop, self._sock
        if loop is None or sock is None or self._paused:
            return
        follows = came and (not was_watched or self._read_last - before < self._gather)
        if (is_left or follows) and was_watched:
            loop.remove_reader(sock.fileno())
        if is_left:
            self._next = loop.call_soon(self._read)
        elif follows:
            self._next = loop.call_later(self._gather, self._read)
        elif not was_watched:
            loop.add_reader(sock.fileno(), self._read)

    def _take_packets(self) -> tuple[bool, bool]:
        """For a turn: whether anything came, and whether more may be there."""
        end = self._clock() + TURN
        came, is_drained = False, False
        while self._sock is not None and not self._paused:
            packet = self._packets.next()
            if packet is not None:
                self._take(*packet)
                if self._clock() >= end:
                    return True, True
                continue
            data = None if is_drained else _received(self._sock)
            if data is None:
                return came, False
            if not data:
                raise ConnectionResetError("connection closed")
            self._packets.feed(data)
            self._came()
            came = True
            is_drained = len(data) < _ROOM and not isinstance(self._sock, ssl.SSLSocket)
        return came, False


def _received(sock: Socket) -> bytes | None:
    """What has come; None if nothing has."""
    try:
        return sock.recv(_ROOM)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
