"""The embedded broker, byte by byte as OASIS MQTT 3.1.1 has it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from simulators.wire.broker import EmbeddedBroker
from simulators.wire.mqtt_packets import Connect, Message
from simulators.wire.mqtt_session import Session, is_filter, matches
from simulators.wire.room import Room
from tests.servers.processes import free_port

CLEAN, KEPT = 0x02, 0x00
ACCEPTED, RESUMED = "20 02 00 00", "20 02 01 00"
PING, PONG = "c0 00", "d0 00"


class Wire:
    """A connection to the broker, in hexadecimal."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, *packets: str) -> None:
        self.writer.write(b"".join(bytes.fromhex(each) for each in packets))

    async def expect(self, *packets: str) -> None:
        wanted = b"".join(bytes.fromhex(each) for each in packets)
        assert (await asyncio.wait_for(self.reader.readexactly(len(wanted)), 30)).hex(" ") == wanted.hex(" ")

    async def expect_nothing_more(self) -> None:
        """What comes next is the answer to a ping."""
        self.send(PING)
        await self.expect(PONG)

    async def is_cut(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), 30) == b""
        except ConnectionResetError:
            return True


class Broker:
    """A broker and where it is."""

    def __init__(self) -> None:
        self.port = free_port()
        self.embedded = EmbeddedBroker("127.0.0.1", self.port)

    @asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.close()

    @asynccontextmanager
    async def client(
        self, name: str = "61", flags: int = CLEAN, *, answer: str = ACCEPTED
    ) -> AsyncIterator[Wire]:
        """One that has introduced itself with a name of one letter."""
        async with self.wire() as wire:
            wire.send(f"10 0d 0004 4d515454 04 {flags:02x} 0000 0001 {name}")
            await wire.expect(answer)
            yield wire


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    found = Broker()
    async with found.embedded:
        yield found


async def test_a_message_goes_to_who_subscribed_at_the_lower_qos(broker: Broker) -> None:
    async with broker.client("61") as once, broker.client("62") as at_most, broker.client("63") as source:
        once.send("82 08 0001 0003 61 2f 2b 01")  # a/+
        await once.expect("90 03 0001 01")
        at_most.send("82 06 0009 0001 23 00")  # #
        await at_most.expect("90 03 0009 00")
        source.send("32 09 0003 61 2f 62 0005 68 69", "32 07 0001 78 0006 68 69")  # a/b and x
        await source.expect("40 02 0005", "40 02 0006")
        await once.expect("32 09 0003 61 2f 62 0001 68 69")
        await at_most.expect("30 07 0003 61 2f 62 68 69", "30 05 0001 78 68 69")
        once.send("40 02 0001", "a2 07 0002 0003 61 2f 2b")
        await once.expect("b0 02 0002")
        source.send("30 07 0003 61 2f 62 68 69")
        await at_most.expect("30 07 0003 61 2f 62 68 69")
        await once.expect_nothing_more()


async def test_packets_may_come_a_byte_at_a_time_and_be_long(broker: Broker) -> None:
    async with broker.client("61") as wire:
        for byte in bytes.fromhex("82 06 0001 0001 23 00"):
            wire.writer.write(bytes((byte,)))
            await wire.writer.drain()
        await wire.expect("90 03 0001 00")
        wire.send("30 cb 01 0001 78" + 200 * "2e")  # 203 bytes
        await wire.expect("30 cb 01 0001 78" + 200 * "2e")


async def test_what_is_not_acknowledged_comes_again_and_what_comes_while_away_waits(broker: Broker) -> None:
    async with broker.client("61", KEPT) as wire:
        wire.send("82 06 0001 0001 78 01")
        await wire.expect("90 03 0001 01")
        broker.embedded.publish(Message(topic="x", payload=b"1", qos=1))
        await wire.expect("32 06 0001 78 0001 31")
    async with broker.client("62") as other:
        other.send("32 06 0001 78 0001 32", "30 04 0001 78 33")
        await other.expect("40 02 0001")
        await other.expect_nothing_more()
    async with broker.client("61", KEPT, answer=RESUMED) as wire:
        await wire.expect("3a 06 0001 78 0001 31", "32 06 0001 78 0002 32")
        wire.send("40 02 0001", "40 02 0002")
        await wire.expect_nothing_more()
    async with broker.client("61", KEPT, answer=RESUMED) as wire:
        await wire.expect_nothing_more()
    async with broker.client("61", CLEAN):
        pass
    async with broker.client("61", KEPT, answer=ACCEPTED) as wire:
        broker.embedded.publish(Message(topic="x", payload=b"1", qos=1))
        await wire.expect_nothing_more()


async def test_a_client_of_another_version_is_told_so_at_once(broker: Broker) -> None:
    async with broker.wire() as wire:
        wire.send("10 0e 0004 4d515454 05 02 0000 00 0001 61")
        await wire.expect("20 02 00 01")
        assert await wire.is_cut()


async def test_who_has_no_name_can_have_no_session(broker: Broker) -> None:
    async with broker.wire() as wire:
        wire.send("10 0c 0004 4d515454 04 00 0000 0000")
        await wire.expect("20 02 00 02")
        assert await wire.is_cut()
    async with broker.wire() as wire:
        wire.send("10 0c 0004 4d515454 04 02 0000 0000")
        await wire.expect(ACCEPTED)


async def test_the_last_retained_message_goes_to_who_comes_later(broker: Broker) -> None:
    async with broker.client("61") as source, broker.client("62") as wire:
        source.send("31 04 0001 78 31", "31 04 0001 78 32", "31 04 0001 79 33", "31 03 0001 79", PING)
        await source.expect(PONG)
        wire.send("82 06 0001 0001 23 01")
        await wire.expect("90 03 0001 01", "31 04 0001 78 32")
        source.send("31 04 0001 78 34")
        await wire.expect("30 04 0001 78 34")


async def test_a_will_is_published_when_a_client_goes_without_a_word(broker: Broker) -> None:
    introduction = "10 13 0004 4d515454 04 06 0000 0001 61 0001 77 0001 21"  # to w: !
    async with broker.client("62") as wire:
        wire.send("82 06 0001 0001 77 00")
        await wire.expect("90 03 0001 00")
        async with broker.wire() as orderly:
            orderly.send(introduction, "e0 00")
            await orderly.expect(ACCEPTED)
            assert await orderly.is_cut()
        await wire.expect_nothing_more()
        async with broker.wire() as lost:
            lost.send(introduction)
            await lost.expect(ACCEPTED)
        await wire.expect("30 04 0001 77 21")


async def test_a_message_with_qos_2_is_taken_once(broker: Broker) -> None:
    async with broker.client("61") as source, broker.client("62") as wire:
        wire.send("82 06 0001 0001 78 02")
        await wire.expect("90 03 0001 01")
        source.send("34 06 0001 78 0007 31", "3c 06 0001 78 0007 31", "62 02 0007")
        await source.expect("50 02 0007", "50 02 0007", "70 02 0007")
        await wire.expect("32 06 0001 78 0001 31")
        await wire.expect_nothing_more()


async def test_who_takes_a_name_throws_out_who_had_it_and_has_the_session(broker: Broker) -> None:
    async with broker.client("61", KEPT) as first:
        first.send("82 06 0001 0001 78 01")
        await first.expect("90 03 0001 01")
        async with broker.client("61", KEPT, answer=RESUMED) as second:
            assert await first.is_cut()
            broker.embedded.publish(Message(topic="x", payload=b"1", qos=1))
            await second.expect("32 06 0001 78 0001 31")


async def test_who_says_nothing_for_longer_than_agreed_is_cut_off(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulators.wire.broker._PATIENCE", 0.01)
    async with broker.client("61") as patient, broker.wire() as wire:
        wire.send("10 0d 0004 4d515454 04 02 0001 0001 62")
        await wire.expect(ACCEPTED)
        assert await wire.is_cut()
        await patient.expect_nothing_more()


@pytest.mark.parametrize(
    "packets",
    [
        PING,
        "10 ff ff ff ff 7f",
        "10 ff ff ff 7f",
        "10 06 0004 4d515454",
        "10 0d 0004 4d515454 04 02 0000 0001 ff",
        "10 0d 0004 4d515454 04 02 0000 0001 7a 10 0d 0004 4d515454 04 02 0000 0001 7a",
        "10 0d 0004 4d515454 04 02 0000 0001 7a 36 06 0001 78 0001 31",
        "10 0d 0004 4d515454 04 02 0000 0001 7a 30 04 0001 23 31",
        "10 0d 0004 4d515454 04 02 0000 0001 7a 32 05 0001 78 0000",
        "10 0d 0004 4d515454 04 02 0000 0001 7a 82 05 0001 0001 78",
        "10 0d 0004 4d515454 04 02 0000 0001 7a 20 02 0000",
        "10 13 0004 4d515454 04 06 0000 0001 77 0001 23 0001 31",
        "10 13 0004 4d515454 04 1e 0000 0001 77 0001 78 0001 31",
        "10 0d 0004 4d515454 04 03 0000 0001 77",
        "10 0d 0004 4d515454 04 02 0000 0001 7a 82 02 0001",
        "10 0d 0004 4d515454 04 02 0000 0001 7a 80 06 0001 0001 78 00",
        "10 0d 0004 4d515454 04 02 0000 0001 7a a2 02 0001",
    ],
    ids=[
        "no introduction",
        "no length",
        "too long",
        "half an introduction",
        "no UTF-8",
        "introduced twice",
        "QoS 3",
        "a wildcard in a topic",
        "identifier 0",
        "a subscription without QoS",
        "what only brokers say",
        "a wildcard in the topic of a will",
        "a will with QoS 3",
        "a reserved flag",
        "a subscription to nothing",
        "a subscription without its flags",
        "the end of no subscription",
    ],
)
async def test_what_is_no_mqtt_ends_a_connection_and_no_other(broker: Broker, packets: str) -> None:
    async with broker.client("61") as other, broker.wire() as wire:
        wire.send(packets)
        if "7a" in packets:
            await wire.expect(ACCEPTED)
        assert await wire.is_cut()
        await other.expect_nothing_more()


async def test_a_filter_that_is_none_is_refused_and_the_others_are_not(broker: Broker) -> None:
    async with broker.client("61") as wire:
        wire.send("82 0e 0001 0003 61 2b 2f 01 0003 23 2f 61 01")
        await wire.expect("90 04 0001 80 80")
        wire.send("82 0b 0002 0002 61 2b 00 0001 61 01")
        await wire.expect("90 04 0002 80 01")


def test_a_client_that_is_away_is_kept_16_mib_and_what_is_more_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = Session("logger", clean=False, shared=Room(1 << 30))
    session.deliver(Message(topic="x", payload=b"", qos=0))
    for _ in range(20):
        session.deliver(Message(topic="x", payload=bytes(1_000_000), qos=1))
    assert session.dropped == 1 + 4
    assert [each.message for each in caplog.records] == [
        "broker: client logger is too slow; messages are dropped"
    ]
    sent: list[bytes] = []
    session.opened(sent.append)
    assert len(sent) == 16
    assert [int.from_bytes(each[7:9], "big") for each in sent] == list(range(1, 17))


async def test_what_a_client_was_not_given_is_told_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async with EmbeddedBroker("127.0.0.1", free_port()) as broker:
        found = broker.welcome(Connect(client_id="away", clean=False, keepalive=0, will=None))
        assert found is not None
        broker.subscribe(found[0], "x", 0)
        for _ in range(2):
            broker.publish(Message(topic="x", payload=b"", qos=0))
        assert not caplog.records
    assert [each.message for each in caplog.records] == ["broker: client away was not given 2 messages"]


def test_no_more_than_a_thousand_messages_are_on_their_way(caplog: pytest.LogCaptureFixture) -> None:
    session, sent = Session("slow", clean=True, shared=Room(1 << 30)), []
    session.opened(sent.append)
    for _ in range(1500):
        session.deliver(Message(topic="x", payload=b"", qos=1))
    assert len(sent) == 1000
    session.acknowledged(1)
    session.acknowledged(2)
    assert len(sent) == 1002
    session.pause()
    session.acknowledged(3)
    session.deliver(Message(topic="x", payload=b"", qos=0))
    assert (len(sent), session.dropped) == (1002, 1)
    session.resume()
    assert len(sent) == 1003
    assert not caplog.records


@pytest.mark.parametrize(
    ("pattern", "topic", "taken"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "sport/tennis", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/monitor/Clients", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/monitor/Clients", True),
        ("sport", "Sport", False),
    ],
)
def test_filters_take_topics_as_in_section_4_7(pattern: str, topic: str, *, taken: bool) -> None:
    assert matches(pattern, topic) is taken


@pytest.mark.parametrize(
    ("pattern", "possible"),
    [
        ("sport/tennis/#", True),
        ("sport/tennis#", False),
        ("sport/tennis/#/ranking", False),
        ("+/tennis/#", True),
        ("sport+", False),
        ("/", True),
        ("", False),
    ],
)
def test_wildcards_stand_alone(pattern: str, *, possible: bool) -> None:
    assert is_filter(pattern) is possible
