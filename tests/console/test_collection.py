"""What collecting costs and teaches, as the API tells it, and who may have it forgotten."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient

from collectors.health import DeviceHealth, DeviceState
from tests.console.campus import build_site
from tests.console.collecting import health
from tests.console.plant import Plant
from tests.console.test_nodes import get

FORGET = "/api/v1/collection/lessons/forget"
CDU = "b1-h1-r1-cdu"


async def test_an_endpoint_tells_its_cycle_as_planned_and_as_measured(client: TestClient) -> None:
    answer = await get(client, "/api/v1/collection")
    gateway, broker = answer["endpoints"]
    assert gateway["predicted_cycle"] == 2.2
    assert gateway["measured_cycle"] == 1.9
    assert (gateway["predicted_utilisation"], gateway["utilisation"]) == (0.22, 0.21)
    assert broker["predicted_cycle"] is None
    assert answer["devices"][0]["refused"] == 0
    assert answer["devices"][0]["cycle"] is None


async def test_with_a_limit_those_in_trouble_come_first_and_all_are_counted(plant: Plant) -> None:
    plant.collection.health = (
        health("ups-a"),
        health("ups-b", DeviceState.SUSPECT),
        health(CDU, DeviceState.DORMANT),
        health("tap-a", DeviceState.WAITING),
    )
    async with plant.client() as client:
        answer = await get(client, "/api/v1/collection?state=suspect,dormant,waiting&limit=2")
        assert [each["device"] for each in answer["devices"]] == [CDU, "ups-b"]
        assert [each["endpoint"] for each in answer["endpoints"]] == ["broker", "gw-1"]
        assert answer["states"] == {"waiting": 1, "online": 1, "suspect": 1, "dormant": 1}
        assert answer["endpoint_states"] == {"connecting": 0, "connected": 1, "down": 1}
        answer = await get(client, "/api/v1/collection?limit=1")
        assert [each["endpoint"] for each in answer["endpoints"]] == ["broker"]
        whole = await get(client, "/api/v1/collection?limit=0")
        assert [each["endpoint"] for each in whole["endpoints"]] == ["gw-1", "broker"]
        assert len(whole["devices"]) == 4


async def test_polls_go_on_while_all_devices_are_told(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, seen = 0, []

    async def poll() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def each_device() -> Iterator[DeviceHealth]:
        for at in range(2000):
            seen.append(turns)
            yield health(f"pdu-{at}")

    monkeypatch.setattr(plant.collection, "each_device", each_device)
    async with plant.client() as client, asyncio.TaskGroup() as tasks:
        polling = tasks.create_task(poll())
        answer = await get(client, "/api/v1/collection")
        polling.cancel()
    assert len(answer["devices"]) == 2000
    assert max(Counter(seen).values()) == 500


async def test_the_time_of_an_endpoint_is_told_by_device_and_read(client: TestClient) -> None:
    answer = await get(client, "/api/v1/collection/endpoints/gw-1")
    assert answer["endpoint"]["endpoint"] == "gw-1"
    assert answer["total"] == 2
    first, second = answer["devices"]
    assert (first["device"], first["unit"], first["count"]) == (CDU, 3, 15)
    assert first["seconds"] == pytest.approx(0.7)
    assert first["share"] == pytest.approx(0.7)
    assert first["reads"][0] == {"read": "holding 0+18", "count": 10, "seconds": 0.6, "mean": 0.06}
    assert second["share"] == pytest.approx(0.3)
    assert len((await get(client, "/api/v1/collection/endpoints/gw-1?limit=1"))["devices"]) == 1
    assert (await get(client, "/api/v1/collection/endpoints/nowhere", 404))["error"]["code"] == (
        "unknown_endpoint"
    )


async def test_lessons_are_listed(client: TestClient) -> None:
    (lesson,) = (await get(client, "/api/v1/collection/lessons"))["lessons"]
    assert lesson == {
        "device": CDU,
        "endpoint": "gw-1",
        "unit": 3,
        "profile": "cdu",
        "refused": [{"place": "holding 41", "points": ["leak"], "exception": 2}],
        "cuts": ["holding 60"],
        "start": None,
        "identity": {"serial": "BX1234"},
    }
    assert (await get(client, "/api/v1/collection/lessons?device=ups-a"))["lessons"] == []


@pytest.mark.parametrize("device", [CDU, "all"])
async def test_lessons_are_forgotten_on_demand(client: TestClient, device: str) -> None:
    async with client.post(FORGET, json={"device": device}) as response:
        assert response.status == 200
        assert await response.json() == {"forgotten": 1}
        assert "Set-Cookie" not in response.headers
    assert (await get(client, "/api/v1/collection/lessons"))["lessons"] == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": "https://evil.example"}, 403, "other_site"),
        ({"Origin": "null"}, 403, "other_site"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "other_site"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "other_site"),
        ({"X-Forwarded-For": "192.0.2.7"}, 403, "not_local"),
        ({"Forwarded": "for=192.0.2.7"}, 403, "not_local"),
        ({"Host": "evil.example"}, 421, "wrong_host"),
        ({"Content-Type": "text/plain"}, 400, "no_json"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 400, "no_json"),
    ],
)
async def test_nothing_is_forgotten_for_others(
    plant: Plant, headers: dict[str, str], status: int, code: str
) -> None:
    async with plant.client() as client:
        sent = {"Content-Type": "application/json"} | headers
        async with client.post(FORGET, data=b'{"device": "all"}', headers=sent) as response:
            assert response.status == status
            assert (await response.json())["error"]["code"] == code
    assert plant.collection.taught == [CDU]


@pytest.mark.parametrize("host", ["evil.example:8080", "noc.example", "192.0.2.7:8080", ""])
async def test_bound_to_an_outer_address_nothing_is_forgotten_by_another_name(
    plant: Plant, host: str
) -> None:
    async with plant.client(hosts=None) as client:
        headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        async with client.post(FORGET, json={"device": "all"}, headers=headers) as response:
            assert response.status == 403
            assert (await response.json())["error"]["code"] == "not_local"
        async with client.post(FORGET, json={"device": "all"}) as response:
            assert response.status == 200
    assert plant.collection.taught == []


async def test_a_page_of_our_own_may_ask(client: TestClient) -> None:
    origin = f"http://127.0.0.1:{client.port}"
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    async with client.post(FORGET, json={"device": "all"}, headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"{}", b'{"device": 3}', b'"all"'])
async def test_a_body_that_names_no_device_is_refused(client: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.post(FORGET, data=body, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == "bad_body"


async def test_an_unknown_device_is_not_found(client: TestClient) -> None:
    answer = await get(client, "/api/v1/collection/lessons?device=nowhere", 404)
    assert answer["error"]["code"] == "unknown_device"
    async with client.post(FORGET, json={"device": "nowhere"}) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "unknown_device"


async def test_forgetting_is_asked_for_with_post_only(client: TestClient) -> None:
    answer = await get(client, FORGET, 405)
    assert answer["error"]["mend"] == "use POST"


async def test_texts_stand_with_the_device_and_behind_its_points(plant: Plant) -> None:
    plant.collection.told = {CDU: {"serial": "BX1234", "firmware": "1.7"}}
    async with plant.client() as client:
        node = await get(client, f"/api/v1/nodes/{CDU}")
        listed = await get(client, f"/api/v1/points?device={CDU}")
        paged = await get(client, f"/api/v1/points?device={CDU}&limit=3&offset=4")
        by_type = await get(client, f"/api/v1/points?device={CDU}&type=leak")
        other = await get(client, "/api/v1/nodes/ups-a")
    assert node["texts"] == {"serial": "BX1234", "firmware": "1.7"}
    assert other["texts"] == {}
    assert listed["total"] == 7
    assert [point["name"] for point in listed["points"]][4:] == ["fault", "serial", "firmware"]
    serial = listed["points"][5]
    assert serial["series"] == f"{CDU}.serial"
    assert (serial["type"], serial["value"], serial["text"], serial["quality"]) == (
        "text",
        None,
        "BX1234",
        192,
    )
    assert listed["points"][0]["text"] is None
    assert [point["name"] for point in paged["points"]] == ["fault", "serial", "firmware"]
    assert [point["name"] for point in by_type["points"]] == ["leak"]


async def test_a_state_is_told_in_the_words_of_its_profile() -> None:
    site = build_site()
    devices = list(site.devices)
    at = next(n for n, device in enumerate(devices) if device.id == CDU)
    words = ((0, "dry"), (1, "wet"))
    points = tuple(replace(p, states=words) if p.name == "leak" else p for p in devices[at].points)
    devices[at] = replace(devices[at], points=points)
    plant = Plant(replace(site, devices=tuple(devices)))
    plant.read_all()
    plant.set(CDU, leak=1.0, fault=0.0)
    async with plant.client() as client:
        leak = await get(client, f"/api/v1/points/{CDU}.leak")
        assert (leak["value"], leak["text"]) == (1.0, "wet")
        assert (await get(client, f"/api/v1/points/{CDU}.fault"))["text"] is None
        node = await get(client, f"/api/v1/nodes/{CDU}")
        assert {point["name"]: point["text"] for point in node["points"]}["leak"] == "wet"
