"""A small hall with an image that tests write readings into; times are seconds since T0."""

from collections.abc import Iterable

import numpy as np

from alerting.alarms import Alarm, Category, Priority
from alerting.board import AlarmBoard
from alerting.evaluation import Image
from alerting.rule_files import RawRule, read_rules
from alerting.rule_parsing import ParsedRules, parse_rules
from alerting.rules import Rule
from alerting.watch import AlarmWatch
from facility.catalogue import build_catalogue
from facility.devices import Boundary, Device, DeviceKind, Feed, PointSpec
from facility.moves import find_moves
from facility.point_types import POINT_TYPES
from facility.quality import Quality
from facility.site import Site
from facility.spaces import Level, Space

T0 = 1_700_000_000 * 1_000_000_000
SECOND = 1_000_000_000

PDU_POINTS = ("active_power", "active_energy", "current_l1", "current_l2", "current_l3")
CDU_POINTS = ("tcs_supply_temperature", "leak", "fault", "pump_speed")
UPS_POINTS = ("active_power", "load", "on_battery", "battery_runtime")
CLIMATE_POINTS = ("air_inlet_temperature", "relative_humidity")
WEATHER_POINTS = ("outdoor_temperature", "relative_humidity")


def build_site() -> Site:
    spaces = (
        Space(id="campus", level=Level.CAMPUS, parent=None, name="North campus"),
        Space(id="b1", level=Level.BUILDING, parent="campus", name="Building 1"),
        Space(id="h1", level=Level.HALL, parent="b1", name="Hall 1"),
        Space(id="k01", level=Level.RACK, parent="h1", name="Rack 1", rated_power=100_000.0),
        Space(id="k02", level=Level.RACK, parent="h1", name="Rack 2"),
    )
    devices = (
        pdu("k01-pdu-a", "k01", Feed.A),
        pdu("k01-pdu-b", "k01", Feed.B),
        pdu("k02-pdu-a", "k02", Feed.A, rated_current=None),
        _device("k01-climate", DeviceKind.ENVIRONMENT_SENSOR, "k01", CLIMATE_POINTS),
        _device("k02-climate", DeviceKind.ENVIRONMENT_SENSOR, "k02", CLIMATE_POINTS),
        _device("weather", DeviceKind.ENVIRONMENT_SENSOR, "campus", WEATHER_POINTS),
        _device("cdu-1", DeviceKind.CDU, "h1", CDU_POINTS, by_exception=True),
        _device("ups-1", DeviceKind.UPS, "b1", UPS_POINTS),
    )
    return Site(name="North campus", spaces=spaces, devices=devices)


def two_rows() -> Site:
    """A hall of two rows of three racks, each with a PDU on feed A and one on feed B."""
    rows = tuple(Space(id=f"r{row}", level=Level.ROW, parent="h1", name=f"Row {row}") for row in (1, 2))
    racks = tuple(
        Space(id=f"{row.id}-k{rack}", level=Level.RACK, parent=row.id, name=f"Rack {rack}")
        for row in rows
        for rack in (1, 2, 3)
    )
    devices = tuple(pdu(f"{rack.id}-{feed.lower()}", rack.id, feed) for rack in racks for feed in Feed)
    return Site(name="North campus", spaces=(*build_site().spaces[:3], *rows, *racks), devices=devices)


def _spec(name: str) -> PointSpec:
    return PointSpec(name, POINT_TYPES["phase_current" if name.startswith("current_l") else name])


def _device(
    device_id: str, kind: DeviceKind, space: str, points: Iterable[str], *, by_exception: bool = False
) -> Device:
    return Device(
        id=device_id,
        kind=kind,
        space=space,
        points=tuple(_spec(name) for name in points),
        period=10.0,
        reports_by_exception=by_exception,
    )


def pdu(device_id: str, space: str, feed: Feed, rated_current: float | None = 100.0) -> Device:
    return Device(
        id=device_id,
        kind=DeviceKind.RACK_PDU,
        space=space,
        points=tuple(_spec(name) for name in PDU_POINTS),
        period=10.0,
        feed=feed,
        serves=(space,),
        boundary=Boundary.IT_RACK,
        rated_current=rated_current,
    )


class Plant:
    """A site, its image and its board; ``use`` or ``watch_rules`` first, then readings and ticks."""

    def __init__(self, site: Site | None = None) -> None:
        self.site = site or build_site()
        self.catalogue = build_catalogue(self.site)
        count = self.catalogue.point_count
        self.values = np.full(count, np.nan)
        self.times = np.zeros(count, dtype=np.int64)
        self.quality = np.full(count, Quality.WAITING_FOR_DATA, dtype=np.uint8)
        self.board = AlarmBoard()
        self.told: list[Alarm] = []
        self.board.listen(self.told.append)
        self.endpoints: dict[str, str] = {}
        self.shards: dict[str, str] = {}
        self.watch = self.make_watch(())

    def parse(self, text: str, defaults: tuple[RawRule, ...] = ()) -> ParsedRules:
        entries, problems = read_rules(text, "site.yaml")
        assert problems == ()
        return parse_rules(entries, self.site, defaults=defaults)

    def make_watch(self, rules: tuple[Rule, ...], board: AlarmBoard | None = None) -> AlarmWatch:
        image = Image(self.values, self.times, self.quality)
        return AlarmWatch(
            self.site,
            self.catalogue,
            rules,
            board or self.board,
            image,
            endpoints=self.endpoints,
            shards=self.shards,
        )

    def use(self, text: str) -> None:
        """Watch by these rules."""
        parsed = self.parse(text)
        assert [str(problem) for problem in parsed.problems] == []
        self.watch = self.make_watch(parsed.rules)

    def reloaded(self, site: Site, rules: str, at: float) -> "Plant":
        """A plant of another state of the site, that goes on from this one and has its board."""
        after = Plant(site)
        moves = find_moves(self.catalogue, after.catalogue)
        for here, there, count in moves.runs:
            for name in ("values", "times", "quality"):
                getattr(after, name)[here : here + count] = getattr(self, name)[there : there + count]
        after.board, after.told, after.endpoints = self.board, self.told, self.endpoints
        after.use(rules)
        after.watch.take_over(self.watch, moves)
        after.watch.resume(T0 + round(at * SECOND))
        return after

    def read(self, series: str, value: float, at: float, quality: int = Quality.GOOD) -> None:
        """A reading of one point with its source time."""
        point = self.catalogue.index(series)
        self.values[point] = value
        self.times[point] = T0 + round(at * SECOND)
        self.quality[point] = quality

    def read_device(self, device: str, at: float, value: float = 0.0) -> None:
        """A good reading of all points of a device."""
        for point in self.site.device(device).points:
            self.read(f"{device}.{point.name}", value, at)

    def lose(self, *devices: str, quality: int = Quality.COMM_FAILURE_LAST_VALUE) -> None:
        """Mark all points of devices as not communicating; values and times stay."""
        for device in devices:
            first = int(self.site.first_points[self.site.device_index[device]])
            self.quality[first : first + len(self.site.device(device).points)] = quality

    def tick(self, at: float) -> None:
        self.watch.watch(T0 + round(at * SECOND))

    def active(self, category: Category = Category.PROCESS) -> list[str]:
        return [alarm.id for alarm in self.board.active() if alarm.category is category]

    def history(self, category: Category = Category.PROCESS) -> list[Alarm]:
        """What listeners were told, in order."""
        return [alarm for alarm in self.told if alarm.category is category]

    def step(self, series: str, value: float, at: float, quality: int = Quality.GOOD) -> bool:
        """Read, tick at the same time; whether any process alarm is up then."""
        self.read(series, value, at, quality)
        self.tick(at)
        return bool(self.active())


def make_alarm(alarm_id: str = "it-inlet-hot:k01-climate.air_inlet_temperature", raised: int = T0) -> Alarm:
    rule, _, series = alarm_id.partition(":")
    device, _, point = series.partition(".")
    return Alarm(
        id=alarm_id,
        rule=rule,
        category=Category.PROCESS,
        priority=Priority.HIGH,
        device=device,
        point=point,
        space="k01",
        value=33.5,
        limit=32.0,
        unit="°C",
        message=f"{device} in Building 1 › Hall 1 › Rack 1: air inlet at 33.5 °C",
        action="Restore air.",
        raised=raised,
        runbook=rule,
    )
