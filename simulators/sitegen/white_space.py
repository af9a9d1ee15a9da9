"""Halls with their rows and racks: the IT load, fed twice (2N), and the cooling that stands among it."""

from dataclasses import dataclass, field

from facility.devices import DeviceKind, Feed
from facility.spaces import Level
from simulators.sitegen import profiles
from simulators.sitegen.draft import BROKER, Draft
from simulators.sitegen.ratings import count, frame, round_up
from simulators.sitegen.rows import DeviceRow, SpaceRow

UPS_KW = 2500.0
"""Load of the largest UPS system; a hall with more has several a feed."""
UPS_RESERVE = 1.1
"""Rating of a UPS in relation to its load."""
LIQUID_SHARE = 0.8
"""Part of a rack's heat that its liquid loop takes; air takes the rest."""
CDU_POWER_SHARE = 0.015
"""Pump power of a CDU in relation to the heat it moves."""
CRAH_KW = 150.0
"""Heat one air handler takes."""
CRAH_FAN_KW = 7.5
"""Its fan power."""


@dataclass(slots=True)
class Supply:
    """What the plant of a building must feed, gathered while its halls grow."""

    ups: dict[Feed, list[tuple[str, float]]] = field(default_factory=lambda: {feed: [] for feed in Feed})
    """Id and rating (kW) of each UPS."""
    cooling: list[str] = field(default_factory=list)
    """CDUs and CRAHs."""
    cooling_kw: float = 0.0
    """Their power."""


def add_hall(draft: Draft, building: str, number: int, supply: Supply) -> None:
    """Add a hall with all that stands in it; ``supply`` learns what it needs."""
    shape = draft.shape
    hall = draft.space(
        SpaceRow(
            id=f"{building}-h{number}",
            level=Level.HALL,
            parent=building,
            name=f"Hall {number}",
            rated_kw=shape.hall_kw,
            position=number,
        )
    )
    rows = [_add_row(draft, hall, each, supply) for each in range(1, shape.rows + 1)]
    for feed in Feed:
        _add_ups(draft, hall, feed, [row[feed] for row in rows], supply)
    _add_crahs(draft, hall, supply)


def _add_row(draft: Draft, hall: str, number: int, supply: Supply) -> dict[Feed, str]:
    """Add a row; returns its RPP on each feed."""
    shape = draft.shape
    row = draft.space(
        SpaceRow(
            id=f"{hall}-r{number:02}",
            level=Level.ROW,
            parent=hall,
            name=f"Row {number}",
            rated_kw=shape.row_kw,
            position=number,
        )
    )
    pdus = None if shape.outlets else draft.endpoint(f"{row}-pdus")
    taps = draft.endpoint(f"{row}-taps")
    network = set(draft.random.sample(range(1, shape.racks + 1), shape.network_racks))
    places = range(1, shape.racks + 1)
    racks = [_add_rack(draft, row, place, is_network=place in network) for place in places]
    for place, rack in zip(places, racks, strict=True):
        _add_rack_devices(draft, rack, shape.network_kw if place in network else shape.rack_kw, pdus, taps)
    _add_cdu(draft, row, racks, supply)
    return {feed: _add_rpp(draft, row, feed, racks) for feed in Feed}


def _add_rack(draft: Draft, row: str, place: int, *, is_network: bool) -> str:
    shape = draft.shape
    return draft.space(
        SpaceRow(
            id=f"{row}-k{place:02}",
            level=Level.RACK,
            parent=row,
            name=f"Rack {place}, network" if is_network else f"Rack {place}",
            rated_kw=shape.network_kw if is_network else shape.rack_kw,
            position=place,
        )
    )


def _add_rack_devices(draft: Draft, rack: str, kilowatts: float, pdus: str | None, taps: str) -> None:
    """Add what a rack has; ``pdus`` is the gateway of its PDUs, None where each has its own address."""
    place = int(rack.rpartition("-k")[2])
    outlets = draft.shape.outlets
    pdu_profile = draft.profile(profiles.pdu_profile(outlets)) if outlets else "rack-pdu"
    tap_profile = draft.profile(profiles.tap_profile()) if outlets else "busway-tap"
    for offset, feed in enumerate(Feed):
        unit = 2 * place - 1 + offset
        pdu = DeviceRow(
            id=f"{rack}-pdu-{feed.lower()}",
            kind=DeviceKind.RACK_PDU,
            space=rack,
            profile=pdu_profile,
            endpoint=pdus or "",
            unit=unit,
            feed=feed,
            serves=(rack,),
            rated_kw=kilowatts,
            rated_a=frame(kilowatts),
        )
        tap = DeviceRow(
            id=f"{rack}-tap-{feed.lower()}",
            kind=DeviceKind.BUSWAY_TAP,
            space=rack,
            profile=tap_profile,
            endpoint=taps,
            unit=unit,
            feed=feed,
            serves=(pdu.id,),
            rated_kw=kilowatts,
            rated_a=frame(kilowatts),
        )
        draft.device(tap)
        if pdus is None:
            draft.own_device(pdu)
        else:
            draft.device(pdu)
    if (place - 1) % draft.shape.climate_every:
        return
    draft.device(
        DeviceRow(
            id=f"{rack}-climate",
            kind=DeviceKind.ENVIRONMENT_SENSOR,
            space=rack,
            profile="rack-climate",
            endpoint=BROKER,
        )
    )


def _add_rpp(draft: Draft, row: str, feed: Feed, racks: list[str]) -> str:
    kilowatts = draft.shape.row_kw
    return draft.own_device(
        DeviceRow(
            id=f"{row}-rpp-{feed.lower()}",
            kind=DeviceKind.RPP,
            space=row,
            profile=draft.profile(profiles.panel_profile()) if draft.shape.outlets else "rpp",
            feed=feed,
            serves=tuple(f"{rack}-tap-{feed.lower()}" for rack in racks),
            rated_kw=kilowatts,
            rated_a=frame(kilowatts),
        )
    )


def _add_cdu(draft: Draft, row: str, racks: list[str], supply: Supply) -> None:
    kilowatts = round_up(draft.shape.row_kw * LIQUID_SHARE * CDU_POWER_SHARE, 0.5)
    supply.cooling_kw += kilowatts
    supply.cooling.append(
        draft.own_device(
            DeviceRow(
                id=f"{row}-cdu",
                kind=DeviceKind.CDU,
                space=row,
                profile="cdu",
                serves=tuple(racks),
                rated_kw=kilowatts,
            )
        )
    )


def _add_ups(draft: Draft, hall: str, feed: Feed, rpps: list[str], supply: Supply) -> None:
    """Add the UPSs of one feed; each takes neighbouring rows, and each could carry them alone."""
    units = min(count(draft.shape.hall_kw, UPS_KW), len(rpps))
    for at in range(units):
        served = rpps[at * len(rpps) // units : (at + 1) * len(rpps) // units]
        kilowatts = round_up(len(served) * draft.shape.row_kw * UPS_RESERVE, 10.0)
        ups = draft.own_device(
            DeviceRow(
                id=f"{hall}-ups-{feed.lower()}{at + 1}",
                kind=DeviceKind.UPS,
                space=hall,
                profile="ups",
                feed=feed,
                serves=tuple(served),
                rated_kw=kilowatts,
                rated_a=frame(kilowatts),
            )
        )
        supply.ups[feed].append((ups, kilowatts))


def _add_crahs(draft: Draft, hall: str, supply: Supply) -> None:
    """Add the air handlers of a hall, one more than it needs."""
    for number in range(1, count(draft.shape.hall_kw * (1 - LIQUID_SHARE), CRAH_KW) + 2):
        supply.cooling_kw += CRAH_FAN_KW
        supply.cooling.append(
            _add_machine(
                draft,
                f"{hall}-crahs",
                DeviceRow(
                    id=f"{hall}-crah-{number}",
                    kind=DeviceKind.CRAH,
                    space=hall,
                    profile="crah",
                    serves=(hall,),
                    rated_kw=CRAH_FAN_KW,
                ),
            )
        )


def _add_machine(draft: Draft, gateway: str, row: DeviceRow) -> str:
    """Add one of many alike: behind a gateway where the racks have the addresses, else with its own."""
    return draft.behind(gateway, row) if draft.shape.outlets else draft.own_device(row)
