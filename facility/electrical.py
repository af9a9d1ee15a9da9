"""Electrical formulas: three-phase power, unbalance, distortion, redundancy. Pure functions of floats.

A quantity that the inputs do not define is NaN: it is not known, and never 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, isnan, nan, sqrt


def apparent_power(line_voltage: float, current: float) -> float:
    """S in VA of a balanced three-phase load: √3 · U · I, with the line-to-line voltage (V) and A a phase."""
    return sqrt(3.0) * line_voltage * current


def active_power(line_voltage: float, current: float, power_factor: float) -> float:
    """P in W of a balanced three-phase load: S · PF."""
    return apparent_power(line_voltage, current) * power_factor


def phase_current(power: float, line_voltage: float, power_factor: float) -> float:
    """A a phase that a balanced three-phase load of P (W) draws; NaN without voltage or power factor."""
    divisor = apparent_power(line_voltage, 1.0) * power_factor
    return power / divisor if divisor else nan


def power_factor(active: float, apparent: float) -> float:
    """P / S, of W and VA; NaN without load. Sums over phases are arithmetic: ΣP_k / ΣS_k."""
    return active / apparent if apparent else nan


def neutral_current(l1: float, l2: float, l3: float) -> float:
    """A in the neutral of a load without harmonics: √(a² + b² + c² − ab − bc − ca).

    Triplen harmonics add up in the neutral and are not in this.
    """
    return sqrt(max(0.0, l1 * l1 + l2 * l2 + l3 * l3 - l1 * l2 - l2 * l3 - l3 * l1))


def unbalance(l1: float, l2: float, l3: float) -> float:
    """Unbalance in % by NEMA MG-1: largest deviation from the mean, over the mean; NaN without a mean.

    Of line-to-line voltages by the standard; the same formula serves for currents.
    """
    mean = (l1 + l2 + l3) / 3.0
    if not mean:
        return nan
    return 100.0 * max(abs(value - mean) for value in (l1, l2, l3)) / mean


def total_harmonic_distortion(fundamental: float, harmonics: Sequence[float]) -> float:
    """THD in %: the harmonics' r.m.s. sum over the fundamental (all in A, or all in V)."""
    return 100.0 * hypot(*harmonics) / fundamental if fundamental else nan


def total_demand_distortion(harmonics: Sequence[float], demand_current: float) -> float:
    """TDD in %: the harmonics' r.m.s. sum over the largest demand current. Unlike THD small at low load."""
    return 100.0 * hypot(*harmonics) / demand_current if demand_current else nan


def true_power_factor(displacement_factor: float, thd: float) -> float:
    """Power factor with distorted current (THD in %) at sinusoidal voltage: cos φ / √(1 + THD²)."""
    return displacement_factor / hypot(1.0, thd / 100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """What one feed carries in each phase when it has to carry both."""

    currents: tuple[float, float, float]
    """A."""
    limit: float
    """A a phase that is allowed: k · In."""
    shares: tuple[float, float, float]
    """Currents in % of the rating In."""

    @property
    def margin(self) -> float:
        """A left in the worst phase; negative if the surviving feed would be overloaded."""
        if any(isnan(current) for current in self.currents):
            return nan
        return self.limit - max(self.currents)

    @property
    def survives(self) -> bool:
        """Whether every phase stays within the limit; False if that is not known."""
        return self.margin >= 0.0

    @property
    def overloaded(self) -> tuple[int, ...]:
        """Phases (1 to 3) beyond the limit."""
        return tuple(phase for phase, current in enumerate(self.currents, 1) if current > self.limit)


def failover(
    feed_a: Sequence[float],
    feed_b: Sequence[float],
    rated_current: float,
    *,
    allowed: float = 0.8,
    voltage_ratio: float = 1.0,
) -> Failover:
    """Loss of one of two feeds under a constant-power load: the other carries the sum, phase by phase.

    Args:
        feed_a: A in the three phases of the feed that survives, measured at one time.
        feed_b: likewise of the one that is lost.
        rated_current: A a phase, of what survives.
        allowed: share of the rating that may be used for long; site policy.
        voltage_ratio: voltage of the lost feed over that of the surviving one.
    """
    l1, l2, l3 = (a + b * voltage_ratio for a, b in zip(feed_a, feed_b, strict=True))
    shares = tuple(100.0 * current / rated_current if rated_current else nan for current in (l1, l2, l3))
    return Failover(
        currents=(l1, l2, l3),
        limit=allowed * rated_current,
        shares=(shares[0], shares[1], shares[2]),
    )


def block_load(load: float, units: int, unit_rating: float, *, lost: int = 0) -> float:
    """Load in % of each of equal parallel units (kW and kW, or kVA and kVA) after some are lost.

    NaN when none is left: there is nothing to carry the load.
    """
    capacity = (units - lost) * unit_rating
    return 100.0 * load / capacity if capacity > 0 else nan


def survives_unit_loss(load: float, units: int, unit_rating: float) -> bool:
    """Whether N+1 holds: the load fits on all units but one. Check both kW and kVA."""
    return load <= (units - 1) * unit_rating
