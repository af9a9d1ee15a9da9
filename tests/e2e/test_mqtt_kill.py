"""A process killed between journal and acknowledgement: the broker sends again, it is there once."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import duckdb
import pytest

from tests.climate import climate_site
from tests.e2e.crews import ROOT, Running, running
from tests.e2e.hall import until
from tests.e2e.muffled import Way
from tests.servers.processes import Server, free_port, mosquitto

MESSAGES = 16
"""No more than the broker sends ahead of our acknowledgements."""
VALUES = [20.0 + 0.25 * number for number in range(MESSAGES)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with mosquitto(tmp_path / "mosquitto", persistent=True) as server:
        yield server


BARE = """\
profile: rack-climate
extends: rack-climate
time: ~
points:
  - {name: air_inlet_temperature, topic: Temperature, path: ""}
  - {name: relative_humidity, topic: Humidity, path: ""}
"""
"""The same device with a topic a point."""


async def publish(port: int, values: list[float], *, bare: bool = False) -> None:
    """Messages without a time of their own: taken twice they would be two readings."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for number, value in enumerate(values):
            topic = f"dcops/rack-1/c{number % 2}"
            if bare:
                await client.publish(f"{topic}/Temperature", str(value), 1)
            else:
                await client.publish(topic, json.dumps({"temperature": value}), 1)


async def health(process: Running) -> dict[str, Any]:
    """Of the broker, as a process tells; empty while it does not."""
    found = await process.get("/api/v1/collection")
    return next((each for each in found["endpoints"] if each["endpoint"] == "broker"), {}) if found else {}


async def connected(process: Running) -> None:
    async def is_up() -> bool:
        return (await health(process)).get("state") == "connected"

    await until(is_up, "the broker is connected", 60)


async def sent_again(process: Running, count: int) -> None:
    async def known() -> bool:
        return (await health(process)).get("errors", {}).get("again") == count

    await until(known, f"{count} messages have come again and were known", 60)


async def stored(process: Running, value: float) -> None:
    """What has not come to the history when a process ends comes there after its next start only."""

    async def is_stored() -> bool:
        found = await process.get("/api/v1/history?series=c0.air_inlet_temperature&step=raw")
        return bool(found) and value in found["values"]

    await until(is_stored, f"{value} is in the history of {process.folder.name}", 60)


def temperatures(data: Path) -> list[float]:
    """All that is in the history of a process that has ended, by value."""
    output = data.parent / "temperatures.parquet"
    command = ["history", "export", "--data", str(data), "--series", "c*.air_inlet_temperature"]
    subprocess.run(
        [sys.executable, "-m", "dcops", *command, "--output", str(output)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    with duckdb.connect() as connection:
        return [
            row[0] for row in connection.execute(f"SELECT value FROM '{output}' ORDER BY value").fetchall()
        ]


async def kill_before_acknowledging(
    start: Callable[[], Running], way: Way, broker: int, *, bare: bool = False
) -> None:
    """A process takes and journals messages and is killed; no acknowledgement has reached the broker."""
    process = start()
    async with running(process):
        await connected(process)
        way.muffled = True
        await publish(broker, VALUES, bare=bare)
        await until(lambda: way.swallowed == MESSAGES, "all are journalled, and acknowledged in vain", 60)
        await process.end(signal.SIGKILL)
    way.muffled = False


@pytest.mark.parametrize(("options", "bare"), [((), False), ((), True), (("--workers", "2"), False)])
async def test_what_one_process_had_journalled_before_a_kill_is_not_taken_again(
    broker: Server, tmp_path: Path, options: tuple[str, ...], *, bare: bool
) -> None:
    site = tmp_path / "site.yaml"
    (tmp_path / "bare.yaml").write_text(BARE)
    profiles = "profiles: [bare.yaml]\n" if bare else ""

    def start() -> Running:
        return Running(site, tmp_path / "one", *options, token=None)

    async with Way(broker.port).open() as way:
        site.write_text(climate_site(way.port, "c0", "c1") + profiles)
        await kill_before_acknowledging(start, way, broker.port, bare=bare)
        process = start()
        async with running(process):
            await sent_again(process, MESSAGES)
            await publish(broker.port, [40.0], bare=bare)
            await stored(process, 40.0)
            assert await process.end() == 0
    assert temperatures(tmp_path / "one" / "data") == [*VALUES, 40.0]


@pytest.mark.parametrize(("options", "head_dies"), [((), False), (("--workers", "2"), False), ((), True)])
async def test_what_a_shard_had_journalled_before_a_kill_is_not_taken_again(
    broker: Server, tmp_path: Path, options: tuple[str, ...], *, head_dies: bool
) -> None:
    site, port = tmp_path / "site.yaml", free_port()

    def start() -> Running:
        head = f"http://127.0.0.1:{port}"
        return Running(site, tmp_path / "shard", "--shard", "1/1", "--head", head, *options)

    def start_head() -> Running:
        return Running(site, tmp_path / "head", "--shards", "1", port=port)

    async with Way(broker.port).open() as way:
        site.write_text(climate_site(way.port, "c0", "c1"))
        head = start_head()
        async with running(head):
            await kill_before_acknowledging(start, way, broker.port)
            if head_dies:
                await head.end(signal.SIGKILL)
                head = start_head()
            shard = start()
            async with running(head, shard):
                await sent_again(shard, MESSAGES)
                await publish(broker.port, [40.0])
                await stored(head, 40.0)
                assert await shard.end() == 0
                assert await head.end() == 0
    assert temperatures(tmp_path / "head" / "data") == [*VALUES, 40.0]
