import pytest
from aiohttp.test_utils import TestClient

from facility.sample import NANOSECONDS
from ingest.errors import StoreUnavailableError, UnknownSeriesError
from tests.console.campus import START, build_site
from tests.console.plant import Plant
from tests.console.test_nodes import get


async def test_points_are_paged_in_site_order(client: TestClient) -> None:
    first = await get(client, "/api/v1/points?limit=2")
    second = await get(client, "/api/v1/points?limit=2&offset=2")
    assert [p["series"] for p in first["points"]] == ["utility-a.active_power", "utility-a.active_energy"]
    assert [p["series"] for p in second["points"]] == ["ups-a.active_power", "ups-a.active_energy"]
    # 4 building meters of 2, 2 CDUs of 5, 6 racks of 2 PDUs of 5 and one sensor.
    assert (first["total"], first["limit"], second["offset"]) == (84, 2, 2)


async def test_points_are_filtered_by_type_space_and_device_together(client: TestClient) -> None:
    by_type = await get(client, "/api/v1/points?type=active_power")
    in_row = await get(client, "/api/v1/points?type=active_power&space=b1-h1-r1")
    one = await get(client, "/api/v1/points?device=b1-h1-r1-k01-pdu-b&type=phase_current")
    assert by_type["total"] == 4 + 2 + 12
    assert in_row["total"] == 1 + 6
    assert {p["group"] for p in in_row["points"]} >= {"b1-h1-r1-cdu", "b1-h1-r1-k03-pdu-b"}
    assert [p["name"] for p in one["points"]] == ["current_l1", "current_l2", "current_l3"]


async def test_a_single_series_may_be_a_point_a_rollup_or_a_key_figure(client: TestClient) -> None:
    point = await get(client, "/api/v1/points/b1-h1-r1-k01-climate.air_inlet_temperature")
    rollup = await get(client, "/api/v1/points/campus.power")
    figure = await get(client, "/api/v1/points/campus.pue.3.15min.pue")
    assert (point["type"], point["unit"], point["quality"]) == ("air_inlet_temperature", "°C", 192)
    assert (rollup["type"], rollup["group"], rollup["unit"]) == ("rollup", "campus", "W")
    assert (figure["type"], figure["unit"]) == ("kpi", "1")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/points/campus.nothing", 404, "unknown_series"),
        ("/api/v1/points/nowhere.power", 404, "unknown_series"),
        ("/api/v1/points?device=nowhere", 404, "unknown_device"),
        ("/api/v1/points?space=nowhere", 404, "unknown_space"),
        ("/api/v1/alarms?space=nowhere", 404, "unknown_space"),
        ("/api/v1/kpis?node=nowhere", 404, "unknown_node"),
        ("/api/v1/points?type=nothing", 400, "bad_parameter"),
        ("/api/v1/points?limit=0", 400, "bad_parameter"),
        ("/api/v1/points?limit=1001", 400, "bad_parameter"),
        ("/api/v1/points?limit=-1", 400, "bad_parameter"),
        ("/api/v1/points?offset=x", 400, "bad_parameter"),
        ("/api/v1/points?limit=1&limit=2", 400, "repeated_parameter"),
        ("/api/v1/points?rack=1", 400, "unknown_parameter"),
        ("/api/v1/kpis?window=2h", 400, "bad_parameter"),
        ("/api/v1/alarms?priority=urgent", 400, "bad_parameter"),
        ("/api/v1/alarms?state=all", 400, "bad_parameter"),
        ("/api/v1/collection?state=online,gone", 400, "bad_parameter"),
        ("/api/v1/history", 400, "missing_parameter"),
        ("/api/v1/history?series=campus.nothing", 404, "unknown_series"),
        ("/api/v1/history?series=campus.power&start=yesterday", 400, "bad_time"),
        ("/api/v1/history?series=campus.power&start=nan", 400, "bad_time"),
        ("/api/v1/history?series=campus.power&stop=-5", 400, "bad_time"),
        ("/api/v1/history?series=campus.power&start=2300-01-01", 400, "bad_time"),
        ("/api/v1/history?series=campus.power&start=200&stop=100", 400, "empty_span"),
        ("/api/v1/history?series=campus.power&step=0", 400, "bad_step"),
        ("/api/v1/history?series=campus.power&step=1y", 400, "bad_step"),
        ("/api/v1/history?series=campus.power&start=0&stop=100000&step=1s", 400, "too_much"),
        ("/api/v1/history?series=campus.power&start=0&stop=90000&step=raw", 400, "too_much"),
        ("/api/v2/nodes", 404, "not_found"),
        ("/static/../app.py", 404, "not_found"),
        ("/static/nothing.js", 404, "not_found"),
    ],
)
async def test_a_bad_call_is_told_what_is_wrong_and_what_to_do(
    client: TestClient, path: str, status: int, code: str
) -> None:
    answer = await get(client, path, status)
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]
    assert answer["error"]["mend"]


async def test_history_takes_iso_and_epoch_times_alike(plant: Plant) -> None:
    async with plant.client() as client:
        for start in (
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T01:00:00%2B01:00",
            "2026-01-01",
            "1767225600",
            "1767225600000",
        ):
            path = f"/api/v1/history?series=campus.power&start={start}&stop=1767225900&step=1m"
            answer = await get(client, path)
            assert answer["start"] == "2026-01-01T00:00:00.000Z"
            assert answer["stop"] == "2026-01-01T00:05:00.000Z"
    assert set(plant.history.asked) == {("campus.power", START, START + 300 * NANOSECONDS, 60 * NANOSECONDS)}
    assert answer["step"] == 60.0
    assert answer["unit"] == "W"
    assert answer["times"] == [1767225600000 + 60_000 * n for n in range(5)]
    assert answer["values"][2] is None
    assert answer["quality"] == [192, 192, 0, 0, 0]


async def test_history_tells_what_is_held(plant: Plant) -> None:
    path = "/api/v1/history?series=campus.power&start=1767225600&stop=1767225900&step=1m"
    async with plant.client() as client:
        always = await get(client, path)
        plant.history.hold = 625 * NANOSECONDS
        held = await get(client, path)
    assert (always["held"], always["hold"]) == (None, None)
    assert (held["held"], held["hold"]) == ([False, True, False, True, False], 625.0)


async def test_buckets_begin_at_whole_steps(plant: Plant) -> None:
    async with plant.client() as client:
        path = "/api/v1/history?series=campus.power&start=1767225725&stop=1767225900&step=1m"
        answer = await get(client, path)
    assert plant.history.asked == [
        ("campus.power", START + 120 * NANOSECONDS, START + 300 * NANOSECONDS, 60 * NANOSECONDS)
    ]
    assert answer["start"] == "2026-01-01T00:02:00.000Z"
    assert answer["resolution"] == 0


async def test_history_is_the_last_hour_in_few_buckets_unless_told_otherwise(plant: Plant) -> None:
    async with plant.client() as client:
        await get(client, "/api/v1/history?series=campus.power")
        await get(client, f"/api/v1/history?series=campus.power&start=0&stop={365 * 86400}")
        raw = await get(client, "/api/v1/history?series=campus.power&step=raw")
    now = plant.clock.time
    first = 1_767_222_030 * NANOSECONDS  # an hour before, at a whole step
    assert now == 1_767_225_631 * NANOSECONDS
    assert plant.history.asked[0] == ("campus.power", first, now, 10 * NANOSECONDS)
    assert plant.history.asked[1][3] == 7 * 86400 * NANOSECONDS
    assert plant.history.asked[2][3] is None
    assert raw["step"] is None


async def test_a_history_that_is_away_is_503_and_one_that_knows_nothing_yet_is_empty(plant: Plant) -> None:
    async with plant.client() as client:
        plant.history.error = StoreUnavailableError("the file is locked")
        away = await get(client, "/api/v1/history?series=campus.power", 503)
        plant.history.error = TimeoutError()
        slow = await get(client, "/api/v1/history?series=campus.power", 503)
        plant.history.error = UnknownSeriesError("campus.power")
        empty = await get(client, "/api/v1/history?series=campus.power")
    assert away["error"]["code"] == "history_unavailable"
    assert "the file is locked" in away["error"]["message"]
    assert slow["error"]["message"] == "the history can't be read now: no answer within 15 s"
    assert (empty["times"], empty["values"], empty["quality"]) == ([], [], [])


async def test_key_figures_say_whether_they_are_complete(plant: Plant) -> None:
    async with plant.client() as client:
        early = await get(client, "/api/v1/kpis?node=campus&window=15min")
        for _ in range(95):
            plant.read_all()
            plant.tick(10.0)
        later = await get(client, "/api/v1/kpis?node=campus&window=15min")
        day = await get(client, "/api/v1/kpis?node=b1&window=24h")
        everything = await get(client, "/api/v1/kpis")
    assert {(k["figure"], k["category"], k["window"]) for k in later["kpis"]} == {
        ("pue", "1", "15min"),
        ("pue", "3", "15min"),
    }
    assert [k["status"] for k in early["kpis"]] == ["incomplete", "incomplete"]
    assert [k["status"] for k in later["kpis"]] == ["complete", "complete"]
    assert all(k["coverage"] >= 0.98 for k in later["kpis"])
    assert [k["status"] for k in day["kpis"]] == ["incomplete", "incomplete"]
    assert {k["node"] for k in everything["kpis"]} == {"campus", "b1"}
    ratios = [k for k in everything["kpis"] if k["figure"] == "power_ratio_instant"]
    assert {(k["window"], k["coverage"], k["status"]) for k in ratios} == {(None, None, "complete")}


async def test_a_key_figure_without_readings_is_unavailable_and_null() -> None:
    plant = Plant(build_site())
    plant.tick()
    async with plant.client() as client:
        answer = await get(client, "/api/v1/kpis?node=campus")
    assert answer["kpis"]
    assert {(k["value"], k["status"]) for k in answer["kpis"]} == {(None, "unavailable")}
