"""What the embedded broker keeps, under clients that take all they can."""

import asyncio
from contextlib import suppress

import pytest

from simulators.wire.broker import EmbeddedBroker, _Client
from simulators.wire.mqtt_packets import Connect, Kind, Message, packet, publish
from simulators.wire.mqtt_session import Session
from tests.collectors.conftest import until
from tests.servers.processes import free_port

MIB = 1 << 20
INTRODUCTION = bytes.fromhex("10 0d 0004 4d515454 04 02 0000 0001")
SUBSCRIBED_TO_ALL = bytes.fromhex("82 06 0001 0001 23 01")
"""With QoS 1."""


def broker() -> EmbeddedBroker:
    return EmbeddedBroker("127.0.0.1", free_port())


def session_at(there: EmbeddedBroker, name: str) -> Session:
    found = there.welcome(Connect(client_id=name, clean=False, keepalive=0, will=None))
    assert found is not None
    return found[0]


def retained(there: EmbeddedBroker) -> int:
    """How many messages are."""
    sent: list[bytes] = []
    session = session_at(there, "looks")
    session.opened(sent.append)
    there.send_retained(session, "#", 0)
    return len(sent)


def sent_to(session: Session) -> list[bytes]:
    sent: list[bytes] = []
    session.opened(sent.append)
    return sent


class Transport(asyncio.Transport):
    """To a client that reads nothing: full from 64 KiB on, as those of asyncio are."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.unread = b""
        self.is_read = True
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        was = len(self.unread)
        self.unread += data
        if was <= 65536 < len(self.unread):
            self.protocol.pause_writing()

    def read_all(self) -> None:
        self.unread = b""
        self.protocol.resume_writing()

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True


def deaf_client(there: EmbeddedBroker, name: bytes = b"a") -> tuple[_Client, Transport]:
    client = _Client(there)
    transport = Transport(client)
    client.connection_made(transport)
    client.data_received(INTRODUCTION + name)
    return client, transport


def test_64_mib_are_retained_and_a_message_that_does_not_fit_is_told_and_takes_its_former_one_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    there = broker()
    for number in range(70):
        there.publish(Message(topic=f"t{number}", payload=bytes(MIB), qos=0, retain=True))
    assert retained(there) == 63
    there.publish(Message(topic="t0", payload=bytes(2 * MIB), qos=0, retain=True))
    assert retained(there) == 62, "what t0 had before is not its last message any more"
    there.publish(Message(topic="t1", payload=b"", qos=0, retain=True))
    for number in (0, 1, 1, 1):
        there.publish(Message(topic=f"t{number}", payload=bytes(MIB), qos=0, retain=True))
    assert retained(there) == 63
    assert [each.message for each in caplog.records] == [
        "broker: too much is retained; further messages are not, until some are cleared"
    ]


async def test_how_many_messages_were_not_retained_is_told_at_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulators.wire.broker._MOST_RETAINED", 1)
    async with broker() as there:
        for topic in ("a", "b", "a", "c"):
            there.publish(Message(topic=topic, payload=b"1", qos=0, retain=True))
    assert caplog.records[-1].message == "broker: 2 messages were not retained for lack of room"


def test_messages_on_their_way_count_until_they_are_acknowledged() -> None:
    there = broker()
    session = session_at(there, "slow")
    sent = sent_to(session)
    for _ in range(40):
        session.deliver(Message(topic="x", payload=bytes(MIB), qos=1))
    assert (len(sent), session.dropped) == (15, 25)
    session.acknowledged(1)
    session.acknowledged(1)
    for _ in range(2):
        session.deliver(Message(topic="x", payload=bytes(MIB), qos=1))
    assert (len(sent), session.dropped) == (16, 26)


def test_topics_count_as_payloads_do() -> None:
    session = session_at(broker(), "away")
    for _ in range(300):
        session.deliver(Message(topic="x" * 65535, payload=b"", qos=1))
    assert session.dropped == 300 - 255


def test_all_clients_together_are_kept_256_mib_and_who_goes_makes_room() -> None:
    there = broker()
    sessions = [session_at(there, f"c{at}") for at in range(20)]
    for session in sessions:
        for _ in range(16):
            session.deliver(Message(topic="x", payload=bytes(MIB - 1000), qos=1))
    assert sum(session.dropped for session in sessions) == 20 * 16 - 256
    late = session_at(there, "late")
    late.deliver(Message(topic="x", payload=bytes(MIB), qos=1))
    assert late.dropped == 1
    there.welcome(Connect(client_id="c0", clean=True, keepalive=0, will=None))
    late.deliver(Message(topic="x", payload=bytes(MIB), qos=1))
    assert late.dropped == 1


def test_a_client_subscribes_to_2_mib_of_filters_and_further_ones_are_refused() -> None:
    there = broker()
    session = session_at(there, "a")
    granted = [there.subscribe(session, f"{number:01000}", 1) for number in range(2000)]
    assert (granted.count(1), granted.count(0x80)) == (1747, 253)
    assert there.subscribe(session, f"{0:01000}", 0) == 0, "it is there"
    there.unsubscribe(session, f"{0:01000}")
    there.unsubscribe(session, f"{0:01000}")
    assert [there.subscribe(session, f"{number:01000}", 1) for number in (5000, 5001)] == [1, 0x80]


def test_who_takes_a_topic_is_known_of_so_many_topics_as_there_is_room_for() -> None:
    there = broker()
    for number in range(1500):
        there.publish(Message(topic=f"{number:065000}", payload=b"", qos=0))
    assert sum(len(topic) for topic in there._takers) < 64 * MIB


@pytest.mark.parametrize(
    "asked",
    [publish(Message(topic="x", payload=b"", qos=1), 1), packet(Kind.PINGREQ), SUBSCRIBED_TO_ALL],
    ids=["messages", "pings", "subscriptions"],
)
async def test_a_client_that_does_not_read_answers_is_not_asked_for_more(asked: bytes) -> None:
    there = broker()
    client, transport = deaf_client(there)
    chunk = asked * (1 + (1 << 16) // len(asked))
    for _ in range(100):
        if transport.is_read:
            client.data_received(chunk)
    assert 65536 < len(transport.unread) < 65536 + 2 * len(chunk)
    transport.read_all()
    assert transport.is_read
    client.drop()


async def test_a_client_that_reads_nothing_for_as_long_as_it_may_be_silent_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("simulators.wire.broker._LOOK", 0.01)
    monkeypatch.setattr("simulators.wire.broker._PATIENCE", 0.1)
    async with broker() as there:
        reader, writer = await asyncio.open_connection("127.0.0.1", there._port)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(INTRODUCTION[:10] + b"\x00\x01\x00\x01b")  # a keep-alive of 1 s
        sending = asyncio.create_task(_send_pings(writer))
        await until(lambda: len(there._clients) == 1)
        await until(lambda: not there._clients, "it is cut off")
        sending.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await sending
        writer.transport.abort()
        assert reader.exception() is None or isinstance(reader.exception(), ConnectionError)


async def _send_pings(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(packet(Kind.PINGREQ) * 100_000)
        await writer.drain()


async def test_connections_beyond_a_thousand_are_closed_at_once() -> None:
    there = broker()
    for number in range(1000):
        deaf_client(there, bytes((97 + number % 26,)))
    assert len(there._clients) < 1000, "who takes a name throws out who had it"
    while len(there._clients) < 1000:
        _Client(there).connection_made(Transport(asyncio.Protocol()))
    late = _Client(there)
    transport = Transport(late)
    late.connection_made(transport)
    assert transport.is_closing()
    late.connection_lost(None)
    assert len(there._clients) == 1000
