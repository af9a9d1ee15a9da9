"""One soak, from the first server to the last question."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from bench.soak.ledger import Ledger
from bench.soak.load import Load
from bench.soak.outages import Outages, Servers, draw
from bench.soak.program import Field, Life, Program, SoakError, until
from bench.soak.site import write_site
from bench.soak.stored import Rows, in_history, in_influx, in_victoria, written_again
from bench.soak.verdict import ALLOWED_LOSS, Verdict, judge
from deploy.servers import free_port

Tell = Callable[[str], None]

_KILLS_AN_OUTAGE = 5
_SHORTEST_LIFE = 0.2
"""Seconds: killed while it still starts."""
_LONGEST_PAUSE = 0.5
"""Seconds it is dead at most before it is started again."""
_PATIENCE = 120.0
"""Seconds for something that has to come about."""
_BEHIND = 3.0
"""Seconds a store may lag and count as up to date: readings go on coming."""
_QUIET = 3.0
"""Seconds without a message from the broker after which it has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is wanted."""

    seconds: float
    """In which all kills fall."""
    kills: int
    rate: int
    """Points a second."""
    seed: int
    allowed_loss: float = ALLOWED_LOSS
    """Seconds before a kill of which polled readings may be missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it."""

    load: Load
    took: float
    """Seconds from the first kill's life to the last one's end."""
    lives: tuple[Life, ...]
    first_reads: tuple[float, ...]
    """Seconds from a start to the first read that was answered, where there was one before the kill."""
    read_share: float
    """Of the reads that were due between the first one of a life and the kill, those that were answered."""
    outages: Mapping[str, int]
    """Restarts by server."""
    reads: int
    messages: int
    stop_code: int
    """How it ended when it was asked to."""
    tracebacks: int
    """In its log."""
    written_again: int
    verdicts: Mapping[str, Verdict]
    """By store."""

    @property
    def kept(self) -> bool:
        """Whether all is as promised."""
        return all(each.kept for each in self.verdicts.values()) and not (self.stop_code or self.tracebacks)


@dataclass(frozen=True, slots=True)
class _Run:
    """What is known before the stores are asked."""

    took: float
    stop_code: int
    outages: Counter[str]
    allowed_loss: float


def soak(options: Options, folder: Path, tell: Tell) -> Outcome:
    """Run one.

    Raises:
        SoakError: it could not be run to its end.
        ServerError: the same, for the sake of a server; MissingProgramError if one is not installed.
    """
    random = Random(options.seed)
    with ExitStack() as running:
        servers = running.enter_context(Servers.prepare(folder))
        load = _with_ports(options.rate, servers)
        site = write_site(folder / "site", load, victoria=servers.victoria.url, influx=servers.influx.url)
        field = running.enter_context(Field(load, folder))
        program = running.enter_context(Program(site, folder, free_port()))
        program.start()
        until(lambda: _up(program, load), "dcops connected to broker and devices", _PATIENCE)
        field.tell("publish")
        tell(f"{options.rate} points/s; {options.kills} kills in {options.seconds:.0f} s")
        outages = Outages(servers, draw(random, options.seconds, max(3, options.kills // _KILLS_AN_OUTAGE)))
        outages.start()
        took = _kill_often(program, options, random, tell)
        outages.finish(_PATIENCE)
        field.tell("quiet")
        tell("all published; waiting until everything is stored")
        _wait_until_taken(program)
        field.end()
        time.sleep(_BEHIND)
        until(lambda: _behind(program) < _BEHIND, "stores up to date", _PATIENCE)
        code = program.stop()
        tell("comparing with the ledger")
        return _compare(program, servers, field, load, _Run(took, code, outages.done, options.allowed_loss))


def _with_ports(rate: int, servers: Servers) -> Load:
    load = Load(rate=rate)
    ports = tuple(free_port() for _ in range(load.endpoints))
    return Load(rate=rate, modbus_ports=ports, broker_port=servers.broker.port)


def _kill_often(program: Program, options: Options, random: Random, tell: Tell) -> float:
    """Kill it so often, after lives of random length; seconds it took."""
    began = time.monotonic()
    shares = [random.random() for _ in range(options.kills)]
    unit = (options.seconds - options.kills * _SHORTEST_LIFE) / sum(shares)
    due = began
    for number, share in enumerate(shares, 1):
        due += _SHORTEST_LIFE + share * unit
        time.sleep(max(0.0, due - time.monotonic()))
        program.kill()
        time.sleep(random.uniform(0.0, _LONGEST_PAUSE))
        program.start()
        if number % max(1, options.kills // 10) == 0:
            tell(f"{time.monotonic() - began:5.0f} s: {number} kills")
    return time.monotonic() - began


def _up(program: Program, load: Load) -> bool:
    up = [value for (name, _), value in program.metrics().items() if name == "dcops_endpoint_up"]
    return len(up) == load.endpoints + 1 and all(up)


def _behind(program: Program) -> float:
    """Seconds the store that is furthest behind lags; much if it does not answer."""
    lags = [value for (name, _), value in program.metrics().items() if name == "dcops_store_lag_seconds"]
    return max(lags, default=_PATIENCE)


def _wait_until_taken(program: Program) -> None:
    """Return when the broker has no more for it, and the stores have nearly all."""
    deadline = time.monotonic() + _PATIENCE
    seen, since = (-1.0, -1.0), time.monotonic()
    while time.monotonic() - since < _QUIET or _behind(program) >= _BEHIND:
        if time.monotonic() > deadline:
            raise SoakError(
                f"stores are {_behind(program):.0f} s behind after {_PATIENCE:.0f} s without a kill"
            )
        found = _broker(program)
        if found != seen or found[1] != 0.0:
            seen, since = found, time.monotonic()
        time.sleep(0.2)


def _broker(program: Program) -> tuple[float, float]:
    """Messages taken since the start, and those not acknowledged; below 0 while nobody knows."""
    found = program.metrics()
    names = ("dcops_endpoint_requests_total", "dcops_endpoint_unacknowledged")
    label = 'endpoint="broker"'
    taken, waiting = (found.get((name, label), -1.0) for name in names)
    return taken, waiting


def _compare(
    program: Program,
    servers: Servers,
    field: Field,
    load: Load,
    run: _Run,
) -> Outcome:
    ledger, lives = Ledger.load(field.ledger), tuple(program.lives)
    first_reads, share = _reading(ledger, load, lives)
    again = written_again(program.data)
    stores: dict[str, Callable[[], Rows]] = {
        "history": lambda: in_history(program.data, load),
        "victoriametrics": lambda: in_victoria(servers.victoria.url, load),
        "influxdb1": lambda: in_influx(servers.influx.url, load),
    }
    verdicts = {name: judge(rows(), ledger, load, lives, run.allowed_loss) for name, rows in stores.items()}
    return Outcome(
        load=load,
        took=run.took,
        lives=lives,
        first_reads=first_reads,
        read_share=share,
        outages=dict(run.outages),
        reads=len(ledger.read_time),
        messages=len(ledger.message_time),
        stop_code=run.stop_code,
        tracebacks=program.log.read_text(errors="replace").count("Traceback"),
        written_again=again,
        verdicts=verdicts,
    )


def _reading(ledger: Ledger, load: Load, lives: tuple[Life, ...]) -> tuple[tuple[float, ...], float]:
    """Seconds to the first read of each life that had one, and the share of reads from then on."""
    times = np.sort(ledger.read_time)
    firsts: list[float] = []
    answered = due = 0.0
    for life in lives:
        first, last = (int(at) for at in np.searchsorted(times, (life.start, life.end)))
        if first < last:
            firsts.append((int(times[first]) - life.start) / 1e9)
            answered += last - first
            due += load.polled * (life.end - int(times[first])) / 1e9
    return tuple(firsts), answered / due if due else 0.0
