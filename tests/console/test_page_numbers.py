"""Numbers, ages and times as the page writes them."""

import asyncio

import pytest
from selenium.webdriver import Chrome

from tests.console.pages import show

THIN = "\u202f"
QUANTITIES = {
    (20_000.0, "V"): f"20.00{THIN}kV",
    (-20_000.0, "V"): f"\u221220.00{THIN}kV",
    (11_000.0, "V"): f"11.00{THIN}kV",
    (9_999.4, "V"): f"9999{THIN}V",
    (9_999.7, "V"): f"10.00{THIN}kV",
    (230.04, "V"): f"230.0{THIN}V",
    (0.0, "V"): f"0{THIN}V",
    (700_000_000.0, "W"): f"700.0{THIN}MW",
    (1_000_000.0, "W"): f"1.00{THIN}MW",
    (999_970.0, "W"): f"1.00{THIN}MW",
    (999_940.0, "W"): f"999.9{THIN}kW",
    (-1_500.0, "W"): f"\u22121.50{THIN}kW",
    (0.4, "W"): f"0.40{THIN}W",
    (0.0, "W"): f"0{THIN}kW",
    (1.5e9, "Wh"): f"1.50{THIN}GWh",
    (-0.04, "°C"): f"0.0{THIN}°C",
    (-0.06, "°C"): f"\u22120.1{THIN}°C",
    (21.25, "°C"): f"21.3{THIN}°C",
    (0.95, "1"): "0.950",
    (0.0153, "kPa"): f"15{THIN}Pa",
    (-0.0042, "kPa"): f"\u22124.2{THIN}Pa",
    (0.9996, "kPa"): f"1.0{THIN}kPa",
    (0.0, "kPa"): f"0.0{THIN}kPa",
    (103.44, "kPa"): f"103.4{THIN}kPa",
    (0.04, "A"): f"0.04{THIN}A",
    (0.02, "L/s"): f"0.02{THIN}L/s",
    (12.34, "A"): f"12.3{THIN}A",
    (None, "W"): "—",
}
AGES = {
    0.4: f"0{THIN}s",
    119.4: f"119{THIN}s",
    120.0: f"2{THIN}min",
    7200.0: f"2.0{THIN}h",
    172800.0: f"2{THIN}d",
}
SHARES = {
    1.0: f"100{THIN}%",
    0.9997: f"99.9{THIN}%",
    0.5: f"50{THIN}%",
    0.0: f"0{THIN}%",
    0.0004: f"0.0{THIN}%",
}
MOMENTS = """
const [names, given, done] = arguments;
import('/static/format.js').then(m => done(given.map(each => m[names](...each))), e => done(String(e)));
"""


async def written(browser: Chrome, how: str, given: list[list[object]]) -> list[str]:
    """What one of the page's own functions makes of each."""
    return await asyncio.to_thread(browser.execute_async_script, MOMENTS, how, given)


async def test_quantities_have_the_unit_that_suits_them_and_are_never_off_by_one(
    browser: Chrome, port: int
) -> None:
    await show(browser, port)
    found = await written(browser, "quantity", [list(each) for each in QUANTITIES])
    assert dict(zip(QUANTITIES, found, strict=True)) == QUANTITIES


@pytest.mark.parametrize(("how", "expected"), [("age", AGES), ("percent", SHARES)])
async def test_ages_and_shares_are_short_and_true(
    browser: Chrome, port: int, how: str, expected: dict[float, str]
) -> None:
    await show(browser, port)
    found = await written(browser, how, [[each] for each in expected])
    assert dict(zip(expected, found, strict=True)) == expected


async def test_times_are_of_the_site_name_their_zone_and_their_day_if_it_is_another(
    browser: Chrome, port: int
) -> None:
    await show(browser, port)
    summer, later = 1_783_029_600_000, 1_783_116_000_000  # 2026-07-02 and 07-03, 22:00 UTC
    assert await written(browser, "zonedTime", [[summer, "Europe/Paris"], [summer, "Asia/Kolkata"]]) == [
        "00:00:00 CEST",
        "03:30:00 GMT+5:30",
    ]
    moments = [[summer, summer, "Europe/Paris"], [summer, later, "Europe/Paris"], [summer, later, "UTC"]]
    assert await written(browser, "momentTime", moments) == [
        "00:00:00 CEST",
        "03 Jul, 00:00 CEST",
        "02 Jul, 22:00 UTC",
    ]
