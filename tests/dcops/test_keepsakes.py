"""When alarms are saved: soon after they change, together, and again if the journal did not take them."""

import asyncio
import json
from typing import cast

import pytest

from alerting.alarms import Alarm, Category, Priority
from alerting.board import AlarmBoard
from dcops import keepsakes
from dcops.keepsakes import Keepsakes
from dcops.live_site import LiveSite
from ingest.errors import JournalUnavailableError
from ingest.spool import Spool
from tests.collectors.conftest import HandClock, running, until


class Kept:
    """The part of a spool that keeps bytes; refuses as often as it is told to."""

    def __init__(self) -> None:
        self.refusals = 0
        self.saved: list[tuple[str, set[str]]] = []

    async def load_state(self, _: str) -> None:
        return None

    async def save_state(self, key: str, body: bytes) -> None:
        if self.refusals:
            self.refusals -= 1
            raise JournalUnavailableError("the disk is full")
        self.saved.append((key, {each["id"] for each in json.loads(body)["active"]}))


def alarm(name: str) -> Alarm:
    return Alarm(
        id=name,
        rule="high",
        category=Category.PROCESS,
        priority=Priority.LOW,
        device="pdu-1",
        point="power",
        space="hall",
        value=1.0,
        limit=0.5,
        unit="W",
        message="too high",
        action="look",
        raised=1,
    )


def no_live_site() -> LiveSite:
    raise AssertionError("figures are not saved so soon")


@pytest.mark.parametrize("refusals", [0, 2])
async def test_alarms_are_saved_once_after_they_have_changed(
    monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    monkeypatch.setattr(keepsakes, "_ALARM_SECONDS", 0.0)
    kept, board = Kept(), AlarmBoard()
    kept.refusals = refusals
    keeper = Keepsakes(cast(Spool, kept), board, no_live_site, HandClock())
    await keeper.restore()
    async with running(keeper.run()):
        await asyncio.sleep(0)
        assert kept.saved == []
        board.raise_alarm(alarm("a"))
        board.raise_alarm(alarm("b"))
        await until(lambda: bool(kept.saved))
        board.clear("a", 2)
        await until(lambda: len(kept.saved) == 2)
    assert kept.saved == [("alarms", {"a", "b"}), ("alarms", {"b"})]
