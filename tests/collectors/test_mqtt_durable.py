"""What a broker has delivered with QoS 1 is never lost: kill -9, restarts, a slow journal, poison."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import aiomqtt
import pytest

from collectors.changes import compare
from collectors.health import EndpointState
from collectors.mqtt_intake import MOST_PAYLOAD
from ingest import spool as spool_module
from tests.collectors.conftest import until
from tests.collectors.mqtt_pipeline import (
    Pipeline,
    SlowJournal,
    journalled,
    message,
    open_journal,
    reading,
    topic,
)
from tests.servers.processes import Server, mosquitto

ROOT = Path(__file__).parents[2]
_AT_ONCE = 50

Message = tuple[str, str | bytes]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Server]:
    with mosquitto(tmp_path / "mosquitto", persistent=True) as server:
        yield server


async def publish(port: int, messages: Sequence[Message], qos: int = 1, *, retain: bool = False) -> None:
    """Publish and return when the broker has acknowledged all."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        client.pending_calls_threshold = _AT_ONCE
        for first in range(0, len(messages), _AT_ONCE):
            part = messages[first : first + _AT_ONCE]
            await asyncio.gather(*(client.publish(each[0], each[1], qos, retain) for each in part))


@contextmanager
def child(port: int, folder: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A pipeline in a process of its own; killed with -9 at the end."""
    arguments = [sys.executable, "-m", "tests.collectors.mqtt_pipeline", str(port), str(folder), *words]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def connected(process: "subprocess.Popen[str]", accepted: int = 0, appended: int = 0) -> None:
    """Wait until a child is connected, has accepted so many samples and journalled so many readings."""
    assert process.stdout is not None
    while line := await asyncio.to_thread(process.stdout.readline):
        state, samples, readings = line.split()
        if state == "connected" and int(samples) >= accepted and int(readings) >= appended:
            return
    pytest.fail(f"it ended and did not accept {accepted} or journal {appended}")


async def drained(pipeline: Pipeline) -> None:
    """Wait until the broker has nothing more for it."""
    await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
    seen = -1
    while seen != pipeline.health.requests or pipeline.health.unacknowledged:
        seen = pipeline.health.requests
        await asyncio.sleep(0.5)


async def test_what_a_killed_process_had_not_journalled_comes_again(broker: Server, tmp_path: Path) -> None:
    with child(broker.port, tmp_path, "stuck") as process:
        await connected(process)
        await publish(broker.port, [message(number) for number in range(100)])
        await connected(process, 100)
    assert journalled(tmp_path) == []
    pipeline = Pipeline(broker.port, open_journal(tmp_path))
    async with pipeline.running():
        await until(lambda: pipeline.spool.stats.appended == 200 and not pipeline.health.unacknowledged)
    assert sorted(journalled(tmp_path)) == [*sorted(reading(number) for number in range(100))]


async def test_kills_at_any_moment_lose_nothing_and_make_nothing_of_their_own(
    broker: Server, tmp_path: Path
) -> None:
    random = Random(4)  # noqa: S311 - when to kill
    with child(broker.port, tmp_path) as process:
        await connected(process)
    for first in range(0, 4000, 800):
        messages = [message(number) for number in range(first, first + 800)]
        with child(broker.port, tmp_path) as process:
            publishing = asyncio.create_task(publish(broker.port, messages))
            await connected(process, random.randrange(1, 700))
        await publishing
    pipeline = Pipeline(broker.port, open_journal(tmp_path))
    async with pipeline.running():
        await drained(pipeline)
    found = journalled(tmp_path)
    assert set(found) == {reading(number) for number in range(4000)}
    # What was journalled and not acknowledged before a kill is there twice, and the same: one reading.
    assert len({(point, at) for point, at, _ in found}) == 4000


async def test_what_was_journalled_and_not_acknowledged_before_a_kill_is_taken_once_also_without_a_time(
    broker: Server, tmp_path: Path
) -> None:
    untimed = [(topic(number % 10), json.dumps({"temperature": 0.25 * number})) for number in range(100)]
    with child(broker.port, tmp_path, "mute") as process:
        await connected(process)
        await publish(broker.port, untimed)
        await connected(process, 100, 200)
    pipeline = Pipeline(broker.port, open_journal(tmp_path))
    async with pipeline.running():
        await until(lambda: pipeline.health.errors.get("again") == 100, "redelivery")
        await publish(broker.port, untimed[:10])  # the same again, as new ones
        await drained(pipeline)
    assert [value for _, _, value in journalled(tmp_path)] == [
        *(0.25 * number for number in range(100)),
        *(0.25 * number for number in range(10)),
    ]
    await nothing_waits(broker.port, tmp_path / "after")


async def test_a_broker_that_restarts_brings_what_was_not_acknowledged(
    broker: Server, tmp_path: Path
) -> None:
    journal = SlowJournal(tmp_path)
    pipeline = Pipeline(broker.port, journal)
    async with pipeline.running():
        await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
        await publish(broker.port, [message(number) for number in range(300)])
        await until(lambda: len(pipeline.samples) == 300)
        broker.stop()
        await until(lambda: pipeline.health.state is EndpointState.DOWN)
        broker.start()
        await until(lambda: pipeline.health.errors.get("again") == 300, "redelivery")
        await publish(broker.port, [message(number) for number in range(300, 400)])
        await until(lambda: len(pipeline.samples) == 400)
        journal.let.set()
        await until(lambda: pipeline.spool.stats.appended == 800 and not pipeline.health.unacknowledged)
    # Known as the same by their packet: not even the journal has them twice.
    assert sorted(journalled(tmp_path)) == sorted(reading(number) for number in range(400))
    await nothing_waits(broker.port, tmp_path / "after")


async def nothing_waits(port: int, folder: Path) -> None:
    """The broker has nothing for this client."""
    pipeline = Pipeline(port, open_journal(folder))
    async with pipeline.running():
        await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
        await publish(port, [message(19_999)])
        await until(lambda: len(pipeline.samples) == 1)
        assert pipeline.samples[0].values[0] == 19.999
        assert pipeline.health.requests == 1


async def test_poison_is_set_aside_and_blocks_nothing(broker: Server, tmp_path: Path) -> None:
    aside: list[tuple[str, str, str, bytes]] = []
    poison: list[Message] = [
        (topic(1), b"\xff\xfe\x00"),
        (topic(2), b"Offline"),
        (topic(3), b"x" * (MOST_PAYLOAD + 1)),
        (topic(4), b'{"ts": 1, "temperature": [[['),
    ]
    messages: list[Message] = [
        poison[number // 100 % 4] if number % 100 == 50 else message(number) for number in range(10_000)
    ]
    pipeline = Pipeline(
        broker.port, open_journal(tmp_path), set_aside=lambda *what: aside.append(what), in_flight=60
    )
    async with pipeline.running():
        await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
        await publish(broker.port, messages)
        await drained(pipeline)
    good = [number for number in range(10_000) if number % 100 != 50]
    assert len(good) == 9900
    assert sorted(journalled(tmp_path)) == sorted(map(reading, good))
    assert [(where, payload) for _, where, _, payload in aside] == poison * 25
    assert aside[0][0] == "broker"
    assert aside[1][2] == "not JSON: 'Offline'"
    assert aside[2][2] == f"too large: {MOST_PAYLOAD + 1} bytes; the most is {MOST_PAYLOAD}"
    assert pipeline.health.errors == {"payload": 75, "size": 25}
    await nothing_waits(broker.port, tmp_path / "after")


async def test_a_slow_journal_bounds_what_is_under_way_and_loses_nothing(
    broker: Server, tmp_path: Path
) -> None:
    journal = SlowJournal(tmp_path)
    pipeline = Pipeline(broker.port, journal, in_flight=40)
    async with pipeline.running():
        await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
        await publish(broker.port, [message(number) for number in range(500)])
        await until(lambda: pipeline.health.unacknowledged == 40)
        await asyncio.sleep(0.3)  # time enough for more, if it came
        assert (len(pipeline.samples), pipeline.health.unacknowledged) == (40, 40)
        journal.let.set()
        await until(lambda: pipeline.spool.stats.appended == 1000 and not pipeline.health.unacknowledged)
    assert journalled(tmp_path) == [reading(number) for number in range(500)]


async def test_a_broker_with_a_narrow_window_is_not_left_waiting_for_tick_and_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.collectors.mqtt_pipeline.TICK", 3_600_000_000_000)
    with mosquitto(tmp_path / "mosquitto", persistent=True) as broker:
        # mosquitto's window is 20
        pipeline = Pipeline(broker.port, open_journal(tmp_path), version="3.1.1", commit=3600.0)
        async with pipeline.running():
            await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
            await publish(broker.port, [message(number) for number in range(200)])
            await until(lambda: pipeline.spool.stats.appended == 400 and not pipeline.health.unacknowledged)
        assert journalled(tmp_path) == [reading(number) for number in range(200)]


async def test_what_memory_could_not_hold_is_asked_for_again(
    broker: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "RETRY_SECONDS", 0.05)
    folder = tmp_path / "data"
    folder.write_text("not a folder")
    pipeline = Pipeline(broker.port, open_journal(folder), memory_limit=3000)
    async with pipeline.running():
        await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
        for first in range(0, 300, 100):
            await publish(broker.port, [message(number) for number in range(first, first + 100)])
            await until(lambda: len(pipeline.samples) == first + 100)  # noqa: B023 - waited for here
            await until(lambda: pipeline.tick.open_number == pipeline.spool._waiting.last)
        await until(lambda: pipeline.spool.stats.dropped > 0)
        folder.unlink()
        await until(lambda: pipeline.spool.stats.available)
        await until(lambda: pipeline.health.errors.get("owed", 0) >= 1)
        await until(lambda: len(set(map(str, pipeline.samples))) > 0 and not pipeline.health.unacknowledged)
        await drained(pipeline)
    assert set(journalled(tmp_path / "data")) == {reading(number) for number in range(300)}


async def test_an_orderly_stop_acknowledges_what_it_took(broker: Server, tmp_path: Path) -> None:
    pipeline = Pipeline(broker.port, open_journal(tmp_path))
    untimed = [(topic(0), json.dumps({"temperature": 20.0 + number})) for number in range(7)]
    async with pipeline.running():
        await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
        await publish(broker.port, untimed)
        await until(lambda: len(pipeline.samples) == 7)
    assert [value for _, _, value in journalled(tmp_path)] == [20.0, 21.0, 22.0, 23.0, 24.0, 25.0, 26.0]
    await nothing_waits(broker.port, tmp_path / "after")


async def test_a_site_that_changes_while_the_last_messages_are_waited_for_begins_nothing(
    broker: Server, tmp_path: Path
) -> None:
    collection = Pipeline(broker.port, open_journal(tmp_path)).collection
    plan = collection.plan
    running = asyncio.create_task(collection.run())
    await until(lambda: collection.endpoints()[0].state is EndpointState.CONNECTED)
    await publish(broker.port, [message(number) for number in range(10)])
    await until(lambda: collection.endpoints()[0].unacknowledged == 10)
    running.cancel()
    for _ in range(10):
        await asyncio.sleep(0)  # it is being cancelled, and waits for the journal
    assert not running.done()
    over = await collection.prepare(compare(plan, replace(plan, mqtt=plan.mqtt[1:])))
    collection.change(over)
    await asyncio.wait([running])
    assert running.cancelled()


async def test_messages_kept_while_away_have_their_own_time_or_are_no_more_than_last_values(
    broker: Server, tmp_path: Path
) -> None:
    first = Pipeline(broker.port, open_journal(tmp_path / "first"))
    async with first.running():
        await until(lambda: first.health.state is EndpointState.CONNECTED)
    await publish(broker.port, [message(1), (topic(2), '{"temperature": 21.5, "humidity": 40}')])
    second = Pipeline(broker.port, open_journal(tmp_path / "second"))
    async with second.running():
        await until(lambda: len(second.samples) == 2)
    timed, untimed = second.samples
    assert (timed.time, timed.quality.tolist()) == (1_767_268_800_001_000_000, [192, 192])
    assert (untimed.values.tolist(), untimed.quality.tolist()) == ([21.5, 40.0], [68, 68])


async def test_with_qos_0_nothing_is_kept_and_nothing_acknowledged(broker: Server, tmp_path: Path) -> None:
    pipeline = Pipeline(broker.port, SlowJournal(tmp_path), qos=0, in_flight=1)
    async with pipeline.running():
        await until(lambda: pipeline.health.state is EndpointState.CONNECTED)
        await publish(broker.port, [message(number) for number in range(50)])
        await until(lambda: len(pipeline.samples) == 50)
        assert pipeline.health.unacknowledged == 0
        pipeline.spool._journal.let.set()  # type: ignore[attr-defined]
    await publish(broker.port, [message(60)])
    await nothing_waits(broker.port, tmp_path / "after")


async def test_workers_of_a_group_share_the_messages(broker: Server, tmp_path: Path) -> None:
    one = Pipeline(broker.port, open_journal(tmp_path / "one"), client_id="one", share="halls")
    two = Pipeline(broker.port, open_journal(tmp_path / "two"), client_id="two", share="halls")
    async with one.running(), two.running():
        for pipeline in (one, two):
            await until(lambda: pipeline.health.state is EndpointState.CONNECTED)  # noqa: B023 - waited for here
        await publish(broker.port, [message(number) for number in range(200)])
        await until(lambda: len(one.samples) + len(two.samples) == 200)
    assert min(len(one.samples), len(two.samples)) > 0
    found = journalled(tmp_path / "one") + journalled(tmp_path / "two")
    assert sorted(found) == sorted(reading(number) for number in range(200))


async def test_what_was_taken_of_one_broker_says_nothing_of_the_messages_of_another(tmp_path: Path) -> None:
    """Both number the same message alike, and each sends again what nobody has acknowledged to it."""
    with (
        mosquitto(tmp_path / "one", persistent=True) as one,
        mosquitto(tmp_path / "other", persistent=True) as other,
    ):
        for broker, folder in ((one, tmp_path / "data"), (other, tmp_path / "elsewhere")):
            folder.mkdir()
            with child(broker.port, folder, "mute") as process:
                await connected(process)
                await publish(broker.port, [message(1)])
                await connected(process, accepted=1, appended=2)
        for broker, taken, again in ((other, 1, 0), (one, 0, 1)):
            pipeline = Pipeline(broker.port, open_journal(tmp_path / "data"))
            async with pipeline.running():
                await until(lambda: pipeline.health.requests == 1)  # noqa: B023
                await until(lambda: pipeline.health.unacknowledged == 0)  # noqa: B023
            assert (len(pipeline.samples), pipeline.health.errors.get("again", 0)) == (taken, again)
