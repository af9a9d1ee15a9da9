"""Report by exception: which points are stored only when they change, and at a heartbeat.

A reading that differs from the one stored last by no more than the deadband, with the same quality and
within the heartbeat, is held: it need not be stored, for the stored one still stands for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.devices import Device, DeviceKind, PointSpec
from facility.point_types import Behaviour
from facility.sample import NANOSECONDS
from facility.site import Site

GRACE_PERIODS = 2.5
"""Periods of its device that a heartbeat may be late before the point counts as silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoringRule:
    """What a site says of some points. Of several rules that name a point the last one counts."""

    points: frozenset[str] | None
    """Keys of point types or names of points; None for all."""
    kinds: frozenset[DeviceKind] | None = None
    """Only of devices of these kinds."""
    deadband: float = 0.0
    """Difference in the base unit up to which a gauge is unchanged. Counters and states are when equal."""
    share: float = 0.0
    """The same as a share of the value stored last; one of the two is 0."""
    heartbeat: int
    """ns after which a reading is stored in any case."""

    def names(self, kind: DeviceKind, point: PointSpec) -> bool:
        """Whether it is about this point of devices of that kind."""
        if self.kinds is not None and kind not in self.kinds:
            return False
        return self.points is None or point.type.key in self.points or point.name in self.points


def hold(rules: Sequence[StoringRule], device: Device, point: PointSpec) -> int:
    """Ns that a stored reading of a point stands for when none follows; 0 if all of them are stored."""
    at = _rule_of(rules, device.kind, point)
    if at is None:
        return 0
    grace = GRACE_PERIODS * device.period * point.every * NANOSECONDS
    return rules[at].heartbeat + round(grace)


@dataclass(frozen=True, slots=True)
class StoringPlan:
    """The rules of a site, by device point."""

    rule: NDArray[np.uint16]
    """Shape (device points,): where in the following each point's rule is; 0 is of those always stored."""
    heartbeat: NDArray[np.int64]
    """ns; 0 of those always stored."""
    deadband: NDArray[np.float64]
    share: NDArray[np.float64]


def plan_storing(site: Site, rules: Sequence[StoringRule]) -> StoringPlan | None:
    """The plan; None if every reading is to be stored."""
    if not rules:
        return None
    known: dict[tuple[int, DeviceKind], NDArray[np.uint16]] = {}
    found = []
    for device in site.devices:
        key = (id(device.points), device.kind)
        if key not in known:
            places = [_place_of(rules, device.kind, point) for point in device.points]
            known[key] = np.array(places, dtype=np.uint16)
        found.append(known[key])
    rule = np.concatenate([np.empty(0, dtype=np.uint16), *found])
    if not rule.any():
        return None
    heartbeat, deadband, share = [0], [0.0], [0.0]
    for each in rules:
        heartbeat += [each.heartbeat, each.heartbeat]
        deadband += [each.deadband, 0.0]
        share += [each.share, 0.0]
    return StoringPlan(rule, np.array(heartbeat, dtype=np.int64), np.array(deadband), np.array(share))


def _place_of(rules: Sequence[StoringRule], kind: DeviceKind, point: PointSpec) -> int:
    """0, or the place in the plan: each rule has two, for gauges and for what is unchanged when equal."""
    at = _rule_of(rules, kind, point)
    if at is None:
        return 0
    return 1 + 2 * at + (point.type.behaviour is not Behaviour.GAUGE)


def _rule_of(rules: Sequence[StoringRule], kind: DeviceKind, point: PointSpec) -> int | None:
    return next((at for at in reversed(range(len(rules))) if rules[at].names(kind, point)), None)
