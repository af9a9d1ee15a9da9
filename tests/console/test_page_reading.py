"""Whether the page can be read: in the dark and in the light, by eye, by ear and by key."""

import asyncio
import re
from dataclasses import replace

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.console.campus import build_site
from tests.console.pages import RACK, data, serving, show, text, until
from tests.console.plant import Plant, alarm

ENOUGH = 4.5
"""Contrast that text needs against its ground (WCAG 2.2, 1.4.3)."""
FAINTEST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
function rgba(colour) {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return canvas.getImageData(0, 0, 1, 1).data;
}
function luminance(colour) {
  const [r, g, b] = [...rgba(colour)].slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function ground(element) {
  for (let each = element; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if (rgba(colour)[3] === 255) return colour;
  }
  return 'white';
}
const found = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || !element.checkVisibility() || element.closest('.unseen, .skip')) continue;
  const [text, behind] = [luminance(getComputedStyle(element).color), luminance(ground(element))];
  const contrast = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
  found.push([contrast, `${element.tagName}.${element.className} ${element.textContent.slice(0, 20)}`]);
}
return found.sort((a, b) => a[0] - b[0]).slice(0, 3);
"""
NAMES = """
return [...document.querySelectorAll('.cell')].map(cell =>
  [[...cell.children].map(e => e.textContent).filter(Boolean).join(' '), cell.getAttribute('aria-label')])
"""


async def prefer(browser: Chrome, feature: str, value: str) -> None:
    """What the reader's system asks of pages."""
    features = {"features": [{"name": feature, "value": value}]}
    await asyncio.to_thread(browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", features)


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_every_text_stands_out_from_its_ground(
    plant: Plant, browser: Chrome, port: int, scheme: str
) -> None:
    for priority in ("high", "medium", "low"):
        plant.board.raise_alarm(
            alarm(f"{RACK}-climate", RACK, id=f"{priority}:1", priority=priority, category="communication")
        )
    watts = (20e3, 40e3, 80e3, 110e3, 125e3, 140e3)
    racks = [space.id for space in plant.site.spaces if space.level == "rack"]
    for rack, power in zip(racks, watts, strict=True):
        for feed in "ab":
            plant.set(f"{rack}-pdu-{feed}", active_power=power / 2, active_energy=1e9)
    plant.tick()
    await prefer(browser, "prefers-color-scheme", scheme)
    await show(browser, port, node="#b1-h1")
    await until(browser, lambda: text(browser, "#node-title") == "Hall 1")
    shown = {each.get_attribute("class") for each in browser.find_elements(By.CSS_SELECTOR, ".cell")}
    assert shown == {f"cell load-{step}" for step in range(6)}
    assert await asyncio.to_thread(browser.execute_script, FAINTEST) == AtLeast(ENOUGH)
    await show(browser, port, node=f"#{RACK}")
    await until(browser, lambda: text(browser, ".points .value"))
    assert await asyncio.to_thread(browser.execute_script, FAINTEST) == AtLeast(ENOUGH)
    await until(browser, lambda: data(browser, "body")["stream"] == "lost")
    assert await asyncio.to_thread(browser.execute_script, FAINTEST) == AtLeast(ENOUGH)
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == {"dark": "rgb(13, 18, 23)", "light": "rgb(238, 241, 244)"}[scheme]


class AtLeast:
    """Equals contrasts with their texts of which none is lower."""

    def __init__(self, contrast: float) -> None:
        self.contrast = contrast

    def __eq__(self, found: object) -> bool:
        return isinstance(found, list) and bool(found) and all(each[0] >= self.contrast for each in found)

    def __hash__(self) -> int:
        return hash(self.contrast)

    def __repr__(self) -> str:
        return f"contrasts of {self.contrast} or more"


async def test_a_racks_name_begins_with_what_is_seen_of_it(plant: Plant, browser: Chrome, port: int) -> None:
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK))
    plant.set(f"{RACK}-pdu-a", active_power=65e3)
    plant.set(f"{RACK}-pdu-b", active_power=39e3)
    plant.set(f"{RACK}-climate", air_inlet_temperature=24.5)
    plant.tick()
    await show(browser, port)
    await until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".cell")) == 6)
    names = browser.execute_script(NAMES)
    assert all(name.startswith(f"{seen}, ") for seen, name in names)
    assert names[1] == [
        "2 ▲ 80%",
        "2 ▲ 80%, R1.02: 104.0\u202fkW, good, inlet 24.5\u202f°C, good, alarms: 1",
    ]
    parts = browser.execute_script("return document.querySelectorAll('.cell')[1].textContent")
    assert parts.split() == ["2", "▲", "80%"]


async def test_the_map_of_inlets_tells_of_their_sensors_and_not_of_power_meters(
    plant: Plant, browser: Chrome, port: int
) -> None:
    """A gateway of PDUs that is away hides no temperature, and a sensor that is away is not called good."""
    dark, blind = RACK, "b1-h1-r1-k01"
    plant.silent = {f"{dark}-pdu-a", f"{dark}-pdu-b", f"{blind}-climate"}
    for _ in range(3):
        plant.tick(10.0)
        plant.set(f"{dark}-climate", air_inlet_temperature=24.5)
        plant.read_all()
        plant.tick(0.0)
    plant.set(f"{dark}-climate", air_inlet_temperature=24.5)
    plant.tick(0.0)
    await show(browser, port)
    await asyncio.to_thread(browser.find_element(By.CSS_SELECTOR, '[data-mode="temperature"]').click)
    seen = (
        "const e = document.querySelector(arguments[0]);"
        "return [e.className, e.innerText.split(/\\s+/), e.ariaLabel]"
    )

    async def cell(rack: str) -> list:
        return await asyncio.to_thread(browser.execute_script, seen, f'.cell[data-node="{rack}"]')

    classes, words, label = await cell(dark)
    assert (classes, words) == ("cell temperature-2", ["2", "24.5°"])
    assert "stale: nothing in it is measured now, inlet 24.5\u202f°C, good" in label
    classes, words, label = await cell(blind)
    assert (classes, words) == ("cell no-value hatched", ["1", "—", "no", "data"])
    assert "kW, good, inlet —, unknown, no data" in label


async def test_arrows_go_from_rack_to_rack_and_tab_passes_them_at_once(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port)
    await until(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".cell")) == 6)
    stops = "return [...document.querySelectorAll('.cell')].filter(e => e.tabIndex === 0).length"
    assert browser.execute_script(stops) == 1
    browser.execute_script("document.querySelector('.cell[tabindex=\"0\"]').focus()")
    seen = []
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.HOME, Keys.ARROW_UP, Keys.END, Keys.ARROW_RIGHT):
        browser.switch_to.active_element.send_keys(key)
        seen.append(browser.switch_to.active_element.get_attribute("data-node").removeprefix("b1-h1-"))
    assert seen == ["r1-k02", "r2-k02", "r2-k01", "r1-k01", "r1-k03", "r1-k03"]
    assert browser.execute_script(stops) == 1
    ring = "const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]"
    assert browser.execute_script(ring) == ["solid", "3px"]
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert not browser.execute_script("return document.activeElement.matches('.cell')")


async def test_everything_that_is_reached_by_key_shows_it(plant: Plant, browser: Chrome, port: int) -> None:
    await show(browser, port, node=f"#{RACK}")
    await until(browser, lambda: text(browser, ".points .value"))
    script = """
      const e = document.activeElement, s = getComputedStyle(e);
      const shown = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2;
      return [e.tagName + '.' + e.className + '#' + e.id, shown, e === document.body]
    """
    browser.execute_script("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    reached = {}
    for _ in range(80):
        await asyncio.to_thread(browser.switch_to.active_element.send_keys, Keys.TAB)
        name, shown, through = browser.execute_script(script)
        if through:
            break
        reached[name] = shown
    assert len(reached) >= 9
    assert [name for name, shown in reached.items() if not shown] == []


async def test_new_alarms_are_told_of_once_and_a_flood_in_one_sentence(
    plant: Plant, browser: Chrome, port: int
) -> None:
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, message="there before"))
    await show(browser, port)
    await until(browser, lambda: text(browser, ".alarm .message") == "there before")
    watch = """
      window.told = [];
      new MutationObserver(() => window.told.push(document.getElementById('news').textContent))
        .observe(document.getElementById('news'), {childList: true, characterData: true, subtree: true})
    """
    browser.execute_script(watch)
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, id="a:1", message="rack too hot"))
    plant.tick()
    await until(browser, lambda: browser.execute_script("return window.told.length") == 1)
    for number in range(2, 5):
        plant.board.raise_alarm(
            alarm(
                f"{RACK}-pdu-a",
                RACK,
                id=f"a:{number}",
                message=f"silent {number}",
                priority="low",
                raised=number,
            )
        )
        plant.tick()
        await until(browser, lambda n=number: len(browser.find_elements(By.CSS_SELECTOR, ".alarm")) == n + 1)
    await until(browser, lambda: browser.execute_script("return window.told.length") == 2)
    assert browser.execute_script("return window.told") == [
        "New alarm, high: rack too hot",
        "3 new alarms: 3 low. The first: silent 2",
    ]
    live = browser.find_elements(By.CSS_SELECTOR, "[aria-live=polite], [role=status], [role=alert]")
    assert [each.get_attribute("id") for each in live] == ["news", "stream-state"]


async def test_the_lists_of_standing_and_of_ended_alarms_are_never_mixed(
    plant: Plant, browser: Chrome, port: int
) -> None:
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK))
    await show(browser, port)
    # Raised at 01:00:00 in Paris, and that is 31 s ago.
    await until(
        browser, lambda: re.fullmatch(r"since 01:00:00 CET, 3\d\u202fs", text(browser, ".alarm-age") or "")
    )
    plant.board.clear(f"inlet-high:{RACK}-climate.air_inlet_temperature", plant.clock.time)
    # No tick has told the page of it when the reader looks at those that have ended.
    await asyncio.to_thread(browser.find_element(By.CSS_SELECTOR, '#alarms [data-state="recent"]').click)
    await until(browser, lambda: text(browser, ".alarm-age") == "ended 01:00:31 CET, lasted 31\u202fs")


async def test_numbers_stand_digit_under_digit(plant: Plant, browser: Chrome, port: int) -> None:
    await show(browser, port, node=f"#{RACK}")
    await until(browser, lambda: text(browser, ".points .value"))
    styles = """
      return [...document.querySelectorAll(arguments[0])]
        .map(e => getComputedStyle(e)).map(s => `${s.textAlign} ${s.fontVariantNumeric}`)
    """
    numbers = (
        ".points :is(th, td):nth-child(2), .points td:nth-child(4), .energies td, "
        ".devices td:nth-child(4), .row > .power"
    )
    found = browser.execute_script(styles, numbers)
    assert len(found) > 20
    assert set(found) == {"right tabular-nums"}
    value = text(browser, f'[data-series="{RACK}-climate.air_inlet_temperature"] .value')
    assert re.fullmatch(r"\d\d\.\d\u202f°C", value)
    title = browser.find_element(By.CSS_SELECTOR, ".points td.value").get_attribute("title")
    assert title.endswith("· read 01:00:30 CET")


async def test_nothing_moves_on_the_page_while_values_and_alarms_come_and_go(
    plant: Plant, browser: Chrome, port: int
) -> None:
    await show(browser, port, node=f"#{RACK}")
    await until(browser, lambda: text(browser, ".points .value"))
    await until(browser, lambda: int(data(browser, ".chart").get("points", 0)) > 100)
    observe = """
      window.moved = [];
      const elsewhere = s => s.node && !s.node.parentElement?.closest('#side, .cell');
      const note = e => window.moved.push(...e.sources.filter(elsewhere).map(s => s.node.outerHTML));
      new PerformanceObserver(l => l.getEntries().forEach(note)).observe({type: 'layout-shift'})
    """
    browser.execute_script(observe)
    for number in range(3):
        plant.read_all()
        plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, id=f"a:{number}"))
        plant.tick()
        await until(browser, lambda n=number: text(browser, "#alarm-counts .high b") == str(n + 1))
        await until(browser, lambda n=number: len(browser.find_elements(By.CSS_SELECTOR, ".alarm")) == n + 1)
    await until(browser, lambda: data(browser, "body")["stream"] == "lost")
    assert browser.execute_script("return window.moved") == []


async def test_who_wants_no_motion_gets_none(plant: Plant, browser: Chrome, port: int) -> None:
    await show(browser, port)
    moving = """
      const moves = s => parseFloat(s.transitionDuration) > 0 || s.animationName !== 'none';
      return [...document.querySelectorAll('*')].map(e => getComputedStyle(e)).filter(moves).length
    """
    await prefer(browser, "prefers-reduced-motion", "no-preference")
    assert browser.execute_script(moving) > 0
    await prefer(browser, "prefers-reduced-motion", "reduce")
    assert browser.execute_script(moving) == 0


@pytest.mark.parametrize("width", [390, 1280, 1920])
async def test_names_as_long_as_names_can_be_break_nothing(browser: Chrome, width: int) -> None:
    site = build_site()
    spaces = tuple(replace(each, name=f"<b>{each.level}</b>" + "W" * 300) for each in site.spaces)
    plant = Plant(replace(site, name="<i>" + "M" * 300, spaces=spaces))
    plant.read_all()
    plant.tick()
    plant.board.raise_alarm(alarm(f"{RACK}-climate", RACK, message="x" * 400, runbook="y" * 300))
    async with serving(plant) as port:
        await show(browser, port, width=width, height=844, node=f"#{RACK}")
        await until(browser, lambda: (text(browser, "#node-title") or "").startswith("<b>rack</b>WWW"))
        await until(browser, lambda: text(browser, ".alarm .message"))
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        over = """
          return [...document.querySelectorAll('.row-name, .link, #node-title, #site-name, .message, #clock')]
            .filter(e => e.getBoundingClientRect().right > innerWidth && !e.closest('.scroll'))
            .map(e => e.className)
        """
        assert browser.execute_script(over) == []
        rows = "return [...document.querySelectorAll('.row')].map(e => e.getBoundingClientRect().height)"
        assert max(browser.execute_script(rows)) < 60
        named = "return [...document.querySelectorAll('.row-name')].map(e => e.getBoundingClientRect().width)"
        assert max(browser.execute_script(named)) < 80
        assert browser.find_elements(By.CSS_SELECTOR, "main b, main i:not([class]), .brand i") == []
