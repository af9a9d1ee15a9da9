"""Collection as Prometheus sees it."""

import subprocess
from dataclasses import replace
from shutil import which

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from collectors.health import EndpointState
from dcops.endpoint_metrics import EndpointExposition
from dcops.metrics import CollectionMetrics
from dcops.pipeline_text import pipeline_pieces
from tests.console.collecting import BROKER, GATEWAY, FakeCollection, health


def exposition() -> str:
    registry = CollectorRegistry()
    collection = FakeCollection(health=(health("a"), health("b")))
    registry.register(CollectionMetrics(collection))
    endpoints = b"".join(EndpointExposition(collection).pieces())
    return (endpoints + generate_latest(registry)).decode()


def test_cycle_and_utilisation_stand_beside_what_was_planned() -> None:
    lines = exposition().splitlines()
    assert 'dcops_endpoint_cycle_seconds{endpoint="gw-1"} 1.9' in lines
    assert 'dcops_endpoint_predicted_cycle_seconds{endpoint="gw-1"} 2.2' in lines
    assert 'dcops_endpoint_utilisation_ratio{endpoint="gw-1"} 0.21' in lines
    assert 'dcops_endpoint_predicted_utilisation_ratio{endpoint="gw-1"} 0.22' in lines
    assert 'dcops_device_state{state="online"} 2.0' in lines
    assert "dcops_refused_values 0.0" in lines
    assert "dcops_identity_changes_total 0.0" in lines
    assert not [line for line in lines if 'endpoint="broker"' in line and "cycle" in line]


@pytest.mark.skipif(which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=exposition(), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def told(exposition: EndpointExposition) -> list[str]:
    return b"".join(exposition.pieces()).decode().splitlines()


def test_what_changes_at_an_endpoint_between_two_scrapes_is_told_anew() -> None:
    collection = FakeCollection()
    exposition = EndpointExposition(collection)
    first = told(exposition)
    assert 'dcops_endpoint_requests_total{endpoint="gw-1"} 240.0' in first
    assert 'dcops_endpoint_up{endpoint="gw-1"} 1.0' in first
    assert 'dcops_endpoint_errors_total{endpoint="gw-1",class="timeout"} 1.0' in first
    assert 'dcops_endpoint_unacknowledged{endpoint="broker"} 0.0' in first
    assert told(exposition) == first

    changed = replace(
        GATEWAY, requests=241, state=EndpointState.DOWN, round_trip=0.25, errors={"timeout": 2, "lost": 1}
    )
    collection.links = (changed, BROKER)
    second = told(exposition)
    assert [line for line in second if line not in first] == [
        'dcops_endpoint_up{endpoint="gw-1"} 0.0',
        'dcops_endpoint_round_trip_seconds{endpoint="gw-1"} 0.25',
        'dcops_endpoint_requests_total{endpoint="gw-1"} 241.0',
        'dcops_endpoint_errors_total{endpoint="gw-1",class="timeout"} 2.0',
        'dcops_endpoint_errors_total{endpoint="gw-1",class="lost"} 1.0',
    ]


def test_an_endpoint_that_comes_or_goes_with_a_reload_does_so_in_the_next_scrape() -> None:
    collection = FakeCollection()
    exposition = EndpointExposition(collection)
    told(exposition)
    collection.links = (replace(GATEWAY, endpoint="gw-2", requests=5), BROKER)
    found = told(exposition)
    assert not [line for line in found if 'endpoint="gw-1"' in line]
    assert 'dcops_endpoint_requests_total{endpoint="gw-2"} 5.0' in found
    assert 'dcops_endpoint_errors_total{endpoint="gw-2",class="timeout"} 1.0' in found
    collection.links = ()
    assert told(exposition) == []


def test_the_whole_text_of_one_broker() -> None:
    collection = FakeCollection(links=(replace(BROKER, requests=3, unacknowledged=2, errors={"payload": 4}),))
    assert told(EndpointExposition(collection)) == [
        "# HELP dcops_endpoint_up 1 if the endpoint is connected.",
        "# TYPE dcops_endpoint_up gauge",
        'dcops_endpoint_up{endpoint="broker"} 0.0',
        "# HELP dcops_endpoint_requests_total Requests or messages.",
        "# TYPE dcops_endpoint_requests_total counter",
        'dcops_endpoint_requests_total{endpoint="broker"} 3.0',
        "# HELP dcops_endpoint_unacknowledged Messages of a broker that are taken and not journalled yet.",
        "# TYPE dcops_endpoint_unacknowledged gauge",
        'dcops_endpoint_unacknowledged{endpoint="broker"} 2.0',
        "# HELP dcops_endpoint_errors_total Errors by class.",
        "# TYPE dcops_endpoint_errors_total counter",
        'dcops_endpoint_errors_total{endpoint="broker",class="payload"} 4.0',
    ]


def test_what_is_smoothed_is_told_to_the_microsecond() -> None:
    collection = FakeCollection(links=(replace(GATEWAY, round_trip=0.0012345678, utilisation=1 / 3),))
    found = told(EndpointExposition(collection))
    assert 'dcops_endpoint_round_trip_seconds{endpoint="gw-1"} 0.001235' in found
    assert 'dcops_endpoint_utilisation_ratio{endpoint="gw-1"} 0.333333' in found


def test_metrics_of_the_pipeline_come_after_an_empty_piece_for_each() -> None:
    registry = CollectorRegistry()
    registry.register(CollectionMetrics(FakeCollection(health=(health("a"), health("b")))))
    *before, text = pipeline_pieces(registry)
    assert before == [b"", b"", b"", b""]
    assert text.decode().splitlines()[:4] == [
        "# HELP dcops_polls_total Polls by outcome.",
        "# TYPE dcops_polls_total counter",
        'dcops_polls_total{outcome="done"} 117.0',
        'dcops_polls_total{outcome="missed"} 2.0',
    ]


def test_one_who_reads_while_endpoints_change_is_told_of_those_he_began_with() -> None:
    collection = FakeCollection(links=(GATEWAY,))
    exposition = EndpointExposition(collection)
    before = exposition.pieces()
    begun = [next(before), next(before)]
    collection.links = (replace(GATEWAY, endpoint="gw-2"), replace(GATEWAY, endpoint="gw-3"))
    after = told(exposition)
    assert 'dcops_endpoint_up{endpoint="gw-3"} 1.0' in after
    text = b"".join([*begun, *before]).decode()
    assert 'dcops_endpoint_requests_total{endpoint="gw-1"} 240.0' in text
    assert "gw-2" not in text


def test_the_first_text_needs_nothing_that_later_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    exposition = EndpointExposition(FakeCollection())
    monkeypatch.delattr("dcops.endpoint_metrics.family_of")
    assert 'dcops_endpoint_up{endpoint="gw-1"} 1.0' in told(exposition)
