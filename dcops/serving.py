"""The page and the API, for as long as there is something to show."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from console.server import serve
from console.showing import Showing
from console.ticks import TickSignal
from dcops.settings import Settings
from dcops.stages import stage


@asynccontextmanager
async def serving(
    pages: Showing, signal: TickSignal, settings: Settings, on_listening: Callable[[int], None]
) -> AsyncIterator[None]:
    """Serve while the body runs; then streams end, as no tick follows. ``on_listening`` is told the port."""
    console = serve(
        pages,
        host=settings.host,
        port=settings.port,
        names=settings.allowed_hosts,
        on_listening=on_listening,
    )
    async with stage({"console": console}):
        yield
        signal.close()
