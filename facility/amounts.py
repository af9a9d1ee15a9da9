"""What is told and remembered of the energies of spaces."""

from dataclasses import dataclass

from facility.counter_states import CounterStates
from facility.pledges import Pledge
from facility.sources import Floats


@dataclass(frozen=True, slots=True)
class Amount:
    """What a space has counted of one energy."""

    total: float
    """Since it was first read, estimates included; NaN if nothing is known."""
    coverage: float
    """Share of the expected load whose counters are read now."""
    carried: float
    """Share of it that is read or estimated now; the rest stands still."""
    integrated: float
    """Share of it that has no counter, so that its energy is an estimate from power."""
    late: float = 0.0
    """What of it was counted before now, and has become known now only."""
    late_since: float = 0.0
    """From when on that was counted, ns."""
    late_until: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What spaces have counted of one energy, as it is remembered; shapes (spaces,)."""

    amounts: Floats
    """NaN where nothing was known."""
    estimated: Floats


@dataclass(frozen=True, slots=True, eq=False)
class DeviceCounters:
    """Counters of one energy as they are remembered."""

    devices: tuple[str, ...]
    """Whose each is."""
    states: CounterStates
    spaces: tuple[str, ...] = ()
    """Of which ``pledge`` and ``counted`` are."""
    pledge: Pledge | None = None
    """What was, or may have been, told of them."""
    counted: Counted | None = None
    """An earlier dcops did not remember it."""
