"""Values of devices that report by exception stand until the device says otherwise, but only as long as
somebody would hear it.
"""

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from facility.quality import Quality, QualityArray
from facility.site import Site
from ingest.live_image import LiveImage
from ingest.staleness import silent_codes

_SILENT = silent_codes()
_UNHEARD = (Quality.COMM_FAILURE_LAST_VALUE, Quality.COMM_FAILURE)


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


class Standing:
    """The points of a site's devices that report by exception."""

    def __init__(self, site: Site) -> None:
        """Nothing is lost yet."""
        self._places: dict[str, slice] = {}
        self._points: dict[str, tuple[str, ...]] = {}
        for at in np.flatnonzero(site.columns.by_exception).tolist():
            device, first = site.devices[at], int(site.first_points[at])
            self._places[device.id] = slice(first, first + len(device.points))
            self._points[device.id] = tuple(point.name for point in device.points)
        self._shown: dict[str, QualityArray] = {}
        """Of devices that are lost, the quality of what they said last."""

    @property
    def devices(self) -> frozenset[str]:
        """Ids of the devices."""
        return frozenset(self._places)

    def mark(self, image: LiveImage, touch: Touch) -> None:
        """Show what lost devices said last as that; and what it was before once they would be heard again.

        If something was missed meanwhile, only their next message makes it good.
        """
        for device in touch.lost & self._places.keys():
            quality = image.quality[self._places[device]]
            shown = self._shown.setdefault(device, quality.copy())
            heard = ~np.isin(quality, _UNHEARD)
            shown[heard] = quality[heard]
            quality[:] = _SILENT[quality]
        for device in self._shown.keys() - touch.lost:
            shown = self._shown.pop(device)
            if device not in touch.missed:
                quality = image.quality[self._places[device]]
                np.copyto(quality, shown, where=np.isin(quality, _UNHEARD))

    def remember(self, image: LiveImage) -> StandingValues:
        """What each device said last, so that it need not say it again after a restart."""
        found: dict[str, dict[str, StandingValue]] = {}
        for device, place in self._places.items():
            values, times = image.values[place], image.times[place]
            quality = image.quality[place]
            if device in self._shown:
                quality = np.where(np.isin(quality, _UNHEARD), self._shown[device], quality)
            for at, name in enumerate(self._points[device]):
                if math.isfinite(values[at]):
                    told = StandingValue(int(times[at]), float(values[at]), int(quality[at]))
                    found.setdefault(device, {})[name] = told
        return found

    def restore(self, image: LiveImage, remembered: StandingValues, *, whole: bool) -> None:
        """Show what devices said before a restart as that, where nothing has come since.

        Args:
            image: what is shown.
            remembered: from ``remember``.
            whole: nothing was heard after that: it stands again once the devices would be heard.
        """
        for device, points in remembered.items():
            place = self._places.get(device)
            if place is None:
                continue
            quality, shown = image.quality[place], image.quality[place].copy()
            for at, name in enumerate(self._points[device]):
                told = points.get(name)
                if told is not None and quality[at] == Quality.WAITING_FOR_DATA:
                    image.values[place][at], image.times[place][at] = told.value, told.time
                    quality[at] = Quality.COMM_FAILURE_LAST_VALUE
                    shown[at] = told.quality if whole else Quality.COMM_FAILURE_LAST_VALUE
            self._shown[device] = shown

    def take_over(self, other: "Standing") -> None:
        """Go on from the site as it was before."""
        for device, shown in other._shown.items():
            place = self._places.get(device)
            if place is not None and place.stop - place.start == len(shown):
                self._shown[device] = shown
