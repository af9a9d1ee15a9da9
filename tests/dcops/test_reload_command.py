"""``dcops reload`` against the API itself."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from console.app import build_app
from console.showing import Showing
from console.site import SiteRefusedError
from dcops.cli import main
from tests.console.campus import build_site
from tests.console.plant import Plant
from tests.dcops.lines import lines_of


@pytest.fixture
async def plant() -> AsyncIterator[tuple[Plant, str]]:
    found = Plant(build_site())
    server = TestServer(build_app(Showing(found.view())))
    await server.start_server()
    yield found, f"http://127.0.0.1:{server.port}"
    await server.close()


async def test_what_has_changed_is_told(plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str]) -> None:
    found, url = plant
    assert await asyncio.to_thread(main, ["reload", "--url", url]) == 0
    assert lines_of(capsys) == [
        "loaded anew in 0.25 s: 4 devices, 16 points",
        "added: 1 (pdu-4)",
        "changed: 1 (pdu-1)",
    ]
    assert found.keeper.asked == 1


async def test_how_many_devices_may_go_is_handed_on(
    plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found, url = plant
    assert await asyncio.to_thread(main, ["reload", "--url", url, "--removing", "40"]) == 0
    assert found.keeper.removing == 40
    for body, status in ((b"", 200), (b'{"removing": -1}', 400), (b'{"removing": true}', 400), (b"[]", 400)):
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{url}/api/v1/site/reload", data=body, headers={"Content-Type": "application/json"}
            ) as answer,
        ):
            assert answer.status == status
    assert found.keeper.removing == 0


async def test_mistakes_are_told_as_a_check_tells_them(
    plant: tuple[Plant, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found, url = plant
    found.keeper.refusal = SiteRefusedError("bad_site", "the site has 1 mistake", "mend the files")
    assert await asyncio.to_thread(main, ["reload", "--url", url]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "site.yaml:3: no such space",
        "dcops reload: the site has 1 mistake; mend the files",
    ]


async def test_nothing_that_answers_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["reload", "--url", "http://127.0.0.1:1"]) == 1
    assert "nothing answers at http://127.0.0.1:1" in capsys.readouterr().err
