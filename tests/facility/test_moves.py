"""What is known goes on by name when devices come, go and move."""

from dataclasses import replace

import numpy as np
import pytest

from dcops.memory import decode, encode
from facility.catalogue import build_catalogue
from facility.moves import Moves, find_moves
from facility.sample import NANOSECONDS
from facility.site import Site
from facility.spaces import Level, Space
from tests.facility.hall import Hall
from tests.facility.plant import START, device, small_site

PLAIN = small_site(with_taps=False)


def without(site: Site, *gone: str) -> Site:
    return replace(site, devices=tuple(each for each in site.devices if each.id not in gone))


def succeed(before: Hall, site: Site) -> Hall:
    """A hall of another site that goes on from one."""
    after = Hall(site)
    moves = find_moves(before.catalogue, after.catalogue)
    for here, there, count in moves.runs:
        for name in ("values", "times", "quality"):
            getattr(after, name)[here : here + count] = getattr(before, name)[there : there + count]
    after.derived.take_over(before.derived, moves)
    return after


def test_a_series_is_found_where_it_was_and_one_of_another_unit_is_not() -> None:
    before = build_catalogue(PLAIN)
    meter = device("k1-climate", "environment_sensor", "k1", "relative_humidity", "air_inlet_temperature")
    devices = tuple(meter if each.id == "k1-climate" else each for each in PLAIN.devices[1:])
    now = build_catalogue(replace(PLAIN, devices=devices))
    moves = find_moves(before, now)
    earlier = moves.earlier(np.arange(now.point_count))
    assert earlier[now.index("k1-pdu-a.active_power")] == before.index("k1-pdu-a.active_power") == 2
    assert earlier[now.index("k1-climate.air_inlet_temperature")] == before.index(
        "k1-climate.air_inlet_temperature"
    )
    assert earlier[now.index("k1-climate.relative_humidity")] == -1
    assert earlier[now.index("campus.power")] == before.index("campus.power")
    assert moves.places(np.array([0, 2]), np.array([1, 2, 3])).tolist() == [1, -1]


@pytest.mark.parametrize(
    ("device_id", "gone", "back"),
    [
        ("k2-tap-a", [(0, 0, 5), (5, 6, 184)], [(0, 0, 5), (6, 5, 184)]),
        ("utility-a", [(0, 2, 188)], [(2, 0, 188)]),
    ],
)
def test_points_that_stay_together_are_one_run(
    device_id: str, gone: list[tuple[int, int, int]], back: list[tuple[int, int, int]]
) -> None:
    taps = small_site(with_taps=True)
    before, now = build_catalogue(taps), build_catalogue(without(taps, device_id))

    there_and_back = find_moves(before, now), find_moves(now, before)

    assert [moves.runs for moves in there_and_back] == [gone, back]
    new = there_and_back[1].earlier(np.arange(before.point_count)) == -1
    assert np.flatnonzero(new).tolist() == list(range(before.group(device_id).first, back[-1][0]))


def test_devices_that_stayed_are_told_in_stretches() -> None:
    campus = Space(id="c", level=Level.CAMPUS, parent=None, name="C")
    meters = [device(f"m{at}", "board_meter", "c", "active_power") for at in range(4000)]
    before = Site(name="s", spaces=(campus,), devices=tuple(meters))
    new = [device(f"n{at}", "board_meter", "c", "active_power") for at in range(2)]
    other = replace(meters[1500], name="Other")
    devices = (new[0], *meters[:5], *meters[6:1500], other, *meters[1501:], new[1])
    now = Site(name="s", spaces=(campus,), devices=devices, like=before)
    assert now.stretches(before) == [
        (0, -1, 1),
        (1, 0, 5),
        (6, 6, 1494),
        (1500, -1, 1),
        (1501, 1501, 2499),
        (4000, -1, 1),
    ]
    assert before.stretches(before) == [(0, 0, 4000)]
    assert replace(before, devices=tuple(new)).stretches(before) == [(0, -1, 2)]


def test_nothing_is_found_among_nothing() -> None:
    none = np.array([], dtype=np.int64)
    assert Moves(none, none, none).earlier(np.arange(2)).tolist() == [-1, -1]


def test_a_point_that_moves_by_as_many_as_there_are_now_is_found() -> None:
    taps = small_site(with_taps=True)
    last = without(taps, *(each.id for each in taps.devices[:-1]))
    before, now = build_catalogue(taps), build_catalogue(last)
    known = {series: at for at, series in enumerate(before.series())}
    found = find_moves(before, now).earlier(np.arange(now.point_count))
    assert found.tolist() == [known.get(series, -1) for series in now.series()]


def test_a_series_that_is_stored_otherwise_is_the_same() -> None:
    before = build_catalogue(PLAIN)
    held = tuple(
        group._replace(fields=tuple(replace(each, hold=60) for each in group.fields))
        for group in before.groups
    )
    moves = find_moves(before, replace(before, groups=held))
    assert moves.earlier(np.arange(before.point_count)).tolist() == list(range(before.point_count))


def test_a_successor_goes_on_exactly_as_the_site_itself_would() -> None:
    one, other = Hall(PLAIN), Hall(PLAIN)
    for hall in (one, other):
        hall.run(0, 300)
    moved = (*PLAIN.devices[5:], *PLAIN.devices[:5])
    successor = succeed(other, replace(PLAIN, devices=moved))
    for hall in (one, successor):
        hall.run(310, 600, silent={"k2-pdu-a"})
    for series in ("campus.facility_energy", "campus.power", "h1.power", "campus.pue.3.15min.pue"):
        assert successor.value(series) == pytest.approx(one.value(series), rel=1e-12), series
        assert successor.code(series) == one.code(series), series
    assert one.value("campus.facility_energy") == pytest.approx(350e3 * 600 / 3600)


def test_pue_of_a_window_is_that_of_what_was_used_in_it_also_if_a_meter_goes() -> None:
    hall = Hall(PLAIN)
    hall.run(0, 300)
    hall = succeed(hall, without(PLAIN, "k4-pdu-b"))
    hall.run(310, 600)
    # 350 kW for ten minutes over 280 kW for five and 245 kW for the other five.
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(4 / 3, rel=1e-6)


def test_what_a_space_has_counted_stays_when_a_meter_goes() -> None:
    """A counter that fell would be taken for one that began anew, and all it stands at be counted again."""
    hall = Hall(PLAIN)
    hall.run(0, 360)
    assert hall.value("k4.energy") == pytest.approx(7e3)
    hall = succeed(hall, without(PLAIN, "k4-pdu-b"))
    hall.tick(START + 360 * NANOSECONDS)
    assert hall.value("k4.energy") == pytest.approx(7e3)
    hall.run(370, 720)
    assert hall.value("k4.energy") == pytest.approx(10.5e3)
    assert hall.value("k3.energy") == pytest.approx(14e3)
    assert hall.value("campus.energy") == pytest.approx(28e3 + 24.5e3)


def moved(site: Site, device_id: str, rack: str) -> Site:
    """The site with one device in another rack."""
    found = site.device(device_id)
    other = replace(found, space=rack, serves=(rack,))
    return replace(site, devices=tuple(other if each is found else each for each in site.devices))


def carry_on(before: Hall, site: Site, *, by_restart: bool) -> Hall:
    if not by_restart:
        return succeed(before, site)
    after = Hall(site)
    after.derived.restore(decode(encode(before.derived.remember())))
    return after


@pytest.mark.parametrize("by_restart", [False, True])
def test_a_meter_that_moves_counts_where_it_is_and_takes_nothing_along(*, by_restart: bool) -> None:
    """k1-pdu-a, 35 kW like all, stands for an hour in rack k1 and for half an hour in k3."""
    hall = Hall(PLAIN)
    hall.run(0, 3600)
    hall = carry_on(hall, moved(PLAIN, "k1-pdu-a", "k3"), by_restart=by_restart)
    hall.run(3610, 5400)
    energies = {space: hall.value(f"{space}.energy") for space in ("k1", "k2", "k3", "r1", "r2", "campus")}
    second = 35e3 / 360  # what it counts in the 10 s between the last reading there and the first here
    assert energies == pytest.approx(
        {"k1": 87.5e3, "k2": 105e3, "k3": 122.5e3, "r1": 192.5e3, "r2": 227.5e3, "campus": 420e3},
        abs=1.01 * second,
    )
    assert hall.value("campus.energy") == pytest.approx(420e3, rel=1e-9)


@pytest.mark.parametrize("by_restart", [False, True])
def test_figures_go_on_where_a_meter_went_or_another_took_its_place(*, by_restart: bool) -> None:
    hall = Hall(PLAIN)
    hall.run(0, 300)
    hall = carry_on(hall, without(PLAIN, "k4-pdu-b"), by_restart=by_restart)
    hall.run(310, 600)
    # 350 kW for ten minutes over 280 kW for five and 245 kW for the other five.
    assert hall.value("campus.pue.3.15min.pue") == pytest.approx(4 / 3, rel=1e-6)
    assert hall.value("campus.pue.3.month.pue") == pytest.approx(4 / 3, rel=1e-6)
    hall = carry_on(hall, PLAIN, by_restart=by_restart)
    hall.run(610, 900)
    # And 280 kW for the last five; the meter that is back begins with what it is first read at.
    assert hall.value("campus.pue.3.month.pue") == pytest.approx(350 * 3 / (280 + 245 + 280), rel=0.01)
