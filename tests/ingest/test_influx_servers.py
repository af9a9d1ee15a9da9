"""InfluxDB's v2 write API on real servers: they hold what a journal accepted, exactly, as we mean it."""

import asyncio
import json
import logging
import math
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from dcops.system_clock import SystemClock
from facility.quality import FIRST_GOOD
from ingest.batch import Batch, gather
from ingest.delivery import Delivery, Pace
from ingest.journal import Journal
from ingest.line_protocol import LineEncoder
from ingest.live_image import LiveImage
from ingest.spool import Spool
from ingest.staleness import StalenessPlan
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.influx import InfluxStore
from ingest.tick import Tick
from tests.ingest.influx2 import target
from tests.ingest.plant import (
    DEVICE_POINTS,
    DEVICES,
    GRID,
    K1_PDU,
    NOON,
    SECOND,
    StillClock,
    catalogue,
    sample,
    site,
    until,
)
from tests.servers import processes

MILLISECOND = 1_000_000


class Chain:
    """Everything from a sample to a store, with a real journal."""

    def __init__(self, folder: Path, url: str) -> None:
        self.clock = StillClock()
        self.store = InfluxStore(target(url))
        self.kept = Journal(folder / "kept.db", catalogue(), ("kept",))
        """The same batches once more; nothing is delivered from here."""
        self.spool = Spool(
            Journal(folder / "journal.db", catalogue(), (self.store.name,)), (self.store.name,), self.clock
        )
        self.tick = Tick(
            image=LiveImage(catalogue().point_count),
            staleness=StalenessPlan(site(), frozenset()),
            device_points=DEVICE_POINTS,
            clock=self.clock,
            hand_over=self.hand_over,
        )
        self.delivery = Delivery(
            spool=self.spool,
            store=self.store,
            dead_letters=DeadLetters(folder / "rejected", self.clock),
            clock=SystemClock(),
            pace=Pace(points=200, seconds=0.02, backlog=1000.0),
            pause=lambda _: asyncio.sleep(0.02),
        )

    def hand_over(self, made: Batch) -> None:
        self.kept.append([made])
        self.spool.put(made)

    def feed(self, seconds: int) -> None:
        """So many seconds of every device, some of it missing or doubtful."""
        noise = np.random.default_rng(self.clock.time % 1_000_003)
        for _ in range(seconds):
            self.clock.time += SECOND
            first = 0
            for device in DEVICES:
                count = len(device.points)
                values = noise.normal(1e4, 3e3, count).round(2)  # what sensors resolve, and what it keeps
                quality = noise.choice(np.array([192, 192, 192, 64, 24], dtype=np.uint8), count)
                time = self.clock.time - int(noise.integers(0, SECOND))
                self.tick.accept(sample(first, time, values.tolist(), quality.tolist()))
                first += count
            self.tick.close(self.clock.time)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.spool.run()), asyncio.create_task(self.delivery.run())]
        yield
        for task in reversed(tasks):
            task.cancel()
        await asyncio.wait(tasks)
        await self.spool.close()
        await self.store.close()


Readings = dict[tuple[str, str], list[tuple[int, float]]]
"""(time in ms, value) by device and ``MEASUREMENT_FIELD``."""


def journalled(journal: Journal, store: str) -> Readings:
    """What a journal holds for a store that has taken nothing."""
    found: Readings = {}
    for each in journal.read(store, 10**9):
        series = [name.rpartition(".") for name in each.catalogue.series()]
        kinds = {group.id: group.measurement for group in each.catalogue.groups}
        readings = each.batch.expand()
        for point, time, value, code in zip(
            readings.points.tolist(),
            readings.times.tolist(),
            readings.values.tolist(),
            readings.quality.tolist(),
            strict=True,
        ):
            device, _, name = series[point]
            key = (device, f"{kinds[device]}_{name}")
            if math.isfinite(value):
                found.setdefault(key, []).append((time // MILLISECOND, value))
            if code < FIRST_GOOD:
                found.setdefault((device, f"{key[1]}_q"), []).append((time // MILLISECOND, float(code)))
    return {key: sorted(values) for key, values in found.items()}


def exported(url: str) -> Readings:
    """What VictoriaMetrics holds."""
    urllib.request.urlopen(f"{url}/internal/force_flush", timeout=60).close()
    query = urllib.parse.urlencode({"match[]": '{__name__!=""}'})
    with urllib.request.urlopen(f"{url}/api/v1/export?{query}", timeout=60) as reply:
        lines = [json.loads(line) for line in reply.read().splitlines()]
    return {
        (line["metric"]["device"], line["metric"]["__name__"]): sorted(
            zip(line["timestamps"], line["values"], strict=True)
        )
        for line in lines
    }


async def test_a_real_server_holds_exactly_what_the_journal_accepted_across_an_outage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ingest")
    async with processes.victoria_metrics(tmp_path / "vm") as server:
        chain = Chain(tmp_path, server.url)
        async with chain.running():
            chain.feed(60)
            await until(lambda: chain.delivery.stats.written == 60 * DEVICE_POINTS)
            await asyncio.to_thread(server.stop)
            chain.feed(60)
            await until(lambda: not chain.delivery.stats.available)
            chain.feed(60)
            await asyncio.to_thread(server.start)
            await until(lambda: chain.delivery.stats.written == 180 * DEVICE_POINTS)
            await until(lambda: chain.delivery.backlog.points == 0)
        expected = journalled(chain.kept, "kept")
        found = await asyncio.to_thread(exported, server.url)
    assert sum(map(len, expected.values())) > 180 * DEVICE_POINTS * 0.8
    assert found == expected
    said = [record.getMessage() for record in caplog.records if record.name == "ingest.delivery"]
    assert [text.partition(";")[0] for text in said] == ["store influxdb is lost", "store influxdb is back"]


async def test_a_real_influxdb_reads_our_lines_as_we_mean_them(tmp_path: Path) -> None:
    made = gather(
        [
            sample(K1_PDU, NOON + 123_456_789, [1 / 3, 1e22, 2.5e-7]),
            sample(GRID, NOON, [math.nan, 6.0], [24, 64]),
        ],
        NOON,
    )
    body = b"".join(piece.body for piece in LineEncoder(catalogue()).encode(made))
    async with processes.influxd(tmp_path / "influx") as server:

        def ask(path: str, data: bytes | None = None, **query: str) -> dict[str, object]:
            url = f"{server.url}/{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(url, data=data, timeout=60) as reply:
                text = reply.read()
            return dict(json.loads(text)) if text else {}

        def exchange() -> list[object]:
            ask("query", b"", q="CREATE DATABASE plant")
            ask("write", body, db="plant", precision="ns")
            tables = []
            for kind in ("rack_pdu", "utility_meter"):
                answer = ask("query", db="plant", epoch="ns", q=f"SELECT * FROM {kind}")
                table = answer["results"][0]["series"][0]  # type: ignore[index]
                tables.append(dict(zip(table["columns"], table["values"][0], strict=True)))
            return tables

        pdu, grid = await asyncio.to_thread(exchange)
    place = {
        "building": "b1",
        "campus": "campus",
        "hall": "h1",
        "rack": "k1",
        "device": "k1-pdu-a",
        "feed": "A",
    }
    assert pdu == place | {
        "time": NOON + 123_456_789,
        "active_power": 1 / 3,
        "active_energy": 1e22,
        "frequency": 2.5e-7,
    }
    assert grid == {
        "time": NOON,
        "campus": "campus",
        "device": "grid",
        "active_energy": 6.0,
        "active_energy_q": 64,
        "active_power_q": 24,
    }
