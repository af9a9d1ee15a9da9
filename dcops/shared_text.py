"""A text that is made once for all who ask for it at the same time."""

from collections.abc import Iterable, Iterator
from copy import copy
from itertools import tee
from time import monotonic

SECONDS = 1.0
"""So old a text may be for one more to have it from its beginning."""


class SharedText:
    """Pieces made as the fastest reader takes them, and kept for the slower ones only."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        """It is begun."""
        self._began = monotonic()
        self._whole = False
        self._beginning: Iterator[bytes] | None = tee(self._made(pieces), 1)[0]

    @property
    def is_open(self) -> bool:
        """Whether one more may read it: it is being made, and was begun less than a second ago."""
        return self._beginning is not None and monotonic() - self._began < SECONDS

    def close(self) -> None:
        """Keep it for nobody but those who read it."""
        self._beginning = None

    def read(self) -> Iterator[bytes]:
        """All of it.

        Raises:
            RuntimeError: another reader met an error before it was whole.
        """
        if self._beginning is None:
            raise ValueError("a text that is closed cannot be read from its beginning")
        return self._read(copy(self._beginning))

    def _read(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield from pieces
        if not self._whole:
            raise RuntimeError("the text broke off for another reader")

    def _made(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
            self._whole = True
        finally:
            self.close()
