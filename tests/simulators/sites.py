"""A small site built by hand: one building, one hall, two rows of four racks, all kinds of devices."""

from datetime import UTC, datetime

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, MqttBinding, MqttBroker
from collectors.profiles import ModbusProfile, MqttProfile, Profile
from collectors.profiles.reader import shipped
from facility.devices import DEFAULT_BOUNDARIES, Boundary, Device, Feed
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space

WINTER = int(datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()) * NANOSECONDS
SUMMER = int(datetime(2026, 7, 20, 12, tzinfo=UTC).timestamp()) * NANOSECONDS
RACK_RATING = 60e3
FEEDS = (Feed.A, Feed.B)


def make_device(
    profiles: dict[str, Profile],
    device_id: str,
    profile: str,
    space: str,
    *,
    serves: tuple[str, ...] = (),
    feed: Feed | None = None,
    boundary: Boundary | None = None,
    rated_power: float | None = None,
) -> Device:
    found = profiles[profile]
    return Device(
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


def build_site(rows: int = 2, racks_per_row: int = 4, halls: int = 1) -> Site:
    profiles = shipped()
    spaces = [
        Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus"),
        Space(id="b1", level=Level.BUILDING, parent="campus", name="Building 1"),
    ]
    devices: list[Device] = []

    def add(*arguments: str, **words: object) -> None:
        devices.append(make_device(profiles, *arguments, **words))  # type: ignore[arg-type]

    hall_ids = [f"h{hall + 1}" for hall in range(halls)]
    crahs = [f"{hall}-crah-{at}" for hall in hall_ids for at in (1, 2)]
    cdus = [f"{hall}-r{row + 1}-cdu" for hall in hall_ids for row in range(rows)]
    for feed in FEEDS:
        low = feed.lower()
        add(f"utility-{low}", "utility-meter", "b1", serves=(f"board-{low}",), feed=feed)
        add(f"generator-{low}", "generator", "b1", serves=(f"board-{low}",), feed=feed)
        add(f"board-{low}", "board-meter", "b1", serves=(f"ups-{low}", f"chiller-{low}"), feed=feed)
        rpps = tuple(f"{hall}-r{row + 1}-rpp-{low}" for hall in hall_ids for row in range(rows))
        add(
            f"ups-{low}",
            "ups",
            "b1",
            serves=rpps,
            feed=feed,
            rated_power=RACK_RATING * rows * racks_per_row * halls,
        )
        add(f"chiller-{low}", "chiller", "b1", serves=(*cdus, *crahs))
    add("tower-1", "cooling-tower", "b1", serves=("chiller-a", "chiller-b"))
    add("pump-1", "pump", "b1", serves=("chiller-a", "chiller-b"))
    add("pump-2", "pump", "b1", serves=("chiller-a", "chiller-b"))
    add("recovery", "heat-exchanger", "b1", serves=("handover",))
    add("handover", "heat-meter", "b1", boundary=Boundary.HEAT_REUSED)
    add("mains", "water-meter", "b1")
    add("weather", "weather-station", "campus")
    for hall in hall_ids:
        spaces.append(Space(id=hall, level=Level.HALL, parent="b1", name=hall))
        for at in (1, 2):
            add(f"{hall}-crah-{at}", "crah", hall, serves=(hall,))
        for row in (f"{hall}-r{each + 1}" for each in range(rows)):
            spaces.append(Space(id=row, level=Level.ROW, parent=hall, name=row))
            racks = [f"{row}-k{at + 1}" for at in range(racks_per_row)]
            add(f"{row}-cdu", "cdu", row, serves=tuple(racks))
            for feed in FEEDS:
                low = feed.lower()
                add(f"{row}-rpp-{low}", "rpp", row, serves=(f"{row}-tap-{low}",), feed=feed)
                add(
                    f"{row}-tap-{low}",
                    "busway-tap",
                    row,
                    serves=tuple(f"{r}-pdu-{low}" for r in racks),
                    feed=feed,
                )
            for rack in racks:
                spaces.append(
                    Space(id=rack, level=Level.RACK, parent=row, name=rack, rated_power=RACK_RATING)
                )
                for feed in FEEDS:
                    add(f"{rack}-pdu-{feed.lower()}", "rack-pdu", rack, serves=(rack,), feed=feed)
                add(f"{rack}-climate", "rack-climate", rack)
    return Site(name="Test site", spaces=tuple(spaces), devices=tuple(devices))


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
