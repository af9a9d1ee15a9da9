"""What serves what on a site, as arrays, so that the supply of thousands is found in a few steps."""

from collections.abc import Mapping, Sequence
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
        self,
        devices: Sequence[Device],
        device_index: Mapping[str, int],
        space_index: Mapping[str, int],
        like: "tuple[Serving, Ints] | None" = None,
    ) -> None:
        """Find all of them.

        Args:
            devices: of the site, in its order.
            device_index: where each is, by id.
            space_index: the same of the spaces.
            like: that of other devices among the same spaces, and where those that are the very same stand
                there; -1 for the others.
        """
        self.devices = len(devices)
        """How many devices there are."""
        self.index: Mapping[str, int] = device_index
        """Where each device is, by id."""
        self._spaces = space_index
        self._count = len(devices) + len(space_index)
        found = self._edges(devices) if like is None else self._edges_among(devices, *like)
        self.suppliers: Ints = found[0]
        """The device of each, ascending."""
        self.targets: Ints = found[1]
        """What each serves."""
        served: dict[tuple[str, ...], int] = {}
        sets = [served.setdefault(device.serves, len(served)) for device in devices]
        self.sets: Ints = np.array(sets, dtype=np.int64)
        """By device: those that serve the same in the same order have the same number."""

    def _edges(self, devices: Sequence[Device]) -> tuple[Ints, Ints]:
        """Places of these devices among them, each as often as it serves something, and what that is."""
        index, spaces, first = self.index, self._spaces, self.devices
        counts = [len(device.serves) for device in devices]
        targets = [
            at if (at := index.get(target)) is not None else first + spaces[target]
            for device in devices
            for target in device.serves
        ]
        return np.repeat(np.arange(len(devices), dtype=np.int64), counts), np.array(targets, dtype=np.int64)

    def _edges_among(self, devices: Sequence[Device], like: "Serving", places: Ints) -> tuple[Ints, Ints]:
        """The same of all devices, out of those of devices that were there already."""
        stay, others = np.flatnonzero(places >= 0), np.flatnonzero(places < 0)
        # What is served by who stayed is there still, if perhaps as another device of that id.
        ids = map(self.index.get, like.index, repeat(-1))
        devices_now = np.fromiter(ids, dtype=np.int64, count=like.devices)
        numbers = np.concatenate((devices_now, np.arange(self.devices, self._count)))
        moved = np.full(like.devices, -1, dtype=np.int64)
        moved[places[stay]] = stay
        suppliers = moved[like.suppliers]
        staying = suppliers >= 0
        rest, targets = self._edges([devices[at] for at in others.tolist()])
        suppliers = np.concatenate((suppliers[staying], others[rest]))
        targets = np.concatenate((numbers[like.targets[staying]], targets))
        order = np.argsort(suppliers, kind="stable")
        return suppliers[order], targets[order]

    @cached_property
    def sole(self) -> Ints:
        """By what is served: the one device that serves it; -1 if none or several do."""
        found = np.full(self._count, -1, dtype=np.int64)
        found[self.targets] = self.suppliers
        found[np.bincount(self.targets, minlength=self._count) != 1] = -1
        return found

    def by(self, suppliers: NDArray[np.bool_]) -> "Serving":
        """What some of the devices serve."""
        found, some = copy(self), suppliers[self.suppliers]
        found.suppliers, found.targets = self.suppliers[some], self.targets[some]
        vars(found).pop("sole", None)
        return found

    def feeding_only(self, wanted: Ints) -> NDArray[np.bool_]:
        """Which devices feed something, and that is nothing but some devices, if perhaps by way of others,
        and nothing that another one may feed as well.

        Args:
            wanted: indices of those devices; what they feed themselves does not matter.
        """
        leads = np.zeros(self._count, dtype=np.bool_)
        leads[wanted] = True
        feeds = np.bincount(self.suppliers, minlength=self.devices) > 0
        shared = self.sole[self.targets] < 0
        while True:
            astray = np.bincount(self.suppliers[shared | ~leads[self.targets]], minlength=self.devices) > 0
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
