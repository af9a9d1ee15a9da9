"""A small site built by hand: one building, one hall, two rows of four racks, all kinds of devices."""

from datetime import UTC, datetime

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, MqttBinding, MqttBroker
from collectors.profiles import ModbusProfile, MqttProfile
from collectors.profiles.reader import shipped
from facility.devices import DEFAULT_BOUNDARIES, Boundary, Device, Feed
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space

WINTER = int(datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()) * NANOSECONDS
SUMMER = int(datetime(2026, 7, 20, 12, tzinfo=UTC).timestamp()) * NANOSECONDS
RACK_RATING = 60e3
FEEDS = (Feed.A, Feed.B)


class SiteBuilder:
    """Spaces and devices of a site, as they are added."""

    def __init__(self) -> None:
        self.spaces: list[Space] = []
        self.devices: list[Device] = []
        self._profiles = shipped()

    def space(self, space_id: str, level: Level, parent: str | None, **words: object) -> None:
        self.spaces.append(Space(id=space_id, level=level, parent=parent, **({"name": space_id} | words)))  # type: ignore[arg-type]

    def device(
        self,
        device_id: str,
        profile: str,
        space: str,
        *,
        serves: tuple[str, ...] = (),
        feed: Feed | None = None,
        boundary: Boundary | None = None,
        rated_power: float | None = None,
    ) -> None:
        found = self._profiles[profile]
        self.devices.append(
            Device(
                id=device_id,
                kind=found.kind,
                space=space,
                points=found.points,
                period=10.0,
                feed=feed,
                serves=serves,
                boundary=boundary or DEFAULT_BOUNDARIES.get(found.kind),
                rated_power=rated_power,
            )
        )


def build_site(rows: int = 2, racks_per_row: int = 4, halls: int = 1) -> Site:
    site = SiteBuilder()
    site.space("campus", Level.CAMPUS, None, name="Campus")
    site.space("b1", Level.BUILDING, "campus", name="Building 1")
    row_ids = {f"h{hall + 1}": [f"h{hall + 1}-r{row + 1}" for row in range(rows)] for hall in range(halls)}
    _add_plant(site, row_ids, RACK_RATING * rows * racks_per_row * halls)
    for hall, of_hall in row_ids.items():
        site.space(hall, Level.HALL, "b1")
        for at in (1, 2):
            site.device(f"{hall}-crah-{at}", "crah", hall, serves=(hall,))
        for row in of_hall:
            _add_row(site, hall, row, [f"{row}-k{at + 1}" for at in range(racks_per_row)])
    return Site(name="Test site", spaces=tuple(site.spaces), devices=tuple(site.devices))


def _add_plant(site: SiteBuilder, row_ids: dict[str, list[str]], rated_power: float) -> None:
    """What feeds and cools the rows of all halls."""
    rows = [row for of_hall in row_ids.values() for row in of_hall]
    cdus = [f"{row}-cdu" for row in rows]
    crahs = [f"{hall}-crah-{at}" for hall in row_ids for at in (1, 2)]
    for feed in FEEDS:
        low = feed.lower()
        site.device(f"utility-{low}", "utility-meter", "b1", serves=(f"board-{low}",), feed=feed)
        site.device(f"generator-{low}", "generator", "b1", serves=(f"board-{low}",), feed=feed)
        site.device(f"board-{low}", "board-meter", "b1", serves=(f"ups-{low}", f"chiller-{low}"), feed=feed)
        rpps = tuple(f"{row}-rpp-{low}" for row in rows)
        site.device(f"ups-{low}", "ups", "b1", serves=rpps, feed=feed, rated_power=rated_power)
        site.device(f"chiller-{low}", "chiller", "b1", serves=(*cdus, *crahs))
    for name, profile in (("tower-1", "cooling-tower"), ("pump-1", "pump"), ("pump-2", "pump")):
        site.device(name, profile, "b1", serves=("chiller-a", "chiller-b"))
    site.device("recovery", "heat-exchanger", "b1", serves=("handover",))
    site.device("handover", "heat-meter", "b1", boundary=Boundary.HEAT_REUSED)
    site.device("mains", "water-meter", "b1")
    site.device("weather", "weather-station", "campus")


def _add_row(site: SiteBuilder, hall: str, row: str, racks: list[str]) -> None:
    site.space(row, Level.ROW, hall)
    site.device(f"{row}-cdu", "cdu", row, serves=tuple(racks))
    for feed in FEEDS:
        low = feed.lower()
        pdus = tuple(f"{rack}-pdu-{low}" for rack in racks)
        site.device(f"{row}-rpp-{low}", "rpp", row, serves=(f"{row}-tap-{low}",), feed=feed)
        site.device(f"{row}-tap-{low}", "busway-tap", row, serves=pdus, feed=feed)
    for rack in racks:
        site.space(rack, Level.RACK, row, rated_power=RACK_RATING)
        for feed in FEEDS:
            site.device(f"{rack}-pdu-{feed.lower()}", "rack-pdu", rack, serves=(rack,), feed=feed)
        site.device(f"{rack}-climate", "rack-climate", rack)


def build_plan(site: Site, modbus_port: int, broker_port: int) -> CollectionPlan:
    """All Modbus devices behind one endpoint ``gateway``, all MQTT devices on ``broker``."""
    modbus, mqtt = [], []
    names = shipped()
    for at, device in enumerate(site.devices):
        profile = next(
            each for each in names.values() if each.kind is device.kind and each.points == device.points
        )
        first = int(site.first_points[at])
        if isinstance(profile, ModbusProfile):
            modbus.append(
                ModbusBinding(
                    device=device.id,
                    first=first,
                    endpoint="gateway",
                    unit=len(modbus) + 1,
                    period=device.period,
                    profile=profile,
                )
            )
        elif isinstance(profile, MqttProfile):
            topic = profile.topic.format(space=device.space, device=device.id)
            mqtt.append(
                MqttBinding(
                    device=device.id,
                    first=first,
                    broker="broker",
                    topic=topic,
                    period=device.period,
                    profile=profile,
                )
            )
    return CollectionPlan(
        endpoints=(ModbusEndpoint(id="gateway", host="127.0.0.1", port=modbus_port),),
        brokers=(MqttBroker(id="broker", host="127.0.0.1", port=broker_port, client_id="test"),),
        modbus=tuple(modbus),
        mqtt=tuple(mqtt),
    )
