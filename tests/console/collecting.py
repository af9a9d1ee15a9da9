"""Collection that goes as it is told to."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from collectors.figures import EndpointFigures, figures_of
from collectors.health import (
    CollectionTotals,
    DeviceCost,
    DeviceHealth,
    DeviceLesson,
    DeviceState,
    DeviceTally,
    EndpointHealth,
    EndpointState,
    ReadCost,
    RefusedValue,
)
from tests.collectors.healths import device_health, endpoint_health
from tests.console.campus import START

TOTALS = CollectionTotals(polls_due=120, polls_done=117, polls_missed=2, polls_failed=1, samples=117)


def health(device: str, state: DeviceState = DeviceState.ONLINE, last_error: str = "") -> DeviceHealth:
    """How collection from a device goes: well, unless told otherwise."""
    return device_health(device, state=state, last_success=START, polls_done=12, last_error=last_error)


GATEWAY = endpoint_health(
    "gw-1",
    connected_since=START,
    requests=240,
    errors={"timeout": 1},
    round_trip=0.004,
    utilisation=0.21,
    predicted_cycle=2.2,
    measured_cycle=1.9,
    predicted_utilisation=0.22,
)


BROKER = endpoint_health(
    "broker",
    protocol="mqtt",
    address="127.0.0.1:1883",
    state=EndpointState.DOWN,
    last_error="connection refused",
)


COSTS = (
    DeviceCost(
        device="b1-h1-r1-cdu",
        unit=3,
        reads=(ReadCost("holding 0+18", 10, 0.6), ReadCost("holding 40+2", 5, 0.1)),
    ),
    DeviceCost(device="b1-h1-r2-cdu", unit=4, reads=(ReadCost("holding 0+18", 10, 0.3),)),
)


LESSON = DeviceLesson(
    device="b1-h1-r1-cdu",
    endpoint="gw-1",
    unit=3,
    profile="cdu",
    refused=(RefusedValue(place="holding 41", points=("leak",), exception=2),),
    cuts=("holding 60",),
    start=None,
    identity={"serial": "BX1234"},
)


@dataclass
class FakeCollection:
    health: tuple[DeviceHealth, ...] = ()
    links: tuple[EndpointHealth, ...] = (GATEWAY, BROKER)
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    taught: list[str] = field(default_factory=lambda: [LESSON.device])

    def devices(self) -> tuple[DeviceHealth, ...]:
        return self.health

    def device(self, device: str) -> DeviceHealth | None:
        return next((each for each in self.health if each.device == device), None)

    def each_device(self) -> Iterator[DeviceHealth]:
        return iter(self.health)

    def endpoints(self) -> tuple[EndpointHealth, ...]:
        return self.links

    def each_endpoint(self) -> Iterator[EndpointHealth]:
        return iter(self.links)

    def each_figures(self) -> Iterator[EndpointFigures]:
        yield from (figures_of([each]) for each in self.links)

    def totals(self) -> CollectionTotals:
        return TOTALS

    def tally(self) -> DeviceTally:
        return DeviceTally(
            states=Counter(each.state for each in self.health),
            refused=sum(each.refused for each in self.health),
            identity_changes=sum(each.identity_changes for each in self.health),
        )

    def texts(self, device: str) -> dict[str, str]:
        return self.told.get(device, {})

    def costs(self, endpoint: str) -> tuple[DeviceCost, ...]:
        return COSTS if endpoint == "gw-1" else ()

    def lessons(self) -> tuple[DeviceLesson, ...]:
        return (LESSON,) if LESSON.device in self.taught else ()

    def forget(self, device: str | None = None) -> int:
        if device is not None and device not in {each.device for each in self.health}:
            raise KeyError(device)
        before = len(self.taught)
        self.taught = [each for each in self.taught if device not in (None, each)]
        return before - len(self.taught)
