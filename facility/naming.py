"""One home for series names: line protocol, Prometheus exposition and dashboards all ask here.

Line protocol: measurement = device kind, ``rollup`` or ``kpi``; tags and fields as in the catalogue; a
field ``NAME_q`` holds the quality code of a point that is not good. Prometheus: ``dcops_`` + quantity +
base unit in words, ``_total`` on counters, energy in joules as its conventions ask.
"""

from facility.point_types import Behaviour, PointType

PREFIX = "dcops_"
QUALITY_SUFFIX = "_q"
"""What follows a point's name in the field that holds its quality code, in stores."""

_PROMETHEUS_UNITS: dict[str, tuple[str, float]] = {
    "W": ("watts", 1.0),
    "Wh": ("joules", 3600.0),
    "VA": ("volt_amperes", 1.0),
    "var": ("volt_amperes_reactive", 1.0),
    "VAh": ("volt_ampere_seconds", 3600.0),
    "varh": ("volt_ampere_reactive_seconds", 3600.0),
    "V": ("volts", 1.0),
    "A": ("amperes", 1.0),
    "Ah": ("coulombs", 3600.0),
    "Hz": ("hertz", 1.0),
    "°C": ("celsius", 1.0),
    "K": ("kelvin", 1.0),
    "L/s": ("litres_per_second", 1.0),
    "L/kWh": ("litres_per_kilowatt_hour", 1.0),
    "kPa": ("pascals", 1000.0),
    "m³": ("cubic_metres", 1.0),
    "%": ("ratio", 0.01),
    "%RH": ("ratio", 0.01),
    "s": ("seconds", 1.0),
    "rpm": ("revolutions_per_minute", 1.0),
    "°": ("degrees", 1.0),
    "rad": ("radians", 1.0),
    "µS/cm": ("microsiemens_per_centimetre", 1.0),
    "DM": ("celsius_seconds", 60.0),
    "1": ("", 1.0),
}


def prometheus_unit(unit: str) -> tuple[str, float]:
    """(suffix in words, factor from the base unit) for a base unit; the suffix may be empty."""
    return _PROMETHEUS_UNITS[unit]


def prometheus_name(key: str, unit: str, behaviour: Behaviour = Behaviour.GAUGE) -> str:
    """Metric name of a rollup or key figure: ``power`` in W becomes ``dcops_power_watts``."""
    return _join(PREFIX + key, unit, behaviour)


def point_metric(kind: PointType) -> str:
    """Metric name of device points of a type: ``active_power`` becomes ``dcops_point_active_power_watts``."""
    return _join(f"{PREFIX}point_{kind.key}", kind.unit, kind.behaviour)


def quality_field(point_name: str) -> str:
    """Name of the field that holds a point's quality code where it is not good."""
    return point_name + QUALITY_SUFFIX


def _join(name: str, unit: str, behaviour: Behaviour) -> str:
    words, _ = prometheus_unit(unit)
    parts = [name]
    if words and not name.endswith(words):
        parts.append(words)
    if behaviour is Behaviour.COUNTER:
        parts.append("total")
    return "_".join(parts)
