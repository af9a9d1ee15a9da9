"""Receivers that refuse alarms for what they are: it costs no other alarm, and they are not hammered."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from random import Random

import pytest

from alerting.alarms import Alarm, Priority
from alerting.delivery import Backoff, Notifier, NotifierOptions, Outcome
from alerting.errors import Refused
from tests.alerting.plant import make_alarm
from tests.alerting.receiver import until

FAST = Backoff(first=0.01, cap=0.02)


class Picky:
    """Takes no message with an alarm that it does not like, or with too many."""

    name = "picky"

    def __init__(self, likes: Callable[[str], bool], most: int = 200) -> None:
        self._likes = likes
        self._most = most
        self.messages = 0
        self.taken: list[str] = []

    async def send(self, alarms: Sequence[Alarm]) -> None:
        self.messages += 1
        if len(alarms) > self._most or not all(self._likes(alarm.id) for alarm in alarms):
            raise Refused("picky: status 422: no such field")
        self.taken += [alarm.id for alarm in alarms]


def numbered(numbers: Iterable[int]) -> list[Alarm]:
    return [make_alarm(f"leak:{number}.leak") for number in numbers]


def ids(numbers: Iterable[int]) -> list[str]:
    return [alarm.id for alarm in numbered(numbers)]


@asynccontextmanager
async def running(
    channel: Picky, queued: Sequence[Alarm], standing: Sequence[Alarm] = (), **options: object
) -> AsyncIterator[Notifier]:
    chosen = NotifierOptions(**{"backoff": FAST, **options})  # type: ignore[arg-type]
    notifier = Notifier(channel, lambda: standing, chosen, Random(1))  # noqa: S311 - jitter
    for alarm in queued:
        notifier.offer(alarm)
    task = asyncio.create_task(notifier.run(), name="notifier")
    try:
        yield notifier
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("bad", [0, 100, 199])
async def test_one_refused_alarm_among_many_is_no_receiver_that_refuses(bad: int) -> None:
    channel = Picky(lambda alarm_id: alarm_id not in ids([bad]))
    async with running(channel, numbered(range(200))) as notifier:
        await until(lambda: notifier.outcomes[Outcome.REFUSED] == 1)
        assert channel.taken == ids(each for each in range(200) if each != bad)
        assert not notifier.refusing
        assert channel.messages <= 1 + 2 * 8  # halved until it is alone


async def test_an_alarm_that_is_refused_by_itself_says_nothing_of_the_receiver_neither_when_it_ends() -> None:
    channel = Picky(lambda alarm_id: alarm_id not in ids([1]))
    raised = numbered([1])[0]
    async with running(channel, [raised]) as notifier:
        await until(lambda: notifier.outcomes[Outcome.REFUSED] == 1)
        notifier.offer(replace(raised, cleared=raised.raised + 1))
        await until(lambda: notifier.outcomes[Outcome.REFUSED] == 2)
        assert not notifier.refusing
        assert [(each.alarm.id, each.answer) for each in notifier.refusals] == [
            ("leak:1.leak", "picky: status 422: no such field"),
            ("leak:1.leak", "picky: status 422: no such field"),
        ]
        notifier.offer(numbered([2])[0])
        assert await notifier.flush(60)
        notifier.offer(raised)
        await until(lambda: notifier.outcomes[Outcome.REFUSED] == 3)
        assert not notifier.refusing


async def test_what_is_refused_is_counted_by_priority() -> None:
    channel = Picky(lambda alarm_id: alarm_id not in ids([1, 2, 3]))
    priorities = [Priority.LOW, Priority.LOW, Priority.HIGH, Priority.LOW]
    queued = [
        replace(alarm, priority=each) for alarm, each in zip(numbered(range(4)), priorities, strict=True)
    ]
    async with running(channel, queued) as notifier:
        await until(lambda: notifier.outcomes[Outcome.REFUSED] == 3)
        assert notifier.refused == {Priority.HIGH: 1, Priority.MEDIUM: 0, Priority.LOW: 2}


async def test_a_receiver_that_refuses_everything_is_tried_a_bounded_number_of_times_a_round() -> None:
    """200 alarms were 399 messages at once."""
    channel = Picky(lambda _: False)
    pauses = Backoff(first=3600.0, cap=3600.0)
    async with running(channel, numbered(range(200)), backoff=pauses) as notifier:
        await until(lambda: notifier.refusing)
        lost = notifier.outcomes[Outcome.REFUSED]
        assert channel.messages <= 1 + 2 * 32
        assert 0 < lost <= 33
        assert [alarm.id for alarm in notifier.untold] == ids(range(lost, 200))


async def test_what_a_receiver_would_take_reaches_it_behind_any_number_it_refuses() -> None:
    channel = Picky(lambda alarm_id: int(alarm_id[5:].split(".")[0]) >= 300)
    async with running(channel, numbered(range(310))) as notifier:
        assert await notifier.flush(60)
        assert channel.taken == ids(range(300, 310))
        assert notifier.outcomes[Outcome.REFUSED] == 300
        assert not notifier.refusing


async def test_what_is_refused_when_it_is_repeated_is_neither_counted_nor_told() -> None:
    channel = Picky(lambda alarm_id: alarm_id not in ids([2]))
    standing = numbered(range(3))
    async with running(channel, (), standing, refresh=0.01) as notifier:
        await until(lambda: len(channel.taken) >= 6)
        assert notifier.outcomes[Outcome.REFUSED] == 0
        assert not notifier.refusing
    assert channel.taken[:4] == ids([0, 1, 0, 1])


async def test_all_that_stand_are_repeated_however_many_of_them_are_refused() -> None:
    """A hundred of a thousand, here and there."""
    bad = set(ids(range(5, 1000, 10)))
    channel = Picky(lambda alarm_id: alarm_id not in bad)
    standing = numbered(range(1000))
    async with running(channel, (), standing, refresh=0.01) as notifier:
        good = [alarm.id for alarm in standing if alarm.id not in bad]

        def repeated() -> bool:
            return set(channel.taken[-900:]) == set(good)

        await until(lambda: set(channel.taken) == set(good), 30)
        await until(repeated, 30)
        assert notifier.outcomes[Outcome.REFUSED] == 0


async def test_all_that_stand_are_repeated_where_only_small_messages_are_taken() -> None:
    """Such as behind a proxy that answers 413."""
    channel = Picky(lambda _: True, most=3)
    standing = numbered(range(1000))
    async with running(channel, (), standing, refresh=3600.0):
        await until(lambda: len(channel.taken) == 1000, 30)
    assert channel.taken == [alarm.id for alarm in standing]
