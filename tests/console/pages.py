"""Opening the page in a real browser, over a real server, and looking at it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.request import urlopen

from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait

from console.server import serve
from console.showing import Showing
from tests.console.plant import Plant

PATIENCE = 120.0
RACK = "b1-h1-r1-k02"


@asynccontextmanager
async def serving(
    plant: Plant, port: int = 0, showing: Showing | None = None, **options: object
) -> AsyncIterator[int]:
    """The console on a port of its own."""
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(showing or Showing(plant.view()), port=port, on_listening=listening.set_result, **options)
    )
    try:
        yield await listening
    finally:
        task.cancel()
        await asyncio.wait([task])


async def show(browser: Chrome, port: int, *, width: int = 1600, height: int = 1000, node: str = "") -> None:
    """Open the page afresh and wait until the stream is live."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 900}
    await asyncio.to_thread(browser.execute_cdp_cmd, "Emulation.setDeviceMetricsOverride", size)
    await asyncio.to_thread(browser.get, "about:blank")
    await asyncio.to_thread(browser.get, f"http://127.0.0.1:{port}/{node}")
    await until(browser, lambda: text(browser, "#stream-state") == "live")


async def until(browser: Chrome, condition: Callable[[], object]) -> None:
    await asyncio.to_thread(WebDriverWait(browser, PATIENCE, 0.05).until, lambda _: condition())


async def until_ticked(plant: Plant, browser: Chrome, condition: Callable[[], object]) -> None:
    """Let second after second close until the condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            plant.tick()
            await asyncio.to_thread(browser.execute_async_script, "setTimeout(arguments[0], 200)")


@contextmanager
def pace(browser: Chrome, times: int = 1) -> Iterator[Callable[[int], None]]:
    """Pages opened meanwhile tell the time, and wait, by a clock that runs so many times as fast as ours, and
    can be made to run faster.
    """
    script, source = "Page.addScriptToEvaluateOnNewDocument", PACED.replace("pace = 1", f"pace = {times}")
    added = browser.execute_cdp_cmd(script, {"source": source})["identifier"]
    try:
        yield lambda times: browser.execute_script("window.paceOf(arguments[0])", times)
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added})


PACED = """
(() => {
  let pace = 1;
  const faster = (real) => {
    let at = real(), told = at;
    return () => {
      const now = real();
      told += (now - at) * pace;
      at = now;
      return told;
    };
  };
  performance.now = faster(performance.now.bind(performance));
  Date.now = faster(Date.now);
  const later = window.setTimeout;
  window.setTimeout = (what, ms, ...rest) => later(what, ms / pace, ...rest);
  window.setInterval = (what, ms) => {
    const again = () => { what(); window.setTimeout(again, ms); };
    window.setTimeout(again, ms);
  };
  window.paceOf = (times) => { performance.now(); Date.now(); pace = times; };
})();
"""


def text(browser: Chrome, selector: str) -> str:
    return browser.execute_script("return document.querySelector(arguments[0])?.innerText", selector)


def data(browser: Chrome, selector: str) -> dict[str, str]:
    script = "const e = document.querySelector(arguments[0]); return e ? {...e.dataset} : {}"
    return browser.execute_script(script, selector)


async def api(port: int, path: str) -> dict:
    def ask() -> dict:
        with urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return json.load(answer)

    return await asyncio.to_thread(ask)
