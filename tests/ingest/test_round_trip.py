"""The same question gives the same numbers from every store after the same run."""

import asyncio
import ssl
import urllib.parse
import urllib.request
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import trustme
from aiohttp import web

from facility.catalogue import Catalogue, Field, Group, build_catalogue
from facility.point_types import Behaviour
from facility.quality import Quality
from facility.storing import StoringRule
from ingest.batch import gather
from ingest.errors import StoreUnavailableError, UnknownSeriesError
from ingest.journal_entries import JournalEntry
from ingest.stores import History, ReadableStore
from ingest.stores.duckdb import DuckHistory
from ingest.stores.http_client import HttpTarget
from ingest.stores.influx_v1 import InfluxDatabase, InfluxV1Server
from ingest.stores.line_store import LineStore
from ingest.stores.victoria import VictoriaServer
from tests.ingest.plant import DEVICES, NOON, SECOND, StillClock, batch, catalogue, sample, site
from tests.servers import processes

MINUTES = 30
DAY = 86_400 * SECOND
START = NOON - 13 * SECOND
"""Not on a whole minute: buckets begin where the question does."""


def entries() -> list[JournalEntry]:
    """Half an hour of every device and one rollup, with doubtful and missing values and a gap."""
    noise = np.random.default_rng(7)
    made = catalogue()
    rollup = made.group("k1")
    codes = np.array([192, 192, 192, 64, 84, 24, 16], dtype=np.uint8)
    found = []
    for second in range(0, MINUTES * 60, 5):
        at = NOON + second * SECOND
        if 600 <= second < 720:
            continue
        samples = []
        first = 0
        for device in DEVICES:
            count = len(device.points)
            values = noise.normal(1e4, 3e3, count).round(2)
            quality = noise.choice(codes, count)
            if 900 <= second < 1000:
                quality = np.full(count, Quality.COMM_FAILURE, dtype=np.uint8)
            shown = np.where(quality >= 64, values, np.nan)
            samples.append(
                sample(
                    first,
                    at - 1_000_000 * device.points[0].type.key.count("e"),
                    shown.tolist(),
                    quality.tolist(),
                )
            )
            first += count
        totals = noise.normal(1e4, 3e3, len(rollup.fields)).round(2)
        samples.append(sample(rollup.first, at, totals.tolist()))
        found.append(JournalEntry("one", len(found) + 1, made, gather(samples, at)))
    return found


SERIES = (
    "grid.active_power",
    "grid.active_energy",
    "k1-pdu-a.frequency",
    "k2-climate.relative_humidity",
    "k2-door.status",
    "k1.power",
    "k1.energy",
)


def ask(url: str, data: bytes | None = None, **query: str) -> None:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", data=data, timeout=60) as reply:
        said = reply.read()
    assert b'"error"' not in said, said


@pytest.fixture
async def stores(tmp_path: Path):
    """(embedded, InfluxDB 1, VictoriaMetrics), each with the same half hour, delivered twice."""
    async with running(tmp_path, catalogue(), entries()) as made:
        yield made


@asynccontextmanager
async def running(tmp_path: Path, of: Catalogue, written: Sequence[JournalEntry]):
    async with AsyncExitStack() as stack:
        influx = await stack.enter_async_context(processes.influxd(tmp_path / "influx"))
        victoria = await stack.enter_async_context(processes.victoria_metrics(tmp_path / "vm"))
        await asyncio.to_thread(ask, f"{influx.url}/query", b"", q="CREATE DATABASE plant")
        policy = "CREATE RETENTION POLICY long ON plant DURATION INF REPLICATION 1"
        await asyncio.to_thread(ask, f"{influx.url}/query", b"", q=policy)
        place = InfluxDatabase(database="plant", retention_policy="long")
        made: list[ReadableStore] = [
            DuckHistory(tmp_path / "history.duckdb", StillClock(NOON + 3600 * SECOND)),
            LineStore(InfluxV1Server(HttpTarget(url=influx.url, compress=True), place), of, "influx"),
            LineStore(VictoriaServer(HttpTarget(url=f"{victoria.url}/")), of, "victoria"),
        ]
        for store in (*made, *made):  # what is delivered twice is there once
            await store.write(written)
        await asyncio.to_thread(ask, f"{victoria.url}/internal/force_flush")
        yield made
        for store in made:
            await store.close()


def same(found: History, expected: History) -> None:
    np.testing.assert_array_equal(found.times, expected.times)
    np.testing.assert_array_equal(found.quality, expected.quality)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12, equal_nan=True)


async def test_readings_and_means_are_the_same_everywhere(stores: Sequence[ReadableStore]) -> None:
    embedded, *servers = stores
    for series in SERIES:
        for start, stop, step in (
            (NOON - 60 * SECOND, NOON + 3600 * SECOND, None),
            (NOON + 5 * SECOND, NOON + 300 * SECOND, None),
            (START, NOON + 1900 * SECOND, 60 * SECOND),
            (START, NOON + 1900 * SECOND, 7 * SECOND),
            (NOON, NOON + 1000 * SECOND, 300 * SECOND),
        ):
            expected = await embedded.history(series, start, stop, step)
            assert expected.times.size
            assert np.isfinite(expected.values).any()
            for store in servers:
                same(await store.history(series, start, stop, step), expected)


async def test_what_is_held_is_held_everywhere(tmp_path: Path) -> None:
    of = build_catalogue(site(), (StoringRule(points=frozenset({"active_power"}), heartbeat=300 * SECOND),))
    readings = (
        (0, 5.0, 192),
        (300, 5.0, 192),
        (310, 8.0, 64),
        (320, np.nan, 24),
        (620, 9.0, 192),
        (1500, 9.5, 192),
    )
    written = [
        JournalEntry(
            "one",
            at + 1,
            of,
            gather(
                [sample(0, NOON + second * SECOND, [value, float(second)], [code, 192])],
                NOON + second * SECOND,
            ),
        )
        for at, (second, value, code) in enumerate(readings)
    ]
    async with running(tmp_path, of, written) as (embedded, *servers):
        for start, stop, step in (
            (NOON + 100 * SECOND, NOON + 1800 * SECOND, None),
            (NOON + 300 * SECOND, NOON + 1800 * SECOND, None),
            (NOON + 95 * SECOND, NOON + 1800 * SECOND, 60 * SECOND),
            (NOON, NOON + 1800 * SECOND, 900 * SECOND),
        ):
            expected = await embedded.history("grid.active_power", start, stop, step)
            assert expected.held is not None
            for store in servers:
                found = await store.history("grid.active_power", start, stop, step)
                same(found, expected)
                np.testing.assert_array_equal(found.held, expected.held)
                assert found.hold == expected.hold == 325 * SECOND
            long = [
                await store.history("grid.active_power", NOON - 8 * DAY, NOON + 2400 * SECOND, 600 * SECOND)
                for store in servers
            ]
            for found in long:
                assert found.values[-4:].tolist() == [6.0, 9.0, 9.5, 9.5]
                assert found.held.tolist()[-4:] == [False, False, False, True]
                assert np.isnan(found.values[:-4]).all()


async def test_numbers_of_every_size_come_back(tmp_path: Path) -> None:
    """However they are written, with an exponent or without; each in a series of its own."""
    numbers = (-0.25, 2.5e-7, 0.00001, 7200.1, 1e16, -1.25e22)
    of = catalogue()
    written = [JournalEntry("one", 1, of, batch(NOON, sample(0, NOON, numbers)))]
    async with running(tmp_path, of, written) as made:
        for store in made:
            for series, number in zip(of.series(), numbers, strict=False):
                found = await store.history(series, NOON, NOON + SECOND)
                assert found.values.tolist() == [number]


async def test_a_counter_is_what_it_showed_last_where_it_was_last(tmp_path: Path) -> None:
    """Of a meter that was moved in the middle of the third step, and replaced."""

    def of(rack: str) -> Catalogue:
        energy = Field("energy", "Wh", Behaviour.COUNTER)
        return Catalogue((Group("m", "meter", (("rack", rack), ("device", "m")), (energy,), first=0),), 1)

    counts = (1000.0, 1001.0, 1002.0, 1003.0, 1004.0, 95.0, 96.0, 97.0)
    written = [
        JournalEntry(
            "one",
            at + 1,
            of("rack-1" if count > 999 else "rack-2"),
            batch(NOON, sample(0, NOON + at * SECOND, [count])),
        )
        for at, count in enumerate(counts)
    ]
    async with running(tmp_path, of("rack-2"), written) as made:
        for store in made:
            found = await store.history("m.energy", NOON, NOON + 8 * SECOND, 2 * SECOND)
            assert found.values.tolist() == [1001.0, 1003.0, 95.0, 97.0]


async def test_what_cannot_be_answered_is_said_alike(stores: Sequence[ReadableStore]) -> None:
    for store in stores:
        with pytest.raises(UnknownSeriesError, match=r"nowhere\.power"):
            await store.history("nowhere.power", NOON, NOON + SECOND)
        with pytest.raises(ValueError, match="no time from"):
            await store.history("grid.active_power", NOON, NOON - SECOND)
        with pytest.raises(ValueError, match="steps are asked for"):
            await store.history("grid.active_power", NOON, NOON + 200_000 * SECOND, SECOND)
        empty = await store.history("grid.active_power", NOON - 10 * SECOND, NOON - 5 * SECOND)
        assert empty.times.size == 0
        steps = await store.history(
            "grid.active_power", NOON - 3600 * SECOND, NOON - 1800 * SECOND, 60 * SECOND
        )
        assert (steps.times.size, set(steps.quality.tolist())) == (30, {Quality.BAD})


@pytest.mark.parametrize("kind", ["influx", "victoria"])
async def test_a_server_that_is_away_cannot_answer(kind: str) -> None:
    target = HttpTarget(url=f"http://127.0.0.1:{processes.free_port()}")
    server = (
        VictoriaServer(target)
        if kind == "victoria"
        else InfluxV1Server(target, InfluxDatabase(database="plant"))
    )
    store = LineStore(server, catalogue(), kind)
    with pytest.raises(StoreUnavailableError, match="start it or correct the address"):
        await store.history("grid.active_power", NOON, NOON + SECOND)
    await store.close()


async def test_a_database_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with processes.influxd(tmp_path / "influx") as server:
        target = HttpTarget(url=server.url)
        database = InfluxV1Server(target, InfluxDatabase(database="plant"))
        store = LineStore(database, catalogue(), "influx")
        with pytest.raises(StoreUnavailableError, match="database not found: plant"):
            await store.history("grid.active_power", NOON, NOON + SECOND)
        with pytest.raises(StoreUnavailableError, match="create it or correct the name"):
            await store.write(entries()[:1])
        policy = InfluxDatabase(database="plant", retention_policy="none")
        await asyncio.to_thread(ask, f"{server.url}/query", b"", q="CREATE DATABASE plant")
        other = LineStore(InfluxV1Server(target, policy), catalogue(), "other")
        with pytest.raises(StoreUnavailableError, match="retention policy not found: none"):
            await other.write(entries()[:1])
        await store.close()
        await other.close()


async def test_user_password_and_certificate_are_those_of_the_site(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    seen: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.text()  # aiohttp inflates it
        seen.append((request.headers["Authorization"], body.partition(" ")[0]))
        return web.Response(status=204)

    application = web.Application(client_max_size=1 << 24)
    application.router.add_post("/write", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    known = HttpTarget(url=url, username="u", password="p", tls_ca=tmp_path / "ca.pem")
    store = LineStore(VictoriaServer(known), catalogue(), "known")
    await store.write(entries()[:1])
    await store.close()
    assert seen == [("Basic dTpw", "utility_meter,campus=campus,device=grid")]
    assert "'p'" not in repr(known)
    stranger = LineStore(VictoriaServer(HttpTarget(url=url)), catalogue(), "stranger")
    with pytest.raises(StoreUnavailableError, match="name its authority with tls_ca"):
        await stranger.write(entries()[:1])
    await stranger.close()
    await runner.cleanup()


async def test_what_influxdb_says_of_one_of_several_questions_is_told(tmp_path: Path) -> None:
    """Somebody wrote a quality as text, of which there is no least one."""
    async with processes.influxd(tmp_path) as influx:
        await asyncio.to_thread(ask, f"{influx.url}/query", b"", q="CREATE DATABASE plant")
        line = f'utility_meter,device=grid active_power=5,active_power_q="bad" {NOON}'.encode()
        await asyncio.to_thread(ask, f"{influx.url}/write", line, db="plant", precision="ns")
        server = InfluxV1Server(HttpTarget(url=influx.url), InfluxDatabase(database="plant"))
        store = LineStore(server, catalogue(), "influx")
        with pytest.raises(StoreUnavailableError, match=r"database plant: unsupported min iterator type"):
            await store.history("grid.active_power", NOON, NOON + 60 * SECOND, 10 * SECOND)
        with pytest.raises(StoreUnavailableError, match=r"the field 'active_power_q' is no number: .*'bad'"):
            await store.history("grid.active_power", NOON, NOON + 60 * SECOND, None)
        await store.close()
