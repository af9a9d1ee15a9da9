"""What a site says of points that are stored by exception."""

from pathlib import Path

from dcops.site_file import load
from facility.devices import DeviceKind
from facility.storing import StoringRule
from tests.site_file.sites import SITE, write_site

SECOND = 1_000_000_000


def storing(folder: Path, *entries: str) -> tuple[StoringRule, ...]:
    lines = "".join(f"  - {{{entry}}}\n" for entry in entries)
    return load(write_site(folder, f"{SITE}storing:\n{lines}")).storing


def test_deadbands_are_in_the_unit_of_the_points_or_a_share(tmp_path: Path) -> None:
    assert storing(
        tmp_path,
        "points: [air_inlet_temperature], deadband: 0.2 K, heartbeat: 10min",
        "points: active_power, deadband: 0.5 kW, heartbeat: 5min, kinds: [rack_pdu]",
        "points: relative_humidity, deadband: 1 %RH, heartbeat: 1h",
        "points: 'current_l1, current_l2', deadband: 2 % of value, heartbeat: 90s",
        "points: all, heartbeat: 1h",
    ) == (
        StoringRule(points=frozenset({"air_inlet_temperature"}), deadband=0.2, heartbeat=600 * SECOND),
        StoringRule(
            points=frozenset({"active_power"}),
            kinds=frozenset({DeviceKind.RACK_PDU}),
            deadband=500.0,
            heartbeat=300 * SECOND,
        ),
        StoringRule(points=frozenset({"relative_humidity"}), deadband=1.0, heartbeat=3600 * SECOND),
        StoringRule(points=frozenset({"current_l1", "current_l2"}), share=0.02, heartbeat=90 * SECOND),
        StoringRule(points=None, heartbeat=3600 * SECOND),
    )


def test_everything_is_stored_unless_the_site_says_otherwise(tmp_path: Path) -> None:
    assert load(write_site(tmp_path)).storing == ()


def test_what_holds_nothing_is_warned_of(tmp_path: Path) -> None:
    entries = (
        "storing:\n  - {points: tcs_flow, heartbeat: 1min}\n  - {points: active_power, heartbeat: 10s}\n"
    )
    line = SITE.count("\n") + 2
    assert [str(each) for each in load(write_site(tmp_path, SITE + entries)).warnings][-2:] == [
        f"{tmp_path}/site.yaml:{line}: storing: no device of the site has such a point",
        (
            f"{tmp_path}/site.yaml:{line + 1}: storing: nothing is held: a heartbeat each 10 s is no longer"
            " than the period of 10 s; write a longer one"
        ),
    ]
