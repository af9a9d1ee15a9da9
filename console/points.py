"""Points: every single reading of the site, filtered and paged."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from console.context import ConsoleContext
from console.errors import BadRequestError, NotFoundError
from console.models import Point, PointList
from console.parameters import Arguments
from console.readings import device_point, group_point, text_point
from console.spaces import SpacePlan


class Points:
    """Answers about points. Filters are masks over arrays prepared at the start."""

    def __init__(self, view: ConsoleContext, plan: SpacePlan) -> None:
        self._view = view
        self._plan = plan
        site = view.site
        self._counts = np.diff(site.first_points)
        makes = {id(device.points): device.points for device in site.devices}
        types = sorted({point.type.key for points in makes.values() for point in points})
        self._type_codes = codes = {key: code for code, key in enumerate(types)}
        coded = {
            make: np.array([codes[point.type.key] for point in points], dtype=np.int16)
            for make, points in makes.items()
        }
        none = np.empty(0, dtype=np.int16)
        self._types = np.concatenate([none, *(coded[id(device.points)] for device in site.devices)])

    async def list(self, arguments: Arguments) -> PointList:
        """Points of devices that match all filters.

        Raises:
            NotFoundError: there is no such device or space.
            BadRequestError: the site has no points of that type.
        """
        indices = np.flatnonzero(self._matching(arguments))
        offset, limit = arguments.integer("offset"), arguments.integer("limit")
        now = self._view.clock.now()
        texts = self._texts(arguments)
        page = indices[offset : offset + limit]
        points = [self._device_point(int(index), now) for index in page]
        points += texts[max(0, offset - len(indices)) : max(0, offset + limit - len(indices))]
        return PointList(total=len(indices) + len(texts), offset=offset, limit=limit, points=tuple(points))

    async def point(self, arguments: Arguments) -> Point:
        """One series, derived ones included.

        Raises:
            NotFoundError: there is no such series.
        """
        group_id, offset = find_series(self._view, arguments.given("series"))
        at = self._view.catalogue.group_index[group_id]
        group, now = self._view.catalogue.groups[at], self._view.clock.now()
        if at < self._view.catalogue.device_count:
            return self._device_point(group.first + offset, now)
        return group_point(self._view.image, group, offset, group.measurement, now)

    def _texts(self, arguments: Arguments) -> Sequence[Point]:
        """The texts of the one device asked for; none if points are chosen in any other way too."""
        device_id = arguments.text("device")
        if device_id is None or arguments.text("type") or arguments.text("space"):
            return ()
        texts = self._view.collection.texts(device_id)
        return [text_point(device_id, name, text) for name, text in texts.items()]

    def _matching(self, arguments: Arguments) -> NDArray[np.bool_]:
        matching = np.ones(self._view.site.point_count, dtype=np.bool_)
        device_id, type_key, space = (arguments.text(name) for name in ("device", "type", "space"))
        if device_id is not None:
            matching &= np.repeat(self._device_mask(device_id), self._counts)
        if space is not None:
            if space not in self._plan.at:
                raise NotFoundError("unknown_space", f"there is no space {space!r}", "see /api/v1/nodes")
            matching &= np.repeat(self._plan.devices_in(space), self._counts)
        if type_key is not None:
            if type_key not in self._type_codes:
                known = ", ".join(self._type_codes)
                raise BadRequestError("bad_parameter", f"type can't be {type_key!r}", f"here are: {known}")
            matching &= self._types == self._type_codes[type_key]
        return matching

    def _device_mask(self, device_id: str) -> NDArray[np.bool_]:
        at = self._view.site.device_index.get(device_id)
        if at is None:
            raise NotFoundError("unknown_device", f"there is no device {device_id!r}", "see /api/v1/points")
        mask = np.zeros(len(self._view.site.devices), dtype=np.bool_)
        mask[at] = True
        return mask

    def _device_point(self, index: int, now: int) -> Point:
        site = self._view.site
        at = int(np.searchsorted(site.first_points, index, side="right")) - 1
        offset = index - int(site.first_points[at])
        group = self._view.catalogue.groups[at]
        return device_point(self._view.image, group, offset, site.devices[at].points[offset], now)


def find_series(view: ConsoleContext, series: str) -> tuple[str, int]:
    """Group id and place in the group of a series.

    Raises:
        NotFoundError: there is no such series.
    """
    group_id, _, name = series.rpartition(".")
    at = view.catalogue.group_index.get(group_id)
    if at is not None:
        for offset, each in enumerate(view.catalogue.groups[at].fields):
            if each.name == name:
                return group_id, offset
    raise NotFoundError(
        "unknown_series",
        f"there is no series {series!r}",
        "series are GROUP.FIELD, as /api/v1/points lists them",
    )
