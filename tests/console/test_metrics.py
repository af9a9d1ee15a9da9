"""The paths Prometheus scrapes."""

import pytest
from aiohttp.test_utils import TestClient

from tests.console.plant import Plant
from tests.console.test_nodes import get


async def read(client: TestClient, path: str) -> str:
    async with client.get(path) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return await response.text()


async def test_the_overview_comes_whole_or_for_some_levels(client: TestClient) -> None:
    assert await read(client, "/metrics") == "dcops_up 1\ndcops_levels []\n"
    told = await read(client, "/metrics?level=hall,building")
    assert told == "dcops_up 1\ndcops_levels ['building', 'hall']\n"


async def test_points_are_those_of_a_space_of_a_device_or_of_a_kind(plant: Plant) -> None:
    devices = plant.site.devices
    within = [at for at, each in enumerate(devices) if each.space.startswith("b1-h1-r1")]
    pdus = [at for at, each in enumerate(devices) if each.kind == "rack_pdu"]
    ups = plant.site.device_index["ups-a"]
    assert within
    assert pdus
    async with plant.client() as client:
        assert await read(client, "/metrics/points") == f"dcops_devices {list(range(len(devices)))}\n"
        assert await read(client, "/metrics/points?node=b1-h1-r1") == f"dcops_devices {within}\n"
        assert await read(client, "/metrics/points?kind=rack_pdu") == f"dcops_devices {pdus}\n"
        assert await read(client, "/metrics/points?node=ups-a") == f"dcops_devices [{ups}]\n"
        both = sorted(set(within) & set(pdus))
        told = await read(client, "/metrics/points?node=b1-h1-r1&kind=rack_pdu,chiller")
        assert told == f"dcops_devices {both}\n"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/metrics?level=rooms", 400, "bad_parameter"),
        ("/metrics?node=ups-a", 400, "unknown_parameter"),
        ("/metrics/points?kind=toaster", 400, "bad_parameter"),
        ("/metrics/points?node=nowhere", 404, "unknown_node"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused(
    client: TestClient, path: str, status: int, code: str
) -> None:
    assert (await get(client, path, status))["error"]["code"] == code


async def test_head_says_what_there_is_and_sends_nothing(client: TestClient) -> None:
    async with client.head("/metrics") as response:
        assert response.status == 200
        assert await response.read() == b""
