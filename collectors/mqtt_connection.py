"""One connection to a broker, through aiomqtt, with acknowledgement by hand.

aiomqtt acknowledges every message as it comes and does not tell which ones come again. paho-mqtt, on which
it stands, offers both; this class reaches for it. What it relies on in aiomqtt 2.x: ``_client`` is paho's
client; its callbacks are the methods ``_on_connect``, ``_on_disconnect``, ``_on_socket_open``, which has the
socket read, ``_on_socket_register_write`` and ``_on_socket_close``; ``_connected`` and ``_disconnected`` are
the futures of its beginning, which ``async with`` waits for, and of its end.

Messages are read here, and paho has nothing to do with them (docs/decisions/0043). It is given all other
packets: in paho 2.x ``_sock_recv`` is how it reads from its socket, and ``_last_bytes_received`` when it did
last. A broker from which something comes is not given up for an answer to a ping that lies behind it.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar

import aiomqtt
from aiomqtt.types import PahoSocket
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, Client, ConnectFlags, DisconnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from collectors.apart import apart
from collectors.config import MqttBroker, MqttVersion
from collectors.errors import PacketError
from collectors.mqtt_inflow import LARGEST_PACKET, Inflow
from collectors.mqtt_packets import KIND_SHIFT, PUBLISH, Arrival, read_message

MqttError = aiomqtt.MqttError
"""The connection cannot be made, or is lost."""

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
_CLOSED = "connection closed"
_ENDS = {
    130: "it sends a packet that cannot be read",
    141: "it does not answer to pings",
}
"""What reason codes of MQTT 5 mean that paho gives to an end of its own."""
_TAKEN_OVER = 142

Granted = TypeVar("Granted")


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
        self._reached = False
        self._greeted = False
        self._unreadable: MqttError | None = None
        self._lost = ""
        self._inflow = Inflow(take=self._hand_on, ended=self._broken_off, came=self._heard)
        self._for_paho = b""
        self._end: OSError | None = None
        """What paho is to meet when it has read what is for it; until then there is no more for now."""
        self._client._sock_recv = self._received  # type: ignore[method-assign]  # noqa: SLF001 - see above
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
            raise self._unreadable or MqttError(_CLOSED)
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
        """Disconnect; what ended for a packet that nobody can read did so for nothing else."""
        await super().__aexit__(exc_type, exc, tb)
        if self._unreadable is not None and isinstance(exc, MqttError):
            raise self._unreadable from None

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
                answer = self.subscribe([(topic, qos) for topic in asked], timeout=_PATIENCE)
            else:
                options = SubscribeOptions(qos=qos, retainHandling=handling)
                answer = self.subscribe([(topic, options) for topic in asked], timeout=_PATIENCE)
            granted = await self._unless_lost(answer)
            codes = [code if isinstance(code, int) else code.value for code in granted]
            refused.extend(topic for topic, code in zip(asked, codes, strict=False) if code >= _REFUSED)
        return refused

    async def _unless_lost(self, answer: Coroutine[Any, Any, Granted]) -> Granted:
        """What the broker answers; aiomqtt would wait for it over a connection that is gone.

        Raises:
            MqttError: the connection is lost, or there is no answer.
        """
        waiting = asyncio.ensure_future(answer)
        try:
            await asyncio.wait((waiting, self._disconnected), return_when=asyncio.FIRST_COMPLETED)
            if self._disconnected.done():
                raise self._why_lost()
            return waiting.result()
        finally:
            waiting.cancel()

    def _why_lost(self) -> BaseException:
        """What ended the connection, in words."""
        error = self._disconnected.exception()
        if error is None or (isinstance(error, MqttError) and self._lost):
            return MqttError(self._lost or _CLOSED)
        return error

    async def until_lost(self) -> None:
        """Return when it was dropped by us.

        Raises:
            MqttError: it is lost otherwise.
            Exception: what comes over it is more than can be coped with.
        """
        await asyncio.wait((self._disconnected,))
        if not self._dropped:
            raise self._why_lost()

    def acknowledge(self, mid: int) -> None:
        """Acknowledge a message that came over this connection."""
        self._client.ack(mid, _AT_LEAST_ONCE)

    def pause(self) -> None:
        """Read nothing more for now: some brokers send more than they were told to.

        After about a minute of it the connection ends, as the broker's answers to pings are not read either.
        """
        self._inflow.pause()

    def resume(self) -> None:
        """Read again."""
        self._inflow.resume()

    def drop(self) -> None:
        """End it, so that the broker sends again what is not acknowledged."""
        self._dropped = True
        self._client.disconnect()

    def _heard(self) -> None:
        """Something has come: a part of a long message, too, shows that the broker is there."""
        self._client._last_bytes_received = monotonic()  # noqa: SLF001 - see above

    def _hand_on(self, packet: bytes, start: int) -> None:
        """A packet has come: a message, or one for paho."""
        if packet[0] >> KIND_SHIFT == PUBLISH:
            self._take(read_message(packet, start, has_properties=not self._old))
            return
        self._for_paho = packet
        self._client.loop_read()

    def _received(self, bufsize: int) -> bytes:
        """In place of paho's reading from the socket.

        Raises:
            BlockingIOError: there is nothing for it.
            OSError: the connection is lost.
        """
        if not self._for_paho:
            raise self._end or BlockingIOError
        data, self._for_paho = self._for_paho[:bufsize], self._for_paho[bufsize:]
        return data

    def _broken_off(self, error: Exception) -> None:
        """Nothing more is taken: the connection is lost, or what comes over it cannot be read."""
        if isinstance(error, OSError):
            self._end = error
            self._client.loop_read()
            return
        if isinstance(error, PacketError):
            error = self._unreadable = MqttError(str(error))
            self._lost = str(error)
        if not self._disconnected.done():
            self._disconnected.set_exception(error)
            self._disconnected.exception()  # nobody may wait for it, of which asyncio would complain
        self._client.disconnect()  # or it would go on to be read

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
        self._lost = self._lost or _told(reason_code, by_broker=flags.is_disconnect_packet_from_server)
        if not self._connected.done():  # aiomqtt would wait for its timeout
            self._connected.set_exception(MqttError(_CLOSED))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()  # aiomqtt may drop it unread, of which asyncio would complain

    def _on_socket_open(self, client: Client, userdata: Any, sock: PahoSocket) -> None:  # noqa: ANN401
        self._reached = True
        super()._on_socket_open(client, userdata, sock)
        self._loop.call_soon_threadsafe(self._inflow.open, sock)

    def _on_socket_register_write(self, client: Client, userdata: Any, sock: PahoSocket) -> None:  # noqa: ANN401, ARG002
        self._loop.call_soon_threadsafe(self._watch_for_writing, sock)

    def _watch_for_writing(self, sock: PahoSocket) -> None:
        """Unless it was closed since: its number may be that of another connection by now."""
        number = sock.fileno()
        if number >= 0:
            self._loop.add_writer(number, self._write)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is broken
            if not self._disconnected.done():
                self._disconnected.set_exception(error)

    def _on_socket_close(self, client: Client, userdata: Any, sock: PahoSocket) -> None:  # noqa: ANN401
        self._inflow.close()
        super()._on_socket_close(client, userdata, sock)


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


def _told(code: ReasonCode, *, by_broker: bool) -> str:
    """Why a connection ended, by what the broker said or paho found."""
    if not by_broker:
        return _ENDS.get(code.value, _CLOSED)
    if code.value == _TAKEN_OVER:
        return "another client connected with our client_id; give each a client_id of its own"
    return f"it ends the connection: {str(code).lower()}"


def _wishes(broker: MqttBroker) -> Properties:
    wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    wishes.MaximumPacketSize = LARGEST_PACKET
    if broker.qos:
        wishes.ReceiveMaximum = broker.in_flight
    if broker.persistent:
        wishes.SessionExpiryInterval = round(broker.session_expiry)
    return wishes
