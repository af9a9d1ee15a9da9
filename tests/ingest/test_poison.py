"""5,000 lines of which a store refuses 3: 4,997 are written, 3 are kept with the store's reason.

On servers as they are, each with the poison it knows, from the journal to the file.
"""

import asyncio
import json
import urllib.parse
import urllib.request
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from dcops.system_clock import SystemClock
from deploy.servers import Program, Server, listens
from facility.catalogue import Catalogue, Field, Group
from ingest.batch import Batch, gather
from ingest.delivery import Delivery, Pace
from ingest.journal import Journal
from ingest.spool import Spool
from ingest.stores import Store
from ingest.stores.dead_letters import DeadLetters
from ingest.stores.http_client import HttpTarget
from ingest.stores.influx import InfluxStore, InfluxTarget
from ingest.stores.influx_v1 import InfluxDatabase, InfluxV1Server
from ingest.stores.line_store import LineStore
from ingest.stores.victoria import VictoriaServer
from tests.ingest.influx2 import Influx2, answer
from tests.ingest.plant import NOON, StillClock, sample, until
from tests.servers import processes

LINES = 5000
POISON = (17, 2500, 4999)


def catalogue(poison: Group) -> Catalogue:
    """A meter and a device whose line is refused."""
    meter = Group("meter", "meter", (("device", "meter"),), (Field("power", "W"),), first=0)
    return Catalogue((meter, poison), 2)


DOOR = Group("door", "door", (("device", "door"),), (Field("status", "1"),), first=1)
ENDLESS = Group("door", "door", (("device", "x" * 300_000),), (Field("status", "1"),), first=1)
"""A line longer than VictoriaMetrics takes."""


def poisoned() -> Batch:
    return gather([sample(int(n in POISON), NOON + n * 1_000_000, [1.0]) for n in range(LINES)], NOON)


class Chain:
    """The journal, one store, and the file of what it refuses."""

    def __init__(self, folder: Path, store: Store, poison: Group = DOOR) -> None:
        self.store = store
        made = catalogue(poison)
        self.spool = Spool(Journal(folder / "journal.db", made, (store.name,)), (store.name,), StillClock())
        self.letters = DeadLetters(folder / "letters", StillClock())
        self.pauses: list[float] = []
        self.delivery = Delivery(
            spool=self.spool,
            store=store,
            dead_letters=self.letters,
            clock=SystemClock(),
            pace=Pace(seconds=0.01),
            pause=self.pause,
        )

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0.001)

    @asynccontextmanager
    async def running(self):
        tasks = [asyncio.create_task(self.spool.run()), asyncio.create_task(self.delivery.run())]
        yield
        for task in reversed(tasks):
            task.cancel()
        await asyncio.wait(tasks)
        await self.spool.close()
        await self.store.close()

    async def delivered(self) -> None:
        stats = self.delivery.stats
        self.spool.put(poisoned())
        await until(lambda: stats.written + stats.rejected == LINES and self.delivery.backlog.points == 0)

    def refused(self) -> tuple[list[str], set[str]]:
        """(lines, reasons) in the file."""
        text = self.letters.path(self.store.name).read_text().splitlines()
        lines = [each for each in text if not each.startswith("#")]
        return lines, {each.split(maxsplit=2)[2] for each in text if each.startswith("#")}


def ask(url: str, data: bytes | None = None, **query: str) -> bytes:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", data=data, timeout=60) as reply:
        return bytes(reply.read())


async def test_on_influxdb_1(tmp_path: Path) -> None:
    async with processes.influxd(tmp_path / "influx") as server:

        def prepare() -> None:
            ask(f"{server.url}/query", b"", q="CREATE DATABASE plant")
            ask(
                f"{server.url}/write",
                b'door,device=other status="open" %d' % NOON,
                db="plant",
                precision="ns",
            )

        await asyncio.to_thread(prepare)
        database = InfluxV1Server(HttpTarget(url=server.url), InfluxDatabase(database="plant"))
        chain = Chain(tmp_path, LineStore(database, catalogue(DOOR), "v1"))
        async with chain.running():
            await chain.delivered()
        counted = await asyncio.to_thread(
            ask, f"{server.url}/query", db="plant", q="SELECT count(power) FROM meter"
        )
    assert (chain.delivery.stats.written, chain.delivery.stats.rejected) == (4997, 3)
    assert json.loads(counted)["results"][0]["series"][0]["values"] == [["1970-01-01T00:00:00Z", 4997]]
    lines, [reason] = chain.refused()
    assert lines == [f"door,device=door status=1.0 {NOON + n * 1_000_000}" for n in POISON]
    assert reason == (
        f"InfluxDB at {server.url}, database plant: HTTP 400"
        ' ({"error":"partial write: field type conflict: input field \\"status\\" on measurement \\"door\\"'
        ' is type float, already exists as type string dropped=1"})'
    )


async def test_on_victoriametrics(tmp_path: Path) -> None:
    async with processes.victoria_metrics(tmp_path / "vm") as server:
        # What comes plain is read in large pieces, and a line of any length in one of them is taken.
        store = LineStore(VictoriaServer(HttpTarget(url=server.url, compress=True)), catalogue(ENDLESS), "vm")
        chain = Chain(tmp_path, store, ENDLESS)
        async with chain.running():
            await chain.delivered()
        await asyncio.to_thread(ask, f"{server.url}/internal/force_flush")
        found = await asyncio.to_thread(ask, f"{server.url}/api/v1/export", **{"match[]": '{__name__!=""}'})
    assert (chain.delivery.stats.written, chain.delivery.stats.rejected) == (4997, 3)
    [series] = [json.loads(line) for line in found.splitlines()]
    assert series["metric"] == {"__name__": "meter_power", "device": "meter"}
    assert len(set(series["timestamps"])) == 4997
    lines, reasons = chain.refused()
    assert lines == [f"door,device={'x' * 300_000} status=1.0 {NOON + n * 1_000_000}" for n in POISON]
    assert all("too long line" in reason for reason in reasons), reasons


def over_tls(server: Server, folder: Path) -> Program:
    """VictoriaMetrics that speaks https only."""
    own = trustme.CA().issue_cert("127.0.0.1")
    own.private_key_pem.write_to_path(folder / "key.pem")
    own.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    files = (f"-tlsCertFile={folder / 'cert.pem'}", f"-tlsKeyFile={folder / 'key.pem'}")
    more = (*server.program.arguments, "-tls", *files)
    return replace(server.program, arguments=more, ready=listens(server.port))


@pytest.mark.parametrize("astray", ["path", "protocol"])
async def test_a_wrong_address_costs_no_readings(tmp_path: Path, astray: str) -> None:
    """VictoriaMetrics says 400 of a path that it does not know, and Go's servers of http where https is."""
    server = processes.victoria_metrics(tmp_path / "vm")
    if astray == "protocol":
        server.program = over_tls(server, tmp_path)
    async with server:
        url = server.url + ("/insert/0/influx" if astray == "path" else "")
        chain = Chain(tmp_path, LineStore(VictoriaServer(HttpTarget(url=url)), catalogue(DOOR), "vm"))
        async with chain.running():
            chain.spool.put(poisoned())
            await until(lambda: chain.delivery.stats.retries > 1)
            assert "correct the address" in chain.delivery.stats.error
            assert chain.delivery.stats.rejected == 0
            assert chain.delivery.backlog.points == LINES


async def test_as_influxdb_2_answers(tmp_path: Path) -> None:
    conflict = 'field type conflict: input field "status" on measurement "door" is type float, already string'
    server = Influx2(token="t", poison=lambda line: conflict if line.startswith("door") else None)
    async with server.running():
        store = InfluxStore(InfluxTarget(url=server.url, org="o", bucket="plant", token="t"))
        chain = Chain(tmp_path, store)
        async with chain.running():
            await chain.delivered()
    assert (chain.delivery.stats.written, chain.delivery.stats.rejected) == (4997, 3)
    assert len(server.kept) == 4997
    assert len(server.sizes) <= 60
    lines, [reason] = chain.refused()
    assert lines == [f"door,device=door status=1.0 {NOON + n * 1_000_000}" for n in POISON]
    assert reason.endswith(f"partial write: {conflict} dropped=1)")


async def test_influxdb_2_with_every_answer_it_knows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Starting, no token, no bucket, too many writes, too large: each is said once, nothing is lost."""
    caplog.set_level("INFO", "ingest")
    server = Influx2(token="right", most_bytes=60_000)
    async with server.running():
        server.answers = [
            answer(503, "unavailable", "starting"),
            answer(401, "unauthorized", "unauthorized access"),
            answer(401, "unauthorized", "unauthorized access"),
            answer(404, "not found", 'bucket "plant" not found'),
            answer(403, "forbidden", "insufficient permissions"),
            answer(429, "too many requests", "limit reached", Retry_After="90"),
        ]
        store = InfluxStore(InfluxTarget(url=server.url, org="o", bucket="plant", token="right"))
        chain = Chain(tmp_path, store)
        async with chain.running():
            await chain.delivered()
    assert len(server.kept) == LINES
    assert not chain.letters.kept
    assert chain.pauses[-1] == 90.0
    assert len(chain.pauses) == 6
    said = [record.getMessage().rpartition("; ")[2] for record in caplog.records]
    assert said == [
        "see its own log",
        "give a valid one",
        "create it or correct the name",
        "give it write permission",
        "raise its quota",
        "5000 readings are to be delivered",
    ]
    too_large = [size for size in server.sizes[7:] if size > 60_000]
    assert too_large == [122_450, 61_200], "halved twice, and not once for each half"
