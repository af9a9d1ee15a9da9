"""What is done beside the event loop, or little by little on it."""

import asyncio
import gc
import weakref

from dcops.background import Freeing
from tests.collectors.conftest import running, until


class Large:
    """Holds things that are freed one by one."""

    def __init__(self) -> None:
        self.one, self.other = Thing(), Thing()


class Thing:
    """Can be watched as it goes."""


async def test_what_is_used_no_more_is_freed_an_attribute_at_a_time_and_is_then_gone_itself() -> None:
    freeing, large = Freeing(), Large()
    parts = [weakref.ref(large.one), weakref.ref(large.other)]
    whole = weakref.ref(large)
    freeing.add(large)
    del large
    gc.disable()
    try:
        async with running(freeing.run()):
            assert [part() is None for part in parts] == [True, False]
            await asyncio.sleep(0)
            await until(lambda: whole() is None)
            assert [part() for part in parts] == [None, None]
    finally:
        gc.enable()
