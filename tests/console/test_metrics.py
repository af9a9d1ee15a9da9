"""The paths Prometheus scrapes."""

import gzip

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient

from console import metrics
from console.guard import is_loopback
from console.metrics import accepts_gzip
from tests.console.fakes import FakeMetrics
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


@pytest.mark.parametrize(
    ("accepted", "does"),
    [
        ("gzip", True),
        ("identity, GZIP ; q=0.5", True),
        ("", False),
        ("deflate, br", False),
        ("gzip;q=0, identity", False),
        ("gzip; q=0.000", False),
        ("xgzip", False),
    ],
)
def test_whether_a_client_takes_gzip(accepted: str, *, does: bool) -> None:
    assert accepts_gzip(accepted) is does


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.0.1", True),
        ("::1", True),
        ("10.0.0.5", False),
        ("", False),
        (None, False),
    ],
)
def test_whether_a_client_is_on_this_machine(remote: str | None, *, local: bool) -> None:
    assert is_loopback(remote) is local


async def raw(client: TestClient, path: str, **headers: str) -> tuple[str | None, bytes]:
    """Its encoding and the bytes as they were sent."""
    async with (
        ClientSession(auto_decompress=False) as session,
        session.get(client.make_url(path), headers=headers) as response,
    ):
        assert response.headers["Vary"] == "Accept-Encoding"
        return response.headers.get("Content-Encoding"), await response.read()


async def test_gzip_is_sent_to_who_asks_for_it_from_elsewhere(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b"dcops_up 1\ndcops_levels []\n"
    async with plant.client() as client:
        asks = {"Accept-Encoding": "gzip"}
        assert await raw(client, "/metrics", **asks) == (None, text)
        monkeypatch.setattr(metrics, "is_loopback", lambda _: False)
        encoding, sent = await raw(client, "/metrics", **asks)
        assert encoding == "gzip"
        assert gzip.decompress(sent) == text
        assert await raw(client, "/metrics", **{"Accept-Encoding": "identity"}) == (None, text)


async def test_a_long_text_is_whole_in_gzip_and_plain(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f'dcops_x{{n="{at:0>500}"}} {at}.0\n'.encode() for at in range(3000)]
    monkeypatch.setattr(FakeMetrics, "overview", lambda *_: iter([*lines, b""]))
    async with plant.client() as client:
        assert (await raw(client, "/metrics"))[1] == b"".join(lines)
        monkeypatch.setattr(metrics, "is_loopback", lambda _: False)
        encoding, sent = await raw(client, "/metrics", **{"Accept-Encoding": "gzip, deflate"})
        assert encoding == "gzip"
        assert gzip.decompress(sent) == b"".join(lines)
