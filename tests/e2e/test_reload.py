"""The site changes while it runs: what is read as before goes on without a missed poll."""

import weakref

import numpy as np

from facility.sample import NANOSECONDS
from simulators.sitegen import SiteShape
from tests.e2e.hall import SMALL, Hall, until
from tests.e2e.reloads import Table, Tally, changing_hall, expected_polls, reload

LARGE = SiteShape(rows=2, racks=40, period="4s")
ALARMS = """
alarms:
  rules:
    - {name: leak, on_delay: 1s, off_delay: 1s}
"""
LATE = 2 * NANOSECONDS
"""A poll may be so late on a busy machine without being missed."""


def missed_a_poll(before: Tally, after: Tally, devices: set[str]) -> dict[str, tuple[int, int]]:
    """Devices that were due less often than their grid says: (how often, how often they should)."""
    found = {}
    for device in devices & before.due.keys():
        due = after.due[device] - before.due[device]
        period = before.periods[device]
        least = expected_polls(device, period, before.time, after.time - LATE)
        most = expected_polls(device, period, before.time - LATE, after.time)
        if not least <= due <= most:
            found[device] = (due, least)
    return found


def polled_twice_since(before: Tally, hall: Hall, devices: set[str]) -> bool:
    now = Tally.of(hall)
    return all(now.done[device] >= before.done[device] + 2 for device in devices & before.done.keys())


def values_of(hall: Hall, type_key: str, devices: set[str]) -> dict[str, tuple[int, float]]:
    """(time, value) of the points of a type."""
    site, image = hall.platform.live.loaded.site, hall.platform.image
    return {
        f"{site.devices[at].id}.{point}": (int(image.times[point_at]), float(image.values[point_at]))
        for at, point_at in zip(*(each.tolist() for each in site.points_of(type_key)), strict=True)
        if site.devices[at].id in devices
        for point in [site.devices[at].points[point_at - int(site.first_points[at])].name]
    }


async def gaps(hall: Hall, series: str, start: int) -> float:
    """The longest time between two stored readings of a series, s."""
    found = await hall.platform.history.history(series, start, hall.clock.now())
    return float(np.diff(found.times).max() / NANOSECONDS)


def leave_out_100(table: Table) -> None:
    taps, climates = table.ids("busway-tap"), table.ids("rack-climate")
    table.write(table.rows(), without=[*taps[1:80], *climates[-20:], "b1-h1-crah-3"])


async def test_a_reload_that_adds_100_removes_100_and_changes_a_profile_misses_no_poll(tmp_path):
    async with changing_hall(tmp_path, LARGE, leave_out_100, ALARMS) as running:
        hall, table = running.hall, running.table
        start = hall.clock.now()
        here = {row["id"] for row in table.rows()}
        assert len(running.rows) - len(here) == 100
        climates = table.ids("rack-climate")
        gone = {*table.ids("busway-tap")[1:51], *climates[:50]}
        changed = table.ids("busway-tap")[0]
        kept = here - gone - {changed}
        await running.force("b1-h1-r01-cdu.leak", 1.0)
        known = dict(zip(sorted(device for device in kept if "pdu" in device), range(1, 200), strict=False))
        for device, current in known.items():
            await running.force(f"{device}.current_l1", float(current))
        await until(hall.platform.board.active, "the alarm")
        await until(lambda: hall.code("campus.facility_energy") == 192, "all meters read")

        for row in running.rows:
            if row["id"] == changed:
                row["profile"] = "own-tap"
        table.write(running.rows, without=gone)
        counters = values_of(hall, "active_energy", kept)
        leak, raised = hall.platform.board.get("leak:b1-h1-r01-cdu.leak"), hall.platform.board.raised_total
        energy = hall.value("campus.facility_energy")
        before, gone_site = Tally.of(hall), weakref.ref(hall.platform.live)
        refused = await reload(hall, status=422)
        assert refused["error"]["code"] == "removes_many"
        answer = await reload(hall, removing=100)
        await until(lambda: gone_site() is None, "the site that was is let go of")
        assert set(answer["removed"]) == gone
        assert len(answer["added"]) == 100
        assert answer["changed"] == [changed]

        now = values_of(hall, "active_energy", kept)
        assert now.keys() == counters.keys()
        assert [each for each in counters if now[each] < counters[each]] == []
        assert hall.value("campus.facility_energy") >= energy
        assert hall.platform.board.get("leak:b1-h1-r01-cdu.leak") is leak
        assert hall.platform.board.raised_total == raised

        added = set(answer["added"])
        await until(lambda: added <= read_devices(hall), "the added devices are read")
        assert hall.code(f"{changed}.current_l1") == 192
        await until(lambda: polled_twice_since(before, hall, kept), "what was read before is read on")
        after = Tally.of(hall)
        assert len(known) > 100
        assert {device: hall.value(f"{device}.current_l1") for device in known} == known
        assert missed_a_poll(before, after, kept) == {}
        assert [each for each in kept if after.missed.get(each)] == []
        assert [each for each in kept & after.due.keys() if after.due[each] - after.done[each] > 1] == []
        totals = hall.platform.collection.totals()
        assert (totals.polls_missed, totals.polls_failed) == (0, 0)
        assert hall.platform.tick.counts.malformed == 0
        await hall.platform.catch_up()
        for series in ("b1-h1-r02-k40-pdu-b.active_energy", f"{climates[-1]}.air_inlet_temperature"):
            assert await gaps(hall, series, start) < 6.0, series


def read_devices(hall: Hall) -> set[str]:
    return {each.device for each in hall.platform.collection.devices() if each.last_success}


async def test_a_site_with_mistakes_changes_nothing_and_says_all_of_them(tmp_path):
    async with changing_hall(tmp_path, SMALL) as running:
        hall, table = running.hall, running.table
        await until(lambda: hall.value("campus.power") > 0, "values")
        live, before = hall.platform.live, Tally.of(hall)
        rows = table.rows()
        rows[3]["in"], rows[5]["profile"] = "nowhere", "none-such"
        table.write(rows)
        answer = await reload(hall, status=422)
        assert answer["error"]["code"] == "bad_site"
        assert {mistake["line"] for mistake in answer["mistakes"]} == {5, 7}
        assert all(mistake["file"].endswith("devices.csv") for mistake in answer["mistakes"])
        assert hall.platform.live is live
        status = await hall.get("/api/v1/site")
        assert (status["up_to_date"], status["refused"], status["reloads"]) == (False, 1, 0)
        assert len(status["mistakes"]) == 2
        ready = {check["check"]: check for check in (await hall.get("/readyz"))["checks"]}
        assert ready["site"]["ok"]
        assert "its files are refused: 2 mistakes" in ready["site"]["detail"]
        async with hall.session.get(f"{hall.url}/metrics") as metrics:
            text = await metrics.text()
        assert "\ndcops_site_reload_success 0.0\n" in text
        assert '\ndcops_site_reloads_total{outcome="refused"} 1.0\n' in text
        await until(lambda: polled_twice_since(before, hall, set(before.due)), "all is read on")
        assert missed_a_poll(before, Tally.of(hall), set(before.due)) == {}

        table.write(running.rows)
        await reload(hall)
        status = await hall.get("/api/v1/site")
        assert (status["up_to_date"], status["reloads"], status["mistakes"]) == (True, 1, [])


async def test_sections_for_which_a_restart_is_needed_are_named_until_they_are_as_at_the_start(tmp_path):
    async with changing_hall(tmp_path, SMALL) as running:
        hall = running.hall
        file = tmp_path / "site" / "site.yaml"
        plain = file.read_text(encoding="utf-8")
        file.write_text(plain + "journal: {commit: 2s}\nhistory: {readings_days: 8}\n", encoding="utf-8")
        assert (await reload(hall))["needs_restart"] == ["history", "journal"]
        assert (await hall.get("/api/v1/site"))["needs_restart"] == ["history", "journal"]
        file.write_text(plain, encoding="utf-8")
        assert (await reload(hall))["needs_restart"] == []
