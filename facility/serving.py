"""What serves what on a site, as arrays, so that the supply of thousands is found in a few steps."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facility.devices import Device

Ints = NDArray[np.int64]


class Serving:
    """Each ``serves`` of each device.

    What is served is told by a number: that of a device is its index; those of spaces follow.
    """

    def __init__(
        self, devices: Sequence[Device], device_index: Mapping[str, int], space_index: Mapping[str, int]
    ) -> None:
        numbers = {space: len(devices) + at for space, at in space_index.items()}
        numbers.update(device_index)
        served: dict[tuple[str, ...], int] = {}
        counts = [len(device.serves) for device in devices]
        targets = [numbers[target] for device in devices for target in device.serves]
        sets = [served.setdefault(device.serves, len(served)) for device in devices]
        self.devices = len(devices)
        """How many devices there are."""
        self.suppliers: Ints = np.repeat(np.arange(len(devices), dtype=np.int64), counts)
        """The device of each, ascending."""
        self.targets: Ints = np.array(targets, dtype=np.int64)
        """What each serves."""
        self.sets: Ints = np.array(sets, dtype=np.int64)
        """By device: those that serve the same in the same order have the same number."""
        self._count = len(devices) + len(space_index)

    @cached_property
    def sole(self) -> Ints:
        """By what is served: the one device that serves it; -1 if none or several do."""
        found = np.full(self._count, -1, dtype=np.int64)
        found[self.targets] = self.suppliers
        found[np.bincount(self.targets, minlength=self._count) != 1] = -1
        return found

    def feeding_only(self, wanted: Ints) -> NDArray[np.bool_]:
        """Which devices feed something, and that is nothing but some devices, if perhaps by way of others.

        Args:
            wanted: indices of those devices; what they feed themselves does not matter.
        """
        leads = np.zeros(self._count, dtype=np.bool_)
        leads[wanted] = True
        feeds = np.bincount(self.suppliers, minlength=self.devices) > 0
        while True:
            astray = np.bincount(self.suppliers[~leads[self.targets]], minlength=self.devices) > 0
            found = feeds & ~astray
            if not (found & ~leads[: self.devices]).any():
                return found
            leads[: self.devices] |= found

    def above(self, devices: Ints) -> Ints:
        """Indices of some devices and of all that supply them, however far up."""
        found = np.zeros(self._count, dtype=np.bool_)
        found[devices] = True
        while True:
            more = self.suppliers[found[self.targets]]
            if found[more].all():
                return np.flatnonzero(found[: self.devices])
            found[more] = True
