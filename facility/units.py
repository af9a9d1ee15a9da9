"""Engineering units and their conversion to the base unit that is stored.

A value is converted once, when it is decoded: ``base = value * factor + offset``.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as sources write it, and the way from it to its base unit."""

    symbol: str
    base: str
    """Symbol of the base unit."""
    factor: float = 1.0
    offset: float = 0.0


class UnknownUnitError(ValueError):
    """The symbol is not a unit this platform knows."""


_UNITS = {
    unit.symbol: unit
    for unit in (
        Unit("W", "W"),
        Unit("kW", "W", 1e3),
        Unit("mW", "W", 1e-3),
        Unit("MW", "W", 1e6),
        Unit("GW", "W", 1e9),
        Unit("RT", "W", 3516.852842),
        Unit("BTU/h", "W", 0.2930710702),
        Unit("kBTU/h", "W", 293.0710702),
        Unit("kcal/h", "W", 1.163),
        Unit("Wh", "Wh"),
        Unit("kWh", "Wh", 1e3),
        Unit("MWh", "Wh", 1e6),
        Unit("GWh", "Wh", 1e9),
        Unit("J", "Wh", 1 / 3600),
        Unit("kJ", "Wh", 1 / 3.6),
        Unit("MJ", "Wh", 1e3 / 3.6),
        Unit("GJ", "Wh", 1e6 / 3.6),
        Unit("RTh", "Wh", 3516.852842),
        Unit("Gcal", "Wh", 1.163e6),
        Unit("VA", "VA"),
        Unit("kVA", "VA", 1e3),
        Unit("MVA", "VA", 1e6),
        Unit("var", "var"),
        Unit("kvar", "var", 1e3),
        Unit("Mvar", "var", 1e6),
        Unit("VAh", "VAh"),
        Unit("kVAh", "VAh", 1e3),
        Unit("MVAh", "VAh", 1e6),
        Unit("varh", "varh"),
        Unit("kvarh", "varh", 1e3),
        Unit("Mvarh", "varh", 1e6),
        Unit("V", "V"),
        Unit("mV", "V", 1e-3),
        Unit("kV", "V", 1e3),
        Unit("A", "A"),
        Unit("mA", "A", 1e-3),
        Unit("kA", "A", 1e3),
        Unit("Ah", "Ah"),
        Unit("mAh", "Ah", 1e-3),
        Unit("Hz", "Hz"),
        Unit("kHz", "Hz", 1e3),
        Unit("mHz", "Hz", 1e-3),
        Unit("°C", "°C"),
        Unit("C", "°C"),
        Unit("degC", "°C"),
        Unit("°F", "°C", 5 / 9, -160 / 9),
        Unit("degF", "°C", 5 / 9, -160 / 9),
        Unit("kelvin", "°C", 1.0, -273.15),
        Unit("K", "K"),
        Unit("Δ°F", "K", 5 / 9),
        Unit("L/s", "L/s"),
        Unit("L/min", "L/s", 1 / 60),
        Unit("LPM", "L/s", 1 / 60),
        Unit("l/m", "L/s", 1 / 60),
        Unit("L/h", "L/s", 1 / 3600),
        Unit("m3/s", "L/s", 1e3),
        Unit("m³/s", "L/s", 1e3),
        Unit("gpm", "L/s", 0.0630901964),
        Unit("m3/h", "L/s", 1 / 3.6),
        Unit("m³/h", "L/s", 1 / 3.6),
        Unit("kPa", "kPa"),
        Unit("Pa", "kPa", 1e-3),
        Unit("hPa", "kPa", 0.1),
        Unit("MPa", "kPa", 1e3),
        Unit("bar", "kPa", 100.0),
        Unit("mbar", "kPa", 0.1),
        Unit("psi", "kPa", 6.894757293168361),
        Unit("inH2O", "kPa", 0.24908891),
        Unit("ftH2O", "kPa", 2.98906692),
        Unit("mH2O", "kPa", 9.80665),
        Unit("kgf/cm²", "kPa", 98.0665),
        Unit("m3", "m³"),
        Unit("m³", "m³"),
        Unit("L", "m³", 1e-3),
        Unit("%RH", "%RH"),
        Unit("%", "%"),
        Unit("s", "s"),
        Unit("ms", "s", 1e-3),
        Unit("min", "s", 60.0),
        Unit("h", "s", 3600.0),
        Unit("days", "s", 86400.0),
        Unit("rpm", "rpm"),
        Unit("°", "°"),
        Unit("deg", "°"),
        Unit("rad", "rad"),
        Unit("µS/cm", "µS/cm"),
        Unit("uS/cm", "µS/cm"),
        Unit("mS/cm", "µS/cm", 1e3),
        Unit("DM", "DM"),
        Unit("count", "1"),
        Unit("1", "1"),
        Unit("", "1"),
    )
}


def unit(symbol: str) -> Unit:
    """The unit written as ``symbol``.

    ``K`` is a difference, as is ``Δ°F``; an absolute temperature in kelvin is written ``kelvin``. ``RT`` is a
    ton of refrigeration.

    Raises:
        UnknownUnitError: the symbol is unknown; the message lists near ones.
    """
    try:
        return _UNITS[symbol]
    except KeyError:
        near = [known for known in _UNITS if known and known.lower() == symbol.lower()]
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownUnitError(f"unknown unit {symbol!r}{hint}") from None


def symbols() -> tuple[str, ...]:
    """Every way a unit may be written, but for none at all."""
    return tuple(symbol for symbol in _UNITS if symbol)
