"""Work that may take long, or never end, beside an event loop and a process that must not wait for it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def apart(name: str, work: Callable[[], _T]) -> _T:
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

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
