"""Spaces and devices with their live numbers."""

from console.alarms import path_to
from console.collection import device_answer
from console.context import ConsoleContext
from console.errors import NotFoundError
from console.live import MILLISECOND, LiveFeed, SpaceRow, priority, whole
from console.models import DeviceNode, DeviceSummary, LevelName, NodeSummary, NodeTree, Point, SpaceNode
from console.parameters import Arguments
from console.readings import device_point, energy_reading, number, point_reading, rollup_reading
from console.spaces import SpacePlan
from console.times import write_time
from facility import quality
from facility.devices import Device
from facility.sample import NANOSECONDS
from facility.spaces import Space

_HEADLINES = ("active_power", "heat_power", "air_inlet_temperature", "outdoor_temperature")
"""What a device is known by, best first."""


class Nodes:
    """Answers about spaces and devices."""

    def __init__(self, view: ConsoleContext, plan: SpacePlan, feed: LiveFeed) -> None:
        self._view = view
        self._plan = plan
        self._feed = feed
        self._levels: tuple[LevelName, ...] = tuple(space.level.value for space in plan.spaces)

    async def tree(self, _: Arguments) -> NodeTree:
        """Every space."""
        site, now = self._view.site, self._view.clock.now()
        rows = zip(self._plan.spaces, self._levels, self._feed.columns().rows(), strict=True)
        nodes = tuple(self._summary_of(at, *each, now) for at, each in enumerate(rows))
        name = f"{site.name} · {self._view.part}" if self._view.part else site.name
        return NodeTree(site=name, timezone=site.timezone, time=write_time(now), nodes=nodes)

    def _summary_of(self, at: int, space: Space, level: LevelName, row: SpaceRow, now: int) -> NodeSummary:
        return NodeSummary(
            id=space.id,
            name=space.name or space.id,
            level=level,
            parent=space.parent,
            position=space.position,
            rated_power=space.rated_power,
            devices=self._plan.device_counts[at],
            period=self._plan.periods[at],
            power=number(row.power),
            quality=whole(row.quality),
            coverage=number(row.coverage),
            age=max(now - row.read * MILLISECOND, 0) / NANOSECONDS if row.read >= 0 else None,
            temperature=number(row.temperature),
            temperature_quality=whole(row.temperature_quality),
            alarms=row.alarms,
            priority=priority(row.rank),
        )

    async def node(self, arguments: Arguments) -> SpaceNode | DeviceNode:
        """One space or device.

        Raises:
            NotFoundError: there is neither.
        """
        node_id = arguments.given("id")
        if node_id in self._plan.at:
            return self._space(self._view.site.space(node_id))
        if node_id in self._view.site.device_index:
            return self._device(self._view.site.device(node_id))
        raise NotFoundError("unknown_node", f"there is no space or device {node_id!r}", "see /api/v1/nodes")

    def _space(self, space: Space) -> SpaceNode:
        view, plan, now = self._view, self._plan, self._view.clock.now()
        here = plan.standing_in.get(space.id, ())
        suppliers = plan.suppliers.get(space.id, ())
        return SpaceNode(
            node="space",
            time=write_time(now),
            id=space.id,
            name=space.name or space.id,
            level=space.level,
            path=path_to(view.site, space.id),
            rated_power=space.rated_power,
            children=tuple(child.id for child in plan.spaces if child.parent == space.id),
            alarms=int(self._feed.columns().alarms[plan.at[space.id]]),
            rollups={
                p.quantity.key: rollup_reading(view.image, space.id, p, now) for p in plan.rollups(space.id)
            },
            energies={p.energy.key: energy_reading(view.image, space.id, p) for p in plan.energies(space.id)},
            devices=tuple(self._summary(device, now) for device in here),
            served_by=tuple(self._summary(device, now) for device in suppliers if device.space != space.id),
        )

    def _device(self, device: Device) -> DeviceNode:
        view, now = self._view, self._view.clock.now()
        health = view.collection.device(device.id)
        return DeviceNode(
            node="device",
            time=write_time(now),
            id=device.id,
            name=device.name or device.id,
            kind=device.kind,
            space=device.space,
            path=path_to(view.site, device.space),
            feed=device.feed,
            boundary=device.boundary,
            serves=device.serves,
            served_by=tuple(each.id for each in self._plan.suppliers.get(device.id, ())),
            rated_power=device.rated_power,
            rated_current=device.rated_current,
            period=device.period,
            points=self._points(device, now),
            texts=dict(view.collection.texts(device.id)),
            collection=device_answer(health) if health is not None else None,
        )

    def _points(self, device: Device, now: int) -> tuple[Point, ...]:
        group = self._view.catalogue.group(device.id)
        return tuple(
            device_point(self._view.image, group, offset, spec, now)
            for offset, spec in enumerate(device.points)
        )

    def _summary(self, device: Device, now: int) -> DeviceSummary:
        points = self._points(device, now)
        by_name = {point.name: point for point in points}
        best = next((by_name[name] for name in _HEADLINES if name in by_name), points[0] if points else None)
        ages = [point.age for point in points if point.age is not None]
        worst = min((point.quality for point in points), default=int(quality.Quality.BAD))
        return DeviceSummary(
            id=device.id,
            name=device.name or device.id,
            kind=device.kind,
            space=device.space,
            feed=device.feed,
            headline=point_reading(best) if best is not None else None,
            oldest=max(ages) if ages else None,
            worst=worst,
            worst_text=quality.text(worst),
        )
