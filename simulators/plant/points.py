"""Puts what the plant's models show into one array over the points of the site."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.devices import DeviceKind
from facility.point_types import Behaviour
from facility.site import Site
from simulators.plant.noise import Floats, draw

Shown = dict[DeviceKind, dict[str, Floats]]
"""For each kind: readings by name, one element a device of the kind in site order."""

_PLAUSIBLE = {"°C": 22.0, "%RH": 45.0, "Hz": 50.0}
"""By unit: what a point shows that no model knows. Anything else is 0."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """Points that take one reading of one kind."""

    kind: DeviceKind
    reading: str
    points: NDArray[np.int64]
    rows: NDArray[np.int64]


class PointMap:
    """Where each reading goes, found once."""

    def __init__(self, site: Site, shown: Shown, scale: Floats, seed: int) -> None:
        """Args:
        site: what there is.
        shown: a first set of readings: its names are what there is.
        scale: what each point counts in an hour at half load, if it counts.
        seed: decides where counters stand at the start: at what some thousand hours have counted.
        """
        gathered: dict[tuple[DeviceKind, str], tuple[list[int], list[int]]] = {}
        self.values = np.zeros(site.point_count)
        row_of_kind: dict[DeviceKind, int] = {}
        counters, owners, moduli = [], [], []
        for at, device in enumerate(site.devices):
            row = row_of_kind.get(device.kind, 0)
            row_of_kind[device.kind] = row + 1
            readings = shown.get(device.kind, {})
            for offset, point in enumerate(device.points):
                index = int(site.first_points[at]) + offset
                name = next((each for each in (point.name, point.type.key) if each in readings), None)
                if point.type.behaviour is Behaviour.COUNTER:
                    counters.append(index)
                    owners.append(at)
                    moduli.append(point.modulus or np.inf)
                if name is None:
                    self.values[index] = _PLAUSIBLE.get(point.type.unit, 0.0)
                    continue
                points, rows = gathered.setdefault((device.kind, name), ([], []))
                points.append(index)
                rows.append(row)
        self._copies = [
            _Copy(kind, name, np.array(points), np.array(rows))
            for (kind, name), (points, rows) in gathered.items()
        ]
        self._counters = np.array(counters, dtype=np.int64)
        self._moduli = np.array(moduli, dtype=np.float64)
        hours = draw(seed, 90, len(site.devices), 300.0, 3000.0)
        self._start = np.floor(hours[np.array(owners, dtype=np.int64)] * scale[self._counters])

    def fill(self, shown: Shown) -> Floats:
        """All points at once; the array is the map's own and is overwritten by the next call."""
        for copy in self._copies:
            self.values[copy.points] = shown[copy.kind][copy.reading][copy.rows]
        self.values[self._counters] = np.mod(self.values[self._counters] + self._start, self._moduli)
        return self.values
