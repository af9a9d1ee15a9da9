"""Computing for seconds beside an event loop that must not wait."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


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


async def apart(work: Callable[[], _T]) -> _T:
    """Do some work in a thread of its own, which nobody waits for at the exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # there is a result if there is no error

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as found:  # noqa: BLE001 - whoever waits is told
            error = found
        with contextlib.suppress(RuntimeError):  # the loop may have ended
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="reload", daemon=True).start()
    return await done


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
