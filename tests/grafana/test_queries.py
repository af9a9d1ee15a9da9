"""Variables are filled in as Grafana does it."""

import pytest

from grafana.dashboards import collection, device_detail, hall
from grafana.datasources import SourceKind
from grafana.errors import UnknownVariableError
from grafana.queries import PanelQuery, expand, panel_queries, variable_queries
from tests.grafana.chosen import CHOSEN


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ('m{node="$hall"}', {"hall": "b1-h1"}, 'm{node="b1-h1"}'),
        ('m{node="${hall}"}', {"hall": "b1-h1"}, 'm{node="b1-h1"}'),
        ('m{node=~"${hall:regex}"}', {"hall": ["a.1", "b"]}, 'm{node=~"(a\\.1|b)"}'),
        ('m{node=~"$hall"}', {"hall": ["a", "b"]}, 'm{node=~"(a|b)"}'),
        ('m{node=~"$hall"}', {"hall": ["a"]}, 'm{node=~"a"}'),
        ("${hall:pipe}", {"hall": ["a.1", "b"]}, "a.1|b"),
        ("${hall:csv}", {"hall": ["a", "b"]}, "a,b"),
        ('m{b=~"$building|"}', {"building": "b1"}, 'm{b=~"b1|"}'),
        ("rate(m[$__rate_interval])", {}, "rate(m[1m])"),
        ("rate(m[$__rate_interval])", {"__rate_interval": "4s"}, "rate(m[4s])"),
        ("GROUP BY time($__interval)", {}, "GROUP BY time(10s)"),
        ("WHERE $timeFilter", {"timeFilter": "time > 5"}, "WHERE time > 5"),
        ("count(/^${point}(_q)?$/)", {"point": "load"}, "count(/^load(_q)?$/)"),
    ],
)
def test_expand(text: str, values: dict[str, str | list[str]], expected: str) -> None:
    assert expand(text, values) == expected


@pytest.mark.parametrize("text", ["$nobody", "${hall:glob}"])
def test_what_cannot_be_filled_in_is_an_error(text: str) -> None:
    with pytest.raises(UnknownVariableError, match=r"nobody|glob"):
        expand(text, {"hall": "a"})


def test_panel_queries_of_prometheus() -> None:
    first = panel_queries(hall.build(), CHOSEN)[2]
    assert first == PanelQuery(
        panel="IT power at the racks",
        source=SourceKind.PROMETHEUS,
        expression='dcops_power_watts{node="b1-h1"}',
        instant=True,
    )


def test_panel_queries_of_influxdb() -> None:
    first = panel_queries(device_detail.build(), CHOSEN)[0]
    assert first == PanelQuery(
        panel="Point: active_power",
        source=SourceKind.INFLUXDB,
        expression='SELECT min("active_power") AS "lowest", mean("active_power") AS "mean", '
        'max("active_power") AS "highest" FROM "rack_pdu" WHERE "device" = \'b1-h1-r01-k01-pdu-a\' '
        "AND time > now() - 6h GROUP BY time(10s) fill(null)",
        instant=False,
    )


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(UnknownVariableError, match="'hall'"):
        panel_queries(hall.build(), {})


def test_variables_are_looked_up_in_their_own_source() -> None:
    assert variable_queries(hall.build()) == [
        ("hall", SourceKind.PROMETHEUS, 'label_values(dcops_node_info{level="hall"}, node)')
    ]
    assert variable_queries(device_detail.build()) == [
        ("device", SourceKind.INFLUXDB, 'SHOW TAG VALUES FROM "$kind" WITH KEY = "device"'),
        ("point", SourceKind.INFLUXDB, 'SHOW FIELD KEYS FROM "$kind"'),
    ]
    assert variable_queries(collection.build()) == []
