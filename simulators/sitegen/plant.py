"""What stands outside the halls of a building: power supply, cooling plant, heat recovery."""

from dataclasses import replace

from facility.devices import Boundary, DeviceKind, Feed
from facility.spaces import Level
from simulators.sitegen.draft import Draft
from simulators.sitegen.ratings import count, frame, round_up
from simulators.sitegen.rows import DeviceRow, SpaceRow
from simulators.sitegen.white_space import Supply, add_hall

CHILLER_KW = 3500.0
"""Heat one chiller takes."""
CHILLER_POWER_KW = 640.0
"""Its electrical rating, at a COP of 5.5."""
TOWER_KW = 45.0
DRY_COOLER_KW = 60.0
PUMP_KW = 55.0
GENERATOR_KW = 3000.0
UPS_EFFICIENCY = 0.96
HEAT_SHARE = 1.05
"""Heat to be removed in relation to IT load: losses of UPS and distribution come on top."""
RECOVERED_SHARE = 0.4
"""Heat the recovery can hand over, in relation to IT load."""


def add_building(draft: Draft, campus: str, number: int) -> None:
    """Add a building with its halls and its plant."""
    building = draft.space(
        SpaceRow(
            id=f"b{number}",
            level=Level.BUILDING,
            parent=campus,
            name=f"Building {number}",
            rated_kw=draft.shape.building_kw,
            position=number,
        )
    )
    supply = Supply()
    for hall in range(1, draft.shape.halls + 1):
        add_hall(draft, building, hall, supply)
    machines = _add_cooling(draft, building, supply)
    _add_heat_recovery(draft, building)
    _add_supply(draft, building, supply, machines)
    draft.own_device(
        DeviceRow(id=f"{building}-water", kind=DeviceKind.WATER_METER, space=building, profile="water-meter")
    )


def _add_cooling(draft: Draft, building: str, supply: Supply) -> list[str]:
    """Add chillers (one more than needed) with towers and pumps; returns all that takes power."""
    machines: list[str] = []

    def add(name: str, kind: DeviceKind, kilowatts: float, serves: tuple[str, ...]) -> str:
        row = DeviceRow(
            id=f"{building}-{name}",
            kind=kind,
            space=building,
            profile=kind.replace("_", "-"),
            serves=serves,
            rated_kw=kilowatts,
        )
        supply.cooling_kw += kilowatts
        machines.append(draft.own_device(row))
        return row.id

    served = tuple(supply.cooling)
    for number in range(1, count(draft.shape.building_kw * HEAT_SHARE, CHILLER_KW) + 2):
        chiller = add(f"chiller-{number}", DeviceKind.CHILLER, CHILLER_POWER_KW, served)
        add(f"tower-{number}", DeviceKind.COOLING_TOWER, TOWER_KW, (chiller,))
        add(f"pump-{number}", DeviceKind.PUMP, PUMP_KW, (chiller,))
    add("dry-cooler", DeviceKind.DRY_COOLER, DRY_COOLER_KW, (f"{building}-chiller-1",))
    add("hx-pump", DeviceKind.PUMP, PUMP_KW, (f"{building}-hx",))
    return [*machines, *supply.cooling]


def _add_heat_recovery(draft: Draft, building: str) -> None:
    """Add the exchanger to the district network and the meter behind it, by which heat is sold."""
    kilowatts = round_up(draft.shape.building_kw * RECOVERED_SHARE, 10.0)
    meter = f"{building}-heat-meter"
    draft.own_device(
        DeviceRow(
            id=f"{building}-hx",
            kind=DeviceKind.HEAT_EXCHANGER,
            space=building,
            profile="heat-exchanger",
            serves=(meter,),
            rated_kw=kilowatts,
        )
    )
    draft.own_device(
        DeviceRow(
            id=meter,
            kind=DeviceKind.HEAT_METER,
            space=building,
            profile="heat-meter",
            boundary=Boundary.HEAT_REUSED,
            rated_kw=kilowatts,
        )
    )


def _add_supply(draft: Draft, building: str, supply: Supply, machines: list[str]) -> None:
    """Add boards, then what feeds them; either feed can carry the whole building."""
    boards: dict[Feed, list[str]] = {}
    for at, feed in enumerate(Feed):
        boards[feed] = [_add_ups_board(draft, ups, feed, kilowatts) for ups, kilowatts in supply.ups[feed]]
        mechanical = _board(f"{building}-board-m{feed.lower()}", feed, machines[at::2], supply.cooling_kw)
        boards[feed].append(draft.own_device(replace(mechanical, space=building)))
    needed = supply.cooling_kw
    needed += sum(kilowatts / UPS_EFFICIENCY for _, kilowatts in supply.ups[Feed.A])
    for feed in Feed:
        draft.own_device(
            DeviceRow(
                id=f"{building}-utility-{feed.lower()}",
                kind=DeviceKind.UTILITY_METER,
                space=building,
                profile="utility-meter",
                feed=feed,
                serves=tuple(boards[feed]),
                rated_kw=round_up(needed, 100.0),
                rated_a=frame(needed),
            )
        )
    for number in range(1, count(needed, GENERATOR_KW) + 2):
        draft.own_device(
            DeviceRow(
                id=f"{building}-generator-{number}",
                kind=DeviceKind.GENERATOR,
                space=building,
                profile="generator",
                serves=(*boards[Feed.A], *boards[Feed.B]),
                rated_kw=GENERATOR_KW,
            )
        )


def _add_ups_board(draft: Draft, ups: str, feed: Feed, kilowatts: float) -> str:
    """Add the board that feeds one UPS, in the UPS's hall; returns its id."""
    row = _board(ups.replace("-ups-", "-board-"), feed, [ups], kilowatts / UPS_EFFICIENCY)
    return draft.own_device(replace(row, space=ups.rpartition("-ups-")[0]))


def _board(board: str, feed: Feed, serves: list[str], kilowatts: float) -> DeviceRow:
    rated = round_up(kilowatts, 10.0)
    return DeviceRow(
        id=board,
        kind=DeviceKind.BOARD_METER,
        space="",
        profile="board-meter",
        feed=feed,
        serves=tuple(serves),
        rated_kw=rated,
        rated_a=frame(rated),
    )
