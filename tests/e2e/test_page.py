"""The live page in headless Chromium, on a platform that reads simulated devices on the wire."""

import asyncio
import json

import pytest
from selenium.webdriver.common.by import By

from simulators.actions import Silence
from tests.e2e.hall import Hall, running_hall, until
from tests.servers.browser import chromium

RACK = "b1-h1-r01-k03"


@pytest.fixture
def browser(tmp_path):
    with chromium(tmp_path / "profile") as driver:
        yield driver


async def test_campus_power_on_the_page_is_the_apis_and_a_silent_rack_is_shown_as_stale(tmp_path, browser):
    async with running_hall(tmp_path) as hall:
        await until(lambda: hall.value("campus.power_coverage") == 1.0, "all PDUs read")
        await asyncio.to_thread(browser.get, hall.url)
        await until(lambda: asyncio.to_thread(shown_watts, browser), "campus power on the page")
        await follows_the_api(hall, browser)

        pdus = tuple(pdu for pdu in hall.pdus() if pdu.startswith(RACK))
        assert len(pdus) == 2
        await hall.simulation.apply(Silence(devices=pdus, silent=True))
        await until(lambda: asyncio.to_thread(is_stale, browser), "the rack shown as stale")
        cell = await asyncio.to_thread(rack_cell, browser)
        assert cell["coverage"] == 0.0

        await hall.simulation.apply(Silence(devices=pdus, silent=False))

        async def fresh():
            return not await asyncio.to_thread(is_stale, browser)

        await until(fresh, "the rack shown as fresh again")


async def follows_the_api(hall: Hall, browser) -> None:
    """Return when the page has shown three of the values that the API gave, each to the milliwatt."""
    said: set[float] = set()
    shown: set[float] = set()

    async def three_are_the_same() -> bool:
        node = await hall.get("/api/v1/nodes/campus")
        said.add(round(node["rollups"]["power"]["value"], 3))
        shown.add(round(await asyncio.to_thread(shown_watts, browser), 3))
        return len(said & shown) >= 3

    await until(three_are_the_same, "campus power on the page changes as the API's")


def shown_watts(browser) -> float | None:
    text = browser.find_element(By.ID, "campus-power").get_attribute("data-watts")
    return float(text) if text else None


def rack_cell(browser) -> dict:
    script = f"""
        const cell = document.querySelector('.row[data-node="{RACK}"], .cell[data-node="{RACK}"]');
        return cell ? JSON.stringify({{...cell.dataset}}) : "{{}}";
    """
    found = json.loads(browser.execute_script(script))
    return {key: float(value) if key == "coverage" else value for key, value in found.items()}


def is_stale(browser) -> bool:
    return rack_cell(browser).get("state") == "stale"
