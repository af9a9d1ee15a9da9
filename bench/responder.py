"""A Modbus TCP server that costs little: a process of its own that answers each read with the same registers.

It listens on two ports: a live one, and one that accepts connections and never says anything. Units from
``FIRST_DOUBTFUL`` on do as they are told: answer, stay silent, or be reported dead by their gateway.
"""

import argparse
import os
import resource
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

HOST = "127.0.0.1"
FIRST_DOUBTFUL = 200
"""Units from this number on behave as ``Doubtful`` says; all others answer."""

_VALUE = struct.pack(">f", 230.5)
_TARGET_DID_NOT_RESPOND = 0x0B
_ILLEGAL_FUNCTION = 1
_READS = (3, 4)
_HEAD = 6
"""Bytes of a frame that its length field does not count."""
_RECEIVED = 4096
_WAITING_CONNECTIONS = 4096


class Doubtful(StrEnum):
    """What the doubtful units do."""

    ANSWER = "answer"
    SILENCE = "silence"
    EXCEPTION = "exception"
    """The gateway before them says at once that they do not respond (exception 11)."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a responder listens."""

    live: int
    silent: int


@contextmanager
def responder(doubtful: Doubtful = Doubtful.ANSWER) -> Iterator[Ports]:
    """A running responder; it ends with the block."""
    command = [sys.executable, "-m", "bench.responder", doubtful]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            live, silent = map(int, process.stdout.readline().split())
            yield Ports(live, silent)
        finally:
            process.stdin.close()


def allow_many_connections() -> int:
    """Raise the number of files this process may open to the most allowed, and return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class _Server:
    """Connections and the replies to them; level-triggered epoll, no event loop."""

    def __init__(self, doubtful: Doubtful) -> None:
        self._doubtful = doubtful
        self._poll = select.epoll()
        self._connections: dict[int, socket.socket] = {}
        self._partial: dict[int, bytes] = {}
        self._tails: dict[bytes, bytes] = {}
        self._listeners = [_listen(), _listen()]
        self._live: set[int] = set()
        for listener in self._listeners:
            self._poll.register(listener.fileno(), select.EPOLLIN)
        self.ports = Ports(*(listener.getsockname()[1] for listener in self._listeners))

    def run(self) -> None:
        """Serve until standard input ends."""
        end = sys.stdin.fileno()
        self._poll.register(end, select.EPOLLIN | select.EPOLLHUP)
        listeners = {listener.fileno(): listener for listener in self._listeners}
        while True:
            for number, _ in self._poll.poll():
                if number in self._live:
                    self._receive(number)
                elif number in listeners:
                    self._accept(listeners[number])
                elif number == end:
                    return
                else:
                    self._drain(number)

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        connection.settimeout(0.0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = connection.fileno()
        self._connections[number] = connection
        if listener is self._listeners[0]:
            self._live.add(number)
        self._poll.register(number, select.EPOLLIN)

    def _receive(self, number: int) -> None:
        data = self._read(number)
        if not data:
            return
        data = self._partial.pop(number, b"") + data
        replies = []
        start = 0
        while len(data) - start >= _HEAD:
            end = start + _HEAD + int.from_bytes(data[start + 4 : start + 6])
            if end > len(data):
                break
            tail = self._tail(data[start + 2 : end])
            if tail:
                replies.append(data[start : start + 2] + tail)
            start = end
        if start < len(data):
            self._partial[number] = data[start:]
        if replies:
            self._connections[number].send(b"".join(replies))

    def _drain(self, number: int) -> None:
        self._read(number)

    def _read(self, number: int) -> bytes:
        try:
            data = self._connections[number].recv(_RECEIVED)
        except OSError:
            data = b""
        if not data:
            self._poll.unregister(number)
            self._live.discard(number)
            self._partial.pop(number, None)
            self._connections.pop(number).close()
        return data

    def _tail(self, request: bytes) -> bytes:
        """The reply to a request, both without the transaction; empty if there is none."""
        tail = self._tails.get(request)
        if tail is None:
            tail = self._tails[request] = self._make_tail(request)
        return tail

    def _make_tail(self, request: bytes) -> bytes:
        unit, function = request[4], request[5]
        if unit >= FIRST_DOUBTFUL and self._doubtful is Doubtful.SILENCE:
            return b""
        if unit >= FIRST_DOUBTFUL and self._doubtful is Doubtful.EXCEPTION:
            return struct.pack(">HHBBB", 0, 3, unit, function | 0x80, _TARGET_DID_NOT_RESPOND)
        if function not in _READS:
            return struct.pack(">HHBBB", 0, 3, unit, function | 0x80, _ILLEGAL_FUNCTION)
        count = int.from_bytes(request[8:10])
        data = (_VALUE * (count // 2 + 1))[: 2 * count]
        return struct.pack(">HHBBB", 0, 3 + len(data), unit, function, len(data)) + data


def _listen() -> socket.socket:
    listener = socket.create_server((HOST, 0), backlog=_WAITING_CONNECTIONS)
    listener.settimeout(0.0)
    return listener


def main(arguments: Sequence[str]) -> None:
    """Serve; the ports are printed first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("doubtful", type=Doubtful, choices=list(Doubtful))
    options = parser.parse_args(arguments)
    allow_many_connections()
    server = _Server(options.doubtful)
    os.write(1, f"{server.ports.live} {server.ports.silent}\n".encode())
    server.run()


if __name__ == "__main__":
    main(sys.argv[1:])
