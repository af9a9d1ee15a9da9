"""What is said of the devices of a site, as arrays over them, so that thousands are chosen in one step."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facility.devices import Boundary, Device, DeviceKind, Feed

_KINDS = {kind: code for code, kind in enumerate(DeviceKind)}
_FEEDS: dict[Feed | None, int] = {None: -1} | {feed: code for code, feed in enumerate(Feed)}
_BOUNDARIES: dict[Boundary | None, int] = {None: -1} | {each: code for code, each in enumerate(Boundary)}

_KEYS = {
    "kinds": "kind",
    "feeds": "feed",
    "boundaries": "boundary",
    "rated_power": "rated_power",
    "rated_current": "rated_current",
    "by_exception": "reports_by_exception",
    "periods": "period",
}
"""What each of the columns is made of."""


class DeviceColumns:
    """All arrays have shape (devices,) and are made when they are asked for first."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices = devices

    def about(self, devices: Sequence[Device], differing: AbstractSet[str]) -> "DeviceColumns":
        """The same of devices that differ in these attributes at most; what does not is shared."""
        found = DeviceColumns(devices)
        known = {name: column for name, column in vars(self).items() if name in _KEYS}
        vars(found).update({name: column for name, column in known.items() if _KEYS[name] not in differing})
        return found

    def among(self, devices: Sequence[Device], places: NDArray[np.int64]) -> "DeviceColumns":
        """The same of other devices, of which those that are the very same stand here at these places; -1 for
        the others.
        """
        found = DeviceColumns(devices)
        others = np.flatnonzero(places < 0)
        rest = DeviceColumns([devices[at] for at in others.tolist()])
        for name in vars(self).keys() & _KEYS.keys():
            column = getattr(self, name)[places]
            column[others] = getattr(rest, name)
            vars(found)[name] = column
        return found

    @cached_property
    def kinds(self) -> NDArray[np.int16]:
        """Codes of their kinds, that ``kind_of`` knows."""
        return np.array([_KINDS[each.kind] for each in self._devices], dtype=np.int16)

    @cached_property
    def feeds(self) -> NDArray[np.int16]:
        """Codes of their feeds, that ``feed_of`` knows; -1 for none."""
        return np.array([_FEEDS[each.feed] for each in self._devices], dtype=np.int16)

    @cached_property
    def boundaries(self) -> NDArray[np.int16]:
        """Codes of the boundaries they count in; -1 for none."""
        return np.array([_BOUNDARIES[each.boundary] for each in self._devices], dtype=np.int16)

    @cached_property
    def rated_power(self) -> NDArray[np.float64]:
        """W; NaN where it is not known."""
        return np.array([each.rated_power for each in self._devices], dtype=np.float64)

    @cached_property
    def rated_current(self) -> NDArray[np.float64]:
        """A a phase; NaN where it is not known."""
        return np.array([each.rated_current for each in self._devices], dtype=np.float64)

    @cached_property
    def periods(self) -> NDArray[np.float64]:
        """Seconds between two readings of each."""
        return np.array([each.period for each in self._devices], dtype=np.float64)

    @cached_property
    def by_exception(self) -> NDArray[np.bool_]:
        """Which are silent while nothing changes."""
        return np.array([each.reports_by_exception for each in self._devices], dtype=np.bool_)

    def of(self, kinds: Iterable[DeviceKind]) -> NDArray[np.bool_]:
        """Which are of one of these kinds."""
        wanted = np.zeros(len(_KINDS), dtype=np.bool_)
        wanted[[_KINDS[kind] for kind in kinds]] = True
        return wanted[self.kinds]

    def on(self, feed: Feed | None) -> NDArray[np.bool_]:
        """Which hang on this feed."""
        return np.equal(self.feeds, _FEEDS[feed])

    def counting_in(self, boundary: Boundary | None) -> NDArray[np.bool_]:
        """Which count in this boundary."""
        return np.equal(self.boundaries, _BOUNDARIES[boundary])


def code_of(kind: DeviceKind) -> int:
    """The code of a kind."""
    return _KINDS[kind]


def feed_code(feed: Feed) -> int:
    """The code of a feed."""
    return _FEEDS[feed]


def kind_of(code: int) -> DeviceKind:
    """The kind that has the code."""
    return tuple(_KINDS)[code]


def feed_of(code: int) -> Feed:
    """The feed that has the code; it is none of no feed."""
    return tuple(Feed)[code]


def boundary_of(code: int) -> Boundary | None:
    """The boundary that has the code; -1 is none."""
    return tuple(_BOUNDARIES)[code + 1]
