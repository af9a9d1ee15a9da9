"""How late a process wakes that does next to nothing, or is kept from its work."""

import asyncio

_LOOK = 0.01
"""Seconds."""


class Lag:
    """How much later than wanted a task of the loop wakes."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time()
            await asyncio.sleep(_LOOK)
            self.longest = max(self.longest, loop.time() - asked - _LOOK)

    def take(self) -> float:
        """The longest since the last call."""
        longest, self.longest = self.longest, 0.0
        return longest
