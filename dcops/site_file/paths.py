"""Whether ``serves`` leads anywhere but down: no loops, and no meter counted twice in one boundary."""

from collections.abc import Iterator

from dcops.site_file.items import DeviceItem
from dcops.site_file.registry import Registry
from facility.devices import DEFAULT_BOUNDARIES, Boundary, DeviceKind

POWER = frozenset(
    {
        DeviceKind.UTILITY_METER,
        DeviceKind.BOARD_METER,
        DeviceKind.UPS,
        DeviceKind.GENERATOR,
        DeviceKind.RPP,
        DeviceKind.BUSWAY_TAP,
        DeviceKind.RACK_PDU,
    }
)
"""Kinds whose ``serves`` carries electricity, so that what they read holds what is below them."""
HEAT = frozenset({DeviceKind.HEAT_EXCHANGER, DeviceKind.HEAT_METER})
"""Kinds whose ``serves`` carries heat that is handed over."""
WATER = frozenset({DeviceKind.WATER_METER})
"""Kinds whose ``serves`` carries water."""

_CARRIERS: dict[Boundary, frozenset[DeviceKind]] = {Boundary.HEAT_REUSED: HEAT, Boundary.WATER_INTAKE: WATER}


def boundary_of(item: DeviceItem) -> Boundary | None:
    """Where the device counts: as written, else as its kind does."""
    if "boundary" in item.model_fields_set:
        return item.boundary
    return DEFAULT_BOUNDARIES.get(item.kind)


def check_paths(registry: Registry) -> None:
    """Note loops in ``serves`` and meters that stand upstream of another one of their boundary."""
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
        carriers = _CARRIERS.get(boundary, POWER)
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
