import asyncio
import json

from aiohttp import ClientResponse, StreamReader

from tests.console.campus import START
from tests.console.plant import Plant, alarm

PATIENCE = 60.0


async def next_event(stream: StreamReader) -> tuple[str, dict]:
    """Name and data of the next event; comments are passed over."""
    name = ""
    async with asyncio.timeout(PATIENCE):
        while True:
            line = (await stream.readline()).decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))


def row(data: dict, node: str) -> dict:
    """One node's entry in each column."""
    at = data["nodes"]["id"].index(node)
    return {column: values[at] for column, values in data["nodes"].items()}


def listen(response: ClientResponse) -> StreamReader:
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    return response.content


async def test_the_first_event_holds_every_space(plant: Plant) -> None:
    async with plant.client() as client, client.get("/api/v1/stream") as response:
        name, data = await next_event(listen(response))
    assert name == "snapshot"
    assert len(data["nodes"]["id"]) == 11
    assert data["time"] == (START // 1_000_000) + 31_000
    rack = row(data, "b1-h1-r1-k01")
    assert rack["coverage"] == 1.0
    assert rack["quality"] == 192
    assert rack["read"] == (START // 1_000_000) + 30_000
    assert rack["power"] == round(rack["power"])
    assert data["campus"]["power"]["value"] == plant.image.values[plant.catalogue.index("campus.power")]
    assert data["alarms"] == {"revision": (START // 1_000_000) + 31_000, "high": 0, "medium": 0, "low": 0}
    assert {kpi["node"] for kpi in data["kpis"]} == {"campus"}


async def test_a_tick_holds_only_what_changed(plant: Plant) -> None:
    async with plant.client() as client, client.get("/api/v1/stream") as response:
        stream = listen(response)
        await next_event(stream)
        plant.tick(1.0)
        name, unchanged = await next_event(stream)
        plant.set("b1-h1-r1-k02-pdu-a", active_power=50_000.0)
        plant.tick(1.0)
        _, changed = await next_event(stream)
    assert name == "tick"
    assert unchanged["nodes"]["id"] == []
    assert changed["tick"] == unchanged["tick"] + 1
    assert changed["nodes"]["id"] == ["campus", "b1", "b1-h1", "b1-h1-r1", "b1-h1-r1-k02"]


async def test_nan_is_null_on_the_stream(plant: Plant) -> None:
    plant.image.values[:] = float("nan")
    async with plant.client() as client, client.get("/api/v1/stream") as response:
        _, data = await next_event(listen(response))
    assert row(data, "campus")["power"] is None
    assert data["campus"]["power"]["value"] is None


async def test_an_alarm_changes_the_counts_and_the_revision(plant: Plant) -> None:
    async with plant.client() as client, client.get("/api/v1/stream") as response:
        stream = listen(response)
        _, begun = await next_event(stream)
        revision = begun["alarms"]["revision"]
        plant.board.raise_alarm(alarm("b1-h1-r1-k02-climate", "b1-h1-r1-k02", priority="medium"))
        plant.tick()
        _, raised = await next_event(stream)
        plant.board.clear("inlet-high:b1-h1-r1-k02-climate.air_inlet_temperature", plant.clock.time)
        plant.tick()
        _, cleared = await next_event(stream)
    assert raised["alarms"] == {"revision": revision + 1, "high": 0, "medium": 1, "low": 0}
    assert (row(raised, "b1-h1-r1-k02")["alarms"], row(raised, "campus")["priority"]) == (1, "medium")
    assert cleared["alarms"] == {"revision": revision + 2, "high": 0, "medium": 0, "low": 0}
    assert row(cleared, "campus")["priority"] is None


async def test_a_client_that_is_late_gets_everything_since_in_one_event(plant: Plant) -> None:
    async with plant.client() as client, client.get("/api/v1/stream") as response:
        stream = listen(response)
        _, first = await next_event(stream)
        # Three ticks with no turn of the loop between them: the stream can see only the last.
        for rack in ("b1-h1-r1-k01", "b1-h1-r1-k02", "b1-h1-r2-k03"):
            plant.set(f"{rack}-pdu-a", active_power=51_000.0)
            plant.tick()
        _, data = await next_event(stream)
    assert data["tick"] == first["tick"] + 3
    assert {n for n in data["nodes"]["id"] if "-k" in n} == {"b1-h1-r1-k01", "b1-h1-r1-k02", "b1-h1-r2-k03"}


async def test_streams_are_bounded_and_a_place_is_free_again_after_one_ends(plant: Plant) -> None:
    async with plant.client(max_streams=1) as client:
        async with client.get("/api/v1/stream") as response:
            await next_event(listen(response))
            async with client.get("/api/v1/stream") as refused:
                assert refused.status == 503
                assert (await refused.json())["error"]["code"] == "too_many_streams"
        async with asyncio.timeout(PATIENCE):
            while True:
                plant.tick()
                async with client.get("/api/v1/stream") as again:
                    if again.status == 200:
                        break
                await asyncio.sleep(0)


async def test_closing_ends_every_stream(plant: Plant) -> None:
    async with plant.client() as client, client.get("/api/v1/stream") as response:
        stream = listen(response)
        await next_event(stream)
        plant.ticks.close()
        async with asyncio.timeout(PATIENCE):
            await stream.read()
            assert stream.at_eof()


async def test_a_heartbeat_keeps_a_stream_open_without_ticks(plant: Plant, monkeypatch) -> None:
    monkeypatch.setattr("console.stream.HEARTBEAT", 0.01)
    async with plant.client() as client, client.get("/api/v1/stream") as response:
        stream = listen(response)
        await next_event(stream)
        async with asyncio.timeout(PATIENCE):
            while (await stream.readline()) != b": no tick\n":
                pass
