"""The plant's own books: what truly flowed since it started, to hold measured figures against."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facility.devices import Boundary
from facility.site import Site
from simulators.plant.noise import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """True totals of a space since the plant started: Wh, and m³ of water.

    A total is that of the devices of its boundary within the space, whether anyone can read them or not.
    """

    facility: float
    it_rack: float
    it_pdu: float
    it_ups: float
    mechanical: float
    generation: float
    heat_reused: float
    water: float


class Books:
    """Which devices count where."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._members: dict[tuple[str, Boundary], list[int]] = {}
        self._entering = site.counting_in(Boundary.FACILITY_INPUT)
        for at, device in enumerate(site.devices):
            for boundary in self._boundaries(at):
                for space in site.ancestors(device.space):
                    self._members.setdefault((space.id, boundary), []).append(at)

    def _boundaries(self, at: int) -> set[Boundary]:
        """Where a device counts: a generator beside the utility's meters is part of what enters, too."""
        own = self._site.devices[at].boundary
        entering = {Boundary.FACILITY_INPUT} if self._entering[at] else set()
        return entering if own is None else entering | {own}

    def members(self, node_id: str, boundary: Boundary) -> NDArray[np.int64]:
        """Devices of a boundary within a space, or the device itself if the id is that of one."""
        if node_id in self._site.device_index:
            at = self._site.device_index[node_id]
            found = [at] if boundary in self._boundaries(at) else []
        else:
            self._site.space(node_id)
            found = self._members.get((node_id, boundary), [])
        return np.array(found, dtype=np.int64)

    def ledger(self, node_id: str, energy: Floats, heat: Floats, water: Floats) -> Ledger:
        """The books of a space or device, from totals of every device.

        Raises:
            KeyError: there is no such space or device.
        """

        def total(boundary: Boundary, counted: Floats) -> float:
            return float(counted[self.members(node_id, boundary)].sum())

        return Ledger(
            facility=total(Boundary.FACILITY_INPUT, energy),
            it_rack=total(Boundary.IT_RACK, energy),
            it_pdu=total(Boundary.IT_PDU, energy),
            it_ups=total(Boundary.IT_UPS, energy),
            mechanical=total(Boundary.MECHANICAL, energy),
            generation=total(Boundary.GENERATION, energy),
            heat_reused=total(Boundary.HEAT_REUSED, heat),
            water=total(Boundary.WATER_INTAKE, water),
        )
