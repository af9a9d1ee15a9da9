"""The platform beside the servers it works with: Prometheus, Alertmanager, VictoriaMetrics, InfluxDB."""

import asyncio
import json
import math
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest
import pytest_asyncio

from deploy.stack import running_stack
from grafana.dashboards import build_all
from grafana.datasources import SourceKind
from grafana.queries import panel_queries
from ingest.batch import Batch
from ingest.line_protocol import LineEncoder
from ingest.spool import Spool
from simulators.actions import ForceValue, Release
from tests.e2e.hall import SMALL, Hall, running_hall, until
from tests.grafana.chosen import CHOSEN
from tests.servers.processes import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def console_port():
    return free_port()


@pytest.fixture(scope="module")
def stack(tmp_path_factory, console_port):
    folder = tmp_path_factory.mktemp("stack")
    with running_stack(folder, targets=(f"127.0.0.1:{console_port}",), with_influxd=True) as running:
        yield running


@pytest.fixture(scope="module")
def accepted_batches():
    """Every batch that goes into the journal."""
    batches: list[Batch] = []
    put = Spool.put

    def noting_put(spool: Spool, batch: Batch) -> None:
        batches.append(batch)
        put(spool, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Spool, "put", noting_put)
        yield batches


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hall(tmp_path_factory, stack, console_port, accepted_batches):
    extra = f"""
stores:
  - kind: influxdb
    url: {stack.victoria_metrics.url}
    org: dcops
    bucket: dcops
    token_env: DCOPS_INFLUXDB_TOKEN
notify:
  - {{kind: alertmanager, url: {stack.alertmanager.url}}}
alarms:
  rules:
    - {{name: leak, on_delay: 1s, off_delay: 1s}}
"""
    folder = tmp_path_factory.mktemp("hall")
    async with running_hall(folder, shape=SMALL, extra=extra, port=console_port) as running:
        yield running


def fetch(url: str, **query: str) -> str:
    full = f"{url}?{urllib.parse.urlencode(query)}" if query else url
    with urllib.request.urlopen(full, timeout=60) as answer:
        return answer.read().decode()


async def test_alertmanager_shows_an_alarm_and_its_end(hall: Hall, stack):
    leak = (hall.loaded.site.point_index("b1-h1-r01-cdu", "leak"),)

    def alerts():
        found = json.loads(fetch(f"{stack.alertmanager.url}/api/v2/alerts"))
        return [a for a in found if a["labels"]["rule"] == "leak"]

    await hall.simulation.apply(ForceValue(points=leak, value=1.0))
    raised = await until(lambda: asyncio.to_thread(alerts), "leak in Alertmanager")
    assert raised[0]["labels"]["device"] == "b1-h1-r01-cdu"
    assert raised[0]["labels"]["severity"] == "critical"
    assert "leak" in raised[0]["annotations"]["summary"]

    async def gone():
        return not await asyncio.to_thread(alerts)

    await hall.simulation.apply(Release(points=leak))
    await until(gone, "end of the leak in Alertmanager")
    recent = await hall.get("/api/v1/alarms?state=recent")
    ended = [alarm for alarm in recent["alarms"] if alarm["rule"] == "leak"]
    assert ended[0]["cleared"] > ended[0]["raised"]


@pytest.mark.parametrize("path", ["/metrics", "/metrics/points"])
async def test_metrics_are_clean_in_promtools_eyes(hall: Hall, path: str):
    await until(lambda: hall.platform.collection.totals().polls_done > 100, "polls")
    text = await asyncio.to_thread(fetch, hall.url + path)
    assert "\ndcops_" in text
    checked = await asyncio.to_thread(
        subprocess.run,
        ["promtool", "check", "metrics"],
        input=text,
        text=True,
        capture_output=True,
        check=False,
    )
    assert checked.stdout + checked.stderr == ""
    assert checked.returncode == 0


async def test_prometheus_scrapes_what_the_api_says(hall: Hall, stack):
    def scraped():
        answer = json.loads(
            fetch(f"{stack.prometheus.url}/api/v1/query", query='dcops_power_watts{level="campus"}')
        )
        return answer["data"]["result"]

    async def as_the_api_says():
        result = await asyncio.to_thread(scraped)
        node = await hall.get("/api/v1/nodes/campus")
        power = node["rollups"]["power"]["value"]
        return result if result and float(result[0]["value"][1]) == pytest.approx(power, rel=0.3) else None

    result = await until(as_the_api_says, "campus power in Prometheus")
    assert result[0]["metric"]["node"] == "campus"


async def test_every_query_of_every_panel_returns_data_from_the_running_stack(hall: Hall, stack):
    values = CHOSEN | {"__rate_interval": "10s"}
    queries = [
        (board.uid, query)
        for board in build_all()
        for query in panel_queries(board, values)
        if query.source is SourceKind.PROMETHEUS
    ]
    assert len(queries) > 100

    def empty():
        return [
            f"{uid} {query.panel}: {query.expression}" for uid, query in queries if not answers(stack, query)
        ]

    missing: list[str] = []

    async def none_is_missing():
        missing[:] = await asyncio.to_thread(empty)
        return not missing

    await until(none_is_missing, lambda: "\n".join(missing))  # rates need scrapes to go by


def answers(stack, query) -> bool:
    result = json.loads(fetch(f"{stack.prometheus.url}/api/v1/query", query=query.expression))["data"][
        "result"
    ]
    return any(math.isfinite(float(series["value"][1])) for series in result)


async def test_influxql_of_the_device_dashboard_answers_from_what_the_store_writes(
    hall: Hall, stack, accepted_batches
):
    await until(lambda: hall.platform.deliveries[1].stats.written > 5_000, "readings of all devices")
    lines = await asyncio.to_thread(lines_of, hall, list(accepted_batches))
    influx = stack.influxd.url
    await asyncio.to_thread(post, f"{influx}/query", {"q": "CREATE DATABASE dcops"})
    await asyncio.to_thread(post_body, f"{influx}/write?db=dcops&precision=ns", lines)
    queries = [
        query
        for board in build_all()
        for query in panel_queries(board, CHOSEN)
        if query.source is SourceKind.INFLUXDB
    ]
    assert queries
    for query in queries:
        answer = json.loads(await asyncio.to_thread(fetch, f"{influx}/query", db="dcops", q=query.expression))
        assert answer["results"][0].get("series"), query.expression


async def test_victoria_metrics_holds_exactly_what_the_journal_accepted(hall: Hall, stack, accepted_batches):
    await until(lambda: hall.platform.deliveries[1].stats.written > 5_000, "readings in VictoriaMetrics")
    cut = hall.clock.now() // 10**6 - 5_000
    different: list[tuple[str, str]] = []

    async def everything_before_the_cut():
        # A reading may be taken long after its time: both are asked again until they are at rest.
        accepted = readings_by_series(hall, accepted_batches, cut)
        stored = await asyncio.to_thread(exported, stack, cut)
        different[:] = accepted.keys() ^ stored.keys() or [
            series
            for series, readings in accepted.items()
            # VictoriaMetrics keeps twelve significant digits, in decimal.
            if stored[series] != pytest.approx(readings, rel=2e-12)
        ]
        return len(accepted) if not different else 0

    assert await until(everything_before_the_cut, lambda: f"the same readings of {different[:20]}") > 500


def readings_by_series(hall: Hall, batches: list[Batch], cut: int) -> dict[tuple[str, str], dict[int, float]]:
    """(measurement_field, group id) to value by ms, of everything that has a value, before ``cut``."""
    names = [
        (f"{group.measurement}_{field.name}", group.id)
        for group in hall.platform.catalogue.groups
        for field in group.fields
    ]
    found: dict[tuple[str, str], dict[int, float]] = {}
    for batch in batches:
        each = batch.expand()
        for at in np.flatnonzero((each.quality >= 64) & (each.times // 10**6 < cut)):
            name = names[int(each.points[at])]
            found.setdefault(name, {})[int(each.times[at]) // 10**6] = float(each.values[at])
    return found


def exported(stack, cut: int) -> dict[tuple[str, str], dict[int, float]]:
    """The same as VictoriaMetrics has it; quality fields left out."""
    text = fetch(f"{stack.victoria_metrics.url}/api/v1/export", **{"match[]": '{__name__!~".*_q"}'})
    found: dict[tuple[str, str], dict[int, float]] = {}
    for line in text.splitlines():
        series = json.loads(line)
        readings = zip(series["timestamps"], series["values"], strict=True)
        kept = {time: value for time, value in readings if time < cut}
        if kept:
            found[series["metric"]["__name__"], group_of(series["metric"])] = kept
    return found


def group_of(labels: dict[str, str]) -> str:
    """The catalogue group a series belongs to, from its tags."""
    if "device" in labels:
        return labels["device"]
    if labels["__name__"].startswith("rollup_"):
        return labels["node"]
    parts = (labels["node"], labels["figure"], labels.get("category"), labels.get("window"))
    return ".".join(part for part in parts if part)


def lines_of(hall: Hall, batches: list[Batch]) -> bytes:
    encoder = LineEncoder(hall.platform.catalogue)
    return b"".join(lines.body for batch in batches for lines in encoder.encode(batch))


def post(url: str, form: dict[str, str]) -> None:
    post_body(url, urllib.parse.urlencode(form).encode())


def post_body(url: str, body: bytes) -> None:
    """Fails with what the server said; InfluxDB answers 200 to a query that failed, too."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60) as answer:
            said = answer.read()
    except urllib.error.HTTPError as error:
        pytest.fail(f"{url}: {error.code} {error.read()!r}")
    assert b'"error"' not in said
