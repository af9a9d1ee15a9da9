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
        *("battery_charge", "battery_runtime", "running", "on_battery", "on_bypass", "fault"),
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
_ONLY_STATES = {"running": "flag", "on_battery": "flag", "on_bypass": "flag", "fault": "flag"}

_PHASE = re.compile(
    r"(?:^|_)(?:l[123]|phase_?[abc123]|ph_?[abc]|[abc]|[abc]n|[abc][abc]|[rst]|l[123]_?(?:l[123]|n))(?:_|$)"
    r"|(?:^|_|[a-z])ph[abc]$|[a-z]ph[abc]{1,2}$"
)
_ASIDE = frozenset(
    {
        *("max", "min", "maximum", "minimum", "peak", "rated", "rating", "nominal", "limit"),
        *("threshold", "setpoint", "set", "alarm", "warning", "demand", "average", "avg", "mean"),
        *("fan", "pump", "module", "bypass", "battery", "dc", "circuit", "compressor", "heater"),
        *("sensor", "at", "neutral", "n", "g", "ground", "inrush", "unbalanced", "override"),
        *("design", "predicted", "reserve", "available", "allowed", "shelf", "cbu", "bbu"),
        *("period", "history", "hub4", "microgrid", "fault", "last", "ocp", "outlet", "branch"),
        *("settings", "delay", "switching", "signal", "standard"),
    }
)
"""Words that say a value is not the reading of the device as a whole."""
_NEUTRAL = frozenset(
    {
        *("total", "totals", "tot", "sum", "system", "sys", "all", "phases", "phase", "3", "three"),
        *("net", "ac", "main", "mains", "grid", "meter", "inlet", "1", "the", "instantaneous"),
        *("value", "actual", "present", "kw", "w", "kwh", "wh", "va", "kva", "var", "kvar", "unit"),
        *("psu", "aalc", "rpu", "instant", "real", "active", "act"),
    }
)
_HEAT = frozenset({"heat", "thermal", "heating", "cooling"})
_POWER = frozenset({"power", "watts", "watt", "p", "load"})
_IMPORT = frozenset(
    {
        *("import", "imp", "imported", "forward", "consumed", "consumption", "delivered", "ea+"),
        *("totwhimp", "purchased", "drawn", "positive", "plus"),
    }
)
_EXPORT = frozenset(
    {
        *("export", "exp", "exported", "reverse", "returned", "received", "fed", "feed"),
        *("generated", "generation", "produced", "sent", "totwhexp", "negative", "minus"),
    }
)
_NAMED = frozenset({"breaker_closed", "on_battery", "on_bypass", "running", "available", "fault", "leak"})
_ALSO_NAMED = {
    "powered_by_battery": "on_battery",
    "battery_mode": "on_battery",
    "load_on_battery": "on_battery",
    "load_on_bypass": "on_bypass",
    "unit_on": "running",
    "unit_running": "running",
}
_SUMMARY = frozenset({"general", "common", "summary", "collective", "global", "overall"})
_TROUBLE = frozenset({"fault", "faults", "alarm", "alarms", "failure", "error"})
_BESIDE_TROUBLE = frozenset({"status", "active", "present", "unit", "device", "system", "the", "of"})
_LEAK = re.compile(
    r"\b(?:leak|leaks|leakage|(?:water|liquid|fluid) (?:is )?(?:detected|detector|detection|alarm)"
    r"|(?:water|liquid|fluid) (?:under|on|below) (?:the |raised )?floor)\b"
)
_NO_LEAK = re.compile(
    r"\b(?:current|earth|ground|residual|refrigerant|gas|oil|air|fuel|not?|without|enabled?|disabled?|reset|delay"
    r"|test|mask|inhibit(?:ed)?|bypass|setting|option|installed|action|cable|led|relay|output|stop|errors?|(?:sensor|detector|probe|detection)"
    r" (?:fault|fail(?:ed|ure)?|error|open|broken|missing|disconnected|loss|lost))\b"
)
_STATE_WORDS = frozenset(
    {
        *("status", "state", "mode", "alarm", "alarms", "fault", "faults", "error", "warning"),
        *("enabled", "enable", "flags", "word", "register", "bits", "code", "active", "override"),
        *("control", "led", "digital"),
    }
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
    words: str = ""
    """Its plain description."""
    bit: bool = False
    active_low: bool = False
    states: bool = False
    """Whether its numbers have words, or its bits have."""


def point_type(reading: Reading) -> str:
    """Key of the point type."""
    tokens = tuple(each for each in re.split(r"_+", reading.name) if each)
    words = frozenset(tokens)
    if reading.bit:
        return _bit(reading)
    if not reading.symbol or unit(reading.symbol).base == "1":
        return _unitless(reading, words)
    base = unit(reading.symbol).base
    chooser = _CHOOSERS.get(base)
    chosen = chooser(reading, words) if chooser is not None else ""
    return chosen or GENERAL.get(base, "generic")


def _bit(reading: Reading) -> str:
    """A leak or the fault of the whole device only where the words leave no doubt."""
    named = _ALSO_NAMED.get(reading.name, reading.name)
    if reading.active_low:
        return "flag"
    if named in _NAMED:
        return named
    told = [reading.name.replace("_", " "), reading.words.lower()]
    if any(_LEAK.search(words) for words in told) and not any(_NO_LEAK.search(words) for words in told):
        return "leak"
    for words in told:
        tokens = frozenset(re.findall(r"[a-z]+", words))
        if tokens & _SUMMARY and tokens & _TROUBLE and tokens <= _SUMMARY | _TROUBLE | _BESIDE_TROUBLE:
            return "fault"
    return "flag"


def settle(chosen: Sequence[tuple[str, str, str]]) -> list[str]:
    """Types of the points of one device, from (name, type, base unit) of each.

    What a device has once comes once; of several that differ by a number only, none is of the whole device.
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
    return len(name) > 1 and bool(_PHASE.search(name))


def _unitless(reading: Reading, words: frozenset[str]) -> str:
    joined = reading.name.replace("_", "")
    if "sf" in words:
        return "generic"  # The power of ten of another register.
    if (
        "powerfactor" in joined
        or "cosphi" in joined
        or words & {"pf"}
        or re.fullmatch(r"pf(?:ph[abc])?", joined)
    ):
        return "power_factor"
    if reading.states or (reading.whole and words & _STATE_WORDS):
        return "status"
    return "generic"


def _first(*rules: tuple[object, str]) -> str:
    """The word of the first rule that holds; "" if none does."""
    return next((word for holds, word in rules if holds), "")


def _power(reading: Reading, words: frozenset[str]) -> str:
    left = words - _NEUTRAL
    heat = words & _HEAT
    cooled = "load" in words and reading.kind in _THERMAL
    role = left - _POWER
    whole = left <= _POWER and (left or words & {"active", "real", "w", "kw", "instantaneous"})
    return _first(
        (is_phase(reading.name), "phase_power"),
        (words & _ASIDE, ""),
        (heat and reading.kind in _THERMAL and left <= _HEAT | _POWER | {"capacity", "rate"}, "heat_power"),
        (heat or cooled or "limit" in words, ""),
        (reading.kind is DeviceKind.HEAT_METER and left <= _POWER, "heat_power"),
        (role in ({"output"}, {"out"}), "active_power"),
        (role in ({"input"}, {"in"}), "input_active_power"),
        (whole, "active_power"),
    )


def _energy(reading: Reading, words: frozenset[str]) -> str:
    joined = reading.name.replace("_", "")
    thermal = words & {"heat", "heating", "thermal"} or reading.kind is DeviceKind.HEAT_METER
    left = words - _NEUTRAL - {"energy", "power", "ea", "t1"}
    exported = words & _EXPORT or joined.startswith("totwhexp")
    return _first(
        (is_phase(reading.name), "phase_energy"),
        (words & (_ASIDE | {"remaining", "full", "capacity", "discharged", "charged", "stored"}), ""),
        (thermal and reading.kind in _THERMAL and left <= {"heat", "heating", "thermal"}, "heat_energy"),
        (thermal or "cooling" in words, ""),
        (exported and left <= _EXPORT, "exported_energy"),
        (exported, ""),
        (left <= _IMPORT or joined == "totwhimp", "active_energy"),
    )


def _apparent(reading: Reading, words: frozenset[str]) -> str:
    # An S is the sign of apparent power as well as a phase beside R and T.
    sign = "s" in words and not words & {"apparent", "power", "va", "kva"}
    return _first(
        (is_phase(reading.name) and not sign, "phase_apparent_power"),
        (not words & (_ASIDE | {"ups", "input"}), "apparent_power"),
    )


def _reactive(reading: Reading, words: frozenset[str]) -> str:
    return _first((is_phase(reading.name), "phase_reactive_power"), (not words & _ASIDE, "reactive_power"))


def _current(reading: Reading, words: frozenset[str]) -> str:
    left = words - {"current", "i", "amps", "ac", "output", "inlet", "1", "phase", "rms", "input"}
    phases = {"l1", "l2", "l3", "a", "b", "c"}
    one = left and left <= phases and is_phase(reading.name) and reading.kind is not DeviceKind.BATTERY
    return _first((one or re.fullmatch(r"a?ph[abc]", reading.name.replace("_", "")), "phase_current"))


def _percentage(reading: Reading, words: frozenset[str]) -> str:
    speed = words & {"speed", "output", "pct"}
    charge = "charge" in words and words & {"battery", "estimated", "state", "remaining"}
    return _first(
        (words & {"humidity", "hum", "rh", "humid"}, "relative_humidity"),
        (words & _ASIDE - {"fan", "pump", "battery"}, ""),
        ("load" in words and not is_phase(reading.name), "load"),
        ("soc" in words or charge, "battery_charge"),
        (speed and words & {"fan", "fans"}, "fan_speed"),
        (speed and words & {"pump", "pumps"}, "pump_speed"),
        ("valve" in words and words & {"position", "opening", "pos"}, "valve_position"),
        ("fuel" in words, "fuel_level"),
    )


def _time(reading: Reading, words: frozenset[str]) -> str:
    left = words & {"runtime", "remaining", "timetogo", "autonomy", "left"}
    of = words & {"battery", "minutes", "seconds", "estimated", "timetogo", "time", "runtime"}
    carries = reading.kind in {DeviceKind.UPS, DeviceKind.BATTERY}
    return _first((left and of and carries and not words & _ASIDE - {"battery"}, "battery_runtime"))


def _flow(_reading: Reading, words: frozenset[str]) -> str:
    other = {"adiabatic", "spray", "humidifier", "air", "airflow", "gas", "fuel", "oil", "refrigerant"}
    return _first((not words & (_ASIDE | other), "flow"))


def _temperature(reading: Reading, words: frozenset[str]) -> str:
    fahrenheit_twin = reading.symbol in {"°F", "degF"} and reading.name.endswith("_f")
    beside = words & {"air", "refrigerant", "oil", "coil", "ambient", "inlet", "outlet", "condenser"}
    carries = reading.kind in {*_THERMAL, DeviceKind.VALVE, DeviceKind.DRY_COOLER, DeviceKind.COOLING_TOWER}
    room = reading.kind is DeviceKind.CRAH and "air" in words
    return _first(
        (words & {"setpoint"} or {"set", "point"} <= words, "temperature_setpoint"),
        ("dew" in words, "dew_point"),
        (words & (_ASIDE - {"outlet"}) or fahrenheit_twin, ""),
        (words & {"outdoor", "outside"}, "outdoor_temperature"),
        (reading.kind is DeviceKind.CHILLER, _chiller_temperature(words)),
        (room, _way(words, "air_supply_temperature", "air_return_temperature")),
        (carries and not beside, _way(words, "supply_temperature", "return_temperature")),
    )


def _chiller_temperature(words: frozenset[str]) -> str:
    entering, leaving = words & {"entering", "inlet", "return"}, words & {"leaving", "outlet", "supply"}
    condenser = words & {"condenser", "cond", "cdw"}
    aside = {
        "remote",
        "control",
        "reset",
        "heated",
        "tower",
        "recovery",
        "reclaim",
        "heating",
        "hot",
        "domestic",
    }
    return _first(
        (not words & {"water", "fluid", "brine"} or words & aside, ""),
        (condenser and entering, "cw_supply_temperature"),
        (condenser and leaving, "cw_return_temperature"),
        (condenser, ""),
        (leaving, "chw_supply_temperature"),
        (entering, "chw_return_temperature"),
    )


def _way(words: frozenset[str], supply: str, back: str) -> str:
    return supply if "supply" in words else back if "return" in words else ""


def _pressure(_reading: Reading, words: frozenset[str]) -> str:
    return "differential_pressure" if words & {"differential", "diff", "delta", "dp"} else ""


def _volume(_reading: Reading, words: frozenset[str]) -> str:
    return _first((not words & _ASIDE, "volume"))


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
