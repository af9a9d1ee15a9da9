"""InfluxDB's v2 write API: what is sent, what its answers mean, and that a real server has it exactly."""

import asyncio
import json
import logging
import math
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from dcops.system_clock import SystemClock
from facility.quality import FIRST_GOOD
from ingest.batch import Batch, gather
from ingest.delivery import Delivery, Pace
from ingest.errors import StoreRejectedError, StoreUnavailableError
from ingest.journal import Journal, JournalEntry
from ingest.line_protocol import LineEncoder
from ingest.live_image import LiveImage
from ingest.spool import Spool
from ingest.staleness import StalenessPlan
from ingest.stores.answers import seconds
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.influx import InfluxStore, InfluxTarget
from ingest.tick import Tick
from tests.ingest.plant import (
    DEVICE_POINTS,
    DEVICES,
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
from tests.servers import processes

TOKEN = "very-secret-token"
MILLISECOND = 1_000_000


class Receiver:
    """A server that notes what it gets and answers what it is told to, then 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], str, bytes]] = []
        self.answers: list[web.Response] = []
        self.encodings: list[str] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "")
        self.encodings.append(request.headers.get("Content-Encoding", ""))
        self.requests.append((dict(request.query) | {"path": request.path}, token, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Receiver"]:
        application = web.Application(client_max_size=1 << 28)
        application.router.add_route("*", "/{any:.*}", self.handle)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def target(url: str, timeout: float = 60.0) -> InfluxTarget:
    return InfluxTarget(url=url, org="org", bucket="plant", token=TOKEN, timeout=timeout)


def entry(position: int, *values: float) -> JournalEntry:
    made = batch(NOON, sample(GRID, NOON + position * SECOND, values))
    return JournalEntry("one", position, catalogue(), made)


async def test_requests_are_those_of_the_v2_write_api() -> None:
    async with Receiver().running() as receiver:
        store = InfluxStore(target(receiver.url))
        await store.write([entry(1, 5.0, 6.0), entry(2, 7.0, 8.0)])
        await store.close()
    [(query, token, body)] = receiver.requests
    assert query == {"path": "/api/v2/write", "org": "org", "bucket": "plant", "precision": "ns"}
    assert token == f"Token {TOKEN}"
    head = "utility_meter,campus=campus,device=grid"
    assert body.decode() == (
        f"{head} active_power=5.0,active_energy=6.0 {NOON + SECOND}\n"
        f"{head} active_power=7.0,active_energy=8.0 {NOON + 2 * SECOND}\n"
    )


@pytest.mark.parametrize(("compress", "encoding"), [(None, "identity"), (False, "identity"), (True, "gzip")])
async def test_requests_are_compressed_unless_they_stay_on_this_machine(
    *, compress: bool | None, encoding: str
) -> None:
    async with Receiver().running() as receiver:
        store = InfluxStore(replace(target(receiver.url), compress=compress))
        await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    [(_, _, body)] = receiver.requests  # the server has unpacked it
    head = "utility_meter,campus=campus,device=grid"
    assert body.decode() == f"{head} active_power=5.0,active_energy=6.0 {NOON + SECOND}\n"
    assert receiver.encodings == [encoding]


async def test_requests_are_bounded_in_size() -> None:
    async with Receiver().running() as receiver:
        store = InfluxStore(target(receiver.url), request_bytes=200)
        await store.write([entry(n, 5.0, 6.0) for n in range(5)])
        await store.close()
    assert [body.count(b"\n") for _, _, body in receiver.requests] == [2, 2, 1]


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "give a valid one"),
        (403, "write permission"),
        (404, "create it or correct the name"),
        (429, "fewer writes"),
        (500, "its own log"),
        (503, "its own log"),
    ],
)
async def test_answers_that_can_be_mended_keep_the_data(status: int, mend: str) -> None:
    async with Receiver().running() as receiver:
        receiver.answers = [web.json_response({"code": "x", "message": "said so"}, status=status)]
        store = InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError, match=mend) as caught:
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    assert f"HTTP {status} (said so)" in str(caught.value)
    assert caught.value.retry_after is None
    assert len(receiver.requests) == 1, "the library must not try again by itself"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("17", 17.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("1e9", 3600.0),
        ("nan", None),
        ("Thu, 01 Jan 2026 12:00:42 GMT", 42.0),
        ("Thu, 01 Jan 2026 11:59:00 GMT", 0.0),
        ("Thu, 01 Jan 2026", None),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected: float | None) -> None:
    assert seconds(header, datetime(2026, 1, 1, 12, tzinfo=UTC)) == expected


async def test_retry_after_is_read() -> None:
    async with Receiver().running() as receiver:
        receiver.answers = [web.Response(status=503, headers={"Retry-After": "17"})]
        store = InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError) as caught:
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    assert caught.value.retry_after == 17.0


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_refused_content_is_handed_back_and_the_rest_is_written(status: int) -> None:
    async with Receiver().running() as receiver:
        receiver.answers = [web.Response(status=204), web.json_response({"message": "no"}, status=status)]
        store = InfluxStore(target(receiver.url), request_bytes=10)
        with pytest.raises(StoreRejectedError) as caught:
            await store.write([entry(n, 5.0 + n, 6.0) for n in (1, 2, 3)])
        await store.close()
    assert len(receiver.requests) == 3
    [line] = caught.value.lines
    assert line.points == 2
    assert line.body == receiver.requests[1][2]
    assert b"active_power=7.0" in line.body
    assert line.reason == f"InfluxDB at {receiver.url}, bucket plant: HTTP {status} (no)"


async def test_nobody_listening_and_no_answer_are_losses() -> None:
    store = InfluxStore(target(f"http://127.0.0.1:{processes.free_port()}"))
    with pytest.raises(StoreUnavailableError, match="start it or correct the address"):
        await store.write([entry(1, 5.0, 6.0)])
    await store.close()
    silent = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    store = InfluxStore(target(f"http://127.0.0.1:{port}", timeout=0.2))
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        await store.write([entry(1, 5.0, 6.0)])
    await store.close()
    silent.close()


async def test_a_connection_that_breaks_is_not_tried_again_by_the_library() -> None:
    connections = 0

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    store = InfluxStore(target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    with pytest.raises(StoreUnavailableError):
        await store.write([entry(1, 5.0, 6.0)])
    await store.close()
    server.close()
    assert connections == 1


async def test_the_token_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Receiver().running() as receiver:
        receiver.answers = [web.json_response({"message": "unauthorized"}, status=401)]
        store = InfluxStore(target(receiver.url))
        with pytest.raises(StoreUnavailableError) as caught:
            await store.write([entry(1, 5.0, 6.0)])
        await store.close()
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(target(receiver.url))
    assert TOKEN not in caplog.text


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
