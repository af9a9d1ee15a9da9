"""What kind of device a map is of: from the words of its maker, model and file, else from its units."""

import re
from collections.abc import Iterable

from facility.devices import DeviceKind

_WORDS: tuple[tuple[DeviceKind, str], ...] = (
    (
        DeviceKind.HEAT_METER,
        r"heat meter|thermal energy meter|btu meter|heat and cooling meter|multical|sharky|ultrasonic heat",
    ),
    (DeviceKind.WATER_METER, r"water meter"),
    (DeviceKind.GENERATOR, r"genset|generator"),
    (DeviceKind.VALVE, r"valve|actuator"),
    (DeviceKind.RACK_PDU, r"rack pdu|rpdu|rack power distribution|pdu outlets?|xerus"),
    (DeviceKind.BUSWAY_TAP, r"busway|tap[- ]off|bus plug"),
    (
        DeviceKind.POWER_SUPPLY,
        r"\bpsu\b|power suppl|power shelf|power tether|rectifier|power monitoring module",
    ),
    (
        DeviceKind.BATTERY,
        (
            r"\bbbu\b|battery (?:backup|monitor|management)|\bbattery\b.{0,80}\bbms\b|capacitor bank|\bcbu\b"
            r"|service com\.\w+\.battery"
        ),
    ),
    (DeviceKind.UPS, r"ups\b|uninterruptible|inverter"),
    (
        DeviceKind.RPP,
        r"\brpp\b|remote power panel|branch breaker|branch circuit|panelboard|\bpdu\b|_pdu|pdu_",
    ),
    (DeviceKind.BOARD_METER, r"power meter|energy meter|panel meter|grid meter|\w+ meter\b"),
    (DeviceKind.CDU, r"\bcdu\b|coolant distribution|\brpu\b|reservoir (?:&|and )?\s*pump|pumping unit"),
    (DeviceKind.DRY_COOLER, r"dry cooler|drycooler|fluid cooler"),
    (DeviceKind.COOLING_TOWER, r"cooling tower"),
    (DeviceKind.CHILLER, r"chiller|refrigerat|micro ?rack|\bmrk\d"),
    (DeviceKind.HEAT_PUMP, r"heat pump"),
    (
        DeviceKind.CRAH,
        (
            r"\bcrac\b|\bcrah\b|row cooler|inrow|fan ?coil|air handler|\bahu\b|precision (?:cooling|air)"
            r"|cyberair|close control|air condition|thermal wall"
        ),
    ),
    (DeviceKind.HEAT_EXCHANGER, r"heat exchanger"),
    (DeviceKind.PUMP, r"\bpump\b"),
    (DeviceKind.ENVIRONMENT_SENSOR, r"sensor|thermometer|weather|environment|hygro|leak detect|probe"),
)
_BY_UNITS: tuple[tuple[DeviceKind, frozenset[str]], ...] = (
    (DeviceKind.BOARD_METER, frozenset({"kWh", "Wh", "MWh", "W", "kW", "VA", "var"})),
    (DeviceKind.ENVIRONMENT_SENSOR, frozenset({"°C", "°F", "%RH"})),
)


def guess_kind(make: str, source: str, file: str, symbols: Iterable[str]) -> tuple[DeviceKind, str]:
    """(kind, what it was told by); a board meter where nothing tells."""
    for where, text in (("maker and model", make), ("file name", file.replace("_", " ")), ("source", source)):
        for kind, words in _WORDS:
            if match := re.search(words, text, re.IGNORECASE):
                return kind, f"{where}: {match[0]!r}"
    units = set(symbols)
    for kind, telling in _BY_UNITS:
        if telling & units:
            return kind, f"units: {', '.join(sorted(telling & units))}"
    return DeviceKind.BOARD_METER, "nothing; give --kind"
