"""A hall of which everything is stored by exception: live values are whole, and so is the history."""

from tests.e2e.hall import running_hall, until
from tests.e2e.reloads import reload

BY_EXCEPTION = """
storing:
  - {points: all, deadband: 50 % of value, heartbeat: 1h}
"""


async def test_what_is_held_is_read_back_and_first_readings_are_stored_after_a_restart(tmp_path) -> None:
    async with running_hall(tmp_path, extra=BY_EXCEPTION) as hall:
        pdu = hall.pdus()[0]
        series = f"{pdu}.voltage_l1"
        await until(lambda: hall.platform.by_exception.counts.held > 2000, "readings that are held")
        await hall.platform.catch_up()
        point = hall.platform.catalogue.index(series)
        newest = int(hall.platform.image.times[point])
        raw = await hall.get(f"/api/v1/history?series={series}&step=raw")
        assert len(raw["values"]) == 1, "its voltage has not changed by half"
        assert raw["hold"] == 3602.5
        assert newest // 1_000_000 > raw["times"][0], "the live image saw more"
        start, stop = raw["times"][0], newest // 1_000_000
        steps = await hall.get(f"/api/v1/history?series={series}&step=1s&start={start}&stop={stop}")
        assert len(steps["values"]) >= 2
        assert steps["held"] == [False] + [True] * (len(steps["values"]) - 1)
        assert set(steps["values"]) == set(raw["values"])
        first = raw["times"]
    async with running_hall(tmp_path, extra=BY_EXCEPTION) as hall:
        await until(lambda: hall.platform.by_exception.counts.held > 1000, "readings that are held")
        await hall.platform.catch_up()
        again = await hall.get(f"/api/v1/history?series={series}&step=raw")
        assert len(again["times"]) == 2, "the first reading after the start"
        assert again["times"][0] == first[0]
        assert hall.value("campus.power_coverage") == 1.0


async def test_it_begins_and_ends_with_a_reload(tmp_path) -> None:
    async with running_hall(tmp_path) as hall:
        counts = hall.platform.by_exception.counts
        series = f"{hall.pdus()[0]}.voltage_l1"
        await until(lambda: hall.platform.deliveries[0].stats.written > 1000, "readings in the history")
        assert counts.held == 0
        site = hall.loaded.path
        without = site.read_text(encoding="utf-8")
        site.write_text(without + BY_EXCEPTION, encoding="utf-8")
        await reload(hall)
        await until(lambda: counts.held > 1000, "readings that are held")
        await hall.platform.catch_up()
        assert (await hall.get(f"/api/v1/history?series={series}"))["hold"] == 3602.5
        site.write_text(without, encoding="utf-8")
        await reload(hall)
        held = counts.held
        written = hall.platform.deliveries[0].stats.written
        await until(lambda: hall.platform.deliveries[0].stats.written > written + 1000, "readings after it")
        assert counts.held == held
        await hall.platform.catch_up()
        assert not (await hall.get(f"/api/v1/history?series={series}"))["hold"]
