"""One connection to a broker, through aiomqtt, with acknowledgement by hand.

aiomqtt acknowledges every message as it comes and does not tell which ones come again. paho-mqtt, on which
it stands, offers both; this class reaches for it. What it relies on in aiomqtt 2.x: ``_client`` is paho's
client; its callbacks are the methods ``_on_connect``, ``_on_disconnect``, ``_on_socket_open``, which has the
socket read, and ``_on_message``; ``_connected`` and ``_disconnected`` are the futures that ``async with`` and
``messages`` wait for. In paho 2.x: ``_in_packet`` tells how long the packet is that is being read.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import aiomqtt
from aiomqtt.types import PahoSocket
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from collectors.apart import apart
from collectors.config import MqttBroker, MqttVersion

MqttError = aiomqtt.MqttError
"""The connection cannot be made, or is lost."""

LARGEST_PACKET = 16 << 20
"""Bytes. A broker of MQTT 5 is told not to send larger ones; over one that comes all the same the connection
ends while it is read, for it may be 256 MB, a multiple of that in memory, and stop all else for seconds."""
_KEEPALIVE = 30
_PATIENCE = 10.0
"""Seconds to wait for the broker's answers."""
_SHORT_PATIENCE = 3.0
"""Seconds to wait for its greeting where there is another version of MQTT to try."""
_TOPICS_A_SUBSCRIBE = 100
_REFUSED = 128
_UNSUPPORTED_VERSION = 132
_RETAINED_ALWAYS, _RETAINED_IF_NEW = 0, 1
_AT_LEAST_ONCE = 1


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came."""

    topic: str
    payload: bytes
    mid: int
    """Packet identifier by which it is acknowledged; 0 if it is not to be."""
    again: bool
    """The broker says that it may have sent it before."""
    retained: bool
    """The broker had kept it from before we subscribed."""


class Connection(aiomqtt.Client):
    """Use it once: ``async with``."""

    def __init__(
        self,
        broker: MqttBroker,
        *,
        version: MqttVersion,
        opened: Callable[[bool], None],
        take: Callable[[Arrival], None],
    ) -> None:
        """Nothing is connected yet.

        Args:
            broker: where to, and how.
            version: of MQTT to speak.
            opened: told, before any message, whether the broker has kept our session.
            take: takes each message; must not raise.
        """
        old = version is MqttVersion.OLD
        tls = aiomqtt.TLSParameters(ca_certs=str(broker.tls_ca)) if broker.tls_ca is not None else None
        super().__init__(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=broker.client_id,
            protocol=aiomqtt.ProtocolVersion.V311 if old else aiomqtt.ProtocolVersion.V5,
            clean_session=not broker.persistent if old else None,
            clean_start=MQTT_CLEAN_START_FIRST_ONLY if old else not broker.persistent,
            properties=None if old else _wishes(broker),
            timeout=_PATIENCE if old or broker.version is not None else _SHORT_PATIENCE,
            keepalive=_KEEPALIVE,
            tls_params=tls,
        )
        self._place = broker.host, broker.port
        self._old = old
        self._opened = opened
        self._take = take
        self._dropped = False
        self._paused = False
        self._reached = False
        self._greeted = False
        self._too_large: MqttError | None = None
        self._client.manual_ack_set(on=True)

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            MqttError: the broker cannot be reached, or refuses.
        """
        await self._look_up()
        try:
            await super().__aenter__()
        except MqttError as error:
            if self._reached and not self._greeted:
                self._client.disconnect()
                raise _NoGreetingError(f"{error}: it sends no greeting") from None
            raise
        if self._client.socket() is None:  # aiomqtt forgets an end that comes together with the greeting
            raise self._too_large or MqttError("connection closed")
        return self

    async def _look_up(self) -> None:
        """Wait for an answer to the broker's name, for aiomqtt asks in a thread that the exit waits for.

        Raises:
            MqttError: there is none, or there is no such name.
        """
        try:
            await asyncio.wait_for(apart("names", partial(socket.getaddrinfo, *self._place)), _PATIENCE)
        except TimeoutError:
            raise MqttError(f"{self._place[0]} was not looked up in {_PATIENCE:g} s") from None
        except (OSError, UnicodeError) as error:
            raise MqttError(str(error)) from None

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Disconnect; what ended for a packet that is too large did so for nothing else."""
        await super().__aexit__(exc_type, exc, tb)
        if self._too_large is not None and isinstance(exc, MqttError):
            raise self._too_large from None

    async def ask_for(self, topics: Sequence[str], qos: int, *, retained: bool) -> list[str]:
        """Subscribe; returns the topics the broker refuses.

        Args:
            topics: filters.
            qos: 0 or 1.
            retained: send what is retained, even if the session had the subscription before.

        Raises:
            MqttError: the connection is lost, or there is no answer.
        """
        handling = _RETAINED_ALWAYS if retained else _RETAINED_IF_NEW
        refused: list[str] = []
        for start in range(0, len(topics), _TOPICS_A_SUBSCRIBE):
            asked = topics[start : start + _TOPICS_A_SUBSCRIBE]
            if self._old:
                granted = await self.subscribe([(topic, qos) for topic in asked], timeout=_PATIENCE)
            else:
                options = SubscribeOptions(qos=qos, retainHandling=handling)
                granted = await self.subscribe([(topic, options) for topic in asked], timeout=_PATIENCE)
            codes = [code if isinstance(code, int) else code.value for code in granted]
            refused.extend(topic for topic, code in zip(asked, codes, strict=False) if code >= _REFUSED)
        return refused

    async def until_lost(self) -> None:
        """Return when it was dropped by us.

        Raises:
            MqttError: it is lost otherwise.
        """
        try:
            async for _ in self.messages:
                pass
        except MqttError:
            if not self._dropped:
                raise

    def acknowledge(self, mid: int) -> None:
        """Acknowledge a message that came over this connection."""
        self._client.ack(mid, _AT_LEAST_ONCE)

    def pause(self) -> None:
        """Read nothing more for now: some brokers send more than they were told to.

        After about a minute of it the connection ends, as the broker's answers to pings are not read either.
        """
        sock = self._client.socket()
        if not self._paused and sock is not None:
            self._paused = True
            self._loop.remove_reader(sock.fileno())

    def resume(self) -> None:
        """Read again."""
        sock = self._client.socket()
        if self._paused and sock is not None:
            self._paused = False
            self._loop.add_reader(sock.fileno(), self._read)
            self._loop.call_soon(self._read)  # what TLS has read already makes no socket readable

    def drop(self) -> None:
        """End it, so that the broker sends again what is not acknowledged."""
        self._dropped = True
        self._client.disconnect()

    def _read(self) -> None:
        """As aiomqtt reads, but no further than to the next pause or into a packet that is too large."""
        try:
            while not self._paused and (sock := self._client.socket()) is not None:
                self._client.loop_read()
                self._check_length()
                if not (isinstance(sock, ssl.SSLSocket) and sock.pending()):
                    break
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is broken
            if not self._disconnected.done():
                self._disconnected.set_exception(error)
                self._disconnected.exception()  # nobody may wait for it, of which asyncio would complain
            self._client.disconnect()  # or it would go on to be read

    def _check_length(self) -> None:
        """Raise if the packet that is being read is too large.

        paho reads what is there before its length can be seen: some megabytes of it, and seldom all. One that
        is there as a whole is taken; its message is refused for its length like any other.
        """
        length = self._client._in_packet["remaining_length"]  # noqa: SLF001 - it tells nobody else
        if length > LARGEST_PACKET:
            self._too_large = MqttError(f"it sends a packet of {length} bytes; the most is {LARGEST_PACKET}")
            raise self._too_large

    def _on_connect(
        self,
        client: Client,
        userdata: Any,  # noqa: ANN401 - paho's
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self._greeted = True
        if not reason_code.is_failure:
            self._opened(flags.session_present)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: Client,
        userdata: Any,  # noqa: ANN401 - paho's
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if not self._connected.done():  # aiomqtt would wait for its timeout
            self._connected.set_exception(MqttError("connection closed"))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()  # aiomqtt may drop it unread, of which asyncio would complain

    def _on_socket_open(self, client: Client, userdata: Any, sock: PahoSocket) -> None:  # noqa: ANN401
        self._reached = True
        super()._on_socket_open(client, userdata, sock)
        self._loop.call_soon_threadsafe(self._loop.add_reader, sock.fileno(), self._read)

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:  # noqa: ANN401, ARG002
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        mid = message.mid if message.qos else 0
        self._take(Arrival(topic, bytes(message.payload), mid, message.dup, message.retain))


class _NoGreetingError(MqttError):
    """The broker does not even refuse."""


def wants_another_version(error: BaseException) -> bool:
    """Whether it may be for the version of MQTT that there is no connection.

    Some brokers do not answer to a version they do not know, or close the connection.
    """
    if isinstance(error, aiomqtt.exceptions.MqttConnectError):
        return _code(error.rc) == _UNSUPPORTED_VERSION
    return isinstance(error, _NoGreetingError)


def _code(code: int | ReasonCode | None) -> int | None:
    return code.value if isinstance(code, ReasonCode) else code


def _wishes(broker: MqttBroker) -> Properties:
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    wishes.MaximumPacketSize = LARGEST_PACKET
    if broker.qos:
        wishes.ReceiveMaximum = broker.in_flight
    if broker.persistent:
        wishes.SessionExpiryInterval = round(broker.session_expiry)
    return wishes
