"""How the bytes of a broker are taken: several messages at once, parts of one, no further than to a pause."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic

import pytest

from collectors.config import MqttBroker, MqttVersion
from collectors.mqtt_connection import Connection, MqttError
from collectors.mqtt_packets import Arrival
from tests.collectors.conftest import until
from tests.streams import stream_server

GREETING = bytes.fromhex("20 02 01 00")
"""CONNACK of 3.1.1: accepted, the session is there."""
FIRST = bytes.fromhex("32 06 0001 61 0007 31")
"""PUBLISH with QoS 1 to topic a, packet identifier 7: 1."""
SECOND = bytes.fromhex("30 04 0001 62 32")
"""PUBLISH with QoS 0 to topic b: 2."""
THIRD = bytes.fromhex("30 04 0001 63 33")


class Broker:
    """Sends what it is told to, piece by piece; the first piece follows its greeting at once."""

    def __init__(self, *pieces: bytes) -> None:
        self.next = asyncio.Event()
        self._pieces = pieces

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read(100)  # CONNECT
            writer.write(GREETING + self._pieces[0])
            for piece in self._pieces[1:]:
                await self.next.wait()
                self.next.clear()
                writer.write(piece)
            await reader.read()
        writer.close()


class Taken:
    """A connection and what came over it; it pauses behind ``pause_at`` messages."""

    def __init__(self, port: int, pause_at: int = -1, version: MqttVersion = MqttVersion.OLD) -> None:
        self.messages: list[tuple[str, bytes, int]] = []
        self._pause_at = pause_at
        self.connection = Connection(
            MqttBroker(id="broker", host="127.0.0.1", port=port, client_id="test", version=version),
            version=version,
            opened=lambda _: None,
            take=self._take,
        )

    def _take(self, message: Arrival) -> None:
        self.messages.append((message.topic, message.payload, message.mid))
        if len(self.messages) == self._pause_at:
            self.connection.pause()


@asynccontextmanager
async def connected(broker: Broker, pause_at: int = -1) -> AsyncIterator[Taken]:
    async with stream_server(broker.serve) as port:
        taken = Taken(port, pause_at)
        async with taken.connection:
            yield taken


async def test_messages_that_come_together_with_the_greeting_are_all_taken() -> None:
    async with connected(Broker(FIRST + SECOND + THIRD)) as it:
        await until(lambda: len(it.messages) == 3)
        assert it.messages == [("a", b"1", 7), ("b", b"2", 0), ("c", b"3", 0)]


@pytest.mark.parametrize("cut", range(1, len(FIRST + SECOND)))
async def test_a_message_in_two_pieces_is_taken_when_its_rest_comes(cut: int) -> None:
    whole: Sequence[tuple[str, bytes, int]] = [("a", b"1", 7), ("b", b"2", 0)]
    both = FIRST + SECOND
    broker = Broker(both[:cut], both[cut:])
    async with connected(broker) as it:
        before = 1 if cut >= len(FIRST) else 0
        await until(lambda: len(it.messages) == before)
        broker.next.set()
        await until(lambda: len(it.messages) == 2)
        assert it.messages == whole


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("30 8180 8008", "a packet of 16777217 bytes"),
        ("30 ffff ff7f", "a packet of 268435455 bytes"),
        ("30 02 00 05", "a message that breaks off"),  # a topic of five bytes in a packet of none
    ],
)
async def test_a_connection_ends_with_a_packet_that_nobody_can_take(
    sent: str,
    reason: str,
    together: bool,  # noqa: FBT001 - with the greeting
) -> None:
    ended: list[bool] = []
    may_go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)  # CONNECT
        writer.write(GREETING + (bytes.fromhex(sent) if together else b""))
        await may_go_on.wait()
        writer.write(b"" if together else bytes.fromhex(sent))
        with suppress(ConnectionError):
            while await reader.read(100):
                pass
        ended.append(True)
        writer.close()

    async with stream_server(serve) as port:
        with pytest.raises(MqttError, match=reason):
            await held(port, may_go_on)
        may_go_on.set()
        await until(lambda: ended == [True], "the socket is closed")


async def held(port: int, may_go_on: asyncio.Event, version: MqttVersion = MqttVersion.OLD) -> None:
    """A connection from its opening to its loss."""
    async with asyncio.timeout(10.0), Taken(port, version=version).connection as connection:
        may_go_on.set()
        await connection.until_lost()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("e0 02 8e 00", "another client connected with our client_id; give each a client_id of its own"),
        ("e0 02 8b 00", "it ends the connection: server shutting down"),
        ("a0 00", "it sends a packet that cannot be read"),  # which only clients send
        ("", "connection closed"),
    ],
)
async def test_why_a_connection_ends_is_told_in_words(sent: str, reason: str) -> None:
    may_go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)  # CONNECT
        writer.write(bytes.fromhex("20 03 00 00 00"))  # CONNACK of MQTT 5
        await may_go_on.wait()
        writer.write(bytes.fromhex(sent))
        if sent:
            await reader.read(100)
        writer.close()

    async with stream_server(serve) as port:
        with pytest.raises(MqttError) as error:
            await held(port, may_go_on, MqttVersion.NEW)
    assert str(error.value) == reason


async def test_a_subscription_is_not_waited_for_over_a_connection_that_is_gone() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)  # CONNECT
        writer.write(GREETING)
        await reader.read(100)  # SUBSCRIBE
        writer.close()

    async with stream_server(serve) as port:
        with pytest.raises(MqttError, match="connection closed"):
            async with asyncio.timeout(5.0), Taken(port).connection as connection:
                await connection.ask_for(["a"], 1, retained=True)


async def test_a_socket_that_was_closed_meanwhile_is_not_watched_for_writing() -> None:
    """Its number may be that of another connection by then."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with connected(Broker(FIRST)) as it:
        await until(lambda: len(it.messages) == 1)
        it.connection.acknowledge(7)
        it.connection._broken_off(ConnectionResetError("connection closed"))  # in the same turn
        for _ in range(3):
            await asyncio.sleep(0)
    assert told == []


async def test_a_packet_of_16_megabytes_is_waited_for() -> None:
    async with connected(Broker(FIRST + bytes.fromhex("30 8080 8008"))) as it:
        await until(lambda: it.messages == [("a", b"1", 7)])
        assert not it.connection._disconnected.done()


async def test_what_comes_behind_a_pause_waits_for_its_end() -> None:
    async with connected(Broker(FIRST + SECOND + THIRD), pause_at=1) as it:
        await until(lambda: len(it.messages) == 1)
        for _ in range(10):  # turns enough for more, if it came
            await asyncio.sleep(0)
        assert it.messages == [("a", b"1", 7)]
        it.connection.resume()
        await until(lambda: len(it.messages) == 3)
        assert it.messages[1:] == [("b", b"2", 0), ("c", b"3", 0)]


async def test_a_broker_whose_messages_come_is_not_given_up_for_an_answer_to_a_ping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = monotonic()
    monkeypatch.setattr("paho.mqtt.client.time_func", lambda: now)
    monkeypatch.setattr("collectors.mqtt_connection.monotonic", lambda: now)
    broker = Broker(FIRST, *[SECOND] * 5)
    async with connected(broker) as it:
        await until(lambda: len(it.messages) == 1)
        for _ in range(5):
            now += 20.0  # of 30 s within which it is to answer
            it.connection._client.loop_misc()
            broker.next.set()
            taken = len(it.messages)
            await until(lambda taken=taken: len(it.messages) > taken)  # type: ignore[misc]
        assert it.connection._client.is_connected()
        now += 31.0
        it.connection._client.loop_misc()
        assert not it.connection._client.is_connected()
