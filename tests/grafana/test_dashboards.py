"""What every panel of every dashboard must have, and that the kept files are what the code builds."""

import json
import re
from itertools import pairwise

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from grafana.assembly import panels
from grafana.dashboards import build_all
from grafana.dashboards.uids import BY_LEVEL
from grafana.datasources import INFLUXDB, PROMETHEUS, SourceKind
from grafana.files import GENERATED, contents, write
from grafana.metrics import known_metrics
from grafana.queries import panel_queries, variable_queries
from tests.grafana.chosen import CHOSEN

PAGES = {page.uid: page for page in build_all()}
PANELS = [
    pytest.param(page, panel, id=f"{page.uid}: {panel.title}")
    for page in PAGES.values()
    for panel in panels(page)
]
WORDS_OF_TRUST = re.compile(
    r"_age_seconds|_coverage_ratio|dcops_device_quality|timestamp\(|_estimated_|_lag_"
)
GRAFANA_UNITS = {
    *("none", "short", "percent", "percentunit", "humidity", "bytes", "cps", "s", "dateTimeFromNow"),
    *("watt", "watth", "voltamp", "voltampreact", "amph", "joule", "amp", "volt", "hertz"),
    *("celsius", "pressurepa", "pressurekpa", "m3", "rotrpm", "degree", "radian"),
}
"""Ids from ``packages/grafana-data/src/valueFormats/categories.ts``; any other is shown as it is written."""
every_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES.keys())
every_panel = pytest.mark.parametrize(("page", "panel"), PANELS)


def test_all_asked_for_dashboards_exist() -> None:
    assert set(PAGES) == {
        "dcops-campus",
        "dcops-building",
        "dcops-hall",
        "dcops-row",
        "dcops-rack",
        "dcops-power-path",
        "dcops-cooling",
        "dcops-pue",
        "dcops-collection",
        "dcops-device",
    }


def test_generated_files_are_what_the_code_builds() -> None:
    kept = {path.name: path.read_text() for path in GENERATED.glob("*.json")}
    assert kept == contents(), "run: dcops dashboards build --output grafana/generated"


def test_written_files_are_sorted_and_the_same_each_time(tmp_path) -> None:
    first = [path.read_bytes() for path in write(tmp_path / "new" / "folder")]
    assert first == [path.read_bytes() for path in write(tmp_path / "new" / "folder")]
    for text in first:
        parsed = json.loads(text)
        assert list(parsed) == sorted(parsed)


@every_panel
def test_panel_says_what_it_shows(page: Dashboard, panel: Panel) -> None:
    assert panel.title
    assert panel.description
    assert len(panel.description) > 20
    assert panel.targets
    assert panel.field_config is not None
    assert panel.field_config.defaults.unit
    assert panel.field_config.defaults.no_value


@every_panel
def test_panel_asks_a_provisioned_data_source(page: Dashboard, panel: Panel) -> None:
    assert panel.datasource is not None
    assert panel.datasource.uid in {PROMETHEUS.uid, INFLUXDB.uid}
    for target in panel.targets or ():
        assert json.loads(json.dumps(target.to_json()["datasource"], default=lambda ref: ref.to_json())) == {
            "type": panel.datasource.type_val,
            "uid": panel.datasource.uid,
        }


@every_panel
def test_panel_shows_age_or_quality(page: Dashboard, panel: Panel) -> None:
    if panel.datasource == INFLUXDB.reference or panel.datasource.uid == INFLUXDB.uid:
        texts = [target.to_json()["query"] for target in panel.targets]
        assert any("count(" in text or "*" in text for text in texts)
        return
    texts = [target.to_json()["expr"] for target in panel.targets]
    assert any(WORDS_OF_TRUST.search(text) or 'quality=~"good' in text for text in texts), texts


@every_page
def test_titles_are_unique_and_ids_follow_the_order(page: Dashboard) -> None:
    titles = [panel.title for panel in panels(page)]
    assert len(titles) == len(set(titles))
    ids = [panel.id_val for panel in page.panels]
    assert ids == list(range(1, len(ids) + 1))


@every_page
def test_panels_fill_the_grid_without_overlap(page: Dashboard) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in page.panels:
        place = panel.grid_pos
        cells = {(x, y) for x in range(place.x, place.x + place.w) for y in range(place.y, place.y + place.h)}
        assert not cells & taken, panel.title
        assert place.x + place.w <= 24, panel.title
        taken |= cells


@every_page
def test_every_metric_is_one_that_the_platform_names(page: Dashboard) -> None:
    texts = [
        query.expression for query in panel_queries(page, CHOSEN) if query.source is SourceKind.PROMETHEUS
    ]
    texts += [text for _, source, text in variable_queries(page) if source is SourceKind.PROMETHEUS]
    named = {name for text in texts for name in re.findall(r"dcops_\w+", text)}
    assert named <= known_metrics()


@every_page
def test_measurements_are_never_replaced_by_nought(page: Dashboard) -> None:
    for query in panel_queries(page, CHOSEN):
        assert "vector(" not in query.expression
        # A share of which nothing is left is 0, who sends no notification has sent none, and who was read
        # is not one that never was. The headroom of no hall is that of the building.
        text = query.expression.replace(" or 0 * count", " ").replace(" or 1 - (avg", " ")
        if " or " in text:
            assert "dcops_notifications_total" in text


@every_page
def test_units_are_those_of_grafana(page: Dashboard) -> None:
    text = json.loads(contents()[f"{page.uid}.json"])
    units = {each["unit"] for each in _find(text, "defaults")}
    units |= {each["value"] for each in _properties(text) if each["id"] == "unit"}
    assert {unit for unit in units if not unit.startswith("suffix:")} <= GRAFANA_UNITS


@every_page
def test_thresholds_rise(page: Dashboard) -> None:
    text = json.loads(contents()[f"{page.uid}.json"])
    for steps in _find(text, "steps"):
        values = [step["value"] for step in steps]
        assert values[0] is None
        assert all(low < high for low, high in pairwise(values[1:]))


def test_rows_of_tables_lead_to_dashboards_that_take_their_variable() -> None:
    urls = {
        link["url"]
        for text in contents().values()
        for links in _find_links(json.loads(text))
        for link in links
    }
    assert urls
    for url in urls:
        uid, variable = re.fullmatch(
            r"/d/([\w-]+)\?var-(\w+)=\$\{__value\.raw\}&\$\{__url_time_range\}", url
        ).groups()
        assert variable in {each.name for each in PAGES[uid].templating.list_val}
    assert {
        f"/d/{uid}?var-{level}=${{__value.raw}}&${{__url_time_range}}" for level, uid in BY_LEVEL.items()
    } == urls


def test_drill_down_reaches_the_rack_from_the_campus() -> None:
    def leads_to(uid: str) -> set[str]:
        return set(re.findall(r"/d/([\w-]+)\?", contents()[f"{uid}.json"]))

    assert "dcops-building" in leads_to("dcops-campus")
    assert "dcops-hall" in leads_to("dcops-building")
    assert "dcops-row" in leads_to("dcops-hall")
    assert "dcops-rack" in leads_to("dcops-row")
    assert {"dcops-campus", "dcops-building", "dcops-hall", "dcops-row"} <= leads_to("dcops-rack")


def _find(node: object, key: str) -> list:
    if isinstance(node, dict):
        found = [node[key]] if key in node else []
        return found + [each for value in node.values() for each in _find(value, key)]
    if isinstance(node, list):
        return [each for value in node for each in _find(value, key)]
    return []


def _find_links(node: object) -> list:
    return [each["value"] for each in _properties(node) if each["id"] == "links"]


def _properties(node: object) -> list:
    return [each for group in _find(node, "properties") for each in group]
