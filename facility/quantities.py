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
    """The rate that carries the counter from its last reading to now; 1/3600 of its base unit a second,
    but for water (see ``rate_divisor``)."""
    rate_divisor: float
    """Rate × seconds / divisor = counted amount: 3600 for W to Wh, 1000 for L/s to m³."""
    boundary: Boundary
    label: str


# Prometheus reads a lone "b" in a metric name as a unit, hence "feedb".
QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        key="power",
        unit="W",
        type_key="active_power",
        boundary=Boundary.IT_RACK,
        label="IT power at the racks",
    ),
    Quantity(
        key="power_feeda",
        unit="W",
        type_key="active_power",
        boundary=Boundary.IT_RACK,
        feed=Feed.A,
        label="IT power on feed A",
    ),
    Quantity(
        key="power_feedb",
        unit="W",
        type_key="active_power",
        boundary=Boundary.IT_RACK,
        feed=Feed.B,
        label="IT power on feed B",
    ),
    Quantity(
        key="pdu_power",
        unit="W",
        type_key="active_power",
        boundary=Boundary.IT_PDU,
        label="IT power at distribution",
    ),
    Quantity(
        key="ups_power",
        unit="W",
        type_key="active_power",
        boundary=Boundary.IT_UPS,
        label="IT power at UPS output",
    ),
    Quantity(
        key="facility_power",
        unit="W",
        type_key="active_power",
        boundary=Boundary.FACILITY_INPUT,
        label="Facility input power",
    ),
    Quantity(
        key="mechanical_power",
        unit="W",
        type_key="active_power",
        boundary=Boundary.MECHANICAL,
        label="Cooling power",
    ),
    Quantity(
        key="generation_power",
        unit="W",
        type_key="active_power",
        boundary=Boundary.GENERATION,
        label="Generator power",
    ),
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
        key="water_flow", unit="L/s", type_key="flow", boundary=Boundary.WATER_INTAKE, label="Water intake"
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
    EnergyQuantity(
        key="energy",
        unit="Wh",
        type_key="active_energy",
        power_type_key="active_power",
        rate_divisor=3600.0,
        boundary=Boundary.IT_RACK,
        label="IT energy at the racks",
    ),
    EnergyQuantity(
        key="pdu_energy",
        unit="Wh",
        type_key="active_energy",
        power_type_key="active_power",
        rate_divisor=3600.0,
        boundary=Boundary.IT_PDU,
        label="IT energy at distribution",
    ),
    EnergyQuantity(
        key="ups_energy",
        unit="Wh",
        type_key="active_energy",
        power_type_key="active_power",
        rate_divisor=3600.0,
        boundary=Boundary.IT_UPS,
        label="IT energy at UPS output",
    ),
    EnergyQuantity(
        key="facility_energy",
        unit="Wh",
        type_key="active_energy",
        power_type_key="active_power",
        rate_divisor=3600.0,
        boundary=Boundary.FACILITY_INPUT,
        label="Facility input energy",
    ),
    EnergyQuantity(
        key="mechanical_energy",
        unit="Wh",
        type_key="active_energy",
        power_type_key="active_power",
        rate_divisor=3600.0,
        boundary=Boundary.MECHANICAL,
        label="Cooling energy",
    ),
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
