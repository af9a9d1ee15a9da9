"""What kind of device a map is of: from the words of its maker, model and file, else from its units."""

import re
from collections.abc import Iterable, Sequence

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
    (
        DeviceKind.BOARD_METER,
        r"\w+ meter\b|(?:energy|power|network|power quality) analy[sz]er|power monitoring device|multimeter",
    ),
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
_BY_NAMES = ((DeviceKind.CRAH, re.compile(r"\b(?:supply|return)[ _]air[ _]", re.IGNORECASE)),)
_ELECTRICAL = frozenset(
    {
        "W",
        "kW",
        "Wh",
        "kWh",
        "MWh",
        "VA",
        "kVA",
        "VAh",
        "kVAh",
        "var",
        "kvar",
        "varh",
        "kvarh",
        "V",
        "A",
        "Hz",
    }
)
_ENERGIES = frozenset({"W", "kW", "Wh", "kWh", "MWh"})
_CLIMATE = frozenset({"°C", "°F", "%RH"})


def guess_kind(
    make: str, source: str, file: str, names: Iterable[str], symbols: Sequence[str]
) -> tuple[DeviceKind, str]:
    """(kind, what it was told by); a board meter where nothing tells. Names and symbols are of the rows."""
    for where, text in (("maker and model", make), ("file name", file.replace("_", " ")), ("source", source)):
        for kind, words in _WORDS:
            if match := re.search(words, text, re.IGNORECASE):
                return kind, f"{where}: {match[0]!r}"
    for name in names:
        for kind, telling in _BY_NAMES:
            if telling.search(name):
                return kind, f"name: {name!r}"
    units = [each for each in symbols if each]
    electrical = [each for each in units if each in _ELECTRICAL]
    if 2 * len(electrical) > len(units) and _ENERGIES & set(electrical):
        return DeviceKind.BOARD_METER, f"units: {', '.join(sorted(set(electrical)))}"
    if 2 * len([each for each in units if each in _CLIMATE]) > len(units):
        return DeviceKind.ENVIRONMENT_SENSOR, f"units: {', '.join(sorted(_CLIMATE & set(units)))}"
    return DeviceKind.BOARD_METER, "nothing"
