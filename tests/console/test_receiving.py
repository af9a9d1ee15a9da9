"""Who may hand over readings, and how much at once."""

from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer

from console import receiving
from console.app import build_app
from console.context import Receiver
from console.showing import Showing
from tests.console.plant import Plant

TOKEN = "a-token-for-tests-only"
PATHS = ("/api/v1/readings", "/api/v1/reports")


class Taking:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def readings(self, body: bytes) -> None:
        self.bodies.append(body)

    async def report(self, body: bytes) -> bytes:
        self.bodies.append(body)
        return b'{"forget":[]}'


def head(plant: Plant, taking: Taking) -> TestClient:
    receiver = Receiver(token=TOKEN, readings=taking.readings, report=taking.report)
    return TestClient(TestServer(build_app(Showing(replace(plant.view(), receiver=receiver)))))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_with_the_token_it_is_taken(plant: Plant) -> None:
    taking = Taking()
    async with head(plant, taking) as client:
        for path, said in zip(PATHS, (b"", b'{"forget":[]}'), strict=True):
            answer = await client.post(path, data=b"x" * 100_000, headers=bearer(TOKEN))
            assert (answer.status, await answer.read()) == (200, said)
    assert [len(body) for body in taking.bodies] == [100_000, 100_000]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        {"Authorization": TOKEN},
        {"Authorization": "Basic " + TOKEN},
        {"Authorization": "Bearer é"},
    ],
)
async def test_without_the_token_it_is_refused(plant: Plant, headers: dict[str, str]) -> None:
    taking = Taking()
    async with head(plant, taking) as client:
        for path in PATHS:
            answer = await client.post(path, data=b"x", headers=headers)
            assert answer.status == 401
            assert "DCOPS_SHARD_TOKEN" in (await answer.json())["error"]["mend"]
            assert TOKEN not in await answer.text()
    assert taking.bodies == []


async def test_a_body_that_is_too_large_is_refused(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "MOST_BYTES", 1000)
    taking = Taking()
    async with head(plant, taking) as client:
        assert (await client.post(PATHS[0], data=b"x" * 1000, headers=bearer(TOKEN))).status == 200
        assert (await client.post(PATHS[0], data=b"x" * 1001, headers=bearer(TOKEN))).status == 413
    assert len(taking.bodies) == 1


async def test_who_is_no_head_takes_nothing(plant: Plant) -> None:
    async with plant.client() as client:
        for path in PATHS:
            assert (await client.post(path, data=b"x", headers=bearer(TOKEN))).status in {404, 405}
