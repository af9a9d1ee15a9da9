"""Units as maps write them, and the symbol this platform knows them by."""

import re

from facility.units import UnknownUnitError, unit

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "": (
        "none",
        "-",
        "--",
        "n/a",
        "na",
        "bool",
        "boolean",
        "enum",
        "bit",
        "bits",
        "bitfield",
        "flag",
        "no unit",
    ),
    "W": ("w", "watt", "watts"),
    "kW": ("kw", "kilowatt", "kilowatts"),
    "Wh": ("wh", "watt-hours", "watt hours"),
    "kWh": ("kwh", "kw h", "kw-h", "kilowatt-hours"),
    "MWh": ("mwh",),
    "GJ": ("gj",),
    "VA": ("va",),
    "kVA": ("kva",),
    "var": ("var", "vars"),
    "kvar": ("kvar", "kvars"),
    "varh": ("varh",),
    "kvarh": ("kvarh",),
    "VAh": ("vah",),
    "kVAh": ("kvah",),
    "V": ("v", "volt", "volts", "vac", "vdc", "v ac", "v dc", "v rms", "vrms"),
    "mV": ("mv", "millivolt", "millivolts"),
    "kV": ("kv",),
    "A": ("a", "amp", "amps", "ampere", "amperes", "a rms", "arms", "aac", "adc"),
    "mA": ("ma", "milliamp", "milliamps"),
    "Ah": ("ah", "amp hours", "amp-hours"),
    "mAh": ("mah",),
    "Hz": ("hz", "hertz"),
    "°C": (
        "c",
        "°c",
        "ºc",
        "℃",
        "degc",
        "deg c",
        "deg. c",
        "degrees c",
        "celsius",
        "degrees celsius",
        "grad c",
    ),
    "°F": ("f", "°f", "ºf", "℉", "degf", "deg f", "deg. f", "degrees f", "fahrenheit", "degrees fahrenheit"),
    "kelvin": ("kelvin", "degk", "deg k", "°k"),
    "K": ("delta k", "diff k", "degc difference"),
    "%": ("%", "pct", "percent", "per cent", "percentage"),
    "%RH": (
        "%rh",
        "% rh",
        "rh",
        "rh%",
        "%r.h.",
        "% r.h.",
        "pct rh",
        "%rel",
        "% rel. hum.",
        "%r.f.",
        "% r.f.",
        "%rf",
    ),
    "L/s": ("l/s", "ls", "lps", "liter/s", "litre/s", "l/sec"),
    "L/min": ("l/min", "l/m", "lpm", "liter/min", "litre/min", "l/minute"),
    "L/h": ("l/h", "l/hr", "lph", "liter/h", "litre/h", "l/hour"),
    "m³/h": ("m3/h", "m³/h", "m^3/h", "m3/hr", "cmh", "cbm/h", "cu.m/h", "m3h"),
    "m³/s": ("m3/s", "m³/s", "m^3/s"),
    "gpm": ("gpm", "us gpm", "gal/min", "usgpm"),
    "m³": ("m3", "m³", "m^3", "cbm", "cu.m"),
    "L": ("l", "liter", "liters", "litre", "litres"),
    "kPa": ("kpa",),
    "Pa": ("pa", "pascal"),
    "hPa": ("hpa",),
    "MPa": ("mpa",),
    "bar": ("bar", "barg", "bar(g)", "bar g", "bara"),
    "mbar": ("mbar", "mbarg"),
    "psi": ("psi", "psig", "psia", "psid", "psi(g)", "psi(a)", "psi(d)"),
    "inH2O": ("inh2o", "in h2o", "inwc", "in. w.c.", "in.w.c.", "in wc", "inwg", "iwc"),
    "ftH2O": ("fth2o", "ft h2o", "ft wc", "ftwc"),
    "mH2O": ("mh2o", "mwc", "mws", "m h2o"),
    "kgf/cm²": ("kgf/cm2", "kg/cm2", "kgf/cm²", "kg/cm²"),
    "RT": ("ton", "tons", "rt", "tr", "tons refrigeration", "refrigeration tons", "usrt"),
    "RTh": ("ton-h", "ton-hr", "ton-hours", "ton hours", "tonh", "rth", "ton-hrs"),
    "BTU/h": ("btu/h", "btu/hr", "btuh", "btu/hour"),
    "kBTU/h": ("kbtu/h", "kbtu/hr", "kbtuh", "mbh"),
    "kcal/h": ("kcal/h", "kcal/hr"),
    "Gcal": ("gcal",),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "millisecond", "milliseconds"),
    "min": ("min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "days": ("d", "day", "days"),
    "rpm": ("rpm", "r/min", "1/min", "rev/min", "min-1", "u/min"),
    "°": ("°", "deg", "degree", "degrees"),
    "rad": ("rad", "radian", "radians"),
    "µS/cm": ("us/cm", "µs/cm", "μs/cm"),
    "DM": ("dm", "degree minutes"),
    "count": ("count", "counts", "times", "cycles", "pcs", "events"),
}
_AS_DIFFERENCE = {"°C": "K", "°F": "Δ°F"}
_SHARE = re.compile(r"^%(?: ?(?:of )?(?:rla|fla|fs|fsd|max|nominal|rated|load|speed))$", re.IGNORECASE)
"""A percentage of what its unit column names."""
_SYMBOLS = {word: symbol for symbol, words in _SPELLINGS.items() for word in words}
_DIFFERENCES = re.compile(
    r"(?:^|_)(?:delta|diff|difference|dt|d_t|approach|superheat|subcooling|hysteresis|band|deadband|differential|spread"
    r"|rise|offset|lift|span|tolerance|split)(?:_|\d|$)"
)


_SAID_DIFFERENCE = re.compile(
    r"\b(?:differen(?:ce|tial)|delta|superheat|subcooling|hysteresis|deadband)\b", re.IGNORECASE
)


def unit_symbol(written: str, name: str, words: str = "") -> str | None:
    """The symbol of a unit; "" for none, None for one that is not known.

    ``K`` is a difference only where the name or the words of the register say so, an absolute temperature
    else. The capitals of the prefixes m and M count: mW is no MW. Degrees are differences where the name says
    so.
    """
    plain = written.strip()
    if plain == "K":
        return "K" if _DIFFERENCES.search(name) or _SAID_DIFFERENCE.search(words) else "kelvin"
    found = _SYMBOLS.get(plain.lower())
    if found in _AS_DIFFERENCE and _DIFFERENCES.search(name):
        return _AS_DIFFERENCE[found]
    if found is None and _SHARE.match(plain):
        return "%"
    if found is not None and plain.lower() not in {"mwh", "mpa"}:
        return found
    try:
        return unit(plain).symbol
    except UnknownUnitError:
        return None if plain.startswith("m") else found
