"""How a collector learns whether what it emitted is kept: plain callables, wired from outside."""

from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

Settled = Callable[[int, AbstractSet[int]], None]
"""Told that all batches up to a number are kept, but for those lost on the way."""
SetAside = Callable[[str, str, str, bytes], None]
"""Takes a message that is of no use: broker, topic, reason, payload. Never blocks and never raises."""


def _nothing_open() -> int:
    return 0


async def _nothing_noted(_: str) -> Sequence[bytes]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What is emitted goes on in numbered batches, and is kept when its batch is.

    As it stands without arguments everything counts as kept at once.
    """

    number: Callable[[], int] = _nothing_open
    """Number of the batch that holds what was emitted last."""
    hurry: Callable[[], None] = lambda: None
    """Asks that the open batch is kept soon."""
    note: Callable[[int, str, bytes], None] = lambda *_: None
    """Has bytes kept under a name with the batch of a number."""
    recall: Callable[[str], Awaitable[Sequence[bytes]]] = _nothing_noted
    """What was noted under a name with the batches kept last, oldest first; also before a crash."""
    listen: Callable[[Settled], None] = lambda _: None
    """Names who is to be told."""
    tell_no_more: Callable[[Settled], None] = lambda _: None
    """Names who is not to be told any more."""
