"""The electrical network: who has supply, how loads share their feeds, what is lost on the way.

Solved from the loads up, level by level, for all nodes of a level at once. A node's input is its output
plus its loss: ``fixed + linear·P + quadratic·P²/rated``, the usual split of a transformer or a UPS. Beyond
twice the rating, which is a mistake in the site rather than a load, the share that is lost stays as it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.devices import DeviceKind
from simulators.plant.noise import Floats
from simulators.plant.wiring import heights

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

LOSSES: dict[DeviceKind, tuple[float, float, float]] = {
    DeviceKind.BOARD_METER: (0.0012, 0.0, 0.008),
    DeviceKind.UPS: (0.007, 0.008, 0.012),
    DeviceKind.RPP: (0.0003, 0.0, 0.003),
    DeviceKind.BUSWAY_TAP: (0.0, 0.0, 0.003),
    DeviceKind.RACK_PDU: (0.0004, 0.001, 0.002),
}
"""Fixed, linear and quadratic loss of each kind, as shares of the rating."""

BATTERY_SECONDS = 360.0
"""How long a full battery carries the rated load."""
_BATTERY_EFFICIENCY = 0.96
_RECHARGE = 0.1
"""Share of the rating a UPS charges with."""
_GENERATOR_STARTS = 12.0
_GENERATOR_STAYS = 30.0
"""Seconds from loss of the grid to load, and from its return to standstill."""
_FULL = 0.99999
_MOST_LOADED = 2.0
"""Times its rating."""


@dataclass(slots=True)
class _Level:
    """Nodes of one height and the edges down from them, with what a solution needs laid side by side.

    Of the lowest height only supplies are here, behind which the site lists nothing.
    """

    nodes: Indices
    edges: slice
    rows: Indices
    """For each edge, the place of its parent in ``nodes``."""
    children: Indices
    fixed: Floats
    linear: Floats
    quadratic: Floats
    most: Floats
    """Of ``quadratic`` times power."""
    share: Floats
    """Of each edge; like ``live``, found anew by ``relive``."""
    live: Floats
    """1 for nodes with supply, else 0."""


class PowerNetwork:
    """State and solution of the network. All powers are W, one a node."""

    def __init__(
        self,
        kinds: list[DeviceKind | None],
        rated: Floats,
        edges: tuple[Indices, Indices],
        weights: Floats,
    ) -> None:
        """``kinds`` is None for racks; ``weights`` say how a load leans to each of its supplies."""
        count = len(kinds)
        parent, child = edges
        self._height = heights(count, parent, child)
        order = np.argsort(self._height[parent], kind="stable")
        self._parent, self._child, self._weight = parent[order], child[order], weights[order]
        self._root = np.ones(count, dtype=np.bool_)
        self._root[child] = False
        self._generator = np.array([kind is DeviceKind.GENERATOR for kind in kinds], dtype=np.bool_)
        self.ups = np.array([at for at, kind in enumerate(kinds) if kind is DeviceKind.UPS], dtype=np.int64)
        self.generators = np.flatnonzero(self._generator)
        self._rated = rated
        shares = np.array([LOSSES.get(kind, (0.0, 0.0, 0.0)) if kind else (0.0, 0.0, 0.0) for kind in kinds])
        shares = shares.reshape(count, 3)
        self._fixed, self._linear = shares[:, 0] * rated, shares[:, 1]
        self._quadratic = np.divide(shares[:, 2], rated, out=np.zeros(count), where=rated > 0)
        self._most = _MOST_LOADED * shares[:, 2]
        self._lossy = shares.any(axis=1)
        self._levels = self._group_levels()
        self._capacity = rated[self.ups] * BATTERY_SECONDS / 3600
        self._stored = self._capacity.copy()
        self._recharge = np.zeros(count)
        self._since_change = np.zeros(len(self.generators))
        self.generator_runs = np.zeros(len(self.generators), dtype=np.bool_)
        self.cut = np.zeros(count, dtype=np.bool_)
        """Nodes whose supply is taken away."""
        self.opened = np.zeros(count, dtype=np.bool_)
        """Nodes that no longer pass power on."""
        self.input = np.zeros(count)
        self.output = np.zeros(count)
        self.relive()
        self.usual = self.supplies
        """How many supplies each node has when all is well."""

    def relive(self) -> None:
        """Finds out who has supply; to be called when ``cut`` or ``opened`` were changed."""
        live = self._root & ~self._generator
        live[self.generators] = self.generator_runs
        stored = np.zeros(len(live), dtype=np.bool_)
        stored[self.ups] = self._stored > 0
        passing = np.zeros(len(live), dtype=np.bool_)
        for level in reversed(self._levels):
            nodes = level.nodes
            live[nodes] &= ~self.cut[nodes]
            passing[nodes] = (live[nodes] | stored[nodes]) & ~self.opened[nodes]
            np.logical_or.at(live, self._child[level.edges], passing[self._parent[level.edges]])
        live &= ~self.cut
        self.live = live
        """Who has supply."""
        self._carries = live.copy()
        for level in self._levels:
            self._carries[level.nodes] = passing[level.nodes]
        self._share = self._shares(passing)
        for level in self._levels:
            level.share, level.live = self._share[level.edges], live[level.nodes].astype(np.float64)
        self.supplies = np.bincount(self._child, weights=self._share > 0, minlength=len(live))
        """How many live supplies each node has."""
        self.on_battery = ~live[self.ups] & passing[self.ups]
        self._wanted = self._grid_missing()

    def solve(self, own: Floats) -> None:
        """Fills ``input`` and ``output`` from what every node draws itself, beside what it passes on.

        What a supply draws itself hangs on its output, as what it passes on does.
        """
        drawn = np.where(self._carries, own, 0.0)
        self.input[:] = drawn
        self.output[:] = drawn
        for level in self._levels:
            nodes = level.nodes
            flows = self.input[level.children] * level.share
            passed = drawn[nodes] + np.bincount(level.rows, weights=flows, minlength=len(nodes))
            heating = np.minimum(level.quadratic * passed, level.most)
            loss = level.fixed + passed * (level.linear + heating)
            self.output[nodes] = passed
            self.input[nodes] = level.live * (passed + loss + self._recharge[nodes])

    def advance(self, seconds: float) -> None:
        """Lets batteries drain and fill and generators start and stop."""
        if seconds <= 0:
            return
        changed = self._run_batteries(seconds) if self.ups.size else False
        if self.generators.size:
            changed = self._run_generators(seconds) or changed
        if changed:
            self.relive()

    @property
    def charge(self) -> Floats:
        """Battery charge of each UPS, 0…1."""
        return np.divide(self._stored, self._capacity, out=np.ones(len(self.ups)), where=self._capacity > 0)

    @property
    def runtime(self) -> Floats:
        """Seconds each UPS would carry its load, or a twentieth of its rating if that is more."""
        load = np.maximum(self.output[self.ups], 0.05 * self._rated[self.ups])
        energy = self._stored * 3600 * _BATTERY_EFFICIENCY
        return np.divide(energy, load, out=np.zeros(len(load)), where=load > 0)

    def _run_batteries(self, seconds: float) -> bool:
        if not self.on_battery.any() and np.array_equal(self._stored, self._capacity):
            self._recharge[self.ups] = 0.0
            return False
        drain = np.where(self.on_battery, self.output[self.ups] / _BATTERY_EFFICIENCY, 0.0)
        missing = self._capacity - self._stored
        charging = np.minimum(_RECHARGE * self._rated[self.ups], missing * 3600 / seconds)
        charging = np.where(self.live[self.ups], charging, 0.0)
        had = self._stored > 0
        stored = self._stored + (charging - drain) * seconds / 3600
        self._stored = np.where(
            self.live[self.ups] & (stored >= _FULL * self._capacity), self._capacity, stored
        )
        self._stored = np.clip(self._stored, 0.0, self._capacity)
        self._recharge[self.ups] = np.where(self._stored < self._capacity, charging, 0.0)
        return not np.array_equal(had, self._stored > 0)

    def _run_generators(self, seconds: float) -> bool:
        wanted = self._wanted
        same = wanted == self.generator_runs
        if same.all():
            self._since_change[:] = 0.0
            return False
        self._since_change = np.where(same, 0.0, self._since_change + seconds)
        delay = np.where(wanted, _GENERATOR_STARTS, _GENERATOR_STAYS)
        switch = ~same & (self._since_change >= delay)
        if not switch.any():
            return False
        self.generator_runs = np.where(switch, wanted, self.generator_runs)
        self._since_change[switch] = 0.0
        return True

    def _grid_missing(self) -> Flags:
        """For each generator, whether anything it serves has no other live supply."""
        grid = ~self._generator[self._parent] & self.live[self._parent] & ~self.opened[self._parent]
        served = np.zeros(len(self.live), dtype=np.bool_)
        np.logical_or.at(served, self._child, grid)
        alone = np.zeros(len(self.live), dtype=np.bool_)
        mine = self._generator[self._parent]
        np.logical_or.at(alone, self._parent[mine], ~served[self._child[mine]])
        result: Flags = alone[self.generators]
        return result

    def _shares(self, passing: Flags) -> Floats:
        """Part of each child's input that comes over each edge: generators only where the grid is away."""
        weight = self._weight * passing[self._parent]
        from_generator = self._generator[self._parent]
        grid = np.where(from_generator, 0.0, weight)
        count = len(passing)
        has_grid = np.bincount(self._child, weights=grid, minlength=count) > 0
        used = np.where(has_grid[self._child], grid, weight)
        total = np.bincount(self._child, weights=used, minlength=count)[self._child]
        return np.divide(used, total, out=np.zeros(len(used)), where=total > 0)

    def _group_levels(self) -> list[_Level]:
        levels = []
        edge_heights = self._height[self._parent]
        for height in range(int(self._height.max(initial=0)) + 1):
            here = self._height == height
            nodes = np.flatnonzero(here if height else here & self._lossy)
            if not nodes.size:
                continue
            edges = slice(
                int(np.searchsorted(edge_heights, height)), int(np.searchsorted(edge_heights, height + 1))
            )
            rows = np.searchsorted(nodes, self._parent[edges])
            children = self._child[edges]
            unknown = np.zeros(len(children)), np.zeros(len(nodes))
            losses = self._fixed[nodes], self._linear[nodes], self._quadratic[nodes], self._most[nodes]
            levels.append(_Level(nodes, edges, rows, children, *losses, *unknown))
        return levels
