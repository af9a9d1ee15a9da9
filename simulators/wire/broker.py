"""An MQTT broker within the process, for demos: loopback, anonymous, nothing kept on disk.

It speaks MQTT 3.1.1 and refuses clients of other versions at once, upon which they may try this one. What it
does not do: QoS 2 towards clients (they are granted 1), access rules, TLS.
"""

import asyncio
import contextlib
import itertools
import logging
import math
from types import TracebackType
from typing import Self, cast

from collectors.config import host_and_port
from collectors.errors import PacketError
from collectors.mqtt_packets import Packets
from simulators.wire.mqtt_packets import (
    FIXED_FLAGS,
    LARGEST,
    REFUSED_SUBSCRIPTION,
    Connect,
    Kind,
    MalformedPacketError,
    Message,
    Refusal,
    UnknownVersionError,
    numbered,
    packet,
    read_connect,
    read_number,
    read_publish,
    read_subscribe,
    read_unsubscribe,
)
from simulators.wire.mqtt_session import Session, is_filter, lowered, matches
from simulators.wire.replies import cannot_listen
from simulators.wire.room import OVERHEAD, Room, weight

_LOG = logging.getLogger(__name__)

_MOST_CONNECTIONS = 1000
"""Further ones are closed at once."""
_MOST_KEPT = 256 << 20
"""Bytes of messages that are not acknowledged, of all clients together."""
_MOST_SESSIONS = 1000
"""Clients, those that are away and have a session included; further ones are refused."""
_MOST_RETAINED = 100_000
"""Topics; further ones are not kept."""
_MOST_RETAINED_BYTES = 64 << 20
"""Bytes of what is retained; what does not fit goes to who is there, and is not kept."""
_MOST_KNOWN_BYTES = 64 << 20
"""Bytes of what is known of who takes which topic; beyond it, all is found out anew."""
_A_TAKER = 64
"""Bytes that to know of one of them takes, about."""
_LOOK = 1.0
"""Seconds between two looks for clients that have fallen silent."""
_TO_INTRODUCE = 10.0
"""Seconds within which a client says who it is."""
_PATIENCE = 1.5
"""Times its keep-alive may a client be silent."""


class EmbeddedBroker:
    """A broker that listens from ``async with`` on to its end."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self._sessions: dict[str, Session] = {}
        self._clients: set[_Client] = set()
        self._retained: dict[str, Message] = {}
        self._retained_room = Room(_MOST_RETAINED_BYTES)
        self._not_retained = 0
        self._kept = Room(_MOST_KEPT)
        self._takers: dict[str, tuple[tuple[Session, int], ...]] = {}
        self._takers_room = Room(_MOST_KNOWN_BYTES)
        self._names = itertools.count(1)

    async def __aenter__(self) -> Self:
        """Listens.

        Raises:
            ListenError: the address is in use or not one of this machine.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Client(self), self._host, self._port)
        except OSError as error:
            raise cannot_listen(f"broker: {host_and_port(self._host, self._port)}", error) from error
        self._watch = asyncio.create_task(self._look_for_silent_ones(), name="broker")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._server is not None:
            self._server.close()
            for client in tuple(self._clients):
                client.drop()
            await self._server.wait_closed()
        for session in self._sessions.values():
            session.end()
        if self._not_retained:
            _LOG.warning("broker: %d messages were not retained for lack of room", self._not_retained)

    def publish(self, message: Message) -> None:
        """Gives a message to all who have subscribed to its topic, each at the QoS it has asked for."""
        if message.retain:
            self._retain(message)
        for session, qos in self._who_takes(message.topic):
            session.deliver(lowered(message, qos))

    def arrived(self, client: "_Client") -> bool:
        """There is a connection more; False if there are too many."""
        if len(self._clients) >= _MOST_CONNECTIONS:
            return False
        self._clients.add(client)
        return True

    def welcome(self, connect: Connect) -> tuple[Session, bool] | None:
        """The session of a client that introduces itself, and whether it was there before; None: no room.

        Whoever had the same name before is thrown out.
        """
        name = connect.client_id or f"nameless-{next(self._names)}"
        for other in tuple(self._clients):
            if other.session is not None and other.session.client_id == name:
                other.drop()
        session = self._sessions.get(name)
        if session is None and len(self._sessions) >= _MOST_SESSIONS:
            return None
        present = session is not None and not connect.clean
        if session is None or connect.clean:
            if session is not None:
                session.end()
            session = self._sessions[name] = Session(name, clean=connect.clean, shared=self._kept)
            self._forget_takers()
        session.clean = connect.clean
        return session, present

    def farewell(self, client: "_Client", session: Session | None, will: Message | None) -> None:
        """A client is gone; its will is published."""
        self._clients.discard(client)
        if session is not None:
            session.closed()
            if session.clean and self._sessions.get(session.client_id) is session:
                del self._sessions[session.client_id]
                session.end()
                self._forget_takers()
        if will is not None:
            self.publish(will)

    def subscribe(self, session: Session, pattern: str, qos: int) -> int:
        """What is granted: a QoS, or REFUSED_SUBSCRIPTION if it is no filter or the client has too many."""
        granted = min(qos, 1)
        if not is_filter(pattern) or not session.subscribe(pattern, granted):
            return REFUSED_SUBSCRIPTION
        self._forget_takers()
        return granted

    def send_retained(self, session: Session, pattern: str, qos: int) -> None:
        """Gives a client what is retained of the topics of a filter."""
        for topic, message in self._retained.items():
            if matches(pattern, topic):
                session.deliver(lowered(message, qos, retain=True))

    def unsubscribe(self, session: Session, pattern: str) -> None:
        """Forgets a subscription."""
        session.unsubscribe(pattern)
        self._forget_takers()

    def _retain(self, message: Message) -> None:
        """Keep it in place of the one before, which is no longer the last one even if this is not kept."""
        before = self._retained.pop(message.topic, None)
        if before is not None:
            self._retained_room.give_back(weight(before))
        if not message.payload:
            return
        if len(self._retained) < _MOST_RETAINED and self._retained_room.take(weight(message)):
            self._retained[message.topic] = message
            return
        if not self._not_retained:
            _LOG.warning("broker: too much is retained; further messages are not, until some are cleared")
        self._not_retained += 1

    def _who_takes(self, topic: str) -> tuple[tuple[Session, int], ...]:
        known = self._takers.get(topic)
        if known is None:
            found = ((session, session.qos_of(topic)) for session in self._sessions.values())
            known = tuple((session, qos) for session, qos in found if qos is not None)
            size = len(topic.encode()) + OVERHEAD + _A_TAKER * len(known)
            if not self._takers_room.take(size):
                self._forget_takers()
                self._takers_room.take(size)
            self._takers[topic] = known
        return known

    def _forget_takers(self) -> None:
        self._takers.clear()
        self._takers_room = Room(_MOST_KNOWN_BYTES)

    async def _look_for_silent_ones(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            now = asyncio.get_running_loop().time()
            for client in tuple(self._clients):
                if now > client.until:
                    client.drop()


class _Client(asyncio.Protocol):
    """A connection of a client."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.session: Session | None = None
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self.until = self._loop.time() + _TO_INTRODUCE
        """When it must have said something, in seconds of the event loop."""
        self._packets = Packets(LARGEST)
        self._transport: asyncio.Transport | None = None
        self._patience = math.inf
        self._will: Message | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._broker.arrived(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._leave()

    def pause_writing(self) -> None:
        """Ask no more of a client that does not read: each answer to it would have to be kept.

        It is as with any peer that is slow: what it sends waits in its own socket, and nothing is lost. One
        that reads nothing for as long as it may be silent is cut off like one that says nothing.
        """
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        if self.session is not None:
            self.session.pause()

    def resume_writing(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        if self.session is not None:
            self.until = self._loop.time() + self._patience
            self.session.resume()

    def drop(self) -> None:
        """Cuts the connection at once."""
        if self._transport is not None:
            self._transport.abort()
        self._leave()

    def data_received(self, data: bytes) -> None:
        try:
            self._packets.feed(data)
            while (packet := self._packets.next()) is not None:
                if self._transport is None or self._transport.is_closing():
                    return
                whole, start = packet
                first, body = whole[0], whole[start:]
                if self.session is None:
                    self._introduced(first, body)
                else:
                    self._take(self.session, first, body)
        except (MalformedPacketError, PacketError):
            self.drop()
        if self.session is not None:
            self.until = self._loop.time() + self._patience

    def _introduced(self, first: int, body: bytes) -> None:
        if first >> 4 != Kind.CONNECT:
            raise MalformedPacketError("the first packet is no CONNECT")
        try:
            connect = read_connect(body)
        except UnknownVersionError:
            self._refuse(Refusal.VERSION)
            return
        if not connect.client_id and not connect.clean:
            self._refuse(Refusal.CLIENT_ID)
            return
        found = self._broker.welcome(connect)
        if found is None:
            self._refuse(Refusal.UNAVAILABLE)
            return
        self.session, present = found
        self._will = connect.will
        self._patience = _PATIENCE * connect.keepalive or math.inf
        self._write(packet(Kind.CONNACK, bytes((present, 0))))
        self.session.opened(self._write)

    def _take(self, session: Session, first: int, body: bytes) -> None:
        kind, flags = first >> 4, first & 0x0F
        if kind != Kind.PUBLISH and flags != FIXED_FLAGS.get(kind, 0):
            raise MalformedPacketError(f"a packet of kind {kind} has flags {flags:#06b}")
        match kind:
            case Kind.PUBLISH:
                self._published(session, flags, body)
            case Kind.PUBACK:
                session.acknowledged(read_number(body))
            case Kind.PUBREL:
                session.unreleased.discard(read_number(body))
                self._write(numbered(Kind.PUBCOMP, read_number(body)))
            case Kind.SUBSCRIBE:
                self._subscribed(session, body)
            case Kind.UNSUBSCRIBE:
                number, patterns = read_unsubscribe(body)
                for pattern in patterns:
                    self._broker.unsubscribe(session, pattern)
                self._write(numbered(Kind.UNSUBACK, number))
            case Kind.PINGREQ:
                self._write(packet(Kind.PINGRESP))
            case Kind.DISCONNECT:
                self._will = None
                self._close()
            case other:
                raise MalformedPacketError(f"a client sends no packets of kind {other}")

    def _published(self, session: Session, flags: int, body: bytes) -> None:
        message, number = read_publish(flags, body)
        if message.qos <= 1 or number not in session.unreleased:
            self._broker.publish(message)
        if message.qos == 1:
            self._write(numbered(Kind.PUBACK, number))
        elif message.qos:
            session.unreleased.add(number)
            self._write(numbered(Kind.PUBREC, number))

    def _subscribed(self, session: Session, body: bytes) -> None:
        number, asked = read_subscribe(body)
        granted = [self._broker.subscribe(session, pattern, qos) for pattern, qos in asked]
        self._write(packet(Kind.SUBACK, number.to_bytes(2, "big") + bytes(granted)))
        for (pattern, _), qos in zip(asked, granted, strict=True):
            if qos != REFUSED_SUBSCRIPTION:
                self._broker.send_retained(session, pattern, qos)

    def _refuse(self, why: Refusal) -> None:
        self._write(packet(Kind.CONNACK, bytes((0, why))))
        self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _leave(self) -> None:
        session, self.session = self.session, None
        will, self._will = self._will, None
        self._broker.farewell(self, session, will)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
