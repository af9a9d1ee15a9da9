"""Which point type a register of a map is: guessed from its unit and the words of its name.

Only what is sure gets a type that totals are made of; everything else gets the general type of its unit:
a phase or a threshold that was taken for the power of the device would make every total above it wrong.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from facility.devices import DeviceKind
from facility.units import unit

SINGLE = frozenset(
    {
        *("active_power", "input_active_power", "active_energy", "input_active_energy", "apparent_power"),
        *("reactive_power", "exported_energy", "heat_power", "heat_energy", "flow", "volume", "load"),
        *("battery_charge", "battery_runtime", "running", "on_battery", "on_bypass", "fault", "leak"),
    }
)
"""Types a device has once; further points that look alike get the general type of their unit."""
GENERAL = {
    "W": "power",
    "Wh": "energy",
    "VAh": "apparent_energy",
    "varh": "reactive_energy",
    "V": "voltage",
    "A": "current",
    "Ah": "charge",
    "Hz": "frequency",
    "°C": "temperature",
    "K": "temperature_difference",
    "L/s": "branch_flow",
    "kPa": "pressure",
    "%RH": "relative_humidity",
    "%": "percentage",
    "s": "duration",
    "rpm": "rotational_speed",
    "°": "angle",
    "µS/cm": "conductivity",
}
"""By base unit; units that are not here are of type ``generic``."""
_ONLY_STATES = {"running": "flag", "on_battery": "flag", "on_bypass": "flag", "fault": "flag", "leak": "flag"}

_PHASE = re.compile(
    r"(?:^|_)(?:l[123]|phase_?[abc123]|ph_?[abc]|[abc]|[abc]n|[abc][abc]|[rst]|l[123]_?(?:l[123]|n))(?:_|$)"
    r"|(?:^|_|[a-z])ph[abc]$|[a-z]ph[abc]{1,2}$"
)
_ASIDE = frozenset(
    "max min maximum minimum peak rated rating nominal limit threshold setpoint set alarm warning demand average avg mean"
    " fan pump module bypass battery dc circuit compressor heater sensor at neutral n g ground inrush unbalanced"
    " override design predicted reserve available allowed shelf cbu bbu period history hub4 microgrid fault last"
    " ocp outlet branch settings delay switching signal standard".split()
)
"""Words that say a value is not the reading of the device as a whole."""
_NEUTRAL = frozenset(
    "total totals tot sum system sys sum all phases phase 3 three net ac main mains grid meter inlet 1 the instantaneous"
    " value actual present kw w kwh wh va kva var kvar unit psu aalc rpu instant real active".split()
)
_POWER = frozenset({"power", "watts", "watt", "p", "load"})
_IMPORT = frozenset(
    "import imp imported forward consumed consumption delivered ea+ totwhimp purchased drawn positive".split()
)
_EXPORT = frozenset(
    "export exp exported reverse returned received fed feed generated generation produced sent totwhexp negative".split()
)
_NAMED = frozenset({"breaker_closed", "on_battery", "on_bypass", "running", "available", "fault", "leak"})
_ALSO_NAMED = {
    "powered_by_battery": "on_battery",
    "battery_mode": "on_battery",
    "load_on_battery": "on_battery",
    "load_on_bypass": "on_bypass",
    "unit_on": "running",
    "unit_running": "running",
    "general_alarm": "fault",
    "common_alarm": "fault",
    "leak_detected": "leak",
    "leakage_detected": "leak",
    "water_leak": "leak",
}
_STATE_WORDS = frozenset(
    "status state mode alarm alarms fault faults error warning enabled enable flags word register bits code active"
    " override control led digital".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known of a register when its type is looked for."""

    name: str
    symbol: str
    """Unit; "" for none."""
    kind: DeviceKind
    whole: bool
    """Whether the raw number is a whole number without a scale."""
    bit: bool = False
    states: bool = False
    """Whether its numbers have words, or its bits have."""


def point_type(reading: Reading) -> str:
    """Key of the point type."""
    tokens = tuple(each for each in re.split(r"_+", reading.name) if each)
    words = frozenset(tokens)
    if reading.bit:
        named = _ALSO_NAMED.get(reading.name, reading.name)
        return named if named in _NAMED else "flag"
    if not reading.symbol or unit(reading.symbol).base == "1":
        return _unitless(reading, words)
    base = unit(reading.symbol).base
    chooser = _CHOOSERS.get(base)
    chosen = chooser(reading, words) if chooser is not None else ""
    return chosen or GENERAL.get(base, "generic")


def settle(chosen: Sequence[tuple[str, str, str]]) -> list[str]:
    """Types of the points of one device, from (name, type, base unit) of each.

    What a device has once comes once; of several that differ by a number only, none is that of the whole device.
    """
    alike = Counter((key, re.sub(r"\d+", "#", name)) for name, key, _ in chosen)
    taken: set[str] = set()
    settled = []
    for name, key, base in chosen:
        again = key in SINGLE and (key in taken or alike[key, re.sub(r"\d+", "#", name)] > 1)
        if again:
            settled.append(_ONLY_STATES.get(key, GENERAL.get(base, "generic")))
            continue
        taken.add(key)
        settled.append(key)
    return settled


def is_phase(name: str) -> bool:
    """Whether a name speaks of one phase or of two against each other."""
    return bool(_PHASE.search(name))


def _unitless(reading: Reading, words: frozenset[str]) -> str:
    joined = reading.name.replace("_", "")
    if "powerfactor" in joined or "cosphi" in joined or words & {"pf"} or re.fullmatch(r"pf(?:ph[abc])?", joined):
        return "power_factor"
    if reading.states or (reading.whole and words & _STATE_WORDS):
        return "status"
    return "generic"


def _power(reading: Reading, words: frozenset[str]) -> str:
    if is_phase(reading.name):
        return "phase_power"
    left = words - _NEUTRAL
    if reading.kind in _THERMAL and words & {"heat", "thermal", "heating", "cooling"} and not words & _ASIDE:
        return "heat_power" if left <= {"heat", "thermal", "heating", "cooling", "power", "load", "capacity", "rate"} else ""
    if words & _ASIDE or words & {"heat", "thermal", "heating", "cooling", "limit"}:
        return ""
    if reading.kind is DeviceKind.HEAT_METER and left <= _POWER:
        return "heat_power"
    if left - _POWER == {"output"} or (left - _POWER == {"out"}):
        return "active_power"
    if left - _POWER in ({"input"}, {"in"}):
        return "input_active_power"
    return "active_power" if left <= _POWER and (left or words & {"active", "real", "w", "kw", "instantaneous"}) else ""


def _energy(reading: Reading, words: frozenset[str]) -> str:
    if is_phase(reading.name):
        return "phase_energy"
    if words & _ASIDE or words & {"remaining", "full", "capacity", "discharged", "charged", "stored"}:
        return ""
    joined = reading.name.replace("_", "")
    if words & {"heat", "heating", "thermal"} or reading.kind is DeviceKind.HEAT_METER:
        thermal = {"heat", "heating", "thermal", "energy"}
        return "heat_energy" if reading.kind in _THERMAL and words - _NEUTRAL <= thermal else ""
    if words & {"cooling"}:
        return ""
    left = words - _NEUTRAL - {"energy", "power", "ea", "t1"}
    if words & _EXPORT or joined.startswith("totwhexp"):
        return "exported_energy" if left <= _EXPORT else ""
    return "active_energy" if left <= _IMPORT or joined == "totwhimp" else ""


def _apparent(reading: Reading, words: frozenset[str]) -> str:
    if is_phase(reading.name):
        return "phase_apparent_power"
    return "" if words & _ASIDE or words & {"ups", "input"} else "apparent_power"


def _reactive(reading: Reading, words: frozenset[str]) -> str:
    if is_phase(reading.name):
        return "phase_reactive_power"
    return "" if words & _ASIDE else "reactive_power"


def _current(reading: Reading, words: frozenset[str]) -> str:
    if reading.name == "a":
        return ""  # SunSpec: the sum of the phases.
    left = words - {"current", "i", "amps", "ac", "output", "inlet", "1", "phase", "rms", "input"}
    phases = {"l1", "l2", "l3", "a", "b", "c"}
    if left and left <= phases and reading.kind is not DeviceKind.BATTERY:
        return "phase_current"
    return "phase_current" if re.fullmatch(r"a?ph[abc]", reading.name.replace("_", "")) else ""


def _percentage(reading: Reading, words: frozenset[str]) -> str:
    if words & {"humidity", "hum", "rh", "humid"}:
        return "relative_humidity"
    if words & _ASIDE - {"fan", "pump", "battery"}:
        return ""
    if words & {"load"} and not is_phase(reading.name) and "max" not in words:
        return "load"
    if words & {"soc"} or ("charge" in words and words & {"battery", "estimated", "state", "remaining"}):
        return "battery_charge"
    speed = words & {"speed", "output", "pct"}
    if speed and words & {"fan", "fans"}:
        return "fan_speed"
    if speed and words & {"pump", "pumps"}:
        return "pump_speed"
    if words & {"valve"} and words & {"position", "opening", "pos"}:
        return "valve_position"
    return "fuel_level" if "fuel" in words else ""


def _time(reading: Reading, words: frozenset[str]) -> str:
    if words & _ASIDE - {"battery"}:
        return ""
    remaining = words & {"runtime", "remaining", "timetogo", "autonomy", "left"} and words & {
        *("battery", "minutes", "seconds", "estimated", "timetogo", "time", "runtime")
    }
    carries = reading.kind in {DeviceKind.UPS, DeviceKind.BATTERY}
    return "battery_runtime" if remaining and carries else ""


def _flow(reading: Reading, words: frozenset[str]) -> str:
    return "" if words & (_ASIDE | {"adiabatic", "spray", "humidifier"}) else "flow"


def _temperature(reading: Reading, words: frozenset[str]) -> str:
    if words & {"setpoint"} or {"set", "point"} <= words:
        return "temperature_setpoint"
    if "dew" in words:
        return "dew_point"
    if words & (_ASIDE - {"outlet"}) or unit(reading.symbol).symbol in {"°F", "degF"} and reading.name.endswith("_f"):
        return ""
    if words & {"outdoor", "outside"}:
        return "outdoor_temperature"
    air = "air" in words
    if reading.kind is DeviceKind.CHILLER:
        return _chiller_temperature(words)
    if reading.kind is DeviceKind.CRAH and air:
        return _way(words, "air_supply_temperature", "air_return_temperature")
    if air or words & {"refrigerant", "oil", "coil", "ambient", "inlet", "outlet", "condenser"}:
        return ""
    carries = reading.kind in {*_THERMAL, DeviceKind.VALVE, DeviceKind.DRY_COOLER, DeviceKind.COOLING_TOWER}
    return _way(words, "supply_temperature", "return_temperature") if carries else ""


def _chiller_temperature(words: frozenset[str]) -> str:
    if not words & {"water", "fluid", "brine"} or words & {"temperature_difference", "remote", "control", "reset"}:
        return ""
    if "condenser" in words:
        return "cw_supply_temperature" if words & {"entering", "inlet"} else (
            "cw_return_temperature" if words & {"leaving", "outlet"} else ""
        )
    if words & {"leaving", "supply", "outlet"} and "heated" not in words:
        return "chw_supply_temperature"
    return "chw_return_temperature" if words & {"entering", "return", "inlet"} else ""


def _way(words: frozenset[str], supply: str, back: str) -> str:
    return supply if "supply" in words else back if "return" in words else ""


def _pressure(_reading: Reading, words: frozenset[str]) -> str:
    return "differential_pressure" if words & {"differential", "diff", "delta", "dp"} else ""


def _volume(_reading: Reading, words: frozenset[str]) -> str:
    return "" if words & _ASIDE else "volume"


_THERMAL = frozenset(
    {
        *(DeviceKind.HEAT_METER, DeviceKind.HEAT_EXCHANGER, DeviceKind.CDU, DeviceKind.CRAH),
        *(DeviceKind.CHILLER, DeviceKind.HEAT_PUMP),
    }
)
_CHOOSERS = {
    "W": _power,
    "Wh": _energy,
    "VA": _apparent,
    "var": _reactive,
    "A": _current,
    "%": _percentage,
    "s": _time,
    "L/s": _flow,
    "°C": _temperature,
    "kPa": _pressure,
    "m³": _volume,
}
