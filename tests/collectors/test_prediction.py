"""Predicted bus time, worked by hand from the line's speed and the lengths of the frames."""

import math

import pytest

from collectors.config import ModbusEndpoint, ModbusProtocol
from collectors.modbus.prediction import measured_cycle, planned, predict, request_seconds
from collectors.planning import Block, plan_groups
from collectors.profiles import Manners, Table
from tests.collectors.driving import profile_of

TEN = Block(Table.HOLDING, 0, 10, ())


def line(baud: int, **changes: object) -> ModbusEndpoint:
    return ModbusEndpoint(id="bus", protocol=ModbusProtocol.RTU, device="/dev/x", baud=baud, **changes)


@pytest.mark.parametrize(
    ("baud", "seconds"),
    [
        # 8 bytes out, 5 + 20 back: 33 characters of 11 bits; twice 3.5 of silence; 10 ms turnaround
        (9600, 33 * 11 / 9600 + 2 * 3.5 * 11 / 9600 + 0.010),
        (19200, 33 * 11 / 19200 + 2 * 3.5 * 11 / 19200 + 0.010),
        # above 19200 baud the silence is 1.75 ms
        (115200, 33 * 11 / 115200 + 2 * 0.00175 + 0.010),
    ],
)
def test_a_read_on_a_line_takes_its_characters_silences_and_turnaround(baud: int, seconds: float) -> None:
    assert request_seconds(line(baud), TEN) == pytest.approx(seconds, rel=1e-9)


def test_a_pause_of_the_device_counts_in_place_of_the_endpoints() -> None:
    endpoint = ModbusEndpoint(id="gw", host="x", port=502, pause=0.05, turnaround=0.002)
    assert request_seconds(endpoint, TEN) == pytest.approx(0.052)
    assert request_seconds(endpoint, TEN, 0.0) == pytest.approx(0.002)


def test_over_rtu_tcp_the_line_behind_counts() -> None:
    endpoint = ModbusEndpoint(
        id="gw", protocol=ModbusProtocol.RTU_TCP, host="x", port=4001, baud=9600, turnaround=0.0
    )
    assert request_seconds(endpoint, TEN) == pytest.approx(40 * 11 / 9600)


def test_seldom_read_points_count_by_their_share() -> None:
    profile = profile_of(words=[0, 10], every={10: 10})
    endpoint = ModbusEndpoint(id="gw", host="x", port=502)
    device = planned(plan_groups(profile), 1.0, Manners())
    found = predict(endpoint, [device, device])
    assert found.cycle == pytest.approx(2 * (0.010 + 0.001))
    assert found.utilisation == pytest.approx(0.022)
    assert found.requests == pytest.approx(2.2)


def test_connections_and_requests_in_flight_share_the_load_but_not_one_device() -> None:
    profile = profile_of(words=range(0, 100, 10))
    endpoint = ModbusEndpoint(id="gw", host="x", port=502, connections=2, in_flight=2)
    device = planned(plan_groups(profile), 0.5, Manners())
    assert predict(endpoint, [device] * 8).utilisation == pytest.approx(8 * 0.1 / 4 / 0.5)
    assert predict(endpoint, [device]).utilisation == pytest.approx(0.2)


def test_the_devices_pause_comes_before_its_profiles() -> None:
    profile = profile_of(words=[0])
    groups = plan_groups(profile)
    assert planned(groups, 1.0, Manners(pause=0.1), Manners(pause=0.2)).pause == 0.1
    assert planned(groups, 1.0, Manners(), Manners(pause=0.2)).pause == 0.2
    assert planned(groups, 1.0, Manners(), Manners()).pause is None


def test_the_measured_cycle_is_the_sum_of_the_scans_shared_by_what_is_read_at_once() -> None:
    endpoint = ModbusEndpoint(id="gw", host="x", port=502, connections=2)
    assert math.isnan(measured_cycle(endpoint, [math.nan]))
    assert measured_cycle(endpoint, [0.2, math.nan, 0.4]) == pytest.approx(0.3)


def test_a_connection_that_is_closed_while_idle_is_opened_for_each_scan() -> None:
    device = planned(plan_groups(profile_of(words=[0])), 10.0, Manners())
    endpoint = ModbusEndpoint(id="gw", host="x", port=502, turnaround=0.01, connect_pause=2.0, idle_close=4.0)
    # a reading takes 10 ms, connecting 10 ms and 2 s of pause
    assert predict(endpoint, [device]).utilisation == pytest.approx(0.202)
    assert predict(endpoint, [device]).cycle == pytest.approx(2.02)
    # two devices: one is due each 5 s, and between them it is idle for 4.99 s
    assert predict(endpoint, [device] * 2).utilisation == pytest.approx(0.404)
    # three: each 3.33 s, so it stays open
    assert predict(endpoint, [device] * 3).utilisation == pytest.approx(0.003)


def test_a_connection_that_stays_open_does_not_pay_for_opening() -> None:
    device = planned(plan_groups(profile_of(words=[0])), 10.0, Manners())
    endpoint = ModbusEndpoint(id="gw", host="x", port=502, turnaround=0.01, connect_pause=2.0)
    assert predict(endpoint, [device]).utilisation == pytest.approx(0.001)
