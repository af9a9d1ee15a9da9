"""Delivery to a real Alertmanager."""

import asyncio
import json
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

import alerting.alertmanager
from alerting.alarms import Alarm, Priority
from alerting.alertmanager import Alertmanager, AlertmanagerOptions, alert_of, labels_of
from alerting.board import AlarmBoard
from alerting.delivery import Backoff, Notifier, NotifierOptions
from alerting.errors import Unreachable
from tests.alerting.plant import SECOND, T0, make_alarm
from tests.alerting.receiver import Receiver, until
from tests.servers.processes import Server, alertmanager, free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Not started yet."""
    found = alertmanager(tmp_path / "alertmanager")
    yield found
    found.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """In the place of a server; not started yet."""
    found = Receiver(free_port())
    yield found
    await found.stop()


def alerts(server: Server) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{server.url}/api/v2/alerts?active=true", timeout=60) as reply:
        found: list[dict[str, Any]] = json.load(reply)
    return found


def devices(server: Server) -> list[str]:
    return sorted(alert["labels"]["device"] for alert in alerts(server))


class Sending:
    def __init__(self, notifier: Notifier, board: AlarmBoard) -> None:
        self.notifier = notifier
        self.board = board


@pytest.fixture(params=[0.2], ids=["refresh"])
async def sending(server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Sending]:
    """Alarms of a board go to the server; every active one is repeated each so many seconds."""
    board = AlarmBoard()
    async with aiohttp.ClientSession() as session:
        channel = Alertmanager(session, AlertmanagerOptions(url=server.url, site="North campus"))
        options = NotifierOptions(refresh=request.param, batch=2, backoff=Backoff(first=0.02, cap=0.1))
        notifier = Notifier(channel, board.active, options, Random(1))  # noqa: S311 - jitter
        board.listen(notifier.offer)
        task = asyncio.create_task(notifier.run(), name="notifier")
        yield Sending(notifier, board)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def numbered(number: int) -> Alarm:
    return make_alarm(f"leak:cdu-{number}.leak", raised=time.time_ns() - 10 * SECOND)


async def test_an_alarm_is_an_alert_with_labels_annotations_and_times(
    server: Server, sending: Sending
) -> None:
    server.start()
    sending.board.raise_alarm(make_alarm())
    await until(lambda: alerts(server))
    (alert,) = alerts(server)
    assert alert["labels"] == {
        "alertname": "it-inlet-hot",
        "rule": "it-inlet-hot",
        "device": "k01-climate",
        "point": "air_inlet_temperature",
        "node": "k01",
        "priority": "high",
        "severity": "critical",
        "category": "process",
        "instance": "North campus",
    }
    assert alert["annotations"] == {
        "summary": "k01-climate in Building 1 › Hall 1 › Rack 1: air inlet at 33.5 °C",
        "description": "k01-climate in Building 1 › Hall 1 › Rack 1: air inlet at 33.5 °C. Restore air.",
        "action": "Restore air.",
        "runbook": "docs/runbook.md#it-inlet-hot",
        "value": "33.5 °C",
        "limit": "32 °C",
    }
    assert alert["startsAt"] == "2023-11-14T22:13:20.000Z"
    assert alert["status"]["state"] == "active"


async def test_an_alarm_that_clears_resolves_its_alert_and_leaves_others(
    server: Server, sending: Sending
) -> None:
    server.start()
    for number in (1, 2):
        sending.board.raise_alarm(numbered(number))
    await until(lambda: devices(server) == ["cdu-1", "cdu-2"])
    sending.board.clear(numbered(1).id, time.time_ns())
    await until(lambda: devices(server) == ["cdu-2"])


async def test_an_alert_that_comes_again_is_active_again(server: Server, sending: Sending) -> None:
    server.start()
    sending.board.raise_alarm(numbered(1))
    await until(lambda: alerts(server))
    sending.board.clear(numbered(1).id, time.time_ns())
    await until(lambda: not alerts(server))
    sending.board.raise_alarm(make_alarm(numbered(1).id, raised=time.time_ns()))
    await until(lambda: alerts(server))


async def test_a_server_that_is_down_at_the_start_shows_what_is_active_later(
    server: Server, sending: Sending
) -> None:
    for number in (1, 2, 3):
        sending.board.raise_alarm(numbered(number))
    await until(lambda: sending.notifier.lost)
    sending.board.clear(numbered(2).id, time.time_ns())
    server.start()
    await until(lambda: devices(server) == ["cdu-1", "cdu-3"])
    await until(lambda: not sending.notifier.lost)


@pytest.mark.parametrize("sending", [3600.0], indirect=True)
async def test_a_server_that_lost_its_memory_is_told_all_active_alarms_again(
    server: Server, sending: Sending
) -> None:
    server.start()
    for number in (1, 2, 3):
        sending.board.raise_alarm(numbered(number))
    await until(lambda: len(alerts(server)) == 3)
    server.kill()
    sending.board.clear(numbered(1).id, time.time_ns())
    await until(lambda: sending.notifier.lost)
    server.start()
    await until(lambda: devices(server) == ["cdu-2", "cdu-3"])


async def test_an_active_alarm_is_repeated_and_each_time_holds_longer(
    server: Server, sending: Sending
) -> None:
    server.start()
    sending.board.raise_alarm(numbered(1))
    await until(lambda: alerts(server))
    first = alerts(server)[0]["endsAt"]
    await until(lambda: alerts(server)[0]["endsAt"] > first)
    assert len(alerts(server)) == 1


def test_an_active_alert_holds_for_five_minutes_without_repetition() -> None:
    alert = alert_of(make_alarm(), {}, "", T0 + 60 * SECOND)
    assert (alert["startsAt"], alert["endsAt"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:19:20.000Z")


def test_times_of_a_simulated_future_are_clamped_to_the_present() -> None:

    ended = replace(make_alarm(raised=T0 + 100 * SECOND), cleared=T0 + 200 * SECOND)
    alert = alert_of(ended, {}, "", T0)
    assert (alert["startsAt"], alert["endsAt"]) == ("2023-11-14T22:13:20.000Z", "2023-11-14T22:13:20.000Z")


def test_a_runbook_that_is_a_url_stays_one() -> None:

    alarm = replace(make_alarm(), runbook="https://wiki.example/hot", value=None, limit=None)
    annotations = alert_of(alarm, {}, "", T0)["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["runbook"] == "https://wiki.example/hot"
    assert "value" not in annotations


def test_an_alert_is_labelled_with_the_spaces_it_is_in() -> None:
    labels = labels_of(make_alarm(), "North campus", {"building": "b1", "hall": "h1", "rack": "k01"})
    assert {level: labels[level] for level in ("building", "hall", "rack")} == {
        "building": "b1",
        "hall": "h1",
        "rack": "k01",
    }


async def test_what_ended_while_the_server_was_away_is_never_shown_as_active(receiver: Receiver) -> None:
    board = AlarmBoard()
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{receiver.port}"
        channel = Alertmanager(session, AlertmanagerOptions(url=url, site="North campus"))
        options = NotifierOptions(refresh=60.0, batch=2, backoff=Backoff(first=0.02, cap=0.1))
        notifier = Notifier(channel, board.active, options, Random(1))  # noqa: S311 - jitter
        board.listen(notifier.offer)
        for number in range(5):
            board.raise_alarm(numbered(number))
        for number in range(4):
            board.clear(numbered(number).id, time.time_ns() - SECOND)
        task = asyncio.create_task(notifier.run(), name="notifier")
        await until(lambda: notifier.lost)
        await receiver.start()
        assert await notifier.flush(60)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    sent = [alert for body in receiver.bodies for alert in json.loads(body)]
    now = datetime.now(UTC)
    active = {each["labels"]["device"] for each in sent if datetime.fromisoformat(each["endsAt"]) > now}
    assert active == {"cdu-4"}
    assert {each["labels"]["device"] for each in sent} == {f"cdu-{number}" for number in range(5)}


class Halls:
    """An Alertmanager in the place of which a receiver is, over a site whose hall changes its id."""

    def __init__(self, session: aiohttp.ClientSession, receiver: Receiver) -> None:
        self.hall = "h1"
        self._receiver = receiver
        options = AlertmanagerOptions(
            url=f"http://127.0.0.1:{receiver.port}", site="s", spaces=lambda _: {"hall": self.hall}
        )
        self.channel = Alertmanager(session, options, wall=lambda: T0 + 60 * SECOND)

    async def send(self, *alarms: Alarm) -> list[tuple[str, str, bool]]:
        """Hall and priority of each alert, and whether it is active."""
        await self.channel.send(alarms)
        return [
            (each["labels"]["hall"], each["labels"]["priority"], each["endsAt"] > "2023-11-14T22:14:20.000Z")
            for each in json.loads(self._receiver.bodies[-1])
        ]


@pytest.fixture
async def halls(receiver: Receiver) -> AsyncIterator[Halls]:
    await receiver.start()
    async with aiohttp.ClientSession() as session:
        yield Halls(session, receiver)


async def test_an_alarm_ends_under_the_labels_it_was_told_with(halls: Halls) -> None:
    alarm = make_alarm()
    assert await halls.send(alarm) == [("h1", "high", True)]
    halls.hall = "h9"
    assert await halls.send(alarm) == [("h1", "high", True)]
    assert await halls.send(replace(alarm, cleared=T0 + SECOND)) == [("h1", "high", False)]
    assert await halls.send(make_alarm(raised=T0 + 9)) == [("h9", "high", True)]


async def test_what_was_told_with_other_labels_ends_when_it_is_told_anew(halls: Halls) -> None:
    """Only the last state of an alarm waits, so that its end may never be sent."""
    assert await halls.send(make_alarm()) == [("h1", "high", True)]
    lower = replace(make_alarm(raised=T0 + SECOND), priority=Priority.LOW)
    assert await halls.send(lower) == [("h1", "high", False), ("h1", "low", True)]
    assert await halls.send(lower) == [("h1", "low", True)]


async def test_what_could_not_be_told_is_not_taken_as_told(halls: Halls, receiver: Receiver) -> None:
    receiver.status = 503
    with pytest.raises(Unreachable):
        await halls.send(make_alarm())
    receiver.status = 200
    halls.hall = "h9"
    assert await halls.send(make_alarm()) == [("h9", "high", True)]


async def test_so_many_are_remembered_as_can_be_active(halls: Halls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting.alertmanager, "REMEMBERED", 2)
    alarms = [numbered(number) for number in range(3)]
    for alarm in alarms:
        await halls.send(alarm)
    halls.hall = "h9"
    found = await halls.send(*(replace(alarm, cleared=alarm.raised) for alarm in alarms))
    assert [hall for hall, _, _ in found] == ["h9", "h1", "h1"]
