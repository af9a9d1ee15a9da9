"""Whether a platform collects and stores, as ``/readyz`` tells it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from collectors.health import CollectionTotals
from console.ticks import TickSignal
from facility.clock import Clock
from facility.sample import NANOSECONDS
from ingest.delivery import Delivery
from ingest.spool import Spool

_TICKS_LATE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What is looked at."""

    totals: Callable[[], CollectionTotals]
    polled_elsewhere: bool
    """Shards have to find the head before anything is collected."""
    signal: TickSignal
    tick_period: int
    """ns."""
    spool: Spool
    site: Callable[[], str]
    """How the site was loaded, in words."""
    deliveries: Sequence[Delivery]
    clock: Clock

    def checks(self) -> list[tuple[str, bool, str]]:
        """(check, passed, detail) of everything that collecting and storing needs."""
        polls = self.totals().polls_done
        journal = self.spool.stats
        age = (self.clock.now() - self.signal.time) / NANOSECONDS if self.signal.number else None
        late = _TICKS_LATE * self.tick_period / NANOSECONDS
        checks = [
            ("collection", polls > 0 or self.polled_elsewhere, f"{polls} polls done"),
            ("tick", age is not None and age <= late, "none yet" if age is None else f"{age:.0f} s ago"),
            ("journal", journal.available, journal.error or "accepting"),
            ("site", True, self.site()),
        ]
        checks.extend(
            (f"store {each.name}", each.stats.available, each.stats.error or "taking readings")
            for each in self.deliveries
        )
        return checks
