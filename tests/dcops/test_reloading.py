"""Loading the site anew, with a platform that only says what it is asked to do."""

import asyncio
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from console.site import SiteRefusedError
from dcops.reloading import MOST_WAITING, Reloader
from dcops.site_file import LoadedSite, load
from tests.ingest.plant import NOON, StillClock, until

SMALL = Path(__file__).parents[2] / "examples" / "small"


class Running:
    """Takes sites without doing anything about them."""

    def __init__(self, loaded: LoadedSite) -> None:
        self.live = SimpleNamespace(loaded=loaded)
        self.taken: list[LoadedSite] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.collecting: bool | None = None

    def build(self, loaded: LoadedSite) -> SimpleNamespace:
        self.collecting = gc.isenabled()
        change = SimpleNamespace(added={"b", "a"}, removed=set(), restarted=set())
        return SimpleNamespace(live=SimpleNamespace(loaded=loaded), change=change)

    async def go_over(self, successor: SimpleNamespace) -> None:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.live = successor.live
        self.taken.append(successor.live.loaded)


def make(read: Callable[[], LoadedSite] | None) -> tuple[Reloader, Running]:
    loaded = load(SMALL)
    running = Running(loaded)
    return Reloader(running, read, loaded, StillClock()), running


async def test_what_has_changed_is_told_and_the_garbage_collector_rested_meanwhile() -> None:
    interval = sys.getswitchinterval()
    reloader, running = make(lambda: load(SMALL))
    done = await reloader.reload()
    assert (done.added, done.removed, done.changed, done.rules) == (("a", "b"), (), (), False)
    assert running.collecting is False
    assert gc.isenabled()
    assert sys.getswitchinterval() == interval
    assert reloader.state.loaded == NOON
    assert reloader.detail() == "as loaded 2026-01-01T12:00:00.000Z"
    gc.unfreeze()


async def test_a_run_that_cannot_read_its_site_again_says_so() -> None:
    reloader, running = make(None)
    with pytest.raises(SiteRefusedError, match="keeps the site it was started with"):
        await reloader.reload()
    assert running.taken == []


async def test_a_fault_while_it_is_taken_up_is_told_and_the_next_try_can_do_it() -> None:
    reloader, running = make(lambda: load(SMALL))
    running.error = RuntimeError("broken")
    with pytest.raises(SiteRefusedError, match="could not be taken up"):
        await reloader.reload()
    assert not reloader.state.up_to_date
    assert reloader.status().error == "it could not be taken up: RuntimeError('broken')"
    assert gc.isenabled()
    running.error = None
    await reloader.reload()
    assert reloader.state.up_to_date
    assert (reloader.state.reloads, reloader.state.refused) == (1, 1)
    gc.unfreeze()


async def test_no_more_than_a_few_reloads_wait() -> None:
    reloader, running = make(lambda: load(SMALL))
    running.gate.clear()
    waiting = [asyncio.ensure_future(reloader.reload()) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(SiteRefusedError, match="8 reloads wait already"):
        await reloader.reload()
    running.gate.set()
    await asyncio.gather(*waiting)
    assert len(running.taken) == MOST_WAITING
    gc.unfreeze()


async def test_requests_that_come_during_a_reload_are_one_more() -> None:
    reloader, running = make(lambda: load(SMALL))
    running.gate.clear()
    task = asyncio.ensure_future(reloader.run())
    for _ in range(3):
        reloader.request()
        await asyncio.sleep(0.01)
    running.gate.set()
    await until(lambda: len(running.taken) == 2)
    assert not reloader._asked.is_set()
    task.cancel()
    await asyncio.wait([task])
