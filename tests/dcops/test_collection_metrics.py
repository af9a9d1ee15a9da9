"""Collection as Prometheus sees it."""

import subprocess
from shutil import which

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dcops.endpoint_metrics import EndpointExposition
from dcops.metrics import CollectionMetrics
from tests.console.plant import FakeCollection, health


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
