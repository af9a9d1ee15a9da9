"""What was lost: how many readings, and of which time."""

from dataclasses import dataclass
from datetime import UTC, datetime

from facility.sample import NANOSECONDS


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
