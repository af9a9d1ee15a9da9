"""Which meters bound what is missing: those that feed nothing but the sources below them."""

import numpy as np

from facility.devices import Device, DeviceKind
from facility.site import Site
from facility.upstream import join_stages, parent_stages
from tests.facility.plant import SPACES, device

PDUS = tuple(device(f"pdu-{n}", DeviceKind.RACK_PDU, f"k{n}", "active_power") for n in (1, 2, 3, 4))


def meter(name: str, *serves: str, kind: DeviceKind = DeviceKind.RPP) -> Device:
    return device(name, kind, "h1", "active_power", serves=serves)


def found(*above: Device) -> list[list[tuple[str, float]]]:
    """Of each stage the meter of each PDU, or none, and what it is taken to deliver."""
    site = Site(name="test", spaces=SPACES, devices=(*PDUS, *above))
    points = [f"{each.id}.{point.name}" for each in site.devices for point in each.points]
    return [
        [
            (points[stage.meters[group]], float(stage.delivered[group])) if group >= 0 else ("", 0.0)
            for group in stage.group.tolist()
        ]
        for stage in parent_stages(site, np.arange(4))
    ]


def named(*above: Device) -> list[list[str]]:
    return [[name.removesuffix(".active_power") for name, _ in stage] for stage in found(*above)]


def test_groups_are_those_of_each_meter_and_a_hundredth_is_lost_until_more_is_known() -> None:
    assert found(meter("rpp-2", "pdu-3", "pdu-4"), meter("rpp-1", "pdu-1")) == [
        [
            ("rpp-1.active_power", 0.99),
            ("", 0.0),
            ("rpp-2.active_power", 0.99),
            ("rpp-2.active_power", 0.99),
        ]
    ]


def test_meters_above_meters_are_asked_next_three_steps_up() -> None:
    chain = (
        meter("rpp", "pdu-1"),
        meter("ups", "rpp", "pdu-2", kind=DeviceKind.UPS),
        meter("board", "ups", "pdu-3", kind=DeviceKind.BOARD_METER),
        meter("feed", "board", "pdu-4", kind=DeviceKind.BOARD_METER),
    )
    assert named(*chain) == [
        ["rpp", "ups", "board", "feed"],
        ["ups", "board", "feed", ""],
        ["board", "feed", "", ""],
    ]


def test_a_meter_that_feeds_something_else_too_bounds_nothing() -> None:
    lamp = device("lamp", DeviceKind.PUMP, "h1", "active_power")
    assert named(meter("rpp", "pdu-1", "pdu-2", "lamp"), lamp) == []


def test_a_meter_that_feeds_what_another_one_may_feed_as_well_bounds_nothing() -> None:
    """pdu-3 hangs on a transfer switch."""
    assert named(meter("rpp-1", "pdu-1", "pdu-3"), meter("rpp-2", "pdu-2", "pdu-3")) == []


def test_what_cools_a_source_is_no_meter_upstream_of_it() -> None:
    chiller = meter("chiller", "pdu-1", kind=DeviceKind.CHILLER)
    assert named(chiller) == []
    assert named(chiller, meter("rpp", "pdu-1")) == [["rpp", "", "", ""]]


def test_of_a_device_with_two_powers_the_first_is_its_own() -> None:
    twice = device("rpp", DeviceKind.RPP, "h1", "active_power", serves=("pdu-1",))
    twice = Device(
        id=twice.id,
        kind=twice.kind,
        space=twice.space,
        period=twice.period,
        serves=twice.serves,
        points=(twice.points[0], type(twice.points[0])("bypass_power", twice.points[0].type)),
    )
    assert found(twice)[0][0] == ("rpp.active_power", 0.99)


def test_stages_of_several_sets_stand_behind_each_other_and_share_what_is_learned() -> None:
    site = Site(name="test", spaces=SPACES, devices=(*PDUS, meter("rpp-1", "pdu-1"), meter("rpp-2", "pdu-2")))
    (first,), (second,) = (parent_stages(site, np.array(each)) for each in ([0], [1, 2]))
    joined = join_stages([first, None, second], [1, 2, 2])
    assert joined.stage.group.tolist() == [0, -1, -1, 1, -1]
    assert joined.stage.meters.tolist() == [4, 5]
    assert [each.meters.tolist() for each in joined.parts] == [[4], [], [5]]
    joined.stage.delivered[1] = 0.95
    assert joined.parts[2].delivered.tolist() == [0.95]
