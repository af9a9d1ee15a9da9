"""What a source is expected to draw: it weighs what is measured, and bounds what stands for it."""

from dataclasses import replace

import pytest

from facility.devices import Device, DeviceKind
from facility.moves import find_moves
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space
from tests.facility.plant import START, Bench, device, small_site
from tests.facility.test_rollups import read_all, two_buildings


def hall(*devices: Device) -> Bench:
    """A hall built for 1 MW of IT, with two racks of 130 kW."""
    spaces = (
        Space(id="campus", level=Level.CAMPUS, parent=None, name="Campus"),
        Space(id="h1", level=Level.HALL, parent="campus", name="H1", rated_power=1e6),
        Space(id="k1", level=Level.RACK, parent="h1", name="K1", rated_power=130e3),
        Space(id="k2", level=Level.RACK, parent="h1", name="K2", rated_power=130e3),
    )
    return Bench(Site(name="test", spaces=spaces, devices=devices))


def machine(name: str, kind: DeviceKind, rated: float | None = None) -> Device:
    return device(name, kind, "h1", "active_power", rated=rated)


def test_the_load_a_hall_is_built_for_is_no_rating_of_a_machine_in_it() -> None:
    """A pump of 5.5 kW draws 4 kW. Of the CRAH beside it, that never answered, nothing is known."""
    bench = hall(machine("pump", DeviceKind.PUMP, 5.5e3), machine("crah", DeviceKind.CRAH))
    bench.read("pump", START, active_power=4e3)
    bench.tick(START)
    assert bench.value("h1.mechanical_power") == pytest.approx(4e3 + 4e3)
    assert bench.value("h1.mechanical_power_coverage") == pytest.approx(0.5)


def test_a_machine_of_unknown_rating_is_taken_for_one_of_its_kind() -> None:
    """All that answer draw 0.6 of their rating."""
    bench = hall(
        machine("chiller-1", DeviceKind.CHILLER, 1e6),
        machine("chiller-2", DeviceKind.CHILLER, 1e6),
        machine("pump-1", DeviceKind.PUMP, 10e3),
        machine("pump-2", DeviceKind.PUMP),
    )
    for each, watts in (("chiller-1", 600e3), ("chiller-2", 600e3), ("pump-1", 6e3)):
        bench.read(each, START, active_power=watts)
    bench.tick(START)
    assert bench.value("h1.mechanical_power") == pytest.approx(1_206e3 + 6e3)
    assert bench.value("h1.mechanical_power_coverage") == pytest.approx(2_010 / 2_020)


def test_what_cools_a_machine_does_not_feed_it() -> None:
    """A chiller of 600 kW cools two CDUs, one of which never answers; all draw 0.6 of their rating."""
    cdus = ("cdu-1", "cdu-2")
    chiller = device("chiller", DeviceKind.CHILLER, "h1", "active_power", serves=cdus, rated=1e6)
    bench = hall(chiller, machine("cdu-1", DeviceKind.CDU, 15e3), machine("cdu-2", DeviceKind.CDU))
    bench.read("chiller", START, active_power=600e3)
    bench.read("cdu-1", START, active_power=9e3)
    bench.tick(START)
    assert bench.value("h1.mechanical_power") == pytest.approx(609e3 + 9e3)


def test_what_was_never_read_is_expected_to_do_what_others_of_its_kind_do() -> None:
    """A CDU removes 1.3 MW by 15 kW of its own, a CRAH 60 kW by 30 kW."""
    makes = {"crah": (DeviceKind.CRAH, 30e3), "cdu": (DeviceKind.CDU, 15e3)}
    bench = hall(
        *(
            device(f"{name}-{number}", kind, "h1", "heat_power", rated=rated)
            for name, (kind, rated) in makes.items()
            for number in (1, 2)
        )
    )
    for name, watts in (("crah-1", 60e3), ("crah-2", 60e3), ("cdu-1", 1.3e6)):
        bench.read(name, START, heat_power=watts)
    bench.tick(START)
    assert bench.value("h1.heat_removed") == pytest.approx(120e3 + 2 * 1.3e6)
    assert bench.value("h1.heat_removed_coverage") == pytest.approx(1.42 / 2.72)


def test_nothing_is_taken_to_draw_more_than_its_meter_can_carry() -> None:
    """A rack trains at 100 kW and falls silent; the other goes from 10 to 100 kW: that is its own affair."""
    bench = hall(*(device(f"{k}-pdu", DeviceKind.RACK_PDU, k, "active_power") for k in ("k1", "k2")))
    for second in range(60):
        now = START + second * NANOSECONDS
        bench.read("k1-pdu", now, active_power=100e3)
        bench.read("k2-pdu", now, active_power=10e3)
        bench.tick(now)
    bench.lose("k1-pdu")
    bench.read("k2-pdu", START + 60 * NANOSECONDS, active_power=100e3)
    bench.tick(START + 60 * NANOSECONDS)
    assert bench.value("k1.power") == pytest.approx(1.2 * 130e3)


def test_a_rating_that_is_corrected_changes_nothing_of_what_a_silent_meter_is_taken_to_draw() -> None:
    site = small_site(with_taps=False)
    devices = (replace(d, rated_power=200e3) if d.id == "k4-pdu-a" else d for d in site.devices)
    before, after = Bench(site), Bench(replace(site, devices=tuple(devices)))
    for second in range(60):
        now = START + second * NANOSECONDS
        read_all(before, now)
        before.tick(now)
    after.derived.take_over(before.derived, find_moves(before.catalogue, after.catalogue))
    now = START + 90 * NANOSECONDS
    read_all(after, now, without=("k4-pdu-a",))
    after.tick(now)
    assert after.value("k4.power_feeda") == pytest.approx(50e3)
    assert after.value("campus.power") == pytest.approx(280e3)


def test_a_silent_meter_that_moves_to_another_hall_goes_on_with_what_it_drew() -> None:
    """Racks of b1 draw 60 kW, those of b2 30 kW. A silent meter of b1 turns out to stand in b2."""
    before = two_buildings()
    site = before.site
    devices = (replace(d, space="b2-k2") if d.id == "b1-k1-pdu" else d for d in site.devices)
    after = Bench(replace(site, devices=tuple(devices)))
    watts = {"b1-k1-pdu": 60e3, "b1-k2-pdu": 60e3, "b2-k1-pdu": 30e3, "b2-k2-pdu": 30e3}
    for second in range(60):
        for each, load in watts.items():
            before.read(each, START + second * NANOSECONDS, active_power=load)
        before.tick(START + second * NANOSECONDS)
    after.derived.take_over(before.derived, find_moves(before.catalogue, after.catalogue))
    now = START + 90 * NANOSECONDS
    for each, load in watts.items():
        if each != "b1-k1-pdu":
            after.read(each, now, active_power=load)
    after.tick(now)
    assert (after.value("b1.power"), after.value("b2.power")) == pytest.approx((60e3, 120e3))
    assert after.value("b2.power_coverage") == pytest.approx(0.5)
