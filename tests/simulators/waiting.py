"""Waits on what real sockets and processes bring about."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Returns once the condition holds; fails when it does not in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - sockets and processes set no event
            await asyncio.sleep(0.01)
