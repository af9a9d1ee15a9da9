"""Values of devices that report by exception stand until the device says otherwise, but only as long as
somebody would hear it.
"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facility.quality import Quality, QualityArray
from facility.site import Site
from ingest.live_image import LiveImage
from ingest.staleness import silent_codes

_SILENT = silent_codes()
_HEARD = ~np.isin(np.arange(256), (Quality.COMM_FAILURE_LAST_VALUE, Quality.COMM_FAILURE))
"""By code, whether it is another one than that nobody is heard."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Ids of devices that report by exception, by whether they would be heard."""

    lost: AbstractSet[str] = frozenset()
    """Nobody would hear them now."""
    missed: AbstractSet[str] = frozenset()
    """They would be heard again, but what they said meanwhile is gone for good."""


class StandingValue(NamedTuple):
    """What one point said last."""

    time: int
    """ns UTC, the source's."""
    value: float
    quality: int
    """As it would be if the device were heard."""


StandingValues = Mapping[str, Mapping[str, StandingValue]]
"""By device and point."""


@dataclass(frozen=True, slots=True)
class Said:
    """What devices said last, as it was at one moment: arrays by point."""

    devices: Sequence[str]
    names: Sequence[Sequence[str]]
    """Of each device's points."""
    values: NDArray[np.float64]
    times: NDArray[np.int64]
    quality: QualityArray
    """As it would be if the device were heard."""

    def by_device(self) -> StandingValues:
        """The same in words, without what has no value. For any thread: of a campus it takes a while."""
        found: dict[str, dict[str, StandingValue]] = {}
        told = zip(self.times.tolist(), self.values.tolist(), self.quality.tolist(), strict=True)
        for device, names in zip(self.devices, self.names, strict=True):
            # What each point said stands in the order of points.
            said = {name: StandingValue(*next(told)) for name in names}
            usable = {name: each for name, each in said.items() if math.isfinite(each.value)}
            if usable:
                found[device] = usable
        return found


class Standing:
    """The points of a site's devices that report by exception: arrays over these points, and devices."""

    def __init__(self, site: Site) -> None:
        """Nothing is lost yet."""
        at = np.flatnonzero(site.columns.by_exception)
        begins, ends = site.first_points[at], site.first_points[at + 1]
        own = [site.devices[place] for place in at.tolist()]
        self._ids = tuple(device.id for device in own)
        self._names = tuple(tuple(point.name for point in device.points) for device in own)
        self._number = {device: number for number, device in enumerate(self._ids)}
        counts = ends - begins
        self._owner = np.repeat(np.arange(len(own)), counts)
        """Number of each point's device."""
        self._firsts = np.cumsum(counts) - counts
        """Where each device's points begin among these."""
        self._points = np.repeat(begins - self._firsts, counts) + np.arange(len(self._owner))
        """Where each point is in the image."""
        self._shown: QualityArray = np.zeros(len(self._owner), np.uint8)
        """Of devices that are kept, the quality of what they said last."""
        self._kept = np.zeros(len(own), np.bool_)
        """Devices that are shown as lost."""
        self._touch = Touch()
        self._lost, self._missed = self._kept, self._kept

    @property
    def devices(self) -> frozenset[str]:
        """Ids of the devices."""
        return frozenset(self._ids)

    def mark(self, image: LiveImage, touch: Touch) -> None:
        """Show what lost devices said last as that; and what it was before once they would be heard again.

        If something was missed meanwhile, only their next message makes it good.
        """
        self._look(touch)
        kept, self._kept = self._kept, self._lost
        if self._lost.any():
            which = np.flatnonzero(self._lost[self._owner])
            points = self._points[which]
            quality = image.quality[points]
            said = _HEARD[quality] | ~kept[self._owner[which]]
            self._shown[which[said]] = quality[said]
            image.quality[points] = _SILENT[quality]
        back = kept & ~self._lost & ~self._missed
        if back.any():
            which = np.flatnonzero(back[self._owner])
            which = which[~_HEARD[image.quality[self._points[which]]]]
            image.quality[self._points[which]] = self._shown[which]

    def remember(self, image: LiveImage) -> Said:
        """What each device said last, so that it need not say it again after a restart."""
        quality = image.quality[self._points]
        overlaid = self._kept[self._owner] & ~_HEARD[quality]
        quality = np.where(overlaid, self._shown, quality)
        return Said(self._ids, self._names, image.values[self._points], image.times[self._points], quality)

    def restore(self, image: LiveImage, remembered: StandingValues, *, whole: bool) -> None:
        """Show what devices said before a restart as that, where nothing has come since.

        Args:
            image: what is shown.
            remembered: from ``remember``.
            whole: nothing was heard after that: it stands again once the devices would be heard.
        """
        taken = np.zeros(len(self._ids), np.bool_)
        taken[[self._number[device] for device in remembered if device in self._number]] = True
        own = np.flatnonzero(taken[self._owner])
        self._shown[own] = image.quality[self._points[own]]
        self._kept = self._kept | taken
        found = [
            (place, told)
            for number in np.flatnonzero(taken).tolist()
            for place, name in enumerate(self._names[number], int(self._firsts[number]))
            if (told := remembered[self._ids[number]].get(name)) is not None
        ]
        which = np.array([place for place, _ in found], np.int64)
        unread = image.quality[self._points[which]] == Quality.WAITING_FOR_DATA
        which, points = which[unread], self._points[which[unread]]
        image.values[points] = np.array([told.value for _, told in found], np.float64)[unread]
        image.times[points] = np.array([told.time for _, told in found], np.int64)[unread]
        image.quality[points] = Quality.COMM_FAILURE_LAST_VALUE
        quality = np.array([told.quality for _, told in found], np.uint8)[unread]
        self._shown[which] = quality if whole else Quality.COMM_FAILURE_LAST_VALUE

    def take_over(self, other: "Standing") -> None:
        """Go on from the site as it was before."""
        self._kept = self._kept.copy()
        for there in np.flatnonzero(other._kept).tolist():
            here = self._number.get(other._ids[there])
            if here is not None and len(self._names[here]) == len(other._names[there]):
                mine, its = self._place(here), other._place(there)
                self._shown[mine] = other._shown[its]
                self._kept[here] = True

    def _place(self, number: int) -> slice:
        """Where the points of a device are among these."""
        first = int(self._firsts[number])
        return slice(first, first + len(self._names[number]))

    def _look(self, touch: Touch) -> None:
        """Know by number which devices are lost or have missed something: the same for many ticks."""
        if touch is not self._touch:
            self._touch = touch
            self._lost, self._missed = self._among(touch.lost), self._among(touch.missed)

    def _among(self, devices: AbstractSet[str]) -> NDArray[np.bool_]:
        if not devices:
            return np.zeros(len(self._ids), np.bool_)
        return np.fromiter((each in devices for each in self._ids), np.bool_, len(self._ids))
