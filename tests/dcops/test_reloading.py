"""Loading the site anew, with a platform that only says what it is asked to do."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from console.site import SiteRefusedError
from dcops import settled_files
from dcops.reloading import MOST_WAITING, Reloader
from dcops.site_file import LoadedSite, SiteReader, load
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
        self.most_at_once = self._at_once = 0

    def build(self, loaded: LoadedSite) -> SimpleNamespace:
        self.collecting = gc.isenabled()
        change = SimpleNamespace(added={"b", "a"}, removed=set(), restarted={"c"})
        return SimpleNamespace(live=SimpleNamespace(loaded=loaded), change=change)

    async def go_over(self, successor: SimpleNamespace) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await self.gate.wait()
        self._at_once -= 1
        if self.error is not None:
            raise self.error
        self.live = successor.live
        self.taken.append(successor.live.loaded)


def make(read: Callable[[], LoadedSite] | None) -> tuple[Reloader, Running]:
    loaded = load(SMALL)
    running = Running(loaded)
    return Reloader(running, read, loaded, StillClock()), running


async def test_what_has_changed_is_told_and_the_garbage_collector_rested_meanwhile() -> None:
    reloader, running = make(lambda: load(SMALL))
    done = await reloader.reload()
    assert (done.added, done.removed, done.changed, done.rules) == (("a", "b"), (), ("c",), False)
    assert running.collecting is False
    assert gc.isenabled()
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
    with pytest.raises(SiteRefusedError, match="could not be applied"):
        await reloader.reload()
    assert not reloader.state.up_to_date
    assert reloader.status().error == "it could not be applied: RuntimeError('broken')"
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
    assert running.most_at_once == 1
    await reloader.reload()
    assert len(running.taken) == MOST_WAITING + 1
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


HEAD = """dcops: 1
name: Racks
spaces:
  - {id: campus, level: campus}
  - {id: k1, level: rack, in: campus}
  - {id: k2, level: rack, in: campus}
endpoints:
  - {id: row, protocol: modbus-tcp, host: 127.0.0.1, port: 1}
"""
COLUMNS = "id,kind,in,profile,endpoint,unit\n"


def line(number: int) -> str:
    return f"pdu-{number},rack_pdu,k1,rack-pdu,row,{number}\n"


class Racks:
    """A site of so many rack PDUs in a table."""

    def __init__(self, folder: Path, count: int) -> None:
        (folder / "site.yaml").write_text(HEAD)
        self.table = folder / "devices.csv"
        self.write(count)
        self.reads = 0
        self.reader = SiteReader(folder)
        loaded = self.reader.load()
        self.running = Running(loaded)
        self.reloader = Reloader(self.running, self._load, loaded, StillClock())
        self.while_read: list[str] = []
        """What is written to the table while it is read, one after the other."""

    def write(self, count: int) -> None:
        self.table.write_text(COLUMNS + "".join(map(line, range(1, count + 1))))

    def _load(self) -> LoadedSite:
        self.reads += 1
        try:
            return self.reader.load()
        finally:
            if self.while_read:
                self.table.write_text(self.while_read.pop(0))

    @property
    def devices(self) -> int:
        return len(self.running.live.loaded.site.devices)


async def test_a_table_that_was_cut_short_takes_no_devices_away_unless_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    racks = Racks(tmp_path, 120)
    racks.write(107)
    with pytest.raises(SiteRefusedError) as refused:
        await racks.reloader.reload()
    assert (refused.value.code, refused.value.status) == ("removes_many", 422)
    assert refused.value.message == (
        "13 of 120 devices would be removed (pdu-108, pdu-109, pdu-110, pdu-111, pdu-112, …);"
        " what runs goes on"
    )
    assert refused.value.mend == (
        "see whether the files are whole; if it is meant, 'dcops reload --removing 13'"
    )
    assert "13 of 120 devices would be removed" in caplog.text
    assert not racks.reloader.state.up_to_date
    assert racks.devices == 120
    with pytest.raises(SiteRefusedError):
        await racks.reloader.reload(removing=12)
    await racks.reloader.reload(removing=13)
    assert racks.devices == 107
    assert racks.reloader.state.up_to_date
    gc.unfreeze()


@pytest.mark.parametrize(("count", "left"), [(120, 108), (12, 2), (10, 1)])
async def test_a_tenth_and_a_handful_may_go(tmp_path: Path, count: int, left: int) -> None:
    racks = Racks(tmp_path, count)
    racks.write(left)
    await racks.reloader.reload()
    assert racks.devices == left
    gc.unfreeze()


async def test_devices_that_get_other_names_are_removed_too(tmp_path: Path) -> None:
    racks = Racks(tmp_path, 20)
    racks.table.write_text(racks.table.read_text().replace("pdu-", "p-"))
    with pytest.raises(SiteRefusedError, match="20 of 20 devices would be removed"):
        await racks.reloader.reload()
    gc.unfreeze()


async def test_a_file_that_is_being_written_is_read_once_it_is_whole(tmp_path: Path) -> None:
    racks = Racks(tmp_path, 30)
    whole = racks.table.read_text().replace("rack_pdu,k1", "rack_pdu,k2")
    racks.table.write_text(whole[:-400])
    racks.while_read = [whole[:-200], whole]
    await racks.reloader.reload()
    assert racks.devices == 30
    assert {each.space for each in racks.running.live.loaded.site.devices} == {"k2"}
    assert racks.reads == 3
    gc.unfreeze()


async def test_a_mistake_in_a_file_that_is_being_written_is_none(tmp_path: Path) -> None:
    racks = Racks(tmp_path, 30)
    whole = racks.table.read_text()
    racks.table.write_text(whole + "pdu-31,rack_p")
    racks.while_read = [whole + line(31)]
    await racks.reloader.reload()
    assert racks.devices == 31
    gc.unfreeze()


async def test_a_file_that_never_settles_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled_files, "PATIENCE", 0.0)
    racks = Racks(tmp_path, 30)
    racks.while_read = [racks.table.read_text() + line(31)]
    with pytest.raises(SiteRefusedError, match=r"devices\.csv is being written") as refused:
        await racks.reloader.reload()
    assert refused.value.code == "being_written"
    assert racks.devices == 30
    gc.unfreeze()


async def test_mistakes_are_told_until_they_are_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    racks = Racks(tmp_path, 30)
    before = racks.reloader.status()
    assert (before.tried, before.up_to_date, before.reloads, before.refused) == (None, True, 0, 0)
    good = racks.table.read_text()
    racks.table.write_text(good.replace("pdu-2,rack_pdu,k1", "pdu-2,rack_pdu,k9"))
    with pytest.raises(SiteRefusedError, match="the site has 1 mistake; what runs goes on") as refused:
        await racks.reloader.reload()
    assert [each.line for each in refused.value.mistakes] == [3]
    status = racks.reloader.status()
    assert (status.tried, status.up_to_date) == ("2026-01-01T12:00:00.000Z", False)
    assert (status.error, status.refused, status.reloads) == ("1 mistake", 1, 0)
    assert [each.line for each in status.mistakes] == [3]
    assert "devices.csv:3" in caplog.text
    racks.table.write_text(good)
    done = await racks.reloader.reload()
    status = racks.reloader.status()
    assert (status.up_to_date, status.error, status.mistakes) == (True, "", ())
    assert (status.refused, status.reloads) == (1, 1)
    assert 0.0 < racks.reloader.state.seconds == done.seconds
    gc.unfreeze()


async def test_one_that_is_refused_on_a_signal_keeps_none_of_the_later_ones_out(tmp_path: Path) -> None:
    racks = Racks(tmp_path, 30)
    good = racks.table.read_text()
    racks.table.write_text(good.replace("pdu-2,rack_pdu,k1", "pdu-2,rack_pdu,k9"))
    task = asyncio.ensure_future(racks.reloader.run())
    racks.reloader.request()
    await until(lambda: racks.reloader.state.refused == 1)
    racks.table.write_text(good + line(31))
    racks.reloader.request()
    await until(lambda: racks.devices == 31)
    assert gc.get_freeze_count() > 0
    task.cancel()
    await asyncio.wait([task])
    assert gc.get_freeze_count() == 0  # at the exit everything is looked through once more


async def test_a_file_that_never_settles_is_told_as_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled_files, "PATIENCE", 0.0)
    racks = Racks(tmp_path, 30)
    racks.while_read = [racks.table.read_text() + line(31)]
    with pytest.raises(SiteRefusedError):
        await racks.reloader.reload()
    status = racks.reloader.status()
    assert (status.up_to_date, status.refused) == (False, 1)
    assert "devices.csv is being written" in status.error


async def test_what_waits_for_a_restart_is_told_until_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Compared is what the process was started with, not what was loaded last."""
    racks = Racks(tmp_path, 3)
    (tmp_path / "site.yaml").write_text(HEAD + "history: {readings_days: 90}\n")
    assert (await racks.reloader.reload()).needs_restart == ("history",)
    assert "changes of history in the site take effect at a restart only" in caplog.text
    racks.write(4)
    assert (await racks.reloader.reload()).needs_restart == ("history",)
    (tmp_path / "site.yaml").write_text(HEAD)
    assert (await racks.reloader.reload()).needs_restart == ()
    gc.unfreeze()
