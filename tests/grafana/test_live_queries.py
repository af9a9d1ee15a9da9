"""Every query of every panel returns data, from a real Prometheus and a real InfluxDB (1.6, InfluxQL).

What Prometheus scrapes and what InfluxDB holds is what the platform says about a generated site whose
devices have all answered. Grafana itself is not in Debian; the queries are filled in as it would do.
"""

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, groupby
from math import isfinite
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from dcops.platform import Platform
from facility.sample import NANOSECONDS
from grafana.assembly import panels
from grafana.dashboards import build_all
from grafana.dashboards.uids import DEVICE
from grafana.datasources import SourceKind
from grafana.queries import expand, panel_queries, variable_queries
from tests.grafana.chosen import CHOSEN
from tests.grafana.running import answered_platform, served
from tests.servers.processes import Server, influxd, prometheus

PAGES = build_all()
VALUES = CHOSEN | {"__rate_interval": "10s"}
PATIENCE = 120.0
NEVER_READ = "b1-h1-r01-k01-pdu-b"
RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules" / "dcops.yml"
COMPARISON = re.compile(r"\s*(?:==|>|<)\s*[\d.]+(?:\s+and on .*)?$", re.DOTALL)
OUTAGE = range(20, 40)
"""Scans of 10 s that InfluxDB lacks."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    now = time.time_ns() // NANOSECONDS * NANOSECONDS
    return answered_platform(tmp_path_factory.mktemp("site"), now)


@pytest.fixture(scope="module")
def scraped(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    metrics = platform._view(platform.live).metrics
    text = b"".join((*metrics.overview(), *metrics.points()))
    polls = count(1)
    none_done = b'dcops_polls_total{outcome="done"} 0.0'
    assert none_done in text
    cycles = re.findall(rb'^dcops_endpoint_predicted_cycle_seconds({endpoint=".*"}) ', text, re.MULTILINE)
    assert cycles
    measured = b"".join(b"dcops_endpoint_cycle_seconds%b 0.02\n" % labels for labels in cycles)

    def collecting() -> bytes:
        return (text + measured).replace(none_done, none_done[:-3] + str(next(polls)).encode())

    with scraping(collecting, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.fixture(scope="module")
def troubled(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """No rack PDU shows anything, and one of them was never read; a notifier has sent."""
    metrics = platform._view(platform.live).metrics
    text = b"".join((*metrics.overview(), *metrics.points())).decode()
    text = re.sub(r'^dcops_point_\w+{[^}]*kind="rack_pdu".*\n', "", text, flags=re.MULTILINE)
    text = re.sub(r'^(dcops_device_quality{[^}]*kind="rack_pdu"[^}]*}).*', r"\1 24", text, flags=re.MULTILINE)
    text = re.sub(rf'^dcops_device_age_seconds{{device="{NEVER_READ}".*\n', "", text, flags=re.MULTILINE)
    text += 'dcops_notifications_total{notifier="pager",outcome="sent"} 3\n'
    with scraping(text.encode, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@contextmanager
def scraping(text: Callable[[], bytes], folder: Path) -> Iterator[Server]:
    with served(text) as address, prometheus(folder, targets=[address], interval="200ms") as server:
        twice = 'count_over_time(dcops_node_info{level="campus"}[10s]) >= 2'
        deadline = time.monotonic() + PATIENCE
        while not ask_prometheus(server, twice, instant=True):
            assert time.monotonic() < deadline, server.log
            time.sleep(0.05)
        yield server


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    now = time.time_ns()
    tags = "building=b1,campus=campus,device=b1-h1-r01-k01-pdu-a,feed=A,hall=b1-h1"
    lines = [
        f"rack_pdu,{tags} active_power={3000 + scan},voltage_l1=230.5,active_energy=9 {now - scan * 10**10}"
        for scan in range(1, 60)
        if scan not in OUTAGE
    ]
    lines.append(f"rack_pdu,{tags} active_power_q=84i {now - 10**10}")
    with influxd(tmp_path_factory.mktemp("influxdb")) as server:
        post(f"{server.url}/query", urllib.parse.urlencode({"q": "CREATE DATABASE dcops"}).encode())
        post(f"{server.url}/write?db=dcops", "\n".join(lines).encode())
        yield server


def prometheus_queries(page: Dashboard) -> list:
    return [query for query in panel_queries(page, VALUES) if query.source is SourceKind.PROMETHEUS]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if prometheus_queries(page)], ids=lambda page: page.uid
)
def test_every_query_of_every_panel_returns_data(page: Dashboard, scraped: Server) -> None:
    empty = [
        f"{query.panel}: {query.expression}"
        for query in prometheus_queries(page)
        if not numbers(ask_prometheus(scraped, query.expression, instant=query.instant))
    ]
    assert not empty, "\n".join(empty)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.uid)
def test_what_can_be_chosen_is_what_the_site_has(page: Dashboard, scraped: Server) -> None:
    for name, source, text in variable_queries(page):
        if source is SourceKind.PROMETHEUS:
            selector, label = (
                expand(text, VALUES).removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            )
            found = ask_prometheus(scraped, f"count by ({label}) ({selector})", instant=True)
            assert CHOSEN[name] in {series["metric"][label] for series in found}


def test_tables_merge_into_one_row_a_key(scraped: Server) -> None:
    page = next(page for page in PAGES if page.uid == "dcops-row")
    table = [query for query in prometheus_queries(page) if query.panel == "Racks"]
    keys = [
        {
            frozenset(series["metric"].items())
            for series in ask_prometheus(scraped, query.expression, instant=True)
        }
        for query in table
    ]
    racks = {frozenset({("node", f"b1-h1-r01-k0{number}")}) for number in (1, 2)}
    assert keys == [racks] * len(table)


@pytest.mark.parametrize(
    ("uid", "panel", "devices"),
    [
        ("dcops-power-path", "Utility meters", {"b1-utility-a", "b1-utility-b"}),
        ("dcops-power-path", "UPSs", {"b1-h1-ups-a1", "b1-h1-ups-b1"}),
        ("dcops-cooling", "Heat meters", {"b1-heat-meter"}),
        ("dcops-rack", "Rack PDUs", {"b1-h1-r01-k01-pdu-a", "b1-h1-r01-k01-pdu-b"}),
    ],
)
def test_tables_hold_the_devices_of_the_chosen_place_only(
    uid: str, panel: str, devices: set[str], scraped: Server
) -> None:
    page = next(page for page in PAGES if page.uid == uid)
    for query in prometheus_queries(page):
        if query.panel == panel:
            found = ask_prometheus(scraped, query.expression, instant=True)
            assert {series["metric"]["device"] for series in found} == devices, query.expression


def test_stages_of_a_building_add_up_its_own_meters(scraped: Server) -> None:
    page = next(page for page in PAGES if page.uid == "dcops-power-path")
    feed_a, feed_b, unbalance, measured, oldest = [
        {
            series["metric"]["kind"]: float(series["value"][1])
            for series in ask_prometheus(scraped, query.expression, instant=True)
        }
        for query in prometheus_queries(page)
        if query.panel == "Stages"
    ]
    # one meter, then two boards (UPS and cooling), one UPS, two panels, four taps, four PDUs a feed
    assert feed_a == feed_b
    assert feed_a == {
        "utility_meter": 400e3,
        "board_meter": 380e3,
        "ups": 150e3,
        "rpp": 140e3,
        "busway_tap": 120e3,
        "rack_pdu": 120e3,
    }
    assert set(unbalance.values()) == {0.0}
    assert set(measured.values()) == {1.0}
    assert set(oldest.values()) == {0.0}


@pytest.mark.parametrize(
    ("panel", "value"),
    [
        # 16 PDUs of 30 kW
        ("IT power at the racks", 480e3),
        # four utility meters of 400 kW and four generators of 20 kW over 16 PDUs of 30 kW, by their counters
        ("PUE, last 1h", 1680 / 480),
    ],
)
def test_tiles_of_the_campus_show_what_the_meters_read(panel: str, value: float, scraped: Server) -> None:
    page = next(page for page in PAGES if page.uid == "dcops-campus")
    first = next(query for query in prometheus_queries(page) if query.panel == panel)
    (series,) = ask_prometheus(scraped, first.expression, instant=True)
    assert float(series["value"][1]) == pytest.approx(value, rel=1e-6)


def test_every_query_of_the_device_returns_data(filled: Server) -> None:
    page = next(page for page in PAGES if page.uid == DEVICE)
    for query in panel_queries(page, VALUES):
        assert ask_influxdb(filled, query.expression), query


def test_points_and_devices_are_found_in_influxdb(filled: Server) -> None:
    page = next(page for page in PAGES if page.uid == DEVICE)
    found = {name: ask_influxdb(filled, expand(text, VALUES)) for name, _, text in variable_queries(page)}
    assert [row[1] for row in found["device"][0]["values"]] == ["b1-h1-r01-k01-pdu-a"]
    assert {row[0] for row in found["point"][0]["values"]} == {
        "active_energy",
        "active_power",
        "active_power_q",
        "voltage_l1",
    }


def test_readings_that_are_not_good_are_counted_apart(filled: Server) -> None:
    page = next(page for page in PAGES if page.uid == DEVICE)
    query = next(each for each in panel_queries(page, VALUES) if "not good" in each.panel)
    (series,) = ask_influxdb(filled, query.expression)
    assert series["columns"] == ["time", "count_active_power", "count_active_power_q"]
    assert sum(row[1] or 0 for row in series["values"]) == 59 - len(OUTAGE)
    assert sum(row[2] or 0 for row in series["values"]) == 1


def test_an_outage_is_a_gap_and_no_line(filled: Server) -> None:
    page = next(page for page in PAGES if page.uid == DEVICE)
    query = next(each for each in panel_queries(page, VALUES) if each.panel.startswith("Point:"))
    (series,) = ask_influxdb(filled, query.expression)
    runs = [
        (known, len(list(rows))) for known, rows in groupby(row[2] is not None for row in series["values"])
    ]
    assert max(length for known, length in runs[1:-1] if not known) in range(len(OUTAGE) - 1, len(OUTAGE) + 2)
    for panel in panels(page):
        if panel.type_val == "timeseries":
            assert panel.field_config.defaults.custom.span_nulls == 120_000, panel.title


def shown(server: Server, uid: str, panel: str) -> list[list]:
    """What each query of a panel finds, as (labels, value)."""
    page = next(page for page in PAGES if page.uid == uid)
    return [
        [(each["metric"], float(each["value"][1])) for each in ask_prometheus(server, text, instant=True)]
        for text in (query.expression for query in prometheus_queries(page) if query.panel == panel)
    ]


TWO_HALLS = [("b1-h1", 0.55, 0.60, 0.0), ("b1-h2", 0.20, 0.10, 1.0)]
"""Halls with the load of their UPSs on A and B, and whether those on A run on battery."""


@pytest.fixture(scope="module")
def two_halls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The UPSs of two halls; each of 1 MW takes 4 % more than it gives, or nothing if it is on battery."""
    lines = ['dcops_node_info{node="campus",level="campus"} 1']
    for hall, load_a, load_b, on_battery in TWO_HALLS:
        lines.append(f'dcops_node_info{{node="{hall}",level="hall",building="b1",hall="{hall}"}} 1')
        for feed, load, battery in (("A", load_a, on_battery), ("B", load_b, 0.0)):
            labels = f'{{device="{hall}-ups-{feed}",feed="{feed}",kind="ups",node="{hall}"}}'
            lines += [
                f"dcops_point_load_ratio{labels} {load}",
                f"dcops_point_on_battery{labels} {battery}",
                f"dcops_point_active_power_watts{labels} {load * 1e6}",
                f"dcops_point_input_active_power_watts{labels} {load * 1.04e6 * (1 - battery)}",
            ]
    text = "".join(f"{line}\n" for line in lines).encode()
    with scraping(lambda: text, tmp_path_factory.mktemp("prometheus")) as server:
        yield server


def test_headroom_is_that_of_the_hall_that_would_lose_its_load(two_halls: Server) -> None:
    """The mean of both halls would be 0.275."""
    ((_, headroom),) = shown(two_halls, "dcops-power-path", "Failover headroom at the UPSs")[0]
    assert headroom == pytest.approx(1 - (0.55 + 0.60))


def test_a_ups_on_battery_has_no_efficiency(two_halls: Server) -> None:
    ((_, efficiency),) = shown(two_halls, "dcops-power-path", "UPS efficiency")[0]
    assert efficiency == pytest.approx(1 / 1.04)
    columns = shown(two_halls, "dcops-power-path", "UPSs")
    by_device = next(column for column in columns if column and column[0][1] == pytest.approx(1 / 1.04))
    assert {labels["device"] for labels, _ in by_device} == {"b1-h1-ups-A", "b1-h1-ups-B", "b1-h2-ups-B"}


def test_devices_that_show_nothing_and_those_never_read_keep_their_rows(troubled: Server) -> None:
    *values, usable, last_read = shown(troubled, "dcops-rack", "Rack PDUs")
    assert values == [[]] * 6
    assert usable == [({"device": "b1-h1-r01-k01-pdu-a"}, 0.0), ({"device": NEVER_READ}, 0.0)]
    assert last_read == [({"device": "b1-h1-r01-k01-pdu-a"}, 0.0)]


def test_devices_never_read_are_listed_with_those_read_longest_ago(troubled: Server) -> None:
    usable, never, oldest = shown(troubled, "dcops-collection", "Devices read longest ago")
    unread = {"device": NEVER_READ, "kind": "rack_pdu", "node": "b1-h1-r01-k01"}
    assert [labels for labels, is_unread in never if is_unread] == [unread]
    assert sorted(labels["device"] for labels, is_unread in never if not is_unread) == sorted(
        labels["device"] for labels, _ in usable
    )
    assert len(usable) == len(oldest) == 20


def test_a_share_of_which_nothing_is_left_is_nought(troubled: Server) -> None:
    *_, measured, _ = shown(troubled, "dcops-power-path", "Stages")
    assert {labels["kind"]: share for labels, share in measured} == {
        "utility_meter": 1.0,
        "board_meter": 1.0,
        "ups": 1.0,
        "rpp": 1.0,
        "busway_tap": 1.0,
        "rack_pdu": 0.0,
    }


def test_who_has_sent_has_no_line_of_those_who_have_no_notifier(troubled: Server) -> None:
    (sent, _) = shown(troubled, "dcops-collection", "Notifications")
    assert [labels for labels, _ in sent] == [{"notifier": "pager", "outcome": "sent"}]


def test_what_the_rules_of_prometheus_compare_is_there(scraped: Server) -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    silent = {
        rule["alert"]
        for rule in rules
        if not ask_prometheus(scraped, COMPARISON.sub("", rule["expr"].strip()), instant=True)
    }
    assert silent == {
        "DcopsNotScraped",  # absent() of what is there
        "DcopsClockNotSynchronised",  # of the machine's own clock only, not of a simulated one
        "DcopsPointsNotScraped",  # here one job scrapes all
        "DcopsJournalFilling",  # compares two metrics
        "DcopsValuesRefused",  # with an hour ago
        "DcopsReadingsAtRisk",  # there while a store runs
        "DcopsNotificationsFailing",
        "DcopsNotificationsLost",
        "DcopsNotificationsRefused",  # there is no notifier
    }


def numbers(result: list) -> list[float]:
    texts = [text for series in result for _, text in series.get("values", [series.get("value")])]
    return [number for number in map(float, texts) if isfinite(number)]


def ask_prometheus(server: Server, expression: str, *, instant: bool) -> list:
    now = time.time()
    arguments: dict[str, object] = {"query": expression}
    arguments |= {"time": now} if instant else {"start": now - 10, "end": now, "step": 1}
    path = "query" if instant else "query_range"
    body = urllib.parse.urlencode(arguments).encode()
    answer = post(f"{server.url}/api/v1/{path}", body)
    return answer["data"]["result"]


def ask_influxdb(server: Server, query: str) -> list:
    arguments = urllib.parse.urlencode({"db": "dcops", "q": query})
    with urllib.request.urlopen(f"{server.url}/query?{arguments}", timeout=60) as reply:
        (result,) = json.loads(reply.read())["results"]
    assert "error" not in result, result
    return result.get("series", [])


def post(url: str, body: bytes) -> dict:
    try:
        with urllib.request.urlopen(url, data=body, timeout=60) as reply:
            return json.loads(reply.read() or b"{}")
    except urllib.error.HTTPError as error:
        pytest.fail(f"{error.read().decode()}: {body.decode()[:500]}")
