"""A TCP server of the simplest kind: one coroutine a connection, all of them cut at the stop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from collectors.config import host_and_port
from simulators.wire.replies import cannot_listen

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection until it returns."""


class TcpServer:
    """Listens and lets each connection be served."""

    def __init__(self, host: str, port: int, serve: Serve) -> None:
        """``port`` 0 takes a free one."""
        self._host = host
        self._port = port
        self._serve = serve
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens; 0 if it does not."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else 0

    @property
    def address(self) -> str:
        """Host and port."""
        return host_and_port(self._host, self.port or self._port)

    async def start(self) -> None:
        """Listens.

        Raises:
            ListenError: the address is in use or not one of this machine.
        """
        try:
            self._server = await asyncio.start_server(self._connected, self._host, self._port)
        except OSError as error:
            raise cannot_listen(self.address, error) from error

    async def stop(self) -> None:
        """Cuts all connections and no longer listens."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._tasks.add(task)
        try:
            # A connection that is cut ends itself and nothing else; a stopped server cuts all of them.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._serve(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            self._tasks.discard(task)
            writer.transport.abort()
