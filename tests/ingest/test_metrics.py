"""The pipeline says how it does itself."""

import asyncio
import re
import subprocess
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from ingest.delivery import Delivery
from ingest.journal import Journal
from ingest.live_image import LiveImage
from ingest.metrics import DeliveryMetrics, JournalMetrics, TickMetrics
from ingest.spool import Spool
from ingest.staleness import StalenessPlan
from ingest.stores.dead_letters import DeadLetters
from ingest.tick import Tick
from tests.ingest.delivery_rig import ListStore
from tests.ingest.plant import (
    DEVICE_POINTS,
    GRID,
    K1_PDU,
    NOON,
    SECOND,
    StillClock,
    batch,
    catalogue,
    sample,
    site,
    until,
)


class Pipeline:
    """All that is measured, and the registry that reads it."""

    def __init__(self, folder: Path) -> None:
        self.clock = StillClock()
        self.image = LiveImage(catalogue().point_count)
        self.spool = Spool(Journal(folder / "journal.db", catalogue(), ("list",)), ("list",), self.clock)
        self.tick = Tick(
            image=self.image,
            staleness=StalenessPlan(site(), frozenset()),
            device_points=DEVICE_POINTS,
            clock=self.clock,
            hand_over=self.spool.put,
        )
        self.delivery = Delivery(
            spool=self.spool,
            store=ListStore(),
            dead_letters=DeadLetters(folder / "rejected", self.clock),
            clock=self.clock,
        )
        self.registry = CollectorRegistry()
        self.registry.register(TickMetrics(self.tick))
        self.registry.register(JournalMetrics(self.spool))
        self.registry.register(DeliveryMetrics([self.delivery], self.spool, self.clock))

    def value(self, name: str, **labels: str) -> float | None:
        found: float | None = self.registry.get_sample_value(name, labels)
        return found


async def test_numbers_follow_what_happens(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.tick.accept(sample(GRID, NOON, [1.0, 2.0], [192, 64]))
    pipeline.tick.accept(sample(GRID, NOON - SECOND, [1.0, 2.0]))
    pipeline.tick.accept(sample(GRID, NOON + 61 * SECOND, [1.0, 2.0]))
    pipeline.tick.accept(sample(K1_PDU, NOON, [float("nan")] * 3, 16))
    pipeline.tick.accept(sample(99, NOON, [1.0]))
    pipeline.tick.close(NOON)
    task = asyncio.create_task(pipeline.spool.run())
    await until(lambda: pipeline.spool.stats.appended == 7)
    pipeline.clock.time = NOON + 30 * SECOND
    outcomes = {"accepted": 3.0, "late": 1.0, "future": 1.0, "malformed": 1.0}
    for outcome, count in outcomes.items():
        assert pipeline.value("dcops_samples_total", outcome=outcome) == count
    assert pipeline.value("dcops_readings_total") == 7
    qualities = {"good": 1, "uncertain": 1, "bad": 3, "stale": 0}
    for quality, count in qualities.items():
        assert pipeline.value("dcops_points", quality=quality) == count
    assert pipeline.value("dcops_points", quality="waiting") == catalogue().point_count - 5
    assert pipeline.value("dcops_ticks_total") == 1
    assert pipeline.value("dcops_journal_up") == 1
    assert pipeline.value("dcops_journal_readings_total") == 7
    assert pipeline.value("dcops_journal_memory_only_seconds") == 0.0
    assert pipeline.value("dcops_journal_limit_bytes") == 8_589_934_592
    assert pipeline.value("dcops_journal_limit_seconds") == 604_800
    # What stands is looked at as the journal is written, before or after the clock was moved.
    assert pipeline.value("dcops_store_loss_in_seconds", store="list") in {604_800, 604_770}
    assert pipeline.value("dcops_store_at_risk_seconds", store="list") == 0.0
    assert pipeline.value("dcops_store_waiting_readings", store="list") == 7
    assert pipeline.value("dcops_store_lag_seconds", store="list") == 30.0
    await pipeline.delivery.finish()
    assert pipeline.value("dcops_store_readings_total", store="list") == 7
    assert pipeline.value("dcops_store_lag_seconds", store="list") == 0.0
    task.cancel()
    await asyncio.wait([task])
    await pipeline.spool.close()


async def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path)
    pipeline.tick.close(NOON)
    text = generate_latest(pipeline.registry)
    promtool = ["promtool", "check", "metrics"]
    checked = await asyncio.to_thread(subprocess.run, promtool, input=text, capture_output=True, check=False)
    assert (checked.stdout.decode(), checked.stderr.decode(), checked.returncode) == ("", "", 0)
    await pipeline.spool.close()


async def test_what_is_lost_in_memory_and_at_the_bounds_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.write_text("not a folder")
    pipeline = Pipeline(folder)
    pipeline.spool.put(batch(NOON, sample(GRID, NOON, [1.0, 2.0])))
    pipeline.clock.time = NOON + 90 * SECOND
    assert pipeline.value("dcops_journal_memory_only_seconds") == 90.0
    assert not await pipeline.spool.flush()
    assert pipeline.value("dcops_journal_up") == 0.0
    folder.unlink()
    assert await pipeline.spool.flush()
    assert pipeline.value("dcops_journal_up") == 1.0
    assert pipeline.value("dcops_journal_memory_only_seconds") == 0.0
    assert pipeline.value("dcops_store_loss_in_seconds", store="list") == 604_800 - 90
    await pipeline.spool.close()


def test_the_guide_names_metrics_that_are_there(tmp_path: Path) -> None:
    exposed = generate_latest(Pipeline(tmp_path).registry).decode()
    guide = (Path(__file__).parents[2] / "docs" / "journal.md").read_text("utf-8")
    names = set(re.findall(r"`(dcops_[a-z_]+)", guide))
    assert len(names) > 8
    assert {name for name in names if f"# TYPE {name} " not in exposed} == set()
