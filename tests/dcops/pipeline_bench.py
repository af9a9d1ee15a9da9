"""A pipeline of which a test says how it is, and the conditions and alarms that come of it."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from alerting.board import AlarmBoard
from alerting.platform_alarms import Condition, PlatformAlarms
from collectors.health import CollectorHealth, CollectorState
from dcops.notifier_conditions import lasting
from dcops.pipeline_conditions import Pipeline, PipelineConditions
from ingest.delivery import DeliveryStats
from ingest.journal_entries import Backlog
from ingest.journal_limits import JournalLimits
from ingest.spool import SpoolStats
from ingest.tick import AcceptCounts
from tests.ingest.plant import NOON, SECOND, site

GIB = 1 << 30
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND


@dataclass
class FakeDelivery:
    name: str
    stats: DeliveryStats = field(default_factory=DeliveryStats)
    backlog: Backlog = field(default_factory=Backlog)
    dead_letters: Any = field(
        default_factory=lambda: SimpleNamespace(
            lost={}, path=lambda name: Path(f"/data/dead-letters/{name}.lines")
        )
    )


class Bench:
    def __init__(self, speed: float = 1.0, board: AlarmBoard | None = None) -> None:
        self.stats = SpoolStats(limits=JournalLimits(size=8 * GIB, age=168 * HOUR))
        self.counts = AcceptCounts()
        self.history, self.influx = FakeDelivery("history"), FakeDelivery("influxdb")
        self.notifiers: Sequence[Any] = [
            SimpleNamespace(
                name="pager",
                lost=False,
                refusing=False,
                waiting=0,
                error="",
                outcomes=Counter(),
                refusals=deque(maxlen=10),
            )
        ]
        self.free: tuple[int, int] | None = (100 * GIB, 200 * GIB)
        self.shard = CollectorHealth(
            name="shard 2/2",
            state=CollectorState.HEARD,
            heard=NOON,
            url="",
            readings=0,
            waiting=0,
            lost=7,
            clock_ahead=0.1,
            restarts=0,
            cpu_seconds=1.0,
            memory=1.0,
            error="",
        )
        self.conditions = PipelineConditions(
            Pipeline(
                folder=Path("/data"),
                memory=256 << 20,
                spool=SimpleNamespace(stats=None),  # type: ignore[arg-type]
                tick=SimpleNamespace(counts=self.counts),  # type: ignore[arg-type]
                deliveries=(self.history, self.influx),  # type: ignore[arg-type]
                notifiers=lambda: self.notifiers,
                free=lambda: self.free,
                collectors=lambda: (self.shard,),
            ),
            speed,
        )
        self.board = board or AlarmBoard()
        self.alarms = PlatformAlarms(self.board, lasting(speed))

    def holding(self, now: int = NOON) -> list[Condition]:
        self.conditions._pipeline.spool.stats = self.stats  # type: ignore[misc]
        return [each for each in self.conditions(site(), now) if each.holds]

    def only(self, now: int = NOON) -> Condition:
        (found,) = self.holding(now)
        return found

    def up(self, now: int) -> list[str]:
        self.conditions._pipeline.spool.stats = self.stats  # type: ignore[misc]
        self.alarms.watch(self.conditions(site(), now), "campus", now)
        return [alarm.id for alarm in self.board.active()]
