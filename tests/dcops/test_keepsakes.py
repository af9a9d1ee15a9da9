"""What is remembered is taken up piece by piece, and nothing waits for a journal that takes its time."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import aiohttp
import numpy as np
import pytest

from dcops import keepsakes
from dcops.out_of_touch import Silence
from dcops.platform import Platform
from dcops.settings import Settings
from dcops.site_file import load
from dcops.stages import stage
from dcops.standing_keeping import StandingKeeping
from dcops.system_clock import SystemClock
from facility.quality import Quality
from ingest import journal as journal_module
from ingest.journal import Journal
from ingest.live_image import LiveImage
from ingest.spool import Spool
from ingest.standing import Said, Standing, StandingValues, Touch
from tests.alerting.plant import make_alarm
from tests.dcops.test_untold import SITE, Channel, Process
from tests.e2e.hall import until
from tests.ingest.plant import K1_PDU, NOON, SECOND, StillClock, catalogue, sample
from tests.ingest.test_standing import by_exception, codes
from tests.servers.processes import free_port

HOT = make_alarm()


@pytest.mark.parametrize("damaged", ["figures", "untold", "standing"])
async def test_what_cannot_be_read_costs_nothing_else(
    tmp_path: Path, damaged: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = Process(tmp_path, Channel(away=True))
    await first.keepsakes.restore()
    first.board.raise_alarm(HOT)
    await first.keepsakes.save()
    await first.spool.save_state(damaged, b"of a later version")
    await first.spool.close()
    second = Process(tmp_path, Channel(away=False))
    await second.keepsakes.restore()
    await second.spool.close()
    assert [alarm.id for alarm in second.board.active()] == [HOT.id]
    assert caplog.text.count("starting without what was remembered") == 1


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Platform, str]]:
    """A platform that nobody answers."""
    settings = Settings(data=folder / "data", port=free_port())
    platform = Platform(load(folder / "site.yaml"), SystemClock(), settings, {})
    stop = asyncio.Event()
    async with stage({"platform": platform.run(stop)}):
        yield platform, f"http://127.0.0.1:{settings.port}"
        stop.set()
        await until(lambda: platform.spool._executor._shutdown, "it has stopped")


async def test_a_start_does_not_wait_until_a_damaged_journal_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.yaml").write_text(SITE.format(url="http://127.0.0.1:1"))
    async with running(tmp_path) as (platform, _):
        await until(lambda: platform.signal.number, "it ticks")
        platform.board.raise_alarm(HOT)
        await platform._keepsakes.save()
    with (tmp_path / "data" / "journal.sqlite").open("r+b") as file:
        file.write(np.random.default_rng(3).bytes(4096))
    go_on, salvage = threading.Event(), journal_module.salvage

    def slow(*arguments: object) -> object:
        assert go_on.wait(120)
        return salvage(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(journal_module, "salvage", slow)
    monkeypatch.setattr(keepsakes, "PATIENCE", 0.2)
    try:
        async with running(tmp_path) as (platform, url), aiohttp.ClientSession() as session:
            await until(lambda: platform.signal.number, "it ticks")
            async with session.get(f"{url}/healthz") as answer:
                assert answer.status == 200
            assert platform.spool.stats.quarantined == 0
            go_on.set()
            told = platform._notifiers[0]
            await until(lambda: HOT.id in [each.id for each in told.untold], "it is remembered")
    finally:
        go_on.set()


class Marked:
    """What marks devices that report by exception, with one that would be heard."""

    def __init__(self) -> None:
        self.origins = {"k1-pdu-a": "a broker"}
        self.standing = Standing(by_exception())

    def remember(self, image: LiveImage) -> Said:
        return self.standing.remember(image)

    def restore(self, image: LiveImage, remembered: StandingValues, *, whole: bool) -> None:
        self.standing.restore(image, remembered, whole=whole)


async def test_what_a_clock_far_ahead_stamped_does_not_stand_before_what_comes_after_a_restart(
    tmp_path: Path,
) -> None:
    clock = StillClock(NOON + 3600 * SECOND)
    spool = Spool(Journal(tmp_path / "journal.db", catalogue(), ("a",)), ("a",), clock)
    image, marked = LiveImage(catalogue().point_count), Marked()

    def keeping() -> StandingKeeping:
        return StandingKeeping(spool, lambda: (cast("Silence", marked), image), clock)

    image.apply(sample(K1_PDU, clock.time, [3.0, 4.0]))
    await keeping().save(whole=True)
    clock.time = NOON
    image, marked = LiveImage(catalogue().point_count), Marked()
    body = await keeping().load()
    assert body is not None
    await keeping().restore(body)
    image.apply(sample(0, NOON + 2 * SECOND, [1.0, 2.0]))
    image.apply(sample(K1_PDU, NOON + SECOND, [5.0, 6.0], [Quality.GOOD, Quality.LAST_USABLE]))
    marked.standing.mark(image, Touch())
    assert image.values[K1_PDU : K1_PDU + 2].tolist() == [5.0, 6.0]
    assert codes(image) == [192, 68]
    await spool.close()
