"""What a faster clock asks of everything that runs on it, so that a simulated day fits into minutes."""

from dataclasses import dataclass, replace

from collectors.config import CollectionPlan
from facility.sample import NANOSECONDS

_POLLS_A_SECOND = 4.0
_TICKS_A_SECOND = 10.0
_STEPS_A_SECOND = 20.0
_LEAST_TIMEOUT = 0.1


@dataclass(frozen=True, slots=True)
class Pace:
    """Rates that one real second of work allows at a speed; at speed 1 they are the usual ones."""

    speed: float
    """Seconds of the clock a real second."""

    def period(self, wanted: float) -> float:
        """Seconds of the clock between two polls of a device, not less than wanted."""
        return max(wanted, self.speed / _POLLS_A_SECOND)

    @property
    def tick_period(self) -> int:
        """Nanoseconds of the clock between two ticks; whole seconds."""
        return round(max(1.0, self.speed / _TICKS_A_SECOND)) * NANOSECONDS

    @property
    def resolution(self) -> float:
        """Seconds of the clock between two steps of the plant."""
        return max(1.0, self.speed / _STEPS_A_SECOND)

    def hasten(self, plan: CollectionPlan) -> CollectionPlan:
        """The plan with timeouts, which are real time, short enough not to cost many polls."""
        endpoints = tuple(
            replace(each, timeout=max(_LEAST_TIMEOUT, each.timeout / self.speed)) for each in plan.endpoints
        )
        return replace(plan, endpoints=endpoints)
