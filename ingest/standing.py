"""Values of devices that report by exception stand until the device says otherwise, but only as long as
somebody would hear it.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

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


class Standing:
    """The points of a site's devices that report by exception."""

    def __init__(self, site: Site) -> None:
        """Nothing is lost yet."""
        self._places: dict[str, slice] = {}
        for at in np.flatnonzero(site.columns.by_exception).tolist():
            device, first = site.devices[at], int(site.first_points[at])
            self._places[device.id] = slice(first, first + len(device.points))
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

    def take_over(self, other: "Standing") -> None:
        """Go on from the site as it was before."""
        for device, shown in other._shown.items():
            place = self._places.get(device)
            if place is not None and place.stop - place.start == len(shown):
                self._shown[device] = shown
