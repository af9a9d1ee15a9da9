"""Whether ``serves`` leads anywhere but down: no loops, and no meter counted twice in one boundary."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from dcops.site_file.checked import DeviceChanges
from dcops.site_file.items import DeviceItem
from dcops.site_file.registry import Registry
from facility.devices import DEFAULT_BOUNDARIES, POWER_KINDS, Boundary, DeviceKind

HEAT = frozenset({DeviceKind.HEAT_EXCHANGER, DeviceKind.HEAT_METER})
"""Kinds whose ``serves`` carries heat that is handed over."""
WATER = frozenset({DeviceKind.WATER_METER})
"""Kinds whose ``serves`` carries water."""

_CARRIERS: dict[Boundary, frozenset[DeviceKind]] = {Boundary.HEAT_REUSED: HEAT, Boundary.WATER_INTAKE: WATER}
_BITS = {boundary: 1 << at for at, boundary in enumerate(Boundary)}
_CARRIED = {
    kind: sum(_BITS[each] for each in Boundary if kind in _CARRIERS.get(each, POWER_KINDS))
    for kind in DeviceKind
}
"""The boundaries that what a kind serves counts in, as bits."""


def boundary_of(item: DeviceItem) -> Boundary | None:
    """Where the device counts: as written, else as its kind does."""
    if "boundary" in item.model_fields_set:
        return item.boundary
    return DEFAULT_BOUNDARIES.get(item.kind)


def check_paths(registry: Registry, changes: DeviceChanges | None = None) -> None:
    """Note loops in ``serves`` and meters that stand upstream of another one of their boundary.

    ``changes`` is what has changed of a site without a mistake, if that is of devices alone: where nothing of
    it leads elsewhere, or counts elsewhere, there is nothing to note.
    """
    items = registry.devices.items
    if changes is not None and _still_leads_down(items, changes):
        return
    if _counted_below(items, items) is not None:
        return
    looped = _check_loops(registry)
    below = _Below(registry, looped)
    for item, entry in registry.devices.good():
        boundary = boundary_of(item)
        other = below.find(item, boundary) if boundary is not None else None
        if other is not None and not registry.devices.settled(item.id, "boundary"):
            other_entry = registry.devices.entries[other]
            where = other_entry.place.near(entry.place)
            registry.findings.add(
                entry.at("boundary"),
                f"device {item.id}: counts as {boundary}, and so does {other} ({where}) downstream of it;"
                " that would be counted twice, set boundary: none on one of them",
            )


def _leading_elsewhere(items: Mapping[str, DeviceItem], changes: DeviceChanges) -> list[str]:
    """Ids of the devices that serve or count as they did not before."""
    then = changes.before.registry.devices.items
    return [each for each in changes.devices if each not in then or _leads(items[each]) != _leads(then[each])]


def _leads(item: DeviceItem) -> tuple[DeviceKind, tuple[str, ...], Boundary | None]:
    return item.kind, item.serves, boundary_of(item)


def _still_leads_down(items: Mapping[str, DeviceItem], changes: DeviceChanges) -> bool:
    """Whether a site with nothing to note has nothing still. If it cannot be told so quickly, it is False.

    What is new is found from those that lead elsewhere: it lies below them, or between what supplies them
    and what counts below them.
    """
    changed = [each for each in _leading_elsewhere(items, changes) if each in items]
    below = _counted_below(items, changed)
    if below is None:
        return False
    found = 0
    for each in changed:
        found |= _bit(items[each]) | below[each]
    above = [items[each] for each in _above(changed, changes) if each in items and each not in below]
    return not any(_bit(item) & _CARRIED[item.kind] & found for item in above)


def _above(devices: Sequence[str], changes: DeviceChanges) -> list[str]:
    """What supplied some devices before. What is new supplies nothing but by way of others that have
    changed.
    """
    site = changes.before.site
    known = [site.device_index[each] for each in devices if each in site.device_index]
    if not known:
        return []
    above = site.serving.above(np.array(known, dtype=np.int64)).tolist()
    return [site.devices[at].id for at in above]


def _counted_below(items: Mapping[str, DeviceItem], starts: Iterable[str]) -> dict[str, int] | None:
    """Which boundaries count below each device that is at ``starts`` or below, a bit each, as far as what it
    carries tells; None if there is something to note. Found in one walk to the loads and back.
    """
    targets = _Targets(items)
    below: dict[str, int] = {}
    for start in starts:
        path: set[str] = set()
        stack = [start]
        while stack:
            at = stack[-1]
            if at in below:
                stack.pop()
                continue
            waits = [target for target in targets[at] if target not in below and targets[target]]
            if not path.isdisjoint(waits):
                return None
            if waits:
                path.add(at)
                stack.extend(waits)
                continue
            found = 0
            for target in targets[at]:
                found |= _bit(items[target]) | below.get(target, 0)
            below[at] = found = found & _CARRIED[items[at].kind]
            if found and found & _bit(items[at]):
                return None
    return below


class _Targets(dict[str, list[str]]):
    """The other devices that each device serves, looked for when they are asked for."""

    def __init__(self, items: Mapping[str, DeviceItem]) -> None:
        self._items = items

    def __missing__(self, device: str) -> list[str]:
        serves = self._items[device].serves
        found = self[device] = [each for each in serves if each in self._items and each != device]
        return found


def _bit(item: DeviceItem) -> int:
    boundary = boundary_of(item)
    return 0 if boundary is None else _BITS[boundary]


def _check_loops(registry: Registry) -> set[str]:
    """The devices on a loop of ``serves``; each loop is noted once, where it is found first."""
    items = registry.devices.items
    done: set[str] = set()
    looped: set[str] = set()
    for start in items:
        if start in done:
            continue
        path: dict[str, None] = {start: None}
        stack: list[Iterator[str]] = [iter(items[start].serves)]
        while stack:
            target = next(stack[-1], None)
            if target is None:
                stack.pop()
                done.add(path.popitem()[0])
            elif target == next(reversed(path)):
                continue
            elif target in path:
                words = list(path)
                loop = words[words.index(target) :]
                looped.update(loop)
                _note_loop(loop, registry)
            elif target in items and target not in done:
                path[target] = None
                stack.append(iter(items[target].serves))
    return looped


def _note_loop(loop: list[str], registry: Registry) -> None:
    words = " serves ".join([*loop, loop[0]])
    registry.findings.add(
        registry.devices.entries[loop[0]].at("serves"),
        f"device {loop[0]}: a loop ({words}); edges point towards the load, turn or remove one",
    )


class _Below:
    """For each device, one device of each boundary that stands below it; found once, without recursion."""

    def __init__(self, registry: Registry, looped: set[str]) -> None:
        self._items = registry.devices.items
        self._looped = looped
        self._boundaries = {item_id: boundary_of(item) for item_id, item in self._items.items()}
        self._served: dict[tuple[str, frozenset[DeviceKind]], tuple[str, ...]] = {}
        self._found: dict[tuple[str, Boundary], str | None] = {}

    def find(self, item: DeviceItem, boundary: Boundary) -> str | None:
        """A device of that boundary below the item; None if there is none."""
        carriers = _CARRIERS.get(boundary, POWER_KINDS)
        stack = [item.id]
        while stack:
            at = stack[-1]
            if (at, boundary) in self._found:
                stack.pop()
                continue
            targets = self._targets(at, carriers)
            open_ones = [target for target in targets if (target, boundary) not in self._found]
            if open_ones:
                stack.extend(open_ones)
                continue
            self._found[at, boundary] = self._first(targets, boundary)
            stack.pop()
        return self._found[item.id, boundary]

    def _targets(self, device_id: str, carriers: frozenset[DeviceKind]) -> tuple[str, ...]:
        known = self._served.get((device_id, carriers))
        if known is None:
            known = self._served[device_id, carriers] = self._find_targets(device_id, carriers)
        return known

    def _find_targets(self, device_id: str, carriers: frozenset[DeviceKind]) -> tuple[str, ...]:
        item = self._items[device_id]
        if not item.serves or item.kind not in carriers or device_id in self._looped:
            return ()
        targets = (each for each in item.serves if each in self._items and each != device_id)
        return tuple(target for target in targets if target not in self._looped)

    def _first(self, targets: tuple[str, ...], boundary: Boundary) -> str | None:
        for target in targets:
            if self._boundaries[target] is boundary:
                return target
            below = self._found[target, boundary]
            if below is not None:
                return below
        return None
