"""A way to an MQTT broker on which acknowledgements get lost, as when a process dies before they leave."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PUBACK = 0x40
_MORE = 0x80


class Way:
    """Connections to a broker. What clients send is passed on by packets, what the broker sends as it is."""

    def __init__(self, broker: int) -> None:
        self.muffled = False
        """Acknowledgements of messages do not arrive."""
        self.swallowed = 0
        self.port = 0
        self._broker = broker
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Way"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for each in self._tasks:
                each.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            broker, forth = await asyncio.open_connection("127.0.0.1", self._broker)
            for work in (self._packets(client, forth), self._bytes(broker, back)):
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _packets(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                packet = await _packet(reader)
                if self.muffled and packet[0] & 0xF0 == _PUBACK:
                    self.swallowed += 1
                    continue
                writer.write(packet)
                await writer.drain()
        writer.close()

    async def _bytes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


async def _packet(reader: asyncio.StreamReader) -> bytes:
    """The next packet of MQTT, whole."""
    head = await reader.readexactly(2)
    while head[-1] & _MORE:
        head += await reader.readexactly(1)
    size = sum((byte & ~_MORE) << 7 * place for place, byte in enumerate(head[1:]))
    return head + await reader.readexactly(size)
