"""A small hall built by hand: two rows of two racks, feeds A and B, all meters the rollups need."""

from dataclasses import dataclass, field

import numpy as np

from facility.catalogue import Catalogue, build_catalogue
from facility.derived import Derived
from facility.devices import DEFAULT_BOUNDARIES, Boundary, Device, DeviceKind, Feed, PointSpec
from facility.point_types import POINT_TYPES
from facility.quality import Quality
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space

START = 1_767_225_600 * NANOSECONDS  # 2026-01-01T00:00:00Z


def specs(*names: str, modulus: int | None = None) -> tuple[PointSpec, ...]:
    return tuple(PointSpec(n, POINT_TYPES[n], modulus if "energy" in n else None) for n in names)


def device(
    device_id: str,
    kind: DeviceKind,
    space: str,
    *points: str,
    feed: Feed | None = None,
    serves: tuple[str, ...] = (),
    rated: float | None = None,
    boundary: Boundary | None = None,
) -> Device:
    return Device(
        id=device_id,
        kind=kind,
        space=space,
        points=specs(*points),
        period=10.0,
        feed=feed,
        serves=serves,
        rated_power=rated,
        boundary=boundary or DEFAULT_BOUNDARIES.get(kind),
    )


SPACES = (
    Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus"),
    Space(id="b1", level=Level.BUILDING, parent="campus", name="B1"),
    Space(id="h1", level=Level.HALL, parent="b1", name="H1"),
    Space(id="r1", level=Level.ROW, parent="h1", name="R1"),
    Space(id="r2", level=Level.ROW, parent="h1", name="R2"),
    *(
        Space(id=f"k{n}", level=Level.RACK, parent="r1" if n <= 2 else "r2", name=f"K{n}", rated_power=100e3)
        for n in (1, 2, 3, 4)
    ),
)


def small_site(*, with_taps: bool = True) -> Site:
    devices = []
    for feed in Feed:
        low = feed.lower()
        devices.append(
            device(
                f"utility-{low}",
                DeviceKind.UTILITY_METER,
                "b1",
                "active_power",
                "active_energy",
                feed=feed,
                rated=1e6,
            )
        )
        for n in (1, 2, 3, 4):
            rack = f"k{n}"
            pdu = f"{rack}-pdu-{low}"
            if with_taps:
                devices.append(
                    device(
                        f"{rack}-tap-{low}",
                        DeviceKind.BUSWAY_TAP,
                        rack,
                        "active_power",
                        feed=feed,
                        serves=(pdu,),
                    )
                )
            devices.append(
                device(
                    pdu,
                    DeviceKind.RACK_PDU,
                    rack,
                    "active_power",
                    "active_energy",
                    feed=feed,
                    serves=(rack,),
                    rated=100e3,
                )
            )
    devices.extend(
        device(f"k{n}-climate", DeviceKind.ENVIRONMENT_SENSOR, f"k{n}", "air_inlet_temperature")
        for n in (1, 2, 3, 4)
    )
    return Site(name="test", spaces=SPACES, devices=tuple(devices))


@dataclass
class Bench:
    """The arrays a live image would hold, and what is derived from them."""

    site: Site
    catalogue: Catalogue = field(init=False)
    derived: Derived = field(init=False)

    def __post_init__(self) -> None:
        self.catalogue = build_catalogue(self.site)
        self.derived = Derived(self.site, self.catalogue)
        count = self.catalogue.point_count
        self.values = np.full(count, np.nan)
        self.times = np.zeros(count, dtype=np.int64)
        self.quality = np.full(count, Quality.WAITING_FOR_DATA, dtype=np.uint8)

    def read(self, device_id: str, time: int, **values: float) -> None:
        for name, value in values.items():
            at = self.site.point_index(device_id, name)
            self.values[at], self.times[at], self.quality[at] = value, time, Quality.GOOD

    def lose(self, device_id: str) -> None:
        first = int(self.site.first_points[self.site.device_index[device_id]])
        for at in range(first, first + len(self.site.device(device_id).points)):
            self.quality[at] = Quality.COMM_FAILURE_LAST_VALUE

    def tick(self, now: int) -> None:
        sample = self.derived(self.values, self.times, self.quality, now)
        self.values[sample.first :] = sample.values
        self.quality[sample.first :] = sample.quality
        self.times[sample.first :] = sample.time

    def value(self, series: str) -> float:
        return float(self.values[self.catalogue.index(series)])

    def code(self, series: str) -> int:
        return int(self.quality[self.catalogue.index(series)])
