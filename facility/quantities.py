"""What is rolled up over the spaces of a site, and what is computed from it.

A quantity is one number a space: the sum of the meters of one boundary below it, or the highest of its
temperatures. Quantities and key figures are ordinary points and are stored like any other.
"""

from dataclasses import dataclass
from enum import StrEnum

from facility.devices import Boundary, DeviceKind, Feed


class Aggregate(StrEnum):
    """How sources become one number."""

    SUM = "sum"
    MAX = "max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A live rollup. Its sources are the points of ``type_key`` on devices that match every filter given."""

    key: str
    unit: str
    """Base unit."""
    type_key: str
    label: str
    """Words for people."""
    aggregate: Aggregate = Aggregate.SUM
    boundary: Boundary | None = None
    kinds: frozenset[DeviceKind] | None = None
    feed: Feed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyQuantity:
    """A counter a space: what the meters of a boundary have counted since the site was first read."""

    key: str
    unit: str
    type_key: str
    """The counter."""
    power_type_key: str
    """The rate that carries the counter from its last reading to now."""
    rate_divisor: float
    """Rate × seconds / divisor = counted amount: 3600 for W to Wh, 1000 for L/s to m³."""
    boundary: Boundary
    label: str
    returned_type_key: str | None = None
    """The counter, on the same meter, of what flows back and is taken off."""


def _power(key: str, boundary: Boundary, label: str, feed: Feed | None = None) -> Quantity:
    return Quantity(key=key, unit="W", type_key="active_power", boundary=boundary, feed=feed, label=label)


def _energy(key: str, boundary: Boundary, label: str, returned_type_key: str | None = None) -> EnergyQuantity:
    return EnergyQuantity(
        key=key,
        unit="Wh",
        type_key="active_energy",
        power_type_key="active_power",
        rate_divisor=3600.0,
        boundary=boundary,
        label=label,
        returned_type_key=returned_type_key,
    )


QUANTITIES: tuple[Quantity, ...] = (
    _power("power", Boundary.IT_RACK, "IT power at the racks"),
    # Prometheus reads a lone "b" in a metric name as a unit, hence "feedb".
    _power("power_feeda", Boundary.IT_RACK, "IT power on feed A", Feed.A),
    _power("power_feedb", Boundary.IT_RACK, "IT power on feed B", Feed.B),
    _power("pdu_power", Boundary.IT_PDU, "IT power at distribution"),
    _power("ups_power", Boundary.IT_UPS, "IT power at UPS output"),
    _power("facility_power", Boundary.FACILITY_INPUT, "Facility input power"),
    _power("mechanical_power", Boundary.MECHANICAL, "Cooling power"),
    _power("generation_power", Boundary.GENERATION, "Generator power"),
    Quantity(
        key="heat_removed",
        unit="W",
        type_key="heat_power",
        kinds=frozenset({DeviceKind.CDU, DeviceKind.CRAH}),
        label="Heat removed from IT spaces",
    ),
    Quantity(
        key="heat_reused",
        unit="W",
        type_key="heat_power",
        boundary=Boundary.HEAT_REUSED,
        label="Heat handed over",
    ),
    Quantity(
        key="water_flow",
        unit="L/s",
        type_key="flow",
        boundary=Boundary.WATER_INTAKE,
        label="Water intake",
    ),
    Quantity(
        key="inlet_temperature",
        unit="°C",
        type_key="air_inlet_temperature",
        aggregate=Aggregate.MAX,
        label="Worst IT air inlet",
    ),
    Quantity(
        key="tcs_supply_temperature",
        unit="°C",
        type_key="tcs_supply_temperature",
        aggregate=Aggregate.MAX,
        label="Worst liquid supply to racks",
    ),
)
"""Every live rollup. A space carries those it has sources for."""

ENERGIES: tuple[EnergyQuantity, ...] = (
    _energy("energy", Boundary.IT_RACK, "IT energy at the racks"),
    _energy("pdu_energy", Boundary.IT_PDU, "IT energy at distribution"),
    _energy("ups_energy", Boundary.IT_UPS, "IT energy at UPS output"),
    _energy("facility_energy", Boundary.FACILITY_INPUT, "Facility input energy", "exported_energy"),
    _energy("mechanical_energy", Boundary.MECHANICAL, "Cooling energy"),
    EnergyQuantity(
        key="heat_reused_energy",
        unit="Wh",
        type_key="heat_energy",
        power_type_key="heat_power",
        rate_divisor=3600.0,
        boundary=Boundary.HEAT_REUSED,
        label="Heat energy handed over",
    ),
    EnergyQuantity(
        key="water_volume",
        unit="m³",
        type_key="volume",
        power_type_key="flow",
        rate_divisor=1000.0,
        boundary=Boundary.WATER_INTAKE,
        label="Water taken in",
    ),
)
"""Every counted rollup."""


class Window(StrEnum):
    """The periods of key figures; each ends now. The last two begin with the local month and year."""

    QUARTER = "15min"
    HOUR = "1h"
    DAY = "24h"
    MONTH = "month"
    YEAR = "year"


class Category(StrEnum):
    """Where PUE takes IT energy: ISO/IEC 30134-2."""

    UPS = "1"
    PDU = "2"
    RACK = "3"


IT_ENERGY_OF_CATEGORY: dict[Category, str] = {
    Category.UPS: "ups_energy",
    Category.PDU: "pdu_energy",
    Category.RACK: "energy",
}
"""Key of the energy that is the denominator of PUE in each category."""
