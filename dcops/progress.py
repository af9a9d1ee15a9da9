"""Progress of a long command on stderr, a line now and then."""

import asyncio
import sys
from collections.abc import Callable

_EVERY = 5.0


async def tell_progress(text: Callable[[], str], every: float = _EVERY) -> None:
    """Print a line every few seconds until cancelled."""
    seconds = 0.0
    while True:
        await asyncio.sleep(every)
        seconds += every
        print(f"{seconds:.0f} s: {text()}", file=sys.stderr, flush=True)
