"""Puts what the plant's models show into one array over the points of the site."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from facility.devices import DeviceKind, PointSpec
from facility.point_types import Behaviour
from facility.site import Site
from simulators.plant.meaning import reading_of
from simulators.plant.noise import Floats, Noise, draw

Shown = dict[DeviceKind, dict[str, Floats]]
"""For each kind: readings by name, one element a device of the kind in site order."""
Ints = NDArray[np.int64]
_Singles = NDArray[np.float32]

_PLAUSIBLE = {"°C": 22.0, "%RH": 45.0, "Hz": 50.0}
"""By unit: what a point shows that no model knows. Anything else is 0."""
_PART = re.compile(r"(?:outlet|circuit)_(\d+)_(current|power)")
"""A metered part of a device, which takes a share of one phase."""
_PHASES = 3
_UNREST = 0.02
"""How far the parts of a phase stray from their usual shares, as a part of these."""
_STEP = 2.0
"""Seconds in which they do so."""
_LEAST = 1e-9
"""Keeps a phase without parts from dividing by nothing."""


@dataclass(frozen=True, slots=True)
class Alike:
    """Devices of one kind with the same points, of which all is found at once."""

    kind: DeviceKind
    points: tuple[PointSpec, ...]
    devices: Ints
    """Their numbers in the site."""
    rows: Ints
    """Their places among the devices of their kind."""
    firsts: Ints
    """The first point of each."""


def alike(site: Site) -> tuple[Alike, ...]:
    """The devices of a site, those with the same points together."""
    members: dict[tuple[DeviceKind, int], list[tuple[int, int]]] = {}
    of_kind: dict[DeviceKind, int] = {}
    for at, device in enumerate(site.devices):
        row = of_kind.get(device.kind, 0)
        of_kind[device.kind] = row + 1
        members.setdefault((device.kind, id(device.points)), []).append((at, row))
    groups = []
    for (kind, _), pairs in members.items():
        devices, rows = np.array(pairs, dtype=np.int64).T
        firsts = np.asarray(site.first_points, dtype=np.int64)[devices]
        groups.append(Alike(kind, site.devices[pairs[0][0]].points, devices, rows, firsts))
    return tuple(groups)


@dataclass(frozen=True, slots=True)
class _Copy:
    """Points that take one reading of one kind, whole or a share of it."""

    kind: DeviceKind
    reading: str
    points: Ints
    rows: Ints
    shares: "_Shares | None" = None
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class _Shares:
    """Which share of a phase its parts draw: always the whole of it together, each now more, now less.

    They are most of what a plant is, and need no more than seven digits.
    """

    usual: _Singles
    first: _Singles
    second: _Singles
    """Two ways to stray from the usual, each without a sum."""

    @classmethod
    def joined(cls, shares: Sequence[Self]) -> Self:
        """Those of several parts, one after the other."""
        return cls(
            np.concatenate([each.usual for each in shares]),
            np.concatenate([each.first for each in shares]),
            np.concatenate([each.second for each in shares]),
        )

    def at(self, unrest: Floats) -> _Singles:
        """The shares, given how far things stray in either way now."""
        one, other = unrest.tolist()
        shares: _Singles = self.usual + one * self.first + other * self.second
        return shares


class PointMap:
    """Where each reading goes, found once."""

    def __init__(self, site: Site, shown: Shown, scale: Floats, seed: int) -> None:
        """Args:
        site: what there is.
        shown: a first set of readings: its names are what there is.
        scale: what each point counts in an hour at half load, if it counts.
        seed: decides where counters stand at the start: at what some thousand hours have counted.
        """
        self.values = np.zeros(site.point_count)
        whole: dict[tuple[DeviceKind, str, float], list[tuple[Ints, Ints]]] = {}
        shared: dict[tuple[DeviceKind, str], list[tuple[Ints, Ints, _Shares]]] = {}
        self._unrest = Noise(seed, 92, 2, _STEP)
        hours = draw(seed, 90, len(site.devices), 300.0, 3000.0)
        counters, starts, moduli = [], [], []
        for group in alike(site):
            readings = shown.get(group.kind, {})
            for offset, point in enumerate(group.points):
                index = group.firsts + offset
                if _PART.fullmatch(point.name):
                    continue
                shows = reading_of(point, readings)
                if shows is None:
                    self.values[index] = _PLAUSIBLE.get(point.type.unit, 0.0)
                    continue
                if point.type.behaviour is Behaviour.COUNTER:
                    counters.append(index)
                    starts.append(np.floor(hours[group.devices] * scale[index]))
                    moduli.append(np.full(len(index), point.modulus or np.inf))
                whole.setdefault((group.kind, *shows), []).append((index, group.rows))
            for name, index, shares in _parts(group, seed):
                if name in readings:
                    shared.setdefault((group.kind, name), []).append((index, group.rows, shares))
        self._copies = [
            _Copy(
                kind,
                name,
                np.concatenate([points for points, _ in found]),
                np.concatenate([rows for _, rows in found]),
                factor=factor,
            )
            for (kind, name, factor), found in whole.items()
        ]
        self._copies += [
            _Copy(
                kind,
                name,
                np.concatenate([points for points, _, _ in found]),
                np.concatenate([rows for _, rows, _ in found]),
                _Shares.joined([shares for _, _, shares in found]),
            )
            for (kind, name), found in shared.items()
        ]
        nothing = np.zeros(0)
        self._counters = np.concatenate([nothing, *counters]).astype(np.int64)
        self._start = np.concatenate([nothing, *starts])
        self._moduli = np.concatenate([nothing, *moduli])

    def fill(self, shown: Shown, time: float) -> Floats:
        """All points at once; the array is the map's own and is overwritten by the next call.

        ``time`` is in seconds.
        """
        unrest = _UNREST * self._unrest.at(time)
        for copy in self._copies:
            read = shown[copy.kind][copy.reading][copy.rows]
            if copy.shares is not None:
                read = read * copy.shares.at(unrest)
            self.values[copy.points] = read if copy.factor == 1.0 else read * copy.factor
        self.values[self._counters] = np.mod(self.values[self._counters] + self._start, self._moduli)
        return self.values


def _parts(group: Alike, seed: int) -> Iterator[tuple[str, Ints, _Shares]]:
    """The metered parts of like devices: the reading of the phase each is on, its points, its shares.

    A part is on the phase that follows from its number, 1 on L1, 2 on L2 …; those of a phase add up to it.
    """
    found = [
        (offset, int(match[1]), match[2])
        for offset, point in enumerate(group.points)
        if (match := _PART.fullmatch(point.name))
    ]
    if not found:
        return
    slots = max(number for _, number, _ in found) + 1
    there = np.isin(np.arange(slots), [number for _, number, _ in found])
    random = draw(seed, 91, 3 * len(group.devices) * slots, -1.0, 1.0).reshape(3, len(group.devices), slots)
    usual, first, second = (1 + 0.6 * random[0]) * there, random[1], random[2]
    for phase in range(_PHASES):
        mine = slice(phase + 1, None, _PHASES)
        usual[:, mine] /= np.maximum(usual[:, mine].sum(axis=1, keepdims=True), _LEAST)
        for way in (first, second):
            way[:, mine] = usual[:, mine] * (
                way[:, mine] - (usual[:, mine] * way[:, mine]).sum(axis=1, keepdims=True)
            )
    for offset, number, quantity in found:
        shares = _Shares(*(each[:, number].astype(np.float32) for each in (usual, first, second)))
        yield f"{quantity}_l{(number - 1) % _PHASES + 1}", group.firsts + offset, shares
