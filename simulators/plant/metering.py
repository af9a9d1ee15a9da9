"""What electrical meters show of the power that flows through them: voltages, currents, power factor."""

import numpy as np
from numpy.typing import NDArray

from facility.devices import DeviceKind
from simulators.plant.noise import Floats, Noise, draw

LOW_VOLTAGE = 230.94
"""V from phase to neutral: 400 V between phases."""
MEDIUM_VOLTAGE = 11547.0
"""V from phase to neutral: 20 kV between phases."""
_REGULATED = frozenset({DeviceKind.UPS, DeviceKind.RPP, DeviceKind.BUSWAY_TAP, DeviceKind.RACK_PDU})
"""Kinds behind a UPS, whose voltage is steady."""
_POWER_FACTORS: dict[DeviceKind, float] = {
    DeviceKind.UTILITY_METER: 0.97,
    DeviceKind.BOARD_METER: 0.975,
    DeviceKind.GENERATOR: 0.96,
    DeviceKind.UPS: 0.985,
    DeviceKind.RPP: 0.985,
    DeviceKind.BUSWAY_TAP: 0.986,
    DeviceKind.RACK_PDU: 0.988,
}
_MACHINE_POWER_FACTOR = 0.91
_ENERGIES = ("active_energy", "apparent_energy", "reactive_energy")


class Metering:
    """Turns power into the readings of three-phase meters, one a device.

    With voltages from phase to neutral, the sum over the phases of ``V · I · pf`` is the active power.
    """

    def __init__(self, kinds: list[DeviceKind], rated: Floats, seed: int) -> None:
        count = len(kinds)
        medium = np.array([kind is DeviceKind.UTILITY_METER for kind in kinds], dtype=np.bool_)
        self._nominal = np.where(medium, MEDIUM_VOLTAGE, LOW_VOLTAGE)
        self._regulated = np.array([kind in _REGULATED for kind in kinds], dtype=np.bool_)
        best = np.array([_POWER_FACTORS.get(kind, _MACHINE_POWER_FACTOR) for kind in kinds])
        self._power_factor = best + draw(seed, 80, count, -0.004, 0.004)
        self._rated = np.maximum(rated, 1.0)
        lean = draw(seed, 81, 3 * count, -0.02, 0.02).reshape(3, count)
        self._share = (1 + lean - lean.mean(axis=0)) / 3
        self._offset = draw(seed, 82, 3 * count, -0.003, 0.003).reshape(3, count)
        self._grid = Noise(seed, 83, 1, 120.0)
        self._frequency = Noise(seed, 84, 1, 10.0)
        self._apparent_energy, self._reactive_energy = np.zeros(count), np.zeros(count)
        """VAh and varh counted since the start."""

    def signals(self, power: Floats, energised: NDArray[np.bool_], time: float) -> dict[str, Floats]:
        """Readings for active powers in W; a meter without supply shows nothing but zeros."""
        load = power / self._rated
        grid = np.where(self._regulated, 0.0, 0.006 * float(self._grid.at(time)[0]))
        factor = self._factor(power)
        voltage = self._nominal * (1 + grid + self._offset - 0.012 * np.clip(load, 0.0, 1.2)) * energised
        current = np.divide(
            power * self._share, voltage * factor, out=np.zeros_like(voltage), where=voltage > 0
        )
        shown = {
            "active_power": power,
            "apparent_power": power / factor,
            "reactive_power": power * np.sqrt(1 / factor**2 - 1),
            "power_factor": np.where(power > 0, factor, 0.0),
            "frequency": (50.0 + 0.015 * float(self._frequency.at(time)[0])) * energised,
            "voltage": voltage.mean(axis=0),
            "current": current.mean(axis=0),
            "load": 100.0 * load,
        }
        for phase in range(3):
            shown[f"voltage_l{phase + 1}"] = voltage[phase]
            shown[f"current_l{phase + 1}"] = current[phase]
            part = self._share[phase]
            for reading, whole in (
                ("power", "active_power"),
                ("apparent_power", "apparent_power"),
                ("reactive_power", "reactive_power"),
            ):
                shown[f"{reading}_l{phase + 1}"] = shown[whole] * part
        return shown

    def count(self, power: Floats, seconds: float) -> None:
        """Counts the apparent and the reactive energy that goes with active powers in W."""
        apparent = power / self._factor(power)
        self._apparent_energy += apparent * (seconds / 3600)
        self._reactive_energy += np.sqrt(apparent**2 - power**2) * (seconds / 3600)

    def reset(self) -> None:
        """Sets all counters to 0."""
        self._apparent_energy[:] = 0.0
        self._reactive_energy[:] = 0.0

    def counted(self, energy: Floats) -> dict[str, Floats]:
        """What counters show: active, with what is given in Wh, apparent and reactive; by phase too."""
        shown = {
            "active_energy": energy,
            "apparent_energy": self._apparent_energy,
            "reactive_energy": self._reactive_energy,
        }
        for phase, part in enumerate(self._share, start=1):
            shown |= {f"{name}_l{phase}": shown[name] * part for name in _ENERGIES}
        return shown

    def _factor(self, power: Floats) -> Floats:
        """Power factor at active powers in W: less at little load."""
        factor: Floats = self._power_factor - 0.03 * np.clip(0.4 - power / self._rated, 0.0, 0.4)
        return factor
