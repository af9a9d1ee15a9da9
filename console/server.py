"""Serving the console on its port. A port that is taken is waited for; everything else runs on."""

import asyncio
import errno
import logging
import os
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from collectors.config import host_and_port
from console.app import build_app
from console.guard import allowed_hosts
from console.showing import Showing

_RETRY = 2.0
_GRACE = 2.0
_LOGGER = logging.getLogger(__name__)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether a record tells of anything but what a client sent: who scans ports must not fill the log."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


_CONNECTIONS = logging.getLogger("console.connections")
"""Where aiohttp tells of what it can't answer."""
_CONNECTIONS.addFilter(_is_our_fault)


async def serve(
    showing: Showing,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    names: frozenset[str] = frozenset(),
    on_listening: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until cancelled.

    Args:
        showing: what is shown.
        host: address to listen on.
        port: 0 takes a free one.
        names: by which it may be asked for beside that address; none let it answer to any on an outer one.
        on_listening: told the port.
    """
    app = build_app(showing, hosts=allowed_hosts(host, names))
    runner = web.AppRunner(app, access_log=None, logger=_CONNECTIONS, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        taken: tuple[str, int] = runner.addresses[0]
        _LOGGER.info("console at http://%s/", host_and_port(host, taken[1]))
        on_listening(taken[1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    said = False
    while True:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            if not said:
                taken = error.errno == errno.EADDRINUSE
                mend = "free the port or choose another" if taken else "correct the host"
                place, why = host_and_port(host, port), os.strerror(errno.EADDRINUSE) if taken else error
                _LOGGER.warning("console can't listen on %s: %s; %s; trying on", place, why, mend)
            said = True
            await asyncio.sleep(_RETRY)
        else:
            return
