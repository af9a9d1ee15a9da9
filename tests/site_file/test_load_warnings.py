"""What a good site is warned of."""

from pathlib import Path

import pytest

from dcops.site_file import (
    SiteProblems,
    load,
)
from facility.devices import Boundary
from tests.site_file.sites import SITE, write_site


def test_missing_certificates_of_endpoints_are_warned_of(tmp_path: Path) -> None:
    site = SITE.replace(
        "protocol: modbus-tcp, host: 10.0.0.1", "protocol: modbus-tls, host: a, tls_ca: no.pem"
    )
    warnings = [str(each) for each in load(write_site(tmp_path, site)).warnings]

    assert f"{tmp_path}/site.yaml:8: endpoint gw: 'no.pem' is not there" in warnings


def test_warnings_tell_what_will_be_missing(tmp_path: Path) -> None:
    folder = write_site(
        tmp_path,
        SITE.replace("  - {id: broker,", "  - {id: spare, protocol: mqtt, host: x}\n  - {id: broker,"),
        spaces="id,level,in\nr2,rack,b1\n",
        device="id\n",
    )

    assert [str(each).replace(f"{folder}/", "") for each in load(folder).warnings] == [
        "device.csv: is not read; tables are spaces.csv, endpoints.csv, devices.csv",
        "site.yaml:1: no meter counts as facility_input; there will be no PUE",
        "site.yaml:9: endpoint spare has no devices",
        "spaces.csv:2: 1 of 2 racks have no meter (r2); their power is in no total",
    ]


def test_warnings_about_addresses_certificates_and_meters_that_measure_nothing(tmp_path: Path) -> None:
    site = SITE.replace("username: dcops", "tls_ca: ca.pem").replace(
        "  - {id: broker,", "  - {id: gw-2, protocol: modbus-tcp, host: 10.0.0.1}\n  - {id: broker,"
    )
    devices = """\
  - {id: meter, kind: utility_meter, in: b1, profile: utility-meter, endpoint: gw-2, unit: 1}
  - {id: heat, kind: heat_meter, in: b1, profile: heat-meter, endpoint: gw, unit: 2, boundary: it_ups}
"""
    pointless = "its profile has no active_energy or active_power; set boundary: none"
    folder = write_site(tmp_path, site + devices)

    assert [str(each).replace(f"{folder}/", "") for each in load(folder).warnings] == [
        "site.yaml:9: endpoint gw-2: 10.0.0.1:502 is that of gw too; make them one endpoint",
        "site.yaml:10: endpoint broker: 'ca.pem' is not there",
        "site.yaml:15: device heat: counts as it_ups, " + pointless,
    ]


def test_a_building_that_counts_on_one_side_of_a_pue_is_warned_of(tmp_path: Path) -> None:
    spaces = "id,level,in\nb2,building,campus\nb3,building,campus\nb4,building,campus\n"
    meters = """\
  - {id: in-1, kind: utility_meter, in: b1, profile: utility-meter, endpoint: gw, unit: 11}
  - {id: in-2, kind: utility_meter, in: b2, profile: utility-meter, endpoint: gw, unit: 12}
  - {id: in-4, kind: utility_meter, in: b4, profile: utility-meter, endpoint: gw, unit: 14}
  - {id: ups-1, kind: ups, in: b1, profile: ups, endpoint: gw, unit: 21}
  - {id: ups-2, kind: ups, in: b2, profile: ups, endpoint: gw, unit: 22}
  - {id: rpp-2, kind: rpp, in: b2, profile: rpp, endpoint: gw, unit: 23}
  - {id: ups-3, kind: ups, in: b3, profile: ups, endpoint: gw, unit: 24}
"""
    folder = write_site(tmp_path, SITE + meters, spaces=spaces)
    told = [str(each).replace(f"{folder}/", "") for each in load(folder).warnings]
    pue = "is missing from a PUE of the whole site"
    has = "has meters of IT and none that counts as"
    assert [each for each in told if "PUE" in each] == [
        f"site.yaml:5: building b1 {has} it_pdu, as b2 has: its IT {pue}",
        f"spaces.csv:2: building b2 {has} it_rack, as b1 has: its IT {pue}",
        f"spaces.csv:3: building b3 {has} facility_input, as b1 has: its input {pue}",
        f"spaces.csv:3: building b3 {has} it_pdu, as b2 has: its IT {pue}",
        f"spaces.csv:3: building b3 {has} it_rack, as b1 has: its IT {pue}",
    ]
    outside = (
        meters
        + "  - {id: in-0, kind: utility_meter, in: campus, profile: utility-meter, endpoint: gw, unit: 31}\n"
    )
    told = [str(each) for each in load(write_site(tmp_path, SITE + outside, spaces=spaces)).warnings]
    assert not [each for each in told if "facility_input" in each]


def test_cooling_that_hangs_on_a_meter_of_it_is_warned_of(tmp_path: Path) -> None:
    devices = """\
  - {id: in-1, kind: utility_meter, in: b1, profile: utility-meter, endpoint: gw, unit: 2}
  - {id: ups-1, kind: ups, in: b1, profile: ups, endpoint: gw, unit: 3, serves: [board]}
  - {id: board, kind: board_meter, in: b1, profile: board-meter, endpoint: gw, unit: 4, serves: [pump]}
  - {id: pump, kind: pump, in: b1, profile: pump, endpoint: gw, unit: 5, serves: [chiller]}
  - {id: ups-2, kind: ups, in: b1, profile: ups, endpoint: gw, unit: 6, serves: [pdu-a]}
  - {id: chiller, kind: chiller, in: b1, profile: chiller, endpoint: gw, unit: 7}
"""
    folder = write_site(tmp_path, SITE + devices)
    told = [str(each).replace(f"{folder}/", "") for each in load(folder).warnings]
    (found,) = (each for each in told if "PUE" in each)
    assert found == (
        "site.yaml:14: device ups-1: counts as it_ups and feeds cooling, which is counted as IT with it:"
        " a PUE by it_ups is too low; count IT further down, and set boundary: none here"
    )


def test_cooling_upstream_of_cooling_is_not_counted_twice(tmp_path: Path) -> None:
    devices = """\
  - {id: chiller, kind: chiller, in: b1, profile: chiller, endpoint: gw, unit: 2, serves: [cdu]}
  - {id: cdu, kind: cdu, in: b1, profile: cdu, endpoint: gw, unit: 3, serves: [r1]}
"""
    assert load(write_site(tmp_path, SITE + devices)).site.device("cdu").boundary is Boundary.MECHANICAL


def test_meters_are_found_twice_across_others_between_them(tmp_path: Path) -> None:
    devices = """\
  - {id: ups-1, kind: ups, in: b1, profile: ups, endpoint: gw, unit: 2, serves: [rpp-1]}
  - {id: rpp-1, kind: rpp, in: b1, profile: rpp, endpoint: gw, unit: 3, serves: [ups-2]}
  - {id: ups-2, kind: ups, in: b1, profile: ups, endpoint: gw, unit: 4}
"""
    with pytest.raises(SiteProblems, match="device ups-1: counts as it_ups, and so does ups-2 "):
        load(write_site(tmp_path, SITE + devices))


SPACES = "id,level,in\n" + "".join(f"k{number},rack,b1\n" for number in range(1, 5))
FEEDS = "id,kind,in,profile,endpoint,unit,feed,serves\n"


def rack_pdu(rack: str, feed: str, unit: int) -> str:
    """One row: a rack PDU of a feed that serves its rack."""
    return f"{rack}-pdu-{feed.lower()}{unit},rack_pdu,{rack},rack-pdu,gw,{unit},{feed},{rack}\n"


def test_racks_that_lack_the_feed_most_others_have_are_warned_of(tmp_path: Path) -> None:
    racks = [(number, at, feed) for number in (1, 2, 3) for at, feed in enumerate("AB")]
    rows = [rack_pdu(f"k{number}", feed, 10 * number + at) for number, at, feed in racks]
    folder = write_site(tmp_path, spaces=SPACES, devices=FEEDS + "".join([*rows, rack_pdu("k4", "B", 40)]))

    warnings = [str(each).replace(f"{folder}/", "") for each in load(folder).warnings]
    assert (
        "site.yaml:6: 2 of 5 racks hang on one feed (r1 has A only, and 1 more), the others on both;"
        " add the rack PDU that is missing, or correct a feed"
    ) in warnings


def test_a_feed_that_serves_the_other_one_is_warned_of(tmp_path: Path) -> None:
    rows = "ups-a,ups,b1,ups,gw,2,A,rpp-b\nrpp-b,rpp,b1,rpp,gw,3,B,pdu-a\n"
    folder = write_site(tmp_path, devices=FEEDS + rows)

    warnings = [str(each).replace(f"{folder}/", "") for each in load(folder).warnings]
    assert (
        "devices.csv:2: device ups-a: is of feed A and serves rpp-b of feed B (and 1 more such);"
        " correct one of them, or leave out the feed of what supplies both"
    ) in warnings


@pytest.mark.parametrize("example", ["hall", "small"])
def test_the_examples_are_warned_of_no_feed(example: str) -> None:
    warnings = [each.message for each in load(Path("examples") / example).warnings]

    assert [each for each in warnings if "feed" in each] == []
