"""Delivery to a webhook over real sockets: order, outages, refusals, signatures."""

import asyncio
import errno
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from random import Random

import aiohttp
import pytest
from yarl import URL

from alerting.alarms import Alarm
from alerting.board import AlarmBoard
from alerting.delivery import Backoff, Notifier, NotifierOptions, Outcome
from alerting.errors import Unreachable
from alerting.posting import post
from alerting.webhook import Webhook, WebhookOptions, sign, webhook_body
from tests.alerting.plant import T0, make_alarm
from tests.alerting.receiver import Receiver, until
from tests.servers.processes import free_port

SECRET = "hush"
QUICK = NotifierOptions(backoff=Backoff(first=0.01, cap=0.05))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Not started yet."""
    found = Receiver(free_port())
    yield found
    await found.stop()


class Sending:
    """A board whose alarms go to webhooks while the fixture lives."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.board = AlarmBoard()
        self.task: asyncio.Task[None] | None = None

    def to(
        self,
        *receivers: Receiver,
        options: NotifierOptions = QUICK,
        secret: str | None = None,
        timeout: float = 60,
    ) -> list[Notifier]:
        def notifier(receiver: Receiver) -> Notifier:
            webhook = Webhook(
                self._session,
                WebhookOptions(url=receiver.url, site="North campus", secret=secret, timeout=timeout),
            )
            return Notifier(webhook, self.board.active, options, Random(1))  # noqa: S311 - jitter

        notifiers = [notifier(receiver) for receiver in receivers]
        for each in notifiers:
            self.board.listen(each.offer)
        self.task = asyncio.create_task(run_all(notifiers), name="notifiers")
        return notifiers


async def run_all(notifiers: Sequence[Notifier]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for notifier in notifiers:
            tasks.create_task(notifier.run())


@pytest.fixture
async def sending() -> AsyncIterator[Sending]:
    async with AsyncExitStack() as stack:
        found = Sending(await stack.enter_async_context(aiohttp.ClientSession()))
        yield found
        if found.task is not None:
            found.task.cancel()
            with suppress(asyncio.CancelledError):
                await found.task


def numbered(number: int) -> Alarm:
    return make_alarm(f"leak:cdu-{number}.leak")


async def test_raised_and_cleared_arrive_in_order_as_json(receiver: Receiver, sending: Sending) -> None:
    await receiver.start()
    sending.to(receiver)
    alarm = make_alarm()
    sending.board.raise_alarm(alarm)
    await until(lambda: len(receiver.events) == 1)
    sending.board.clear(alarm.id, T0 + 5)
    await until(lambda: len(receiver.events) == 2)
    assert receiver.events == [("raised", alarm.id), ("cleared", alarm.id)]
    assert json.loads(receiver.bodies[1]) == {
        "site": "North campus",
        "events": [
            {
                "event": "cleared",
                "alarm": {
                    "id": "it-inlet-hot:k01-climate.air_inlet_temperature",
                    "rule": "it-inlet-hot",
                    "category": "process",
                    "priority": "high",
                    "device": "k01-climate",
                    "point": "air_inlet_temperature",
                    "space": "k01",
                    "value": 33.5,
                    "limit": 32.0,
                    "unit": "°C",
                    "message": "k01-climate in Building 1 › Hall 1 › Rack 1: air inlet at 33.5 °C",
                    "action": "Restore air.",
                    "raised": 1_700_000_000_000_000_000,
                    "cleared": 1_700_000_000_000_000_005,
                    "runbook": "it-inlet-hot",
                },
            }
        ],
    }
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert "X-Dcops-Signature" not in receiver.headers[0]


def test_a_site_that_says_where_its_runbook_is_gets_a_link_with_each_event() -> None:
    alarm = make_alarm()
    own = replace(alarm, runbook="https://wiki.example/cage")
    events = json.loads(webhook_body("s", [alarm, own], "https://wiki.example/runbook"))["events"]
    assert [event["runbook"] for event in events] == [
        "https://wiki.example/runbook#it-inlet-hot",
        "https://wiki.example/cage",
    ]


async def test_the_signature_is_the_hmac_sha256_of_the_body(receiver: Receiver, sending: Sending) -> None:
    await receiver.start()
    sending.to(receiver, secret=SECRET)
    sending.board.raise_alarm(make_alarm())
    await until(lambda: receiver.bodies)
    expected = hmac.new(b"hush", receiver.bodies[0], hashlib.sha256).hexdigest()
    assert receiver.headers[0]["X-Dcops-Signature"] == f"sha256={expected}"


def test_the_signature_agrees_with_a_published_vector() -> None:
    # GitHub, "Validating webhook deliveries": secret and payload of its test values
    assert sign(b"Hello, World!", "It's a Secret to Everybody") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


async def test_a_receiver_that_is_down_at_the_start_gets_everything_in_order_later(
    receiver: Receiver, sending: Sending
) -> None:
    (notifier,) = sending.to(receiver)
    for number in range(5):
        sending.board.raise_alarm(numbered(number))
    sending.board.clear(numbered(0).id, T0 + 1)
    await until(lambda: notifier.outcomes[Outcome.FAILED] > 0)
    assert notifier.lost
    await receiver.start()
    await until(lambda: len(receiver.events) == 6)
    assert receiver.events == [
        *(("raised", numbered(n).id) for n in range(5)),
        ("cleared", numbered(0).id),
    ]
    assert not notifier.lost


async def test_an_outage_in_between_loses_nothing(receiver: Receiver, sending: Sending) -> None:
    (notifier,) = sending.to(receiver)
    await receiver.start()
    sending.board.raise_alarm(numbered(1))
    await until(lambda: len(receiver.events) == 1)
    await receiver.stop()
    sending.board.raise_alarm(numbered(2))
    await until(lambda: notifier.lost)
    await receiver.start()
    await until(lambda: len(receiver.events) == 2)
    assert receiver.events == [("raised", numbered(1).id), ("raised", numbered(2).id)]


async def test_loss_and_return_are_each_told_once(
    receiver: Receiver, sending: Sending, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (notifier,) = sending.to(receiver)
    sending.board.raise_alarm(numbered(1))
    await until(lambda: notifier.outcomes[Outcome.FAILED] >= 3)
    await receiver.start()
    await until(lambda: receiver.events)
    await until(lambda: not notifier.lost)
    told = [record for record in caplog.records if record.name == "alerting.delivery"]
    assert [record.levelname for record in told] == ["WARNING", "INFO"]
    assert told[0].getMessage() == (
        f"webhook http://127.0.0.1:{receiver.port} does not take alarms: "
        f"http://127.0.0.1:{receiver.port}: Connection refused; trying again"
    )


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408, 401, 403, 404, 302])
async def test_a_busy_receiver_is_tried_again(receiver: Receiver, sending: Sending, status: int) -> None:
    await receiver.start()
    receiver.status = status
    sending.to(receiver)
    sending.board.raise_alarm(numbered(1))
    await until(lambda: receiver.attempts >= 3)
    receiver.status = 200
    await until(lambda: receiver.events)
    assert receiver.events == [("raised", numbered(1).id)]


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_is_refused_is_counted_and_does_not_hold_up_the_next(
    receiver: Receiver, sending: Sending, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    await receiver.start()
    receiver.status = status
    (notifier,) = sending.to(receiver)
    sending.board.raise_alarm(numbered(1))
    await until(lambda: notifier.outcomes[Outcome.REFUSED] == 1)
    sending.board.raise_alarm(numbered(2))
    await until(lambda: notifier.outcomes[Outcome.REFUSED] == 2)
    receiver.status = 200
    sending.board.raise_alarm(numbered(3))
    await until(lambda: receiver.events)
    assert receiver.events == [("raised", numbered(3).id)]
    assert receiver.attempts == 3
    assert sum("refused" in record.getMessage() for record in caplog.records) == 1
    assert f"status {status}: so it is" in caplog.text


async def test_a_receiver_that_never_answers_is_given_up_and_tried_again(
    receiver: Receiver, sending: Sending
) -> None:
    await receiver.start()
    receiver.hang = True
    sending.to(receiver, timeout=0.05)
    sending.board.raise_alarm(numbered(1))
    await until(lambda: receiver.attempts >= 2)
    receiver.hang = False
    await until(lambda: receiver.events)


async def test_a_connection_that_breaks_while_it_is_written_to_is_unreachable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    async with aiohttp.ClientSession() as session:
        monkeypatch.setattr(aiohttp.ClientSession, "post", broken)
        with pytest.raises(Unreachable, match="Connection reset by peer"):
            await post(
                session, URL("http://127.0.0.1:1/token"), b"{}", headers={}, seconds=1, secrets=frozenset()
            )


async def test_a_dead_receiver_does_not_delay_another(receiver: Receiver, sending: Sending) -> None:
    await receiver.start()
    sending.to(Receiver(free_port()), receiver)
    for number in range(3):
        sending.board.raise_alarm(numbered(number))
    await until(lambda: len(receiver.events) == 3)


async def test_when_the_queue_is_full_the_first_are_kept_and_what_is_dropped_is_counted(
    receiver: Receiver, sending: Sending
) -> None:
    options = NotifierOptions(queue_limit=3, backoff=Backoff(first=0.01, cap=0.05))
    (notifier,) = sending.to(receiver, options=options)
    for number in range(10):
        sending.board.raise_alarm(numbered(number))
        await until(
            lambda before=notifier.outcomes[Outcome.FAILED]: notifier.outcomes[Outcome.FAILED] > before
        )
        assert notifier.waiting <= 3
    await receiver.start()
    await until(lambda: len(receiver.events) == 3)
    assert receiver.events == [("raised", numbered(n).id) for n in (0, 1, 2)]
    assert notifier.outcomes[Outcome.DROPPED] == 7
    assert notifier.outcomes[Outcome.SENT] == 3


async def test_what_was_under_way_when_the_queue_filled_stays_the_first(
    receiver: Receiver, sending: Sending
) -> None:
    options = NotifierOptions(queue_limit=3, backoff=Backoff(first=60.0, cap=60.0))
    await receiver.start()
    receiver.hang = True
    (notifier,) = sending.to(receiver, options=options)
    sending.board.raise_alarm(numbered(0))
    await until(lambda: receiver.attempts == 1)
    for number in range(1, 4):
        sending.board.raise_alarm(numbered(number))
    await receiver.stop()
    await until(lambda: notifier.lost)
    assert [alarm.id for alarm in notifier.untold] == [numbered(n).id for n in (0, 1, 2)]
    assert notifier.outcomes[Outcome.DROPPED] == 1


async def test_a_redirect_is_told_with_where_it_leads_and_not_followed(
    receiver: Receiver, sending: Sending
) -> None:
    await receiver.start()
    receiver.status = 302
    receiver.location = "https://pager.example/hooks/s3cret-token"
    (notifier,) = sending.to(receiver)
    sending.board.raise_alarm(numbered(1))
    await until(lambda: notifier.lost)
    assert notifier.error == (
        f"http://127.0.0.1:{receiver.port}: status 302, it redirects to https://pager.example and that is not"
        " followed: give the final address"
    )


async def test_an_alarm_that_a_receiver_cannot_take_costs_no_other(
    receiver: Receiver, sending: Sending
) -> None:
    (notifier,) = sending.to(receiver)
    for number in range(9):
        sending.board.raise_alarm(numbered(number))
    receiver.refused = numbered(4).id
    await receiver.start()
    await until(lambda: notifier.outcomes[Outcome.SENT] == 8 and notifier.outcomes[Outcome.REFUSED] == 1)
    assert receiver.events == [("raised", numbered(n).id) for n in (0, 1, 2, 3, 5, 6, 7, 8)]


async def test_whether_a_receiver_refuses_is_known_until_it_takes_something(
    receiver: Receiver, sending: Sending
) -> None:
    await receiver.start()
    receiver.status = 400
    (notifier,) = sending.to(receiver)
    sending.board.raise_alarm(numbered(1))
    await until(lambda: notifier.outcomes[Outcome.REFUSED])
    assert not notifier.refusing, "that may be the alarm"
    sending.board.raise_alarm(numbered(2))
    await until(lambda: notifier.refusing)
    assert not notifier.lost
    assert notifier.error == f"http://127.0.0.1:{receiver.port}: status 400: so it is"
    receiver.status = 200
    sending.board.raise_alarm(numbered(3))
    await until(lambda: not notifier.refusing)
    assert notifier.error == ""


async def test_many_alarms_go_in_messages_of_limited_size(receiver: Receiver, sending: Sending) -> None:
    (notifier,) = sending.to(receiver, options=NotifierOptions(batch=40))
    for number in range(100):
        sending.board.raise_alarm(numbered(number))
    await receiver.start()
    assert await notifier.flush(60)
    assert [len(json.loads(body)["events"]) for body in receiver.bodies] == [40, 40, 20]


async def test_a_flush_that_cannot_succeed_gives_up(receiver: Receiver, sending: Sending) -> None:
    (notifier,) = sending.to(receiver)
    sending.board.raise_alarm(numbered(1))
    assert not await notifier.flush(0.05)


async def test_neither_secret_nor_path_of_the_address_is_ever_told(
    receiver: Receiver, sending: Sending, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (notifier,) = sending.to(receiver, secret=SECRET)
    sending.board.raise_alarm(numbered(1))
    await until(lambda: notifier.lost)
    await receiver.start()
    receiver.status = 400
    await until(lambda: notifier.outcomes[Outcome.REFUSED])
    options = WebhookOptions(url=receiver.url, site="s", secret=SECRET)
    told = caplog.text + notifier.name + repr(options)
    assert all(word not in told for word in ("s3cret", SECRET))


async def test_a_notifier_goes_by_the_name_the_site_gives_it(receiver: Receiver, sending: Sending) -> None:
    (named,) = sending.to(receiver, options=NotifierOptions(name="pager"))
    assert named.name == "pager"


@pytest.mark.parametrize(
    ("failures", "shortest", "longest"), [(1, 0.5, 1.0), (2, 1.0, 2.0), (4, 4.0, 8.0), (99, 30.0, 60.0)]
)
def test_pauses_double_up_to_the_cap_and_are_jittered(failures: int, shortest: float, longest: float) -> None:
    pause: Callable[[int, Random], float] = Backoff(first=1.0, cap=60.0).pause
    pauses = [pause(failures, Random(seed)) for seed in range(200)]  # noqa: S311 - jitter
    assert shortest <= min(pauses) < max(pauses) <= longest
    assert len(set(pauses)) > 100
