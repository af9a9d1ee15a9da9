"""The broker and the stores, restarted at random moments beside the kills."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self
from urllib.parse import quote
from urllib.request import Request, urlopen

from bench.soak.program import until
from bench.soak.site import DATABASE
from deploy.programs import influxd, mosquitto, victoria_metrics
from deploy.servers import Server, ServerError

_LONGEST = 5.0
"""Seconds one is away."""
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Outage:
    """One server is away for a while."""

    moment: float
    """Seconds after the beginning."""
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Servers:
    """Broker and stores. Mosquitto and VictoriaMetrics are stopped in order, InfluxDB is killed with -9.

    The first two keep what they acknowledged last in memory only, some seconds of it: what a kill of theirs
    loses is theirs. InfluxDB writes all to its disk before it answers.
    """

    broker: Server
    victoria: Server
    influx: Server
    _stack: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def prepare(cls, folder: Path) -> "Servers":
        """All of them in a folder, not started yet."""
        return cls(
            mosquitto(folder / "mosquitto", persistent=True),
            victoria_metrics(folder / "victoria-metrics"),
            influxd(folder / "influxdb"),
        )

    def away(self, outage: Outage) -> None:
        """Make it so, and bring the server back."""
        server: Server = getattr(self, outage.name)
        if server is self.influx:
            server.kill()
        else:
            server.stop()
        time.sleep(outage.seconds)
        for left in reversed(range(_TRIES)):
            try:
                server.start()
            except ServerError:
                if not left:
                    raise
            else:
                return

    def __enter__(self) -> Self:
        for server in (self.broker, self.victoria, self.influx):
            self._stack.enter_context(server)
        query = f"{self.influx.url}/query?q={quote(f'CREATE DATABASE {DATABASE}')}"
        with urlopen(Request(query, method="POST"), timeout=10) as answer:
            answer.read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def draw(random: Random, seconds: float, count: int) -> list[Outage]:
    """So many outages at random, of each server in turn, one at a time."""
    names = ("broker", "victoria", "influx")
    moments = sorted(random.uniform(0.0, seconds) for _ in range(count))
    drawn = [
        Outage(at, names[number % 3], random.uniform(0.2, _LONGEST)) for number, at in enumerate(moments)
    ]
    random.shuffle(drawn)
    return [Outage(at, each.name, each.seconds) for at, each in zip(moments, drawn, strict=True)]


class Outages(threading.Thread):
    """Makes outages beside all else, in their order; one that comes during another waits for its end."""

    def __init__(self, servers: Servers, planned: Sequence[Outage]) -> None:
        super().__init__(name="outages", daemon=True)
        self.done: Counter[str] = Counter()
        """By server."""
        self._servers = servers
        self._planned = planned
        self._failed: BaseException | None = None

    def run(self) -> None:
        """Make all of them."""
        began = time.monotonic()
        try:
            for outage in self._planned:
                time.sleep(max(0.0, began + outage.moment - time.monotonic()))
                self._servers.away(outage)
                self.done[outage.name] += 1
        except ServerError as error:
            self._failed = error

    def finish(self, seconds: float) -> None:
        """Wait until all servers are back for good.

        Raises:
            ServerError: one did not come back.
            SoakError: not in so many seconds.
        """
        until(lambda: not self.is_alive(), "the end of outages", seconds)
        if self._failed is not None:
            raise self._failed
