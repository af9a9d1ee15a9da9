"""``dcops collection`` against the API itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer

from collectors.health import CollectorHealth, CollectorState, DeviceCost
from console.app import build_app
from console.showing import Showing
from dcops.cli import main
from tests.console.campus import build_site
from tests.console.collecting import health
from tests.console.plant import Plant
from tests.dcops.lines import lines_of

CDU = "b1-h1-r1-cdu"


@pytest.fixture
async def plant() -> AsyncIterator[tuple[Plant, str]]:
    found = Plant(build_site())
    found.read_all()
    found.tick()
    found.collection.told = {CDU: {"serial": "BX1234"}}
    server = TestServer(build_app(Showing(found.view())))
    await server.start_server()
    yield found, f"http://127.0.0.1:{server.port}"
    await server.close()


async def run(url: str, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["collection", "--url", url, *arguments])


async def test_endpoints_and_devices_that_are_not_online_are_listed(
    plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found, url = plant
    found.collection.health = (
        health("ups-a", "dormant", "no reply in time"),
        *(health(each.id) for each in found.site.devices if each.id != "ups-a"),
    )
    assert await run(url) == 0
    out = lines_of(capsys)
    assert out[0].split()[:5] == ["endpoint", "protocol", "state", "busy", "planned"]
    assert out[1].split() == ["gw-1", "modbus-tcp", "connected", "21%", "22%", "1.9", "2.2", "1", "timeout"]
    assert out[2].split()[:6] == ["broker", "mqtt", "down", "–", "–", "–"]
    assert out[5].split()[:4] == ["ups-a", "gw-1", "1", "dormant"]
    assert out[5].endswith("no reply in time")
    assert out[6] == f"{len(found.site.devices) - 1} more devices are online; --all lists them"
    assert await run(url, "--all") == 0
    assert sum(" online " in line for line in lines_of(capsys)) == len(found.site.devices) - 1


async def test_other_processes_that_collect_come_first(
    plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = plant
    shard = CollectorHealth(
        name="shard 2/2",
        state=CollectorState.SILENT,
        heard=None,
        url="http://10.0.0.6:8080/",
        readings=1200,
        waiting=7,
        lost=0,
        clock_ahead=float("nan"),
        restarts=0,
        cpu_seconds=1.5,
        memory=1e8,
        error="",
    )
    server = TestServer(build_app(Showing(replace(found.view(), collectors=lambda: (shard,)))))
    await server.start_server()
    try:
        assert await run(f"http://127.0.0.1:{server.port}") == 0
    finally:
        await server.close()
    out = lines_of(capsys)
    assert out[0].split() == [
        "collector",
        "state",
        "last",
        "heard",
        "readings",
        "waiting",
        "restarts",
        "page",
        "error",
    ]
    assert out[1].split() == ["shard", "2/2", "silent", "never", "1200", "7", "http://10.0.0.6:8080/"]
    assert out[2] == ""
    assert out[3].split()[0] == "endpoint"


async def test_one_device_with_its_texts_lessons_and_costs(
    plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, url = plant
    assert await run(url, "--device", CDU) == 0
    out = lines_of(capsys)
    assert "serial: BX1234" in out
    assert "  refuses holding 41 with exception 2: leak" in out
    assert [line.split() for line in out if line.startswith("holding")] == [
        ["holding", "0+18", "10", "0.6", "0.06"],
        ["holding", "40+2", "5", "0.1", "0.02"],
    ]
    assert out[-1] == "70% of the time its endpoint gave to devices"


async def test_a_device_that_was_never_read_has_no_costs(
    plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, url = plant
    nothing = (DeviceCost(device=CDU, unit=3, reads=()),)
    monkeypatch.setattr(found.collection, "costs", lambda _: nothing)
    assert await run(url, "--device", CDU) == 0
    assert not [line for line in lines_of(capsys) if "mean s" in line or "of the time" in line]


async def test_lessons_and_forgetting_them(
    plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found, url = plant
    assert await run(url, "--lessons") == 0
    assert lines_of(capsys) == [
        f"{CDU}: profile cdu, unit 3 of gw-1",
        "  refuses holding 41 with exception 2: leak",
        "  is not read across holding 60",
        "  serial: BX1234",
    ]
    assert await run(url, "--forget", CDU) == 0
    assert lines_of(capsys) == ["forgotten: the lessons of 1 device"]
    assert found.collection.taught == []
    assert await run(url, "--lessons") == 0
    assert lines_of(capsys)[0].startswith("no lessons: no device refuses a value")


async def test_what_is_not_there_is_said_in_one_line(
    plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, url = plant
    assert await run(url, "--device", "nowhere") == 1
    assert "there is no space or device 'nowhere'; see /api/v1/nodes" in capsys.readouterr().err
    assert await run(url, "--forget", "nowhere") == 1
    assert "there is no device 'nowhere' on Modbus" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "file:///etc/passwd", "127.0.0.1:8080"])
def test_nothing_at_the_address_is_said_in_one_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collection", "--url", url]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("dcops collection: ")
    assert url in line
