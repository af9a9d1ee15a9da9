"""Devices publish through a real mosquitto and through the embedded broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import orjson
import pytest

from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level
from simulators.clock import ManualClock
from simulators.errors import ListenError
from simulators.plant import Plant
from simulators.readings import Readings
from simulators.wire.broker import EmbeddedBroker
from simulators.wire.mqtt import MqttPublisher, mqtt_publishers
from simulators.wire.schedule import Grid
from tests.servers.processes import free_port, mosquitto
from tests.simulators.sites import WINTER, SiteBuilder, build_plan
from tests.simulators.waiting import until

SENSORS = 9
"""On the test site: one a rack, and the weather station."""


class Bench:
    """Publishers of a site towards a broker's port."""

    def __init__(self, site: Site, port: int, embedded: EmbeddedBroker | None = None) -> None:
        self.site = site
        self.port = port
        self.plant = Plant(site, 1, WINTER)
        self.clock = ManualClock(WINTER)
        self.readings = Readings(site, self.plant, self.clock)
        plan = build_plan(site, free_port(), port)
        self.publisher: MqttPublisher
        here = {plan.brokers[0].id: embedded} if embedded is not None else {}
        (self.publisher,) = mqtt_publishers(site, plan, self.readings, self.clock, here)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.publisher.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @asynccontextmanager
    async def listener(self) -> AsyncIterator[dict[str, list[aiomqtt.Message]]]:
        heard: dict[str, list[aiomqtt.Message]] = {}

        async def listen(client: aiomqtt.Client) -> None:
            async for message in client.messages:
                heard.setdefault(str(message.topic), []).append(message)

        async with aiomqtt.Client("127.0.0.1", self.port) as client:
            await client.subscribe("#", qos=1)
            task = asyncio.create_task(listen(client))
            yield heard
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def let_one_period_pass(self) -> None:
        for _ in range(20):
            await self.clock.advance(0.5)
            await asyncio.sleep(0.01)


async def test_every_device_publishes_once_a_period_through_mosquitto(site: Site, tmp_path: Path) -> None:
    async with mosquitto(tmp_path / "mosquitto") as server:
        bench = Bench(site, server.port)
        async with bench.listener() as heard, bench.running():
            await until(bench.publisher.connected.is_set)
            await bench.let_one_period_pass()
            await until(lambda: len(heard) == SENSORS)
        messages = [message for topic in heard.values() for message in topic]
        assert len(messages) == SENSORS
        assert all(message.qos == 1 and not message.retain for message in messages)
        await until(lambda: bench.publisher.published == SENSORS)
        rack = orjson.loads(heard["dcops/h1-r1-k1/h1-r1-k1-climate"][0].payload)
        assert set(rack) == {"ts", "temperature", "humidity"}
        assert 18 < rack["temperature"] < 27
        assert 0 <= rack["ts"] - WINTER // 1_000_000 <= 10_000
        weather = orjson.loads(heard["dcops/campus/weather"][0].payload)
        assert "2026-01-15T12:00:00" <= weather["time"] < "2026-01-15T12:00:11"


async def test_a_silent_device_does_not_publish(site: Site, tmp_path: Path) -> None:
    async with mosquitto(tmp_path / "mosquitto") as server:
        bench = Bench(site, server.port)
        bench.readings.silence(["weather"])
        async with bench.listener() as heard, bench.running():
            await until(bench.publisher.connected.is_set)
            await bench.let_one_period_pass()
            await until(lambda: len(heard) == SENSORS - 1)
        assert "dcops/campus/weather" not in heard


async def test_devices_say_that_they_are_offline_when_the_simulation_ends(tmp_path: Path) -> None:
    meters = SiteBuilder()
    meters.space("campus", Level.CAMPUS, None)
    meters.device("meter", "shelly-pro-3em", "campus")
    meters.device("mute", "shelly-pro-3em", "campus")
    site = Site(name="Meters", spaces=tuple(meters.spaces), devices=tuple(meters.devices))
    async with mosquitto(tmp_path / "mosquitto") as server:
        bench = Bench(site, server.port)
        bench.readings.silence(["mute"])
        async with bench.listener() as heard:
            async with bench.running():
                await until(bench.publisher.connected.is_set)
                await bench.let_one_period_pass()
                await until(lambda: {"meter/online", "mute/online"} <= heard.keys())
            await until(lambda: len(heard["meter/online"]) > 1, 20)
            told = {
                device: [each.payload for each in heard[f"{device}/online"]] for device in ("meter", "mute")
            }
    assert told == {"meter": [b"true", b"false"], "mute": [b"false"]}


async def test_publishing_goes_on_when_the_broker_returns(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with mosquitto(tmp_path / "mosquitto") as server:
        bench = Bench(site, server.port)
        async with bench.running():
            await until(bench.publisher.connected.is_set)
            server.stop()
            for _ in range(40):
                await bench.clock.advance(0.5)
                await asyncio.sleep(0.01)
            await until(lambda: not bench.publisher.connected.is_set())
            server.start()
            await until(bench.publisher.connected.is_set)
            before = bench.publisher.published
            await bench.let_one_period_pass()
            await until(lambda: bench.publisher.published > before)
        lost = [record for record in caplog.records if "cannot publish" in record.message]
        assert len(lost) == 1
        assert f"broker at 127.0.0.1:{server.port}" in lost[0].message


async def test_the_embedded_broker_carries_messages(site: Site) -> None:
    port = free_port()
    async with EmbeddedBroker("127.0.0.1", port):
        bench = Bench(site, port)
        async with bench.listener() as heard, bench.running():
            await until(bench.publisher.connected.is_set)
            await bench.let_one_period_pass()
            await until(lambda: len(heard) == SENSORS)


async def test_a_broker_in_the_same_process_is_handed_what_devices_publish(site: Site) -> None:
    port = free_port()
    async with EmbeddedBroker("127.0.0.1", port) as embedded:
        bench = Bench(site, port, embedded)
        bench.readings.silence(["weather"])
        async with bench.listener() as heard, bench.running():
            await bench.let_one_period_pass()
            await until(lambda: len(heard) == SENSORS - 1)
        messages = [message for topic in heard.values() for message in topic]
        assert bench.publisher.published == len(messages) == SENSORS - 1
        assert all(message.qos == 1 and not message.retain for message in messages)
        rack = orjson.loads(heard["dcops/h1-r1-k1/h1-r1-k1-climate"][0].payload)
        assert set(rack) == {"ts", "temperature", "humidity"}
        assert 18 < rack["temperature"] < 27


async def test_the_embedded_broker_names_an_address_it_cannot_have() -> None:
    port = free_port()
    async with EmbeddedBroker("127.0.0.1", port):
        with pytest.raises(ListenError, match=f"broker: 127.0.0.1:{port} is already in use"):
            async with EmbeddedBroker("127.0.0.1", port):
                pass


def test_times_gone_by_are_skipped_and_counted() -> None:
    grid = Grid(["one", "two"], [10.0, 10.0], 0)
    assert grid.take(-1) == []
    assert sorted(grid.take(10 * NANOSECONDS)) == [0, 1]
    assert grid.skipped == 0
    assert sorted(grid.take(45 * NANOSECONDS)) == [0, 1]
    assert 4 <= grid.skipped <= 6
    assert grid.next_due is not None
    assert grid.next_due > 45 * NANOSECONDS


def test_offsets_differ_and_never_change() -> None:
    first, second = (Grid([f"device-{at}" for at in range(100)], [10.0] * 100, 0) for _ in range(2))
    dues = []
    for tenth in range(100):
        taken = first.take(tenth * NANOSECONDS // 10)
        assert taken == second.take(tenth * NANOSECONDS // 10)
        dues.append(len(taken))
    assert sum(dues) >= 98
    assert max(dues) < 10


def test_a_thousand_devices_share_fifty_wakings_a_second() -> None:
    grid = Grid([f"device-{at}" for at in range(1000)], [1.0] * 1000, 0)
    dues = []
    while (due := grid.next_due) is not None and due < NANOSECONDS:
        dues.append((due, len(grid.take(due))))
    assert {due % 20_000_000 for due, _ in dues} == {0}
    assert len(dues) == 50
    assert sum(count for _, count in dues) == 1000


def test_nothing_is_ever_due_where_there_is_nothing() -> None:
    assert Grid([], [], 0).next_due is None
