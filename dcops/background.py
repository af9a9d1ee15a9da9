"""Computing for seconds beside an event loop that must not wait."""

import asyncio
import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_rests() -> Iterator[None]:
    """Let no garbage collection look through all that is made meanwhile: it would stop everything.

    What was made by then stays for long, and is looked through no more.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if collecting:
            gc.enable()


class Freeing:
    """Frees large things that nobody uses any more, an attribute at a time: the loop turns in between."""

    def __init__(self) -> None:
        self._unused: asyncio.Queue[object] = asyncio.Queue()

    def add(self, *things: object) -> None:
        """Free these soon."""
        for each in things:
            self._unused.put_nowait(each)

    async def run(self) -> None:
        """Free what is added until cancelled."""
        while True:
            each = await self._unused.get()
            for name in tuple(vars(each)):
                delattr(each, name)
                await asyncio.sleep(0)
            del each  # not only when the next one comes
