"""How long to wait before trying again: growing, capped and jittered."""

from random import Random


class Backoff:
    """Pauses between attempts: the first one short, each up to twice the former, never above the cap."""

    __slots__ = ("_cap", "_first", "_next", "_random")

    def __init__(self, random: Random, *, first: float = 0.25, cap: float = 30.0) -> None:
        self._random = random
        self._first = first
        self._cap = cap
        self._next = first

    def pause(self) -> float:
        """Seconds to wait now; half of it is jitter, so that many do not come back at once."""
        pause = self._next * (0.5 + 0.5 * self._random.random())
        self._next = min(2 * self._next, self._cap)
        return pause

    def reset(self) -> None:
        """Begin again with the short one: the last attempt was a success."""
        self._next = self._first
