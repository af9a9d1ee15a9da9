"""What the page shows when the server, the line, or what it is asked for is not as it should be."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import aiohttp
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from console.app import build_app
from console.showing import Showing, Shown
from facility.site import Site
from facility.spaces import Level, Space
from tests.console.campus import RATED
from tests.console.pages import RACK, data, pace, serving, show, text, until, until_ticked
from tests.console.plant import Plant, alarm
from tests.streams import stream_server


async def test_the_page_that_has_lost_its_server_says_so_and_all_ages_grow(
    plant: Plant, browser: Chrome
) -> None:
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK))
    async with serving(plant) as port:
        await show(browser, port, node=f"#{RACK}")
        await until(browser, lambda: text(browser, ".points .value"))
        await until(browser, lambda: text(browser, ".alarm .message"))
        assert browser.title == "(1) North campus · dcops"
    await until(browser, lambda: data(browser, "body")["stream"] == "lost")
    assert text(browser, "#stream-state") == "no data since 01:00:31 CET"
    assert browser.title == "✕ no data · North campus · dcops"
    # Whoever has scrolled down sees it as well.
    browser.execute_script("window.scrollTo(0, 300)")
    assert browser.execute_script("return document.querySelector('header').getBoundingClientRect().top") == 0
    browser.execute_script("window.scrollTo(0, 0)")
    assert re.fullmatch(r"\d+\u202fs ago: what is shown is old", text(browser, "#stream-age"))
    spoken = """
      window.spoken = 0;
      new MutationObserver(() => window.spoken += 1)
        .observe(document.getElementById('stream-state'), {childList: true, subtree: true})
    """
    browser.execute_script(spoken)
    ages = ("#stream-age", ".total .sub", ".points td:nth-child(4)", ".devices td:nth-child(6)", ".row .age")
    for selector in (*ages, ".alarm-age"):
        before = seconds(text(browser, selector))
        await until(browser, lambda s=selector, b=before: seconds(text(browser, s)) > b)
    assert browser.execute_script("return window.spoken") == 0


def seconds(shown: str) -> int:
    """The last number of seconds in a text."""
    return int(re.findall(r"(\d+)\u202fs\b", shown)[-1])


class Line:
    """A line to the server that can be cut so that neither end hears of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cut = False
        self.taken = 0
        self.carrying: list[asyncio.Task[None]] = []

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        was_cut = self.cut

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while chunk := await source.read(65536):
                if self.cut and not was_cut:
                    await asyncio.Event().wait()
                target.write(chunk)
                await target.drain()
            target.close()

        both = [asyncio.create_task(pass_on(*ends)) for ends in ((reader, back), (there, writer))]
        self.carrying += both
        await asyncio.gather(*both, return_exceptions=True)
        back.transport.abort()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[tuple[Line, int]]:
    line = Line(port)
    async with stream_server(line.carry) as near:
        try:
            yield line, near
        finally:
            for task in line.carrying:
                task.cancel()


async def test_a_line_cut_without_a_word_is_made_anew(plant: Plant, browser: Chrome, port: int) -> None:
    async with line_to(port) as (line, near):
        with pace(browser) as hasten:
            await show(browser, near)
            line.cut = True
            before = line.taken
            plant.tick()
            hasten(10)
            await until(browser, lambda: data(browser, "body")["stream"] == "lost")
            await until_ticked(plant, browser, lambda: data(browser, "body")["stream"] == "live")
            assert line.taken > before
        await show(browser, port)


async def test_a_server_whose_seconds_do_not_close_is_not_called_live(
    plant: Plant, browser: Chrome, port: int
) -> None:
    async with line_to(port) as (line, near):
        with pace(browser) as hasten:
            await show(browser, near)
            line.cut = True
            before = line.taken
            hasten(10)
            await until(browser, lambda: data(browser, "body")["stream"] == "lost")
            states = """
              window.states = [];
              new MutationObserver(() => window.states.push(document.body.dataset.stream))
                .observe(document.body, {attributes: true})
            """
            browser.execute_script(states)
            await until(browser, lambda: line.taken > before)
            await until(browser, lambda: seconds(text(browser, "#stream-age")) > 17)
            assert set(browser.execute_script("return window.states")) <= {"lost"}
        await show(browser, port)


async def test_a_page_too_many_looks_now_and_then_until_there_is_room(
    plant: Plant, browser: Chrome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.server.build_app", partial(build_app, max_streams=1))
    async with (
        serving(plant) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/api/v1/stream") as other,
    ):
        with pace(browser, 5):
            await asyncio.to_thread(browser.get, f"http://127.0.0.1:{port}/")
            await until(browser, lambda: text(browser, "#stream-state") == "live, every 10 s")
            assert text(browser, "#stream-age") == "1 streams are open already"
            states = """
              window.states = [];
              new MutationObserver(() => window.states.push(document.body.dataset.stream))
                .observe(document.body, {attributes: true})
            """
            browser.execute_script(states)
            shown = data(browser, "#campus-power")["watts"]
            plant.read_all()
            await until_ticked(plant, browser, lambda: data(browser, "#campus-power")["watts"] != shown)
            assert text(browser, "#stream-state") == "live, every 10 s"
            other.close()
            await until_ticked(plant, browser, lambda: text(browser, "#stream-state") == "live")
            assert text(browser, "#stream-age") == ""
            assert set(browser.execute_script("return window.states")) <= {"live"}


async def test_a_page_that_looks_now_and_then_says_so_when_the_server_is_gone(
    plant: Plant, browser: Chrome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.server.build_app", partial(build_app, max_streams=0))
    with pace(browser) as hasten:
        async with serving(plant) as port:
            await asyncio.to_thread(browser.get, f"http://127.0.0.1:{port}/")
            await until(browser, lambda: text(browser, "#stream-state") == "live, every 10 s")
        hasten(10)
        await until(browser, lambda: (text(browser, "#stream-state") or "").startswith("no data since "))


@pytest.mark.parametrize("asked", ["%", "%E0%A4%A", "%3Cimg%20src=x%3E"])
async def test_an_address_that_means_nothing_is_said_to(
    plant: Plant, browser: Chrome, port: int, asked: str
) -> None:
    await show(browser, port, node=f"#{asked}")
    await until(browser, lambda: text(browser, '#detail [role="alert"]'))
    assert text(browser, '#detail [role="alert"]').startswith("There is no space or device '")
    assert browser.find_elements(By.CSS_SELECTOR, "#detail img") == []


async def test_a_zone_the_browser_does_not_know_leaves_times_in_utc(plant: Plant, browser: Chrome) -> None:
    view = replace(plant.view(), site=replace(plant.site, timezone="Mars/Olympus"))
    async with serving(plant, showing=Showing(view)) as port:
        await show(browser, port)
        await until(browser, lambda: re.fullmatch(r"00:00:\d\d UTC", text(browser, "#clock") or ""))


async def test_a_site_loaded_anew_shows_its_new_names_and_racks(plant: Plant, browser: Chrome) -> None:
    showing = Showing(plant.view())
    async with serving(plant, showing=showing) as port:
        await show(browser, port, node="#b1-h1")
        await until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".cell")) == 6)
        renewed = Plant(changed(plant.site), clock=plant.clock)
        renewed.ticks = plant.ticks
        renewed.read_all()
        showing.change(Shown(renewed.view()))
        renewed.tick()
        await until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".cell")) == 7)
        await until(browser, lambda: text(browser, f'.row[data-node="{RACK}"] .name') == "Renamed")
        assert text(browser, '.row[data-node="b1-h1-r1-k04"] .name') == "R1.04"
        assert [
            each["message"] for each in browser.get_log("browser") if "TypeError" in each["message"]
        ] == []


async def test_a_site_loaded_anew_behind_a_stream_that_was_refused_is_seen(
    plant: Plant, browser: Chrome, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(plant) as port:
        await show(browser, port, node="#b1-h1")
    with monkeypatch.context() as full:
        full.setattr("console.server.build_app", partial(build_app, max_streams=0))
        async with serving(plant, port=port):
            await until(browser, lambda: "0 streams are open already" in text(browser, "#stream-age"))
    spaces = tuple(replace(each, name="Renamed") if each.id == RACK else each for each in plant.site.spaces)
    view = replace(plant.view(), site=replace(plant.site, spaces=spaces))
    async with serving(plant, port=port, showing=Showing(view)):
        await until(browser, lambda: text(browser, f'.row[data-node="{RACK}"] .name') == "Renamed")


async def test_what_a_reader_chose_and_stands_on_stays_when_the_site_is_loaded_anew(
    plant: Plant, browser: Chrome
) -> None:
    showing = Showing(plant.view())
    async with serving(plant, showing=showing) as port:
        await show(browser, port)
        await until(browser, lambda: browser.find_elements(By.CSS_SELECTOR, ".figures .scroll"))
        await asyncio.to_thread(
            browser.find_element(By.CSS_SELECTOR, '.total[data-quantity="facility_power"]').click
        )
        await until(browser, lambda: text(browser, ".chart h3") == "Facility input power")
        browser.execute_script("document.querySelector('.figures .scroll').focus()")
        renewed = Plant(changed(plant.site), clock=plant.clock)
        renewed.ticks = plant.ticks
        renewed.read_all()
        showing.change(Shown(renewed.view()))
        renewed.tick()
        await until(browser, lambda: text(browser, f'.row[data-node="{RACK}"] .name') == "Renamed")
        await until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".cell")) == 7)
        assert text(browser, ".chart h3") == "Facility input power"
        assert browser.execute_script("return document.activeElement.ariaLabel") == "Key figures"


def changed(site: Site) -> Site:
    """The same with a rack renamed and another added to the first row."""
    spaces = [replace(each, name="Renamed") if each.id == RACK else each for each in site.spaces]
    spaces.append(
        Space(
            id="b1-h1-r1-k04",
            level=Level.RACK,
            parent="b1-h1-r1",
            name="R1.04",
            rated_power=RATED,
            position=4,
        )
    )
    return Site(name=site.name, spaces=tuple(spaces), devices=site.devices, timezone=site.timezone)
