import pytest
from aiohttp.test_utils import TestClient

from collectors.health import DeviceState
from tests.console.campus import START, build_site
from tests.console.collecting import health
from tests.console.plant import Plant, alarm


async def get(client: TestClient, path: str, status: int = 200) -> dict:
    async with client.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def test_the_tree_lists_spaces_parents_first_and_siblings_by_position(client: TestClient) -> None:
    tree = await get(client, "/api/v1/nodes")
    assert [node["id"] for node in tree["nodes"]] == [
        "campus",
        "b1",
        "b1-h1",
        "b1-h1-r1",
        "b1-h1-r1-k01",
        "b1-h1-r1-k02",
        "b1-h1-r1-k03",
        "b1-h1-r2",
        "b1-h1-r2-k01",
        "b1-h1-r2-k02",
        "b1-h1-r2-k03",
    ]
    assert tree["site"] == "North campus"
    assert tree["timezone"] == "Europe/Paris"
    assert tree["time"] == "2026-01-01T00:00:31.000Z"
    assert tree["nodes"][0]["parent"] is None
    assert tree["nodes"][4]["parent"] == "b1-h1-r1"
    assert tree["nodes"][0]["devices"] == 24
    assert tree["nodes"][4]["devices"] == 3
    assert tree["nodes"][4]["period"] == 10.0
    assert tree["nodes"][4]["rated_power"] == 130_000.0


async def test_a_nodes_numbers_carry_quality_coverage_and_age(plant: Plant) -> None:
    for feed, watts in (("a", 20_000.0), ("b", 22_500.0)):
        plant.set(f"b1-h1-r1-k01-pdu-{feed}", active_power=watts)
    plant.tick(4.0)
    async with plant.client() as client:
        node = await get(client, "/api/v1/nodes/b1-h1-r1-k01")
        summary = (await get(client, "/api/v1/nodes"))["nodes"][4]
    assert node["node"] == "space"
    assert node["rollups"]["power"] == {
        "series": "b1-h1-r1-k01.power",
        "label": "IT power at the racks",
        "value": 42_500.0,
        "unit": "W",
        "quality": 192,
        "quality_text": "good",
        "coverage": 1.0,
        "age": 4.0,
    }
    assert node["rollups"]["power_feeda"]["value"] == 20_000.0
    assert (summary["power"], summary["quality"], summary["coverage"], summary["age"]) == (42_500, 192, 1, 4)
    assert [place["id"] for place in node["path"]] == ["campus", "b1", "b1-h1", "b1-h1-r1", "b1-h1-r1-k01"]
    assert [device["id"] for device in node["devices"]] == [
        "b1-h1-r1-k01-pdu-a",
        "b1-h1-r1-k01-pdu-b",
        "b1-h1-r1-k01-climate",
    ]


async def test_age_grows_even_if_no_tick_comes(plant: Plant) -> None:
    plant.clock.time += 60_000_000_000
    async with plant.client() as client:
        node = await get(client, "/api/v1/nodes/b1-h1-r1-k01")
        tree = await get(client, "/api/v1/nodes")
    assert node["rollups"]["power"]["age"] == 61.0
    assert tree["nodes"][4]["age"] == 61.0


async def test_what_was_never_read_is_null_not_zero() -> None:
    plant = Plant(build_site())
    plant.tick()
    async with plant.client() as client:
        node = await get(client, "/api/v1/nodes/campus")
        summary = (await get(client, "/api/v1/nodes"))["nodes"][0]
        device = await get(client, "/api/v1/nodes/b1-h1-r1-k01-pdu-a")
    assert node["rollups"]["power"]["value"] is None
    assert node["rollups"]["power"]["quality_text"] == "waiting for the first reading"
    assert node["rollups"]["power"]["age"] is None
    assert (summary["power"], summary["age"], summary["coverage"]) == (None, None, 0.0)
    assert device["points"][0]["value"] is None
    assert device["points"][0]["time"] is None


async def test_a_silent_rack_keeps_its_age_and_loses_its_coverage(plant: Plant) -> None:
    plant.silent = {"b1-h1-r1-k01-pdu-a", "b1-h1-r1-k01-pdu-b"}
    for _ in range(3):
        plant.read_all()
        plant.tick(10.0)
    async with plant.client() as client:
        tree = {node["id"]: node for node in (await get(client, "/api/v1/nodes"))["nodes"]}
        device = await get(client, "/api/v1/nodes/b1-h1-r1-k01-pdu-a")
    rack, other = tree["b1-h1-r1-k01"], tree["b1-h1-r1-k02"]
    assert rack["coverage"] == 0.0
    assert rack["age"] == 31.0
    assert rack["quality"] < 192
    assert (other["coverage"], other["quality"], other["age"]) == (1.0, 192, 10.0)
    assert device["points"][0]["quality_text"] == "stale, last value shown"


async def test_a_device_shows_its_points_and_how_it_is_collected(client: TestClient) -> None:
    device = await get(client, "/api/v1/nodes/b1-h1-r1-k01-pdu-a")
    assert device["node"] == "device"
    assert (device["kind"], device["feed"], device["boundary"]) == ("rack_pdu", "A", "it_rack")
    assert device["serves"] == ["b1-h1-r1-k01"]
    names = [point["name"] for point in device["points"]]
    assert names == ["active_power", "active_energy", "current_l1", "current_l2", "current_l3"]
    assert device["points"][2]["type"] == "phase_current"
    assert device["points"][0]["time"] == "2026-01-01T00:00:30.000Z"
    assert device["points"][0]["age"] == 1.0
    assert device["collection"]["state"] == "online"
    assert device["collection"]["last_success"] == "2026-01-01T00:00:00.000Z"
    ups = await get(client, "/api/v1/nodes/ups-a")
    assert ups["served_by"] == ["utility-a"]


async def test_an_unknown_node_is_404_with_a_mend(client: TestClient) -> None:
    answer = await get(client, "/api/v1/nodes/nowhere", 404)
    assert answer == {
        "error": {
            "code": "unknown_node",
            "message": "there is no space or device 'nowhere'",
            "mend": "see /api/v1/nodes",
        }
    }


async def test_alarms_are_counted_up_to_the_campus(plant: Plant) -> None:
    plant.board.raise_alarm(alarm("b1-h1-r1-k02-climate", "b1-h1-r1-k02"))
    plant.board.raise_alarm(alarm("b1-h1-r2-k01-climate", "b1-h1-r2-k01", priority="low"))
    async with plant.client() as client:
        tree = {node["id"]: node for node in (await get(client, "/api/v1/nodes"))["nodes"]}
    counts = {key: (node["alarms"], node["priority"]) for key, node in tree.items() if node["alarms"]}
    assert counts == {
        "campus": (2, "high"),
        "b1": (2, "high"),
        "b1-h1": (2, "high"),
        "b1-h1-r1": (1, "high"),
        "b1-h1-r1-k02": (1, "high"),
        "b1-h1-r2": (1, "low"),
        "b1-h1-r2-k01": (1, "low"),
    }


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["hot", "warm", "mild"]),
        ("?state=active&priority=low", ["mild"]),
        ("?space=b1-h1-r1", ["hot", "warm"]),
        ("?state=recent", ["over"]),
    ],
)
async def test_alarms_are_listed_by_urgency_and_filtered(plant: Plant, query: str, ids: list[str]) -> None:
    for name, rack, priority, later in (
        ("mild", "b1-h1-r2-k01", "low", 9),
        ("warm", "b1-h1-r1-k02", "medium", 5),
        ("hot", "b1-h1-r1-k01", "high", 1),
        ("over", "b1-h1-r1-k01", "high", 0),
    ):
        plant.board.raise_alarm(
            alarm("x", rack, id=name, priority=priority, raised=START + later * 1_000_000_000)
        )
    plant.board.clear("over", START + 20_000_000_000)
    async with plant.client() as client:
        answer = await get(client, f"/api/v1/alarms{query}")
    assert [each["id"] for each in answer["alarms"]] == ids
    assert answer["total"] == len(ids)
    first = answer["alarms"][0]
    assert first["cleared"] == ("2026-01-01T00:00:20.000Z" if query == "?state=recent" else None)
    assert first["place"][-1]["level"] == "rack"


async def test_collection_counts_states_and_lists_the_devices_asked_for(plant: Plant) -> None:
    plant.collection.health = (
        *plant.collection.health[:-1],
        health("b1-h1-r2-k03-climate", DeviceState.DORMANT, "no reply in 1 s"),
    )
    async with plant.client() as client:
        answer = await get(client, "/api/v1/collection?state=suspect,dormant")
        everything = await get(client, "/api/v1/collection")
    assert [device["device"] for device in answer["devices"]] == ["b1-h1-r2-k03-climate"]
    assert answer["devices"][0]["last_error"] == "no reply in 1 s"
    assert answer["states"] == {"waiting": 0, "online": 23, "suspect": 0, "dormant": 1}
    assert answer["totals"]["polls_missed"] == 2
    assert [each["endpoint"] for each in answer["endpoints"]] == ["gw-1", "broker"]
    assert answer["endpoints"][0]["errors"] == {"timeout": 1}
    assert (answer["endpoints"][1]["state"], answer["endpoints"][1]["round_trip"]) == ("down", None)
    assert len(everything["devices"]) == 24
