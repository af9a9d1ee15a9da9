"""What a simulated campus costs: CPU a request when every device is read every second, memory, start-up.

``dcops simulate`` serves a generated campus in a process of its own. This one asks as a collector does, with
as little work as it takes: a connection to each endpoint, one request at a time on each, every device at its
own place in the second; and one subscription to all that is published. CPU is that of the simulator over a
window that begins when all is warm.
"""

import argparse
import os
import select
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.campus import sites
from bench.campus.processes import Process, busy, free_port, running
from bench.report import machine, verdict
from bench.responder import allow_many_connections
from collectors.config import CollectionPlan, ModbusProtocol
from collectors.modbus.frames import HEADER, read_request
from collectors.mqtt_packets import Packets
from collectors.planning import plan_groups
from collectors.schedule import Grid
from dcops.site_file import load
from facility.sample import NANOSECONDS
from simulators.sitegen import PRESETS
from simulators.wire.mqtt_packets import LARGEST, Kind, numbered, packet, read_publish

MOST_CPU = 30.0
"""µs of the simulator's CPU a request."""
_MANY = 10_000
"""Requests a second from which on there is a bar."""
_PERIOD = 1.0
_SLOTS = 100
"""Wakings a period at which devices are due."""
_BASE_PORT = 20_000
_PATIENCE = 120.0
_WARM = 3
"""Periods before the window."""
_RECEIVED = 4096
_REPLY_HEAD = 9
"""Bytes of a reply before its data."""
_OF_REGISTERS = frozenset({3, 4})
"""Functions; the others are of bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One read, as it is sent, and how its reply begins and how long that is."""

    frame: bytes
    head: bytes
    length: int


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of the requests."""

    asked: int = 0
    answered: int = 0
    wrong: int = 0
    """Replies that were no answer: exceptions, other lengths."""
    missed: int = 0
    """Reads that were not asked because the device's last ones were still open."""
    messages: int = 0
    """That were published."""
    late: list[float] = field(default_factory=list)
    """Of each device read, seconds from its place in the period to its last reply."""

    def clear(self) -> None:
        """Begin again."""
        self.asked = self.answered = self.wrong = self.missed = self.messages = 0
        self.late.clear()


class Connection:
    """One endpoint: the devices behind it are read one after the other, each with one request at a time."""

    __slots__ = ("_held", "_open", "_tally", "_waiting", "stream")

    def __init__(self, stream: socket.socket, tally: Tally) -> None:
        self.stream = stream
        self._tally = tally
        self._waiting: deque[tuple[float, tuple[Question, ...]]] = deque()
        self._open: tuple[float, tuple[Question, ...], int] | None = None
        self._held = b""

    def due(self, at: float, questions: tuple[Question, ...]) -> None:
        """A device is to be read, since a moment of the monotonic clock."""
        if any(waiting[1] is questions for waiting in self._waiting):
            self._tally.missed += len(questions)
        elif self._open is None:
            self._ask((at, questions, 0))
        elif self._open[1] is questions:
            self._tally.missed += len(questions)
        else:
            self._waiting.append((at, questions))

    def readable(self) -> None:
        """Takes what came.

        Raises:
            RuntimeError: the simulator has gone away, or says what nobody asked.
        """
        data = self._held + self.stream.recv(_RECEIVED)
        if self._open is None or len(data) == len(self._held):
            raise RuntimeError("the simulator cut a connection, or sent what was not asked")
        at, questions, number = self._open
        question, tally = questions[number], self._tally
        if len(data) < question.length and data.startswith(question.head[: len(data)]):
            self._held = data
            return
        self._held = b""
        tally.answered += 1
        tally.wrong += len(data) != question.length or not data.startswith(question.head)
        if number + 1 < len(questions):
            self._ask((at, questions, number + 1))
            return
        tally.late.append(time.monotonic() - at)
        self._open = None
        if self._waiting:
            self._ask((*self._waiting.popleft(), 0))

    def _ask(self, what: tuple[float, tuple[Question, ...], int]) -> None:
        self._open = what
        self._tally.asked += 1
        self.stream.send(what[1][what[2]].frame)


class Subscriber:
    """Takes all that is published, with QoS 1."""

    def __init__(self, stream: socket.socket, tally: Tally) -> None:
        self.stream = stream
        self._tally = tally
        self._packets = Packets(LARGEST)
        stream.sendall(packet(Kind.CONNECT, b"\0\x04MQTT\x04\x02\0\0\0\x05bench"))
        stream.sendall(packet(Kind.SUBSCRIBE, b"\0\x01\0\x01#\x01", 2))

    def readable(self) -> None:
        """Acknowledges what came.

        Raises:
            RuntimeError: the broker has gone away.
        """
        data = self.stream.recv(1 << 16)
        if not data:
            raise RuntimeError("the broker cut the connection")
        self._packets.feed(data)
        numbers: list[int] = []
        while (found := self._packets.next()) is not None:
            whole, start = found
            if whole[0] >> 4 == Kind.PUBLISH:
                numbers.append(read_publish(whole[0] & 0x0F, whole[start:])[1])
        self._tally.messages += len(numbers)
        if numbers:
            self.stream.send(b"".join(numbered(Kind.PUBACK, number) for number in numbers))


class Asker:
    """Reads all devices of a plan every period, and takes what the others publish."""

    def __init__(self, plan: CollectionPlan, tally: Tally) -> None:
        self._tally = tally
        self._poll = select.epoll()
        self._of_file: dict[int, Connection | Subscriber] = {}
        self._slots: list[list[tuple[Connection, tuple[Question, ...]]]] = [[] for _ in range(_SLOTS)]
        self.requests = 0
        """A period."""
        to = {
            each.id: self._connect(each.host, each.port)
            for each in plan.endpoints
            if each.protocol is ModbusProtocol.TCP
        }
        width = round(_PERIOD * NANOSECONDS) // _SLOTS
        grid = Grid.of(len(plan.modbus))
        for binding in plan.modbus:
            asked = tuple(
                _question(read_request(binding.unit, block).frame(1))
                for group in plan_groups(binding.profile)
                for block in group.blocks
            )
            place = grid.offset(binding.device, round(_PERIOD * NANOSECONDS)) // width
            self._slots[place].append((to[binding.endpoint], asked))
            self.requests += len(asked)
        self.connections = len(to)
        for broker in plan.brokers:
            stream = socket.create_connection((broker.host, broker.port))
            self._watch(Subscriber(stream, tally))

    def run(self, periods: int) -> None:
        """Goes on for so many periods."""
        began = time.monotonic()
        for slot in range(periods * _SLOTS):
            at = began + slot * _PERIOD / _SLOTS
            self._until(at)
            for connection, questions in self._slots[slot % _SLOTS]:
                connection.due(at, questions)
        self._until(began + periods * _PERIOD)

    def close(self) -> None:
        """Hangs up."""
        for connection in self._of_file.values():
            connection.stream.close()
        self._poll.close()

    def _until(self, at: float) -> None:
        while (left := at - time.monotonic()) > 0:
            for number, _ in self._poll.poll(left):
                self._of_file[number].readable()

    def _connect(self, host: str, port: int) -> Connection:
        stream = socket.create_connection((host, port))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(stream, self._tally)
        self._watch(connection)
        return connection

    def _watch(self, connection: Connection | Subscriber) -> None:
        number = connection.stream.fileno()
        self._of_file[number] = connection
        self._poll.register(number, select.EPOLLIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One run."""

    start: tuple[float, float]
    """Wall and CPU seconds until all devices are served."""
    memory: tuple[float, float]
    """MB, then and at the end."""
    devices: int
    connections: int
    requests: int
    """A period."""
    seconds: float
    cpu: float
    own: float
    """CPU of the asker."""
    machine: float
    """CPU of everything on this machine."""
    tally: Tally

    @property
    def per_request(self) -> float:
        """µs."""
        return self.cpu / max(1, self.tally.answered) * 1e6


def measure(options: argparse.Namespace, folder: Path) -> Found:
    """Generate, serve, ask.

    Raises:
        RuntimeError: one of them failed.
    """
    site = folder / "site"
    sites.dcops(
        (
            *("site", "generate", site, "--preset", options.preset, "--period", f"{_PERIOD:g}s"),
            *("--base-port", options.base_port, "--broker-port", free_port()),
        )
    )
    if options.without_mqtt:
        sites.without_broker(site)
    plan = load(site).plan
    tally = Tally()
    with _simulator(site, folder, options) as (simulator, start):
        served = simulator.memory()
        asker = Asker(plan, tally)
        try:
            asker.run(_WARM)
            tally.clear()
            cpu, own, all_of_it, began = simulator.cpu(), time.process_time(), busy(), time.monotonic()
            asker.run(options.seconds)
            seconds = time.monotonic() - began
            return Found(
                start=start,
                memory=(served / 1e6, simulator.memory() / 1e6),
                devices=len(plan.modbus),
                connections=asker.connections,
                requests=asker.requests,
                seconds=seconds,
                cpu=simulator.cpu() - cpu,
                own=time.process_time() - own,
                machine=busy() - all_of_it,
                tally=tally,
            )
        finally:
            asker.close()


def main(arguments: Sequence[str] = ()) -> bool:
    """Measure and print; whether the bar is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulator", description=__doc__)
    parser.add_argument("--preset", choices=sorted(PRESETS), default="campus", help="default: campus")
    parser.add_argument("--seconds", type=int, default=15, help="that are measured (default: 15)")
    parser.add_argument("--base-port", type=int, default=_BASE_PORT, help="of the devices (default: 20000)")
    parser.add_argument(
        "--without-mqtt", action="store_true", help="leave out what publishes, and the broker"
    )
    options = parser.parse_args(arguments)
    allow_many_connections()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the simulator ends with it
    with tempfile.TemporaryDirectory(prefix="dcops-simulator-") as name:
        return _report(measure(options, Path(name)), options)


@contextmanager
def _simulator(
    site: Path, folder: Path, options: argparse.Namespace
) -> Iterator[tuple[Process, tuple[float, float]]]:
    """A running one, and the wall and CPU seconds its start took."""
    command = [
        sys.executable,
        "-m",
        "dcops",
        "simulate",
        site,
        *([] if options.without_mqtt else ["--broker"]),
    ]
    with running(Process("the simulator", command, folder / "simulator.log")) as process:
        while "are served" not in process.said():
            process.check()
            if time.monotonic() - process.began > _PATIENCE:
                raise RuntimeError(f"the simulator serves nobody after {_PATIENCE:g} s:\n{process.said()}")
            time.sleep(0.02)
        yield process, (time.monotonic() - process.began, process.cpu())


def _question(frame: bytes) -> Question:
    _, _, _, unit, function = HEADER.unpack_from(frame)
    count = int.from_bytes(frame[-2:], "big")
    data = 2 * count if function in _OF_REGISTERS else (count + 7) // 8
    head = HEADER.pack(1, 0, 3 + data, unit, function) + bytes((data,))
    return Question(frame=frame, head=head, length=_REPLY_HEAD + data)


def _report(found: Found, options: argparse.Namespace) -> bool:
    tally = found.tally
    late = sorted(tally.late) or [0.0]
    middle, most = (late[len(late) * percent // 100] * 1e3 for percent in (50, 99))
    lines: Mapping[str, str] = {
        "devices, connections": f"{found.devices:,}, {found.connections:,}",
        "start to all served": f"{found.start[0]:.1f} s, {found.start[1]:.1f} s of CPU",
        "memory then; with all connections": f"{found.memory[0]:.0f} MB; {found.memory[1]:.0f} MB",
        "requests a second, asked for": f"{found.requests / _PERIOD:,.0f}",
        "… answered": f"{tally.answered / found.seconds:,.0f}",
        "… answered wrongly; not asked in time": f"{tally.wrong:,}; {tally.missed:,} in all",
        "messages a second": f"{tally.messages / found.seconds:,.0f}",
        "lateness of a device p50, p99": f"{middle:.1f} ms, {most:.1f} ms",
        "simulator": f"{found.cpu / found.seconds:.2f} core",
        "asker": f"{found.own / found.seconds:.2f} core",
        "the whole machine": f"{found.machine / found.seconds:.2f} of {os.cpu_count()} cores",
        "CPU of the simulator a request": f"{found.per_request:.1f} µs",
    }
    print(machine())
    broker = "without MQTT" if options.without_mqtt else "with its broker"
    print(f"preset {options.preset}, {broker}, every device every {_PERIOD:g} s, {found.seconds:.0f} s\n")
    for name, text in lines.items():
        print(f"{name:40}{text}")
    print()
    # Few requests share what the plant takes each second, and tell nothing of their own.
    kept = found.per_request <= MOST_CPU or found.requests < _MANY
    if found.requests >= _MANY:
        print(verdict(kept, f"{found.per_request:.1f} µs a request, at most {MOST_CPU:g}"))
    whole = not tally.wrong and not tally.missed
    print(verdict(whole, "every request is answered, and rightly"))
    return kept and whole


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
