"""The page in a real browser, over a real server."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from collectors.health import DeviceState
from tests.console.campus import build_site
from tests.console.collecting import health
from tests.console.pages import RACK, api, data, serving, show, text, until, until_ticked
from tests.console.plant import Plant, alarm


async def test_campus_power_on_the_page_is_the_apis(plant: Plant, browser: Chrome, port: int) -> None:
    await show(browser, port)
    for watts in (61_000.0, 44_000.0):
        plant.set(f"{RACK}-pdu-a", active_power=watts, active_energy=1e9)
        plant.tick()
        power = (await api(port, "/api/v1/nodes/campus"))["rollups"]["power"]
        await until(
            browser, lambda value=power["value"]: data(browser, "#campus-power")["watts"] == str(value)
        )
        shown = await asyncio.to_thread(text, browser, "#campus-power .value")
        assert shown == f"{power['value'] / 1000:.1f}"
        assert text(browser, "#campus-power .unit") == "kW"
    assert data(browser, "#campus-power")["quality"] == "192"
    assert data(browser, "#campus-power")["coverage"] == "1"
    row = data(browser, '[data-node="campus"]')
    assert float(row["watts"]) == round(power["value"])


async def test_a_rack_gone_silent_is_visibly_stale_and_comes_back(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port)
    cell, row = f'.cell[data-node="{RACK}"]', f'.row[data-node="{RACK}"]'
    assert data(browser, cell)["state"] == "good"
    plant.silent = {f"{RACK}-pdu-a", f"{RACK}-pdu-b"}
    for _ in range(3):
        plant.tick(10.0)
        plant.read_all()
        plant.tick(0.0)
    await until(browser, lambda: data(browser, cell)["state"] == "stale")
    # The page counts on by itself from the 31 s at the last tick.
    await until(browser, lambda: re.search(r"stale\s\d", text(browser, cell)))
    classes = browser.execute_script("return document.querySelector(arguments[0]).className", cell)
    assert {"hatched", "stale"} <= set(classes.split())
    assert data(browser, row)["coverage"] == "0"
    assert float(data(browser, row)["age"]) >= 31.0
    assert data(browser, '.cell[data-node="b1-h1-r1-k01"]')["state"] == "good"
    struck = "return getComputedStyle(document.querySelector(arguments[0])).textDecorationLine"
    assert browser.execute_script(struck, f"{row} .power") == "line-through"
    campus = data(browser, "#campus-power")
    assert 0.7 < float(campus["coverage"]) < 0.95
    assert text(browser, "#campus-power").startswith("≈")
    plant.silent = set()
    plant.read_all()
    plant.tick()
    await until(browser, lambda: data(browser, cell)["state"] == "good")
    assert "stale" not in text(browser, cell)


async def test_unknown_is_a_dash_and_never_zero(plant: Plant, browser: Chrome, port: int) -> None:
    plant.image.values[:] = float("nan")
    plant.image.quality[:] = 32
    plant.ticks.notify(plant.clock.time)
    await show(browser, port)
    for selector in ("#campus-power", "#facility-power", "#campus-pue", "#worst-inlet", "#worst-liquid"):
        assert text(browser, selector) == "—", selector
    assert "watts" not in data(browser, "#campus-power")
    await until(browser, lambda: text(browser, ".total .value") == "—")
    assert text(browser, f'.cell[data-node="{RACK}"] .cell-value') == "—"


async def test_pue_shows_its_category_window_and_that_it_is_incomplete(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port)
    shown = data(browser, "#campus-pue")
    kpis = (await api(port, "/api/v1/kpis?node=campus&window=15min"))["kpis"]
    figure = next(k for k in kpis if k["category"] == shown["category"])
    assert (shown["category"], shown["window"]) == ("3", "15min")
    assert shown["value"] == str(figure["value"])
    assert figure["status"] == "incomplete"
    assert text(browser, "#campus-pue").startswith("≈")
    assert "incomplete" in text(browser, "#campus-pue-sub")


async def test_an_alarm_appears_with_place_and_action_and_goes(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port)
    await until(browser, lambda: text(browser, "#alarm-empty") == "No active alarms")
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, message="too <b>hot</b>", runbook="inlet-high"))
    plant.tick()
    await until(browser, lambda: text(browser, ".alarm .message") == "too <b>hot</b>")
    assert text(browser, ".alarm .priority") == "▲ HIGH"
    assert text(browser, ".alarm .place") == "Building 1 › Hall 1 › Row 1 › R1.02"
    assert "Check containment" in text(browser, ".alarm .action")
    assert text(browser, ".alarm .runbook") == "Runbook: inlet-high"
    link = browser.find_element(By.CSS_SELECTOR, ".alarm .runbook")
    assert link.get_attribute("href") == f"http://127.0.0.1:{port}/runbook#inlet-high"
    assert text(browser, '#alarm-counts [data-priority="high"] b') == "1"
    assert "▲" in text(browser, f'.cell[data-node="{RACK}"] .cell-name')
    plant.board.clear(f"inlet-high:{RACK}-climate.air_inlet_temperature", plant.clock.time)
    plant.tick()
    await until(browser, lambda: text(browser, "#alarm-empty") == "No active alarms")
    assert text(browser, '#alarm-counts [data-priority="high"] b') == "0"


async def test_a_flood_of_alarms_is_counted_where_it_can_be_read(
    plant: Plant, browser: Chrome, port: int
) -> None:
    for number in range(12_003):
        plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, id=f"inlet-high:{number}"))
    await show(browser, port, width=1280)
    await until(browser, lambda: text(browser, '#alarm-counts [data-priority="high"] b') == "12003")
    await until(browser, lambda: text(browser, "#alarm-empty") == "and 11903 more")
    assert browser.title == "(12003) North campus · dcops"
    inner = browser.execute_script(
        "const t = document.getElementById('alarm-tile').getBoundingClientRect();"
        "const c = document.querySelector('.count.low').getBoundingClientRect(); return [t.right, c.right]"
    )
    assert inner[1] <= inner[0]


async def test_a_rack_measured_in_part_is_not_called_stale(plant: Plant, browser: Chrome, port: int) -> None:
    plant.silent = {f"{RACK}-pdu-a"}
    for _ in range(3):
        plant.tick(10.0)
        plant.read_all()
        plant.tick(0.0)
    await show(browser, port)
    cell = f'.cell[data-node="{RACK}"]'
    await until(browser, lambda: data(browser, cell).get("state") == "estimated")
    assert re.search(r"\d\s%\sok", text(browser, cell))
    assert "stale" not in text(browser, cell)


async def test_a_device_that_has_gone_is_not_shown_as_if_it_were_read(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port, node="#nowhere")
    await until(browser, lambda: text(browser, '#detail [role="alert"]'))
    assert text(browser, '#detail [role="alert"]') == "There is no space or device 'nowhere'"
    assert text(browser, "#node-title") is None
    await asyncio.to_thread(browser.find_element(By.CSS_SELECTOR, "#detail .link").click)
    await until(browser, lambda: text(browser, "#node-title") == "North campus")


async def test_what_is_in_trouble_stands_first_in_the_collection(
    plant: Plant, browser: Chrome, port: int
) -> None:
    last = plant.collection.health[-1].device
    plant.collection.health = (
        *plant.collection.health[:-1],
        health(last, DeviceState.DORMANT, "no reply in time"),
    )
    await show(browser, port)
    await until(browser, lambda: text(browser, "#device-list .link") == last)
    assert "Dormant: no reply in time" in text(browser, "#device-list li")
    assert text(browser, "#endpoint-list .what").startswith("broker ")
    assert "Down: connection refused" in text(browser, "#endpoint-list li")
    assert "1 of 2 endpoints connected" in text(browser, "#collection-totals")


async def test_the_address_keeps_the_open_node_and_keys_reach_it(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port, node=f"#{RACK}")
    await until(browser, lambda: text(browser, "#node-title") == "R1.02")
    await until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".points tbody tr")) == 11)
    await until(browser, lambda: int(data(browser, ".chart").get("points", 0)) > 100)
    series = f'[data-series="{RACK}-climate.air_inlet_temperature"]'
    assert data(browser, series)["quality"] == "192"
    row = browser.find_element(By.CSS_SELECTOR, f'.row[data-node="{RACK}"]')
    assert row.get_attribute("aria-selected") == "true"
    browser.execute_script("arguments[0].focus()", row)
    row.send_keys(Keys.ARROW_DOWN)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    await until(browser, lambda: text(browser, "#node-title") == "R1.03")
    assert browser.current_url.endswith("#b1-h1-r1-k03")
    await asyncio.to_thread(browser.refresh)
    await until(browser, lambda: text(browser, "#node-title") == "R1.03")
    browser.find_element(By.CSS_SELECTOR, ".devices .link").send_keys(Keys.ENTER)
    await until(browser, lambda: text(browser, "#node-title") == "b1-h1-r1-k03-pdu-a")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".points tbody tr")) == 5


async def test_a_lost_stream_says_since_when_and_recovers(plant: Plant, browser: Chrome) -> None:
    async with serving(plant) as taken:
        await show(browser, taken)
        # 00:00:31 UTC in Paris; the last tick the page has heard of.
    await until(browser, lambda: text(browser, "#stream-state").startswith("no data since 01:00:31"))
    assert data(browser, "body")["stream"] == "lost"
    plant.ticks.closed = False
    async with serving(plant, taken):
        plant.tick()
        await until(browser, lambda: text(browser, "#stream-state") == "live")


async def test_a_stream_that_is_open_but_silent_says_since_when_too(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port)
    await until(browser, lambda: text(browser, "#stream-state").startswith("no data since 01:00:31"))
    plant.tick()
    await until(browser, lambda: text(browser, "#stream-state") == "live")


@pytest.mark.parametrize("width", [360, 390, 768, 960, 1280, 1920])
async def test_nothing_sticks_out_at_any_width(
    plant: Plant, browser: Chrome, port: int, width: int, tmp_path: Path
) -> None:
    await show(browser, port, width=width, height=844, node=f"#{RACK}")
    await until(browser, lambda: text(browser, "#node-title") == "R1.02")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    for selector in ("#campus-power", "#campus-pue", "#alarm-counts", "#tree", "#alarms", ".cell"):
        box = browser.execute_script(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [b.left, b.right, b.width, b.height]",
            selector,
        )
        assert box[0] >= 0
        assert box[1] <= width
        assert min(box[2:]) > 10
    picture = tmp_path / "page.png"
    assert browser.save_screenshot(str(picture))
    assert picture.stat().st_size > 10_000


async def test_in_a_flood_the_alarms_of_the_open_space_can_be_asked_for(
    plant: Plant, browser: Chrome, port: int
) -> None:
    for number in range(150):
        plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, id=f"inlet-high:{number}"))
    plant.board.raise_alarm(alarm("b1-h1-r1-k01-climate", "b1-h1-r1-k01", id="one", message="this one"))
    plant.tick()
    await show(browser, port)
    await until(browser, lambda: text(browser, "#alarm-empty") == "and 51 more")
    assert not browser.find_element(By.ID, "alarms-only").is_displayed()
    await show(browser, port, node="#b1-h1-r1-k01")
    await until(browser, lambda: text(browser, "#alarms-only") == "Only in R1.01")
    await asyncio.to_thread(browser.find_element(By.ID, "alarms-here").click)
    await until(browser, lambda: text(browser, "#alarm-list .message") == "this one")
    await until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".alarm")) == 1)
    assert text(browser, "#alarm-empty") == ""
    await asyncio.to_thread(browser.find_element(By.CSS_SELECTOR, '.row[data-node="b1-h1-r1-k03"]').click)
    await until(browser, lambda: text(browser, "#alarm-empty") == "No active alarms here")
    await asyncio.to_thread(browser.find_element(By.CSS_SELECTOR, '.row[data-node="campus"]').click)
    await until(browser, lambda: text(browser, "#alarm-empty") == "and 51 more")


async def test_on_a_phone_alarms_come_before_everything_that_can_wait(
    plant: Plant, browser: Chrome, port: int
) -> None:
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK))
    plant.tick()
    await show(browser, port, width=390, height=844)
    await until(browser, lambda: text(browser, ".alarm .message"))
    tops = "return arguments[0].map((each) => document.querySelector(each).getBoundingClientRect().top)"
    places = browser.execute_script(tops, ["#alarm-tile", "#alarms", "#tree-panel", "#main", "#collection"])
    assert places == sorted(places)


async def test_the_browser_has_nothing_to_complain_about(plant: Plant, browser: Chrome, port: int) -> None:
    browser.get_log("browser")
    await show(browser, port)
    await until(browser, lambda: text(browser, "#node-title") == "North campus")
    plant.tick()
    await asyncio.to_thread(browser.find_element(By.CSS_SELECTOR, '[data-mode="temperature"]').click)
    await until(
        browser,
        lambda: "temperature-" in browser.find_element(By.CSS_SELECTOR, ".cell").get_attribute("class"),
    )
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert len(loaded) > 8
    assert {name.split("/")[2] for name in loaded} == {f"127.0.0.1:{port}"}


async def test_a_feed_that_is_not_measured_is_no_share_and_no_power(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port, node=f"#{RACK}")
    await until(browser, lambda: "kW" in text(browser, ".split .feed"))
    assert browser.execute_script(
        "return document.querySelector('.bar').getAttribute('aria-label')"
    ).startswith("feed A carries")
    plant.silent = {f"{RACK}-pdu-a"}
    for _ in range(3):
        plant.tick(10.0)
        plant.read_all()
        plant.tick(0.0)
    await show(browser, port, node=f"#{RACK}")
    await until(browser, lambda: text(browser, ".split .feed").split() == ["Feed", "A", "not", "measured"])
    assert text(browser, ".split .bar") == "share unknown"
    assert "kW" in text(browser, ".split .feed:last-child")


async def test_an_alarm_of_the_whole_campus_names_it(plant: Plant, browser: Chrome, port: int) -> None:
    await show(browser, port)
    plant.board.raise_alarm(alarm("campus", "campus", id="network-silent:campus", rule="network-silent"))
    plant.tick()
    await until(browser, lambda: text(browser, ".alarm .place") == "North campus")


@pytest.mark.parametrize("width", [390, 910, 1100, 1280, 1440, 1920])
async def test_headings_and_labels_are_not_cut_off(
    plant: Plant, browser: Chrome, port: int, width: int
) -> None:
    await show(browser, port, width=width, height=900)
    await until(browser, lambda: text(browser, ".total .label"))
    cut = browser.execute_script(
        "return [...document.querySelectorAll('.row.head span, .row .power, .total > *, .tile .sub')]"
        ".filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.innerText)"
    )
    assert cut == []


async def test_a_device_tells_its_states_in_words_and_what_it_says_of_itself(browser: Chrome) -> None:
    site = build_site()
    at = next(i for i, each in enumerate(site.devices) if each.id == "b1-h1-r1-cdu")
    states = {"leak": ((0, "dry"), (2, "leak at the pump")), "fault": ()}
    points = tuple(replace(p, states=states.get(p.name, ())) for p in site.devices[at].points)
    devices = (*site.devices[:at], replace(site.devices[at], points=points), *site.devices[at + 1 :])
    plant = Plant(replace(site, devices=devices))
    plant.collection.told = {"b1-h1-r1-cdu": {"serial_number": "SN <b>12</b>"}}
    plant.set("b1-h1-r1-cdu", active_power=3e3, leak=2.0, fault=7.0)
    plant.tick()
    async with serving(plant) as port:
        await show(browser, port, node="#b1-h1-r1-cdu")
        await until(browser, lambda: text(browser, "#node-title") == "b1-h1-r1-cdu")
        assert text(browser, '[data-series="b1-h1-r1-cdu.leak"] .value') == "leak at the pump"
        assert text(browser, '[data-series="b1-h1-r1-cdu.fault"] .value') == "7"
        assert "Serial number SN <b>12</b>" in text(browser, ".facts")
        plant.set("b1-h1-r1-cdu", active_power=3e3, leak=0.0, fault=0.0)
        leak = '[data-series="b1-h1-r1-cdu.leak"] .value'
        await until_ticked(plant, browser, lambda: text(browser, leak) == "dry")
        assert text(browser, '[data-series="b1-h1-r1-cdu.fault"] .value') == "no"
