"""Endpoints that hardly keep their periods are warned of; those that can are not mentioned."""

from pathlib import Path

from dcops.site_file import load
from tests.site_file.sites import HEAD, SPACES, write_site


def site(pause: str, more: str = "", *, count: int = 10, period: str = "1s") -> str:
    devices = "".join(
        f"  - {{id: m{unit}, kind: rack_pdu, in: r1, profile: rack-pdu, endpoint: gw, unit: {unit}}}\n"
        for unit in range(1, count + 1)
    )
    endpoint = f"  - {{id: gw, protocol: modbus-tcp, host: 10.0.0.1, pause: {pause}{more}}}\n"
    return f"{HEAD}collection: {{period: {period}}}\n{SPACES}endpoints:\n{endpoint}devices:\n{devices}"


def warnings(folder: Path) -> list[str]:
    found = [str(each).replace(f"{folder}/", "") for each in load(folder).warnings]
    return [each for each in found if "of the time there is" in each]


def test_an_endpoint_that_hardly_keeps_its_periods_is_warned_of(tmp_path: Path) -> None:
    (told,) = warnings(write_site(tmp_path, site("80ms")))
    assert told == (
        "site.yaml:9: endpoint gw: reading its 10 devices takes 90% of the time there is"
        " (10 requests a second, turnaround 10ms); write no pause instead of 80ms (10%),"
        " or connections: 2, if it takes so many (45%), or period 2s instead of 1s (45%)"
    )


def test_one_that_keeps_them_easily_is_not(tmp_path: Path) -> None:
    assert warnings(write_site(tmp_path, site("50ms"))) == []


def test_the_assumed_turnaround_can_be_told(tmp_path: Path) -> None:
    assert len(warnings(write_site(tmp_path, site("50ms", ", turnaround: 40ms")))) == 1


def test_requests_in_flight_and_connections_are_reckoned_with(tmp_path: Path) -> None:
    assert warnings(write_site(tmp_path, site("80ms", ", in_flight: 2"))) == []
    assert warnings(write_site(tmp_path, site("80ms", ", connections: 2"))) == []


def test_a_connection_that_is_opened_for_each_scan_is_reckoned_with(tmp_path: Path) -> None:
    opened = ", connect_pause: 8900ms, idle_close: 1s"
    (told,) = warnings(write_site(tmp_path, site("80ms", opened, count=1, period="10s")))
    assert told == (
        "site.yaml:9: endpoint gw: reading its device m1 takes 90% of the time there is"
        " (0.1 requests a second, turnaround 10ms, connect_pause 8.9s); write no idle_close instead of 1s,"
        " if it may stay connected (1%), or period 15s instead of 10s (60%)"
    )
    assert warnings(write_site(tmp_path, site("80ms", opened, count=10, period="10s"))) == []
