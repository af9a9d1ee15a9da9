"""An alarm that could not be sent before dcops ended is sent after the next start."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from alerting.alarms import Alarm
from alerting.board import AlarmBoard
from alerting.delivery import Backoff, Notifier, NotifierOptions
from alerting.errors import SnapshotError, Unreachable
from alerting.untold import read_untold, write_untold
from alerting.written import Written
from dcops import keepsakes
from dcops.keepsakes import Keepsakes
from dcops.live_site import LiveSite
from dcops.platform import Platform
from dcops.settings import Settings
from dcops.site_file import load
from dcops.stages import stage
from dcops.system_clock import SystemClock
from facility.catalogue import build_catalogue
from ingest.journal import Journal
from ingest.spool import Spool
from ingest.standing import Said
from tests.alerting.plant import build_site, make_alarm
from tests.alerting.receiver import Receiver
from tests.e2e.hall import until
from tests.facility.plant import Bench, small_site
from tests.servers.processes import free_port

HOT, WET = make_alarm(), make_alarm("leak:cdu-1.leak")


class Channel:
    name = "pager"

    def __init__(self, *, away: bool) -> None:
        self.away = away
        self.sent: list[str] = []

    async def send(self, alarms: Sequence[Alarm]) -> None:
        if self.away:
            raise Unreachable("it is away")
        self.sent += [alarm.id for alarm in alarms]


class Mute:
    """No device of it reports by exception."""

    def remember(self, image: object) -> Said:
        del image
        return Said((), (), np.empty(0), np.empty(0, np.int64), np.empty(0, np.uint8))


class Process:
    """What of a platform remembers alarms, with one notifier."""

    def __init__(self, folder: Path, channel: Channel) -> None:
        journal = Journal(folder / "journal.sqlite", build_catalogue(build_site()), ("store",))
        self.board = AlarmBoard()
        self.spool = Spool(journal, ("store",), SystemClock())
        options = NotifierOptions(backoff=Backoff(first=0.01, cap=0.01))
        self.notifier = Notifier(channel, self.board.active, options, Random(1))  # noqa: S311 - jitter
        self.board.listen(self.notifier.offer)
        self.keepsakes = Keepsakes(
            self.spool, self.board, self._live, SystemClock(), lambda: (self.notifier,)
        )
        self._derived = Bench(small_site()).derived

    def _live(self) -> LiveSite:
        return cast("LiveSite", SimpleNamespace(derived=self._derived, silence=Mute(), image=None))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await self.keepsakes.restore()
        self.keepsakes.hand_on()
        async with stage({"memory": self.keepsakes.run(), "notifier": self.notifier.run()}):
            yield
        await self.spool.close()

    async def saved(self) -> list[str]:
        body = await self.spool.load_state("untold")
        return [alarm.id for alarm in read_untold(body)["pager"]] if body is not None else []


async def test_what_was_not_sent_before_a_kill_is_sent_after_the_start_and_not_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepsakes, "_ALARM_SECONDS", 0.01)
    first = Process(tmp_path, Channel(away=True))
    async with first.running():
        first.board.raise_alarm(HOT)
        await until(lambda: first.notifier.lost, "it is away")
        first.board.raise_alarm(WET)

        async def both() -> bool:
            return await first.saved() == [HOT.id, WET.id]

        await until(both, "both are saved")
    channel = Channel(away=False)
    second = Process(tmp_path, channel)
    async with second.running():
        await until(lambda: channel.sent == [HOT.id, WET.id], "both are sent")
        assert [alarm.id for alarm in second.board.active()] == [HOT.id, WET.id]

        async def nothing() -> bool:
            return await second.saved() == []

        await until(nothing, "nothing is to be sent any more")
    third = Channel(away=False)
    process = Process(tmp_path, third)
    async with process.running():
        process.board.clear(HOT.id, HOT.raised + 1)
        await until(lambda: third.sent, "the next change")
    assert third.sent == [HOT.id]


@pytest.mark.parametrize("saves", [0, 1, 2])
async def test_a_kill_between_what_is_saved_leaves_no_alarm_up_that_nobody_was_told(
    tmp_path: Path, saves: int
) -> None:
    first = Process(tmp_path, Channel(away=True))
    await first.keepsakes.restore()
    first.board.raise_alarm(HOT)
    save, left = first.spool.save_state, [None] * saves

    async def killed_after_some(key: str, body: bytes) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        await save(key, body)
        first.board.raise_alarm(WET)

    first.spool.save_state = killed_after_some  # type: ignore[method-assign]
    with suppress(KeyboardInterrupt):
        await first.keepsakes._save_alarms()
    await first.spool.close()
    second = Process(tmp_path, Channel(away=False))
    await second.keepsakes.restore()
    second.keepsakes.hand_on()
    told = {alarm.id for alarm in second.notifier.untold}
    assert {alarm.id for alarm in second.board.active()} <= told
    await second.spool.close()


async def test_figures_that_cannot_be_read_cost_no_alarm(tmp_path: Path) -> None:
    first = Process(tmp_path, Channel(away=True))
    await first.keepsakes.restore()
    first.board.raise_alarm(HOT)
    await first.keepsakes.save()
    await first.spool.save_state("figures", b"nonsense")
    await first.spool.close()
    second = Process(tmp_path, Channel(away=False))
    await second.keepsakes.restore()
    second.keepsakes.hand_on()
    assert [alarm.id for alarm in second.board.active()] == [HOT.id]
    assert [alarm.id for alarm in second.notifier.untold] == [HOT.id]
    await second.spool.close()


def test_what_is_no_list_of_alarms_is_said() -> None:
    for body in (b"nonsense", b"[]", b'{"version": 1, "waiting": {"pager": [{"id": "x"}]}}'):
        with pytest.raises(SnapshotError, match="still to be sent"):
            read_untold(body)
    later = write_untold((), lambda _: Written()).replace(b'"version":1', b'"version":2')
    with pytest.raises(SnapshotError, match="version 2"):
        read_untold(later)


SITE = """
dcops: 1
name: Doors
spaces:
  - {{id: campus, level: campus}}
  - {{id: rack-1, level: rack, in: campus}}
endpoints:
  - {{id: broker, protocol: mqtt, host: 127.0.0.1, port: 1, client_id: collector}}
devices:
  - {{id: c0, kind: environment_sensor, in: rack-1, profile: rack-climate, endpoint: broker}}
notify:
  - {{kind: webhook, url: {url}}}
"""


async def test_a_receiver_that_was_away_over_a_restart_is_told(tmp_path: Path) -> None:
    receiver = Receiver(free_port())
    (tmp_path / "site.yaml").write_text(SITE.format(url=receiver.url.partition("?")[0]))

    @asynccontextmanager
    async def running() -> AsyncIterator[Platform]:
        settings = Settings(data=tmp_path / "data", port=free_port())
        platform = Platform(load(tmp_path / "site.yaml"), SystemClock(), settings, {})
        stop = asyncio.Event()
        async with stage({"platform": platform.run(stop)}):
            await until(lambda: platform.signal.number, "it ticks")
            yield platform
            stop.set()
            await until(lambda: platform.spool._executor._shutdown, "it has stopped")

    async with running() as platform:
        platform.board.raise_alarm(WET)
        await until(lambda: platform._notifiers[0].lost, "nobody takes it")
    await receiver.start()
    try:
        async with running():
            await until(lambda: ("raised", WET.id) in receiver.events, "it is told")
    finally:
        await receiver.stop()
    assert receiver.events.count(("raised", WET.id)) == 1
