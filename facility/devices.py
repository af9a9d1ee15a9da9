"""The devices of a site and what each is metered for."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from facility.point_types import PointType


class DeviceKind(StrEnum):
    """What a device is. The kind is also the measurement its readings are stored under."""

    UTILITY_METER = "utility_meter"
    BOARD_METER = "board_meter"
    UPS = "ups"
    POWER_SUPPLY = "power_supply"
    """Rectifiers: power shelves of racks and what stands in them, DC feeds."""
    BATTERY = "battery"
    """Batteries and capacitors with electronics of their own: rack backup units, battery monitors."""
    GENERATOR = "generator"
    RPP = "rpp"
    BUSWAY_TAP = "busway_tap"
    RACK_PDU = "rack_pdu"
    CHILLER = "chiller"
    HEAT_PUMP = "heat_pump"
    COOLING_TOWER = "cooling_tower"
    DRY_COOLER = "dry_cooler"
    CDU = "cdu"
    CRAH = "crah"
    HEAT_EXCHANGER = "heat_exchanger"
    HEAT_METER = "heat_meter"
    WATER_METER = "water_meter"
    PUMP = "pump"
    VALVE = "valve"
    """Control valves and their actuators, with or without a flow sensor."""
    ENVIRONMENT_SENSOR = "environment_sensor"


POWER_KINDS = frozenset(
    {
        DeviceKind.UTILITY_METER,
        DeviceKind.BOARD_METER,
        DeviceKind.UPS,
        DeviceKind.GENERATOR,
        DeviceKind.RPP,
        DeviceKind.BUSWAY_TAP,
        DeviceKind.RACK_PDU,
    }
)
"""Kinds whose ``serves`` carries electricity, so that what they read holds what is below them."""


class Feed(StrEnum):
    """The power path a device hangs on, in a 2N plant."""

    A = "A"
    B = "B"


class Boundary(StrEnum):
    """What a meter's reading stands for in totals. One device counts in one boundary at most.

    Meters of one boundary are added up; so none of them may stand upstream of another one of them.
    """

    FACILITY_INPUT = "facility_input"
    """All energy that enters: the numerator of PUE."""
    IT_UPS = "it_ups"
    """IT energy at the UPS output: PUE category 1."""
    IT_PDU = "it_pdu"
    """IT energy at the power distribution (RPP or busway): PUE category 2."""
    IT_RACK = "it_rack"
    """IT energy at the rack: PUE category 3."""
    MECHANICAL = "mechanical"
    """Electricity of cooling: chillers, towers, pumps, CDUs, CRAHs."""
    GENERATION = "generation"
    """What generators on the site deliver."""
    HEAT_REUSED = "heat_reused"
    """Heat handed over outside the site."""
    WATER_INTAKE = "water_intake"
    """Water that enters the site."""


DEFAULT_BOUNDARIES: dict[DeviceKind, Boundary] = {
    DeviceKind.UTILITY_METER: Boundary.FACILITY_INPUT,
    DeviceKind.UPS: Boundary.IT_UPS,
    DeviceKind.RPP: Boundary.IT_PDU,
    DeviceKind.RACK_PDU: Boundary.IT_RACK,
    DeviceKind.GENERATOR: Boundary.GENERATION,
    DeviceKind.CHILLER: Boundary.MECHANICAL,
    DeviceKind.HEAT_PUMP: Boundary.MECHANICAL,
    DeviceKind.COOLING_TOWER: Boundary.MECHANICAL,
    DeviceKind.DRY_COOLER: Boundary.MECHANICAL,
    DeviceKind.CDU: Boundary.MECHANICAL,
    DeviceKind.CRAH: Boundary.MECHANICAL,
    DeviceKind.PUMP: Boundary.MECHANICAL,
    DeviceKind.WATER_METER: Boundary.WATER_INTAKE,
}
"""Where a device counts unless the site says otherwise. A heat meter counts nowhere until told."""


_BEYOND_ALL = 1e30
"""In base units, no reading of anything is as large. Many devices write "no value" into a float as the
largest one there is, 3.4e38, and whole numbers of 64 bits end at 1.8e19."""


@dataclass(frozen=True, slots=True)
class PointSpec:
    """One point as a profile declares it; all devices of a profile share the tuple of these."""

    name: str
    """Unique in the device, for example ``current_l1``; the field name in stores."""
    type: PointType
    modulus: float | None = None
    """Where a counter rolls over, in base units; None if it never does in practice."""
    every: int = 1
    """It is read in every so manieth scan of its device: 1 for power, more for what seldom changes."""
    states: tuple[tuple[int, str], ...] = ()
    """Words for the numbers of a state, as the maker writes them."""
    check_range: bool = True
    """Whether numbers that are impossible for its type are refused; not where the type is a guess."""

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest number that is possible, of whatever it may be."""
        low, high = (self.type.low, self.type.high) if self.check_range else (-inf, inf)
        return max(low, -_BEYOND_ALL), min(high, _BEYOND_ALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One piece of equipment that is read."""

    id: str
    kind: DeviceKind
    space: str
    """Id of the space it stands in."""
    points: tuple[PointSpec, ...]
    period: float
    """Seconds between two readings of it."""
    name: str = ""
    feed: Feed | None = None
    serves: tuple[str, ...] = ()
    """Ids of devices or spaces it supplies with power or cooling; edges point towards the load."""
    boundary: Boundary | None = None
    rated_power: float | None = None
    """W; thermal for heat meters and heat exchangers, electrical for all others."""
    rated_current: float | None = None
    """A a phase."""
    reports_by_exception: bool = False
    """True if it is silent while nothing changes, so that silence alone does not make it stale."""
