"""Literal Modbus devices for commands in a process of their own: the server runs in a thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.collectors.commissioning_server import Gateway, serving


@contextmanager
def served(gateway: Gateway) -> Iterator[Gateway]:
    """The gateway, answering until the end of the block."""
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving(gateway):
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(60)
        yield gateway
    finally:
        done.set()
        thread.join(10)
