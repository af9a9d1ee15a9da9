"""What serves what on a site, as arrays, so that the supply of thousands is found in a few steps."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import repeat

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
        self._index = device_index
        self._spaces = space_index
        self.devices = len(devices)
        """How many devices there are."""
        self._count = len(devices) + len(space_index)
        counts = [len(device.serves) for device in devices]
        self.suppliers: Ints = np.repeat(np.arange(len(devices), dtype=np.int64), counts)
        """The device of each, ascending."""
        self.targets: Ints = self._numbers(devices)
        """What each serves."""
        self.sets: Ints = _sets_of(devices)
        """By device: those that serve the same in the same order have the same number."""

    def among(self, devices: Sequence[Device], places: Ints, device_index: Mapping[str, int]) -> "Serving":
        """The same of other devices, among the same spaces.

        Args:
            devices: all of them.
            places: where those that are the very same stand among the devices here; -1 for the others.
            device_index: indices of the others by id.
        """
        stay, others = np.flatnonzero(places >= 0), np.flatnonzero(places < 0)
        rest = [devices[at] for at in others.tolist()]
        found = copy(self)
        found._index, found.devices = device_index, len(devices)
        found._count = len(devices) + len(self._spaces)
        vars(found).pop("sole", None)
        # What is served by who stayed is there still, if perhaps as another device of that id.
        numbers = np.full(self._count, -1, dtype=np.int64)
        ids = map(device_index.get, self._index, repeat(-1))
        numbers[: self.devices] = np.fromiter(ids, dtype=np.int64, count=self.devices)
        numbers[self.devices :] = np.arange(len(self._spaces)) + found.devices
        moved = np.full(self.devices, -1, dtype=np.int64)
        moved[places[stay]] = stay
        staying = moved[self.suppliers] >= 0
        counts = [len(device.serves) for device in rest]
        suppliers = np.concatenate((moved[self.suppliers[staying]], np.repeat(others, counts)))
        targets = np.concatenate((numbers[self.targets[staying]], found._numbers(rest)))
        order = np.argsort(suppliers, kind="stable")
        found.suppliers, found.targets = suppliers[order], targets[order]
        found.sets = _sets_of(devices)
        return found

    def _numbers(self, devices: Iterable[Device]) -> Ints:
        """What each of these serves, one after the other."""
        index, first = self._index, self.devices
        spaces = self._spaces
        found = [
            at if (at := index.get(target)) is not None else first + spaces[target]
            for device in devices
            for target in device.serves
        ]
        return np.array(found, dtype=np.int64)

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


def _sets_of(devices: Iterable[Device]) -> Ints:
    served: dict[tuple[str, ...], int] = {}
    return np.array([served.setdefault(device.serves, len(served)) for device in devices], np.int64)
