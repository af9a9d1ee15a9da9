"""Alarms as Prometheus sees them."""

from prometheus_client import CollectorRegistry, generate_latest

from alerting.board import AlarmBoard
from dcops.metrics import AlarmMetrics
from tests.console.plant import alarm


def test_alarms_that_stand_came_went_and_found_no_room_are_counted() -> None:
    board = AlarmBoard(active_limit=1)
    registry = CollectorRegistry()
    registry.register(AlarmMetrics(board))
    board.raise_alarm(alarm("b1-h1-r1-k01-climate", "b1-h1-r1-k01"))
    board.hold_back(2)
    lines = generate_latest(registry).decode().splitlines()
    assert 'dcops_alarms_active{category="process",priority="high"} 1.0' in lines
    assert 'dcops_alarms_total{transition="raised"} 1.0' in lines
    assert 'dcops_alarms_total{transition="cleared"} 0.0' in lines
    assert "dcops_alarms_held_back_total 2.0" in lines
