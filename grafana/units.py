"""Grafana's unit of each base unit, as it is exposed to Prometheus and as it is stored in InfluxDB."""

_EXPOSED = {
    "W": "watt",
    "Wh": "joule",
    "VA": "voltamp",
    "var": "voltampreact",
    "V": "volt",
    "A": "amp",
    "Hz": "hertz",
    "°C": "celsius",
    "K": "suffix: K",
    "L/s": "suffix: L/s",
    "L/kWh": "suffix: L/kWh",
    "kPa": "pressurepa",
    "m³": "m3",
    "%": "percentunit",
    "%RH": "percentunit",
    "s": "s",
    "rpm": "rotrpm",
    "VAh": "suffix: VAs",
    "varh": "suffix: vars",
    "Ah": "suffix: C",
    "°": "degree",
    "rad": "radian",
    "µS/cm": "suffix: µS/cm",
    "DM": "suffix: K s",
    "1": "none",
}
_STORED = _EXPOSED | {
    "Wh": "watth",
    "VAh": "suffix: VAh",
    "varh": "suffix: varh",
    "Ah": "amph",
    "kPa": "pressurekpa",
    "%": "percent",
    "%RH": "humidity",
    "DM": "suffix: DM",
}

COUNT = "short"
RATIO = "percentunit"
SECONDS = "s"
KELVIN = "suffix: K"
WATT_HOURS = "watth"
PER_SECOND = "cps"
BYTES = "bytes"
PLAIN = "none"


def exposed(unit: str) -> str:
    """Grafana unit of what Prometheus holds of a base unit."""
    return _EXPOSED[unit]


def stored(unit: str) -> str:
    """Grafana unit of what stores hold of a base unit."""
    return _STORED[unit]
