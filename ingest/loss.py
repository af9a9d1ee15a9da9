"""What was lost: how many readings, and of which time."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from facility.sample import NANOSECONDS

_log = logging.getLogger(__name__)

_QUIET = 600 * NANOSECONDS
"""Without a loss for so long, the next one is told anew."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Readings that are gone, and when the first and the last of them had been accepted."""

    points: int = 0
    since: int | None = None
    """ns UTC; None if nothing is lost."""
    until: int | None = None

    def plus(self, points: int, since: int, until: int) -> "Loss":
        """This loss and another one together."""
        if not points:
            return self
        return Loss(
            self.points + points,
            since if self.since is None else min(self.since, since),
            until if self.until is None else max(self.until, until),
        )

    def __str__(self) -> str:
        if self.since is None or self.until is None:
            return "no readings"
        return f"{self.points} readings accepted from {moment(self.since)} to {moment(self.until)}"


def moment(time: int) -> str:
    """A time (ns UTC) to the second."""
    return datetime.fromtimestamp(time // NANOSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class StoreLosses:
    """What stores lose because the journal is at its bounds: counted, and told when it begins and ends."""

    def __init__(self, stores: Iterable[str]) -> None:
        self.total: dict[str, Loss] = dict.fromkeys(stores, Loss())
        """By store, since the start."""
        self._going_on: dict[str, tuple[Loss, int]] = {}

    def add(self, store: str, points: int, since: int, until: int, now: int) -> None:
        """Note that a store will never get these."""
        if not points:
            return
        self.total[store] = self.total[store].plus(points, since, until)
        if store not in self._going_on:
            _log.error(
                "the journal is at its bound: store %s loses what it has not taken, the oldest first,"
                " from readings accepted at %s on; bring the store back",
                store,
                moment(since),
            )
        loss, _ = self._going_on.get(store, (Loss(), now))
        self._going_on[store] = loss.plus(points, since, until), now

    def settle(self, now: int) -> None:
        """Tell what was lost altogether, once nothing more has been for a while."""
        for store, (loss, at) in list(self._going_on.items()):
            if now - at >= _QUIET:
                _log.warning("store %s lost %s; the journal is within its bounds again", store, loss)
                del self._going_on[store]
