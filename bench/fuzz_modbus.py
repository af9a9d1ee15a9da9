"""Spoilt replies into the links of Modbus TCP, UDP and RTU, without sockets, against an oracle of their own.

Each round asks something, delivers one reply or several, most of them spoilt, split and merged at random,
and compares what the link makes of it with what the specifications allow. Then a good poll has to succeed,
on the same link or, if the link gave itself up, on a new one. Run it as ``python -m bench.fuzz_modbus``.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from bench.fuzz_frames import (
    Asked,
    Outcome,
    TcpStream,
    answer_pdu,
    data_of,
    datagram,
    first_rtu_outcome,
    meaning,
    pieces,
    reply_pdu,
    rtu_frame,
    spoil,
    tcp_frame,
)
from collectors.modbus import Answer, FaultKind
from collectors.modbus.deadlines import Expiring
from collectors.modbus.frames import Request, identify_request, read_request
from collectors.modbus.inbox import Inbox
from collectors.modbus.link import LinkState, TcpLink
from collectors.modbus.rtu import NETWORK_SETTLE, RtuLink
from collectors.modbus.udp_link import UdpLink
from collectors.planning import Block
from collectors.profiles import Table

FRAMES = 1_000_000
SEED = 20_240_601
TIMEOUT = 1.0
_TABLES = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}


class WrongError(Exception):
    """A link took what it must not, or did not take what it must."""


@dataclass(slots=True)
class Result:
    """What one kind of link made of its frames."""

    name: str
    frames: int = 0
    polls: int = 0
    """Good polls that had to succeed, and did."""
    values: int = 0
    """Answers taken from spoilt rounds, each as the oracle allows."""
    nothing: int = 0
    """Reads that ended without a value."""
    reopened: int = 0
    """Links that gave themselves up."""
    errors: Counter[str] = field(default_factory=Counter)


class HandDeadlines:
    """Time that is moved by hand."""

    __slots__ = ("_due", "_now")

    def __init__(self) -> None:
        self._now = 1000.0
        self._due: dict[Expiring, float] = {}

    def now(self) -> float:
        """The time."""
        return self._now

    def start(self, waiting: Expiring, at: float) -> None:
        """Wait."""
        self._due[waiting] = at

    def start_in(self, waiting: Expiring, seconds: float) -> None:
        """Wait for so long."""
        self.start(waiting, self._now + seconds)

    def stop(self, waiting: Expiring) -> float:
        """Wait no more."""
        return self._due.pop(waiting, float("inf"))

    def move(self, seconds: float) -> None:
        """Let time pass."""
        end = self._now + seconds
        while self._due:
            waiting, at = min(self._due.items(), key=lambda each: each[1])
            if at > end:
                break
            self._now = max(self._now, at)
            del self._due[waiting]
            waiting.expire()
        self._now = end


class Wire(asyncio.Transport):
    """Takes what a link sends."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        """The last frame."""
        self.count = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.sent = bytes(data)
        self.count += 1

    def sendto(self, data: bytes) -> None:
        """Keep it."""
        self.write(data)

    def abort(self) -> None:
        """Nothing to do."""


@dataclass(slots=True)
class Poll:
    """A read under way, and what came of it."""

    asked: Asked
    answers: list[Answer] = field(default_factory=list)
    expected: Outcome = None

    def check(self, where: str) -> None:
        """Compare what was taken with what is allowed."""
        got = [_outcome(answer) for answer in self.answers]
        if got != [self.expected]:
            raise WrongError(f"{where}: {self.asked} gave {got}, allowed is {self.expected!r}")


def _outcome(answer: Answer) -> Outcome:
    if isinstance(answer, bytes):
        return answer
    if answer.kind is FaultKind.EXCEPTION:
        return f"exception {answer.code}"
    return "malformed" if answer.kind is FaultKind.MALFORMED else None


def _ask(random: Random) -> tuple[Asked, Request]:
    unit, function = random.choice((1, 7, 247, 255)), random.choice((1, 2, 3, 3, 3, 4, 43))
    if function == 43:
        code = random.choice((1, 2))
        return Asked(unit, 43, code), identify_request(unit, code=code)
    count = random.choice((1, 2, 10, 60, 125))
    return Asked(unit, function, count), read_request(unit, Block(_TABLES[function], 100, count, ()))


class TransactionFuzz:
    """TCP or UDP, up to three reads in flight."""

    def __init__(self, name: str, random: Random) -> None:
        self.result = Result(name)
        self._udp = name == "UDP"
        self._random = random
        self._deadlines = HandDeadlines()
        self._inbox = Inbox()
        self._past: list[bytes] = [bytes(12)]
        self._waiting: dict[int, Poll] = {}
        """Reads under way, by transaction."""
        self._stream = TcpStream()
        self._wire = Wire()
        self._link = self._open()

    def round(self) -> None:
        """One round of spoilt replies, and a good poll."""
        random = self._random
        polls = [self._begin() for _ in range(random.choice((1, 1, 1, 2, 3)))]
        frames = []
        for poll in random.sample(polls, len(polls)):
            frame = tcp_frame(poll.asked.transaction, poll.asked.unit, reply_pdu(poll.asked, random))
            self._past = [*self._past[-8:], frame]
            for _ in range(random.choice((0, 1, 1, 1, 2))):
                frame = spoil(frame, random) or b"\0"
            frames.append(frame)
            if random.random() < 0.2:
                frames.append(random.choice(self._past))
        self.result.frames += len(frames)
        self._deliver(frames)
        closed = self._link.state is LinkState.CLOSED
        self._deadlines.move(2 * TIMEOUT)
        for poll in polls:
            if poll.answers or not (closed or self._link.state is LinkState.CLOSED):
                poll.check(f"{self.result.name} seed {SEED}")
                self.result.values += isinstance(poll.expected, bytes)
                self.result.nothing += not isinstance(poll.expected, bytes)
            elif isinstance(poll.expected, bytes):
                raise WrongError(f"{self.result.name}: a good answer to {poll.asked} was not taken")
        if self._link.state is LinkState.CLOSED:
            self.result.reopened += 1
            self._link = self._open()
        self._good_poll()

    def _good_poll(self) -> None:
        poll = self._begin()
        answer = answer_pdu(poll.asked, self._random)
        self._deliver([tcp_frame(poll.asked.transaction, poll.asked.unit, answer)])
        if poll.answers != [data_of(answer)]:
            raise WrongError(f"{self.result.name}: the good poll {poll.asked} gave {poll.answers}")
        self.result.frames += 1
        self.result.polls += 1

    def _begin(self) -> Poll:
        asked, request = _ask(self._random)
        self._stream = TcpStream() if not self._waiting else self._stream
        answers: list[Answer] = []
        self._link.read(request, answers.append)
        transaction = int.from_bytes(self._wire.sent[:2], "big")
        poll = Poll(Asked(asked.unit, asked.function, asked.count, transaction), answers)
        self._waiting[transaction] = poll
        return poll

    def _deliver(self, frames: Sequence[bytes]) -> None:
        chunks = frames if self._udp else pieces(b"".join(frames), self._random)
        for chunk in chunks:
            found = datagram(chunk) if self._udp else self._stream.feed(chunk, self._under_way)
            for transaction, unit, pdu in found:
                poll = self._waiting.get(transaction)
                outcome = meaning(poll.asked, unit, pdu) if poll is not None else None
                if poll is not None and outcome is not None:
                    poll.expected = outcome
                    del self._waiting[transaction]
            self._feed(chunk)
            if not self._udp and self._stream.broken is not (self._link.state is LinkState.CLOSED):
                raise WrongError(f"TCP: broken is {self._stream.broken}, the link is {self._link.state}")
            if self._link.state is LinkState.CLOSED:
                break
        self._waiting = {}

    def _under_way(self) -> list[Asked]:
        return [poll.asked for poll in self._waiting.values()]

    def _feed(self, chunk: bytes) -> None:
        if isinstance(self._link, UdpLink):
            self._link.datagram_received(chunk, None)
            return
        room = self._link.get_buffer(-1)
        room[: len(chunk)] = chunk
        self._link.buffer_updated(len(chunk))

    def _open(self) -> UdpLink | TcpLink:
        self._waiting = {}
        self._stream = TcpStream()
        deadlines, errors = self._deadlines, self.result.errors
        link: UdpLink | TcpLink
        if self._udp:
            link = UdpLink(timeout=TIMEOUT, deadlines=deadlines, errors=errors, lost=_ignore)
        else:
            link = TcpLink(
                timeout=TIMEOUT, deadlines=deadlines, errors=errors, lost=_ignore, inbox=self._inbox
            )
        link.connection_made(self._wire)
        return link


class RtuFuzz:
    """RTU: one read at a time, and silence to find the next frame."""

    def __init__(self, random: Random) -> None:
        self.result = Result("RTU")
        self._random = random
        self._deadlines = HandDeadlines()
        self._wire = Wire()
        self._past: list[bytes] = [bytes(8)]
        self._link = RtuLink(
            timeout=TIMEOUT, deadlines=self._deadlines, errors=self.result.errors, lost=_ignore
        )
        self._link.connection_made(self._wire)

    def round(self) -> None:
        """One round of spoilt replies, and a good poll."""
        random = self._random
        poll = self._begin()
        frame = rtu_frame(poll.asked.unit, reply_pdu(poll.asked, random))
        self._past = [*self._past[-8:], frame]
        for _ in range(random.choice((0, 1, 1, 1, 2))):
            frame = spoil(frame, random) or b"\0"
        frames = [frame]
        if random.random() < 0.2:
            frames.insert(random.randrange(2), random.choice(self._past))
        if random.random() < 0.1:
            frames.append(random.choice(self._past))  # belated, or the rest of one that was cut
        self._deliver(poll, b"".join(frames))
        self.result.frames += len(frames)
        self._deadlines.move(2 * TIMEOUT)
        poll.check(f"RTU seed {SEED}")
        self.result.values += isinstance(poll.expected, bytes)
        self.result.nothing += not isinstance(poll.expected, bytes)
        if random.random() < 0.1:
            self._link.data_received(random.randbytes(5))
            self.result.frames += 1
        good = self._begin()
        answer = answer_pdu(good.asked, random)
        self._deliver(good, rtu_frame(good.asked.unit, answer))
        if good.answers != [data_of(answer)]:
            raise WrongError(f"RTU: the good poll {good.asked} gave {good.answers}")
        self.result.frames += 1
        self.result.polls += 1

    def _begin(self) -> Poll:
        asked, request = _ask(self._random)
        poll = Poll(asked)
        sent = self._wire.count
        self._link.read(request, poll.answers.append)
        self._deadlines.move(2 * NETWORK_SETTLE)
        if self._wire.count != sent + 1:
            raise WrongError("RTU: a request was not sent though the line was silent")
        return poll

    def _deliver(self, poll: Poll, data: bytes) -> None:
        for chunk in pieces(data, self._random):
            self._link.data_received(chunk)
            self._deadlines.move(NETWORK_SETTLE / 10)
        poll.expected = first_rtu_outcome(poll.asked, data)


def _ignore(_: str) -> None:
    pass


def fuzz(frames: int, seed: int = SEED) -> list[Result]:
    """Feed so many frames, a third to each kind of link.

    Raises:
        WrongError: a link was wrong.
    """
    random = Random(seed)
    kinds: list[TransactionFuzz | RtuFuzz] = [
        TransactionFuzz("TCP", random),
        TransactionFuzz("UDP", random),
        RtuFuzz(random),
    ]
    for kind in kinds:
        while kind.result.frames < frames / len(kinds):
            kind.round()
    return [kind.result for kind in kinds]


def main(arguments: Sequence[str] = ()) -> bool:
    """Fuzz and print a table; what breaks a rule raises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    results = fuzz(options.frames, options.seed)
    print(f"seed {options.seed}, {time.perf_counter() - began:.0f} s")
    print(f"{'':6}{'frames':>10}{'good polls':>12}{'values':>9}{'no value':>10}{'reopened':>10}  counted")
    for each in results:
        counted = ", ".join(f"{name} {number}" for name, number in _grouped(each.errors).most_common())
        numbers = f"{each.frames:10}{each.polls:12}{each.values:9}{each.nothing:10}{each.reopened:10}"
        print(f"{each.name:6}{numbers}  {counted}")
    print("No exception, no value that is no answer, every good poll answered.")
    return True


def _grouped(errors: Counter[str]) -> Counter[str]:
    """All exceptions as one."""
    grouped: Counter[str] = Counter()
    for name, number in errors.items():
        grouped["exception" if name.startswith("exception_") else name] += number
    return grouped


if __name__ == "__main__":
    main(sys.argv[1:])
