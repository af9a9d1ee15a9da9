"""A hall of which everything is stored by exception: live values are whole, and so is the history."""

from tests.e2e.hall import running_hall, until

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
