"""What somebody who was woken does: from the alarm to what is wrong, its past, its feeds and the runbook."""

import asyncio
from dataclasses import replace

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.console.campus import build_site
from tests.console.pages import RACK, serving, show, text, until
from tests.console.plant import Plant, alarm


def click(browser: Chrome, selector: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def shown_series(browser: Chrome) -> str:
    return text(browser, ".chart h3")


async def test_an_alarm_opens_the_history_of_what_it_is_about(
    plant: Plant, browser: Chrome, port: int
) -> None:
    pdu = f"{RACK}-pdu-a"
    current = {"id": "phase:x", "point": "current_l2", "message": "L2 at 93 %"}
    plant.board.raise_alarm(alarm(pdu, RACK, **current))
    await show(browser, port, node=f"#{pdu}")
    await until(browser, lambda: shown_series(browser) == "Active power")
    await until(browser, lambda: text(browser, ".alarm .message") == "L2 at 93 %")
    click(browser, ".alarm .place")
    await until(browser, lambda: shown_series(browser) == "Current L2")
    assert plant.history.asked[-1][0] == f"{pdu}.current_l2"
    click(browser, f'[data-series="{pdu}.current_l3"] button')
    await until(browser, lambda: shown_series(browser) == "Current L3")
    click(browser, ".path .link:last-child")  # the rack: what was asked for is forgotten
    await until(browser, lambda: text(browser, "#node-title") == "R1.02")
    await until(browser, lambda: shown_series(browser) == "IT power at the racks")


async def test_an_alarm_of_a_space_opens_the_total_it_is_about(
    plant: Plant, browser: Chrome, port: int
) -> None:
    about = {"id": "hall:x", "point": "inlet_temperature", "message": "hall warm"}
    plant.board.raise_alarm(alarm("b1-h1", "b1-h1", **about))
    await show(browser, port)
    await until(browser, lambda: text(browser, ".alarm .message") == "hall warm")
    click(browser, ".alarm .place")
    await until(browser, lambda: text(browser, "#node-title") == "Hall 1")
    await until(browser, lambda: shown_series(browser) == "Worst IT air inlet")


async def test_the_way_of_power_can_be_walked_up_and_down(plant: Plant, browser: Chrome, port: int) -> None:
    await show(browser, port, node="#ups-a")
    await until(browser, lambda: text(browser, ".feeds") == "fed by utility-a")
    click(browser, ".feeds .link")
    await until(browser, lambda: text(browser, "#node-title") == "utility-a")
    assert text(browser, ".feeds") == "feeds ups-a"
    click(browser, ".feeds .link")
    await until(browser, lambda: text(browser, "#node-title") == "ups-a")


async def test_the_runbook_opens_at_its_section(plant: Plant, browser: Chrome, port: int) -> None:
    plant.board.raise_alarm(alarm("b1-h1-r1-cdu", "b1-h1-r1", runbook="leak"))
    await show(browser, port)
    await until(browser, lambda: text(browser, ".alarm .runbook") == "Runbook: leak")
    section = browser.find_element(By.CSS_SELECTOR, ".alarm .runbook").get_attribute("href")
    await asyncio.to_thread(browser.get, section)
    await until(browser, lambda: text(browser, "h3:target") == "leak")
    place = "return document.querySelector('h3:target').getBoundingClientRect().top"
    assert 0 <= browser.execute_script(place) < 200
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1600


async def test_names_from_right_to_left_do_not_turn_a_place_round(browser: Chrome) -> None:
    site = build_site()
    spaces = tuple(replace(each, name=f"חדר {each.id}") for each in site.spaces)
    plant = Plant(replace(site, spaces=spaces))
    plant.read_all()
    plant.tick()
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK))
    async with serving(plant) as port:
        await show(browser, port, node=f"#{RACK}", width=1920)
        await until(browser, lambda: text(browser, ".alarm .place"))
        where = (
            "return [...document.querySelectorAll('.alarm .place bdi')].map(e => [e.textContent,"
            " e.getClientRects()[0].top, e.getClientRects()[0].left])"
        )
        found = browser.execute_script(where)
    assert [name for name, _, _ in found] == [f"חדר {id_}" for id_ in ("b1", "b1-h1", "b1-h1-r1", RACK)]
    assert [name for name, *_ in sorted(found, key=lambda each: (each[1], each[2]))] == [
        name for name, *_ in found
    ]


async def test_on_a_wall_whose_browser_is_zoomed_alarms_and_names_stay_in_sight(
    plant: Plant, browser: Chrome, port: int
) -> None:
    plant.board.raise_alarm(alarm("b1-h1-r1-cdu", "b1-h1-r1"))
    await show(browser, port, width=1100, height=620)
    await until(browser, lambda: text(browser, ".alarm .message"))
    places = "return document.querySelector('.alarm .message').getBoundingClientRect().bottom"
    assert browser.execute_script(places) < 620
    cut = (
        "return [...document.querySelectorAll('.row .name > :last-child')]"
        ".filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    )
    assert browser.execute_script(cut) == []


async def test_the_history_of_a_device_takes_all_the_room_there_is(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port, width=1920, node="#ups-a")
    await until(browser, lambda: text(browser, "#node-title") == "ups-a")
    wide = "return ['.chart', '#detail'].map(e => document.querySelector(e).getBoundingClientRect().width)"
    chart, whole = browser.execute_script(wide)
    assert chart == whole


@pytest.mark.parametrize("width", [390, 1100, 1366, 1920])
async def test_in_a_flood_no_count_and_no_load_is_cut_off(
    plant: Plant, browser: Chrome, port: int, width: int
) -> None:
    for number in range(996):
        plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, id=f"inlet-high:{number}"))
    plant.silent = {f"{RACK}-pdu-a", f"{RACK}-pdu-b"}
    for _ in range(3):
        plant.set(f"{RACK}-pdu-a", active_power=142e3, active_energy=1e9)
        plant.read_all()
        plant.tick(10.0)
    await show(browser, port, width=width)
    row = '.row[data-node="campus"] .alarms'
    await until(browser, lambda: text(browser, row) == "▲\u202f996")
    await until(browser, lambda: text(browser, f'.cell[data-node="{RACK}"] .cell-value').startswith("≈1"))
    cut = (
        "return [...document.querySelectorAll('.row .alarms, .cell')]"
        ".filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    )
    assert browser.execute_script(cut) == []
    for number in range(996, 12_279):
        plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, id=f"inlet-high:{number}"))
    plant.tick()
    await until(browser, lambda: text(browser, row) == "▲\u202f12k")
    assert browser.find_element(By.CSS_SELECTOR, row).get_attribute("title") == "12,279 alarms"
    assert browser.execute_script(cut) == []
