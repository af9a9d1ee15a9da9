"""Outdoor air at the site: season, time of day and passing weather."""

from dataclasses import dataclass
from math import atan, cos, pi, sqrt

from simulators.plant.noise import Noise

_DAY = 86400.0
_YEAR = 365.2425 * _DAY
_WARMEST_DAY = 201.0
"""Day of the year, around 20 July."""
_WARMEST_HOUR = 15.0
_MEAN, _SEASON, _DIURNAL, _FRONT = 11.5, 8.5, 4.0, 3.0
"""°C: yearly mean and amplitudes, as in the north of France."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Outdoor air at one time."""

    dry_bulb: float
    """°C."""
    humidity: float
    """%RH."""
    wet_bulb: float
    """°C."""


class WeatherModel:
    """Weather over time, from a seed."""

    def __init__(self, seed: int) -> None:
        self._fronts = Noise(seed, 1, 2, 0.75 * _DAY)

    def at(self, time: float) -> Weather:
        """The weather at a UNIX time in seconds."""
        front, damp = self._fronts.at(time)
        season = cos(2 * pi * (time / _YEAR - _WARMEST_DAY * _DAY / _YEAR))
        hour = cos(2 * pi * (time % _DAY / 3600 - _WARMEST_HOUR) / 24)
        dry_bulb = _MEAN + _SEASON * season + _DIURNAL * hour + _FRONT * float(front)
        humidity = min(98.0, max(25.0, 74.0 - 14.0 * hour - 6.0 * season + 7.0 * float(damp)))
        return Weather(dry_bulb, humidity, wet_bulb(dry_bulb, humidity))


def wet_bulb(dry_bulb: float, humidity: float) -> float:
    """Wet bulb in °C at sea level from dry bulb in °C and relative humidity in %.

    Source: R. Stull, Wet-Bulb Temperature from Relative Humidity and Air Temperature, 2011; within 1 K.
    """
    return float(
        dry_bulb * atan(0.151977 * sqrt(humidity + 8.313659))
        + atan(dry_bulb + humidity)
        - atan(humidity - 1.676331)
        + 0.00391838 * humidity**1.5 * atan(0.023101 * humidity)
        - 4.686035
    )
