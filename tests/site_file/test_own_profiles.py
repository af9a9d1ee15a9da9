"""Profiles that a site brings along."""

from pathlib import Path

import pytest

from collectors.profiles import ModbusProfile
from collectors.profiles.reader import shipped
from dcops.site_file import (
    SiteProblems,
    load,
)
from tests.site_file.sites import SITE, write_site


def test_own_profile_is_read_from_a_folder_and_replaces_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "pdu.yaml").write_text(
        "profile: rack-pdu\nkind: rack_pdu\nprotocol: modbus\ntable: input\n"
        "points:\n  - {name: active_power, address: 7, data: u32}\n"
    )
    loaded = load(write_site(tmp_path, SITE + "profiles: [profiles/]\n"))
    profile = loaded.plan.modbus[0].profile

    assert profile.registers[0].address == 7
    assert tmp_path / "profiles" / "pdu.yaml" in loaded.files


def test_a_profile_whose_points_are_counted_twice_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "pdu.yaml").write_text(
        "profile: rack-pdu\nkind: rack_pdu\nprotocol: modbus\ntable: input\npoints:\n"
        "  - {name: tariff_1, type: active_energy, address: 0, data: u32, unit: Wh}\n"
        "  - {name: whole, type: active_energy, address: 2, data: u32, unit: Wh}\n"
    )
    folder = write_site(tmp_path, SITE + "profiles: [pdu.yaml]\n")

    told = [str(each).replace(f"{folder}/", "") for each in load(folder).warnings]
    (warning,) = (each for each in told if "added up" in each)
    assert warning == (
        "site.yaml:11: device pdu-a: counts as it_rack, and its profile has tariff_1 and whole of type"
        " active_energy, which are added up; give all but the whole of it another type"
    )


def test_own_profiles_may_extend_each_other_and_shipped_ones_in_any_order(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "a.yaml").write_text("profile: rack-pdu\nextends: ours\nshift: 10\n")
    (folder / "b.yaml").write_text("profile: ours\nextends: rack-pdu-2\nmax_registers: 10\n")
    (folder / "c.yaml").write_text(
        "profile: rack-pdu-2\nkind: rack_pdu\nprotocol: modbus\ntable: input\n"
        "points:\n  - {name: active_power, address: 7, data: u32}\n"
    )
    profile = load(write_site(tmp_path, SITE + "profiles: [profiles/]\n")).plan.modbus[0].profile

    assert (profile.registers[0].address, profile.max_registers) == (17, 10)


def test_a_variant_of_a_broken_profile_says_which_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("profile: rack-pdu\nextends: ours\n")
    (tmp_path / "b.yaml").write_text("profile: ours\nextends: rack-pdux\n")
    with pytest.raises(SiteProblems) as raised:
        load(write_site(tmp_path, SITE + "profiles: [a.yaml, b.yaml]\n"))

    assert [str(each).removeprefix(f"{tmp_path}/") for each in raised.value.problems] == [
        f"a.yaml:2: 'extends' is 'ours', which has mistakes itself ({tmp_path}/b.yaml:2); mend those first",
        "b.yaml:2: 'extends' is 'rack-pdux', which is no profile; did you mean 'rack-pdu'?",
    ]


def test_profiles_may_be_handed_in(tmp_path: Path) -> None:
    ours = shipped()["rack-pdu"]
    assert isinstance(ours, ModbusProfile)
    site = SITE.replace("profile: rack-pdu", "profile: ours")

    assert load(write_site(tmp_path, site), extra_profiles={"ours": ours}).plan.modbus[0].profile is ours


METER = """\
profile: rack-climate
kind: environment_sensor
protocol: mqtt
topic: "{device}"
liveness: {topic: ../../status}
points:
  - {name: air_inlet_temperature, topic: controls/Temperature, path: ""}
  - {name: relative_humidity, topic: controls/Humidity, path: ""}
"""


def mistake(folder: Path, meter: str) -> str:
    """The only one of a site with this profile."""
    (folder / "meter.yaml").write_text(meter)
    site = write_site(folder, SITE + "profiles: [meter.yaml]\n")
    with pytest.raises(SiteProblems) as raised:
        load(site)
    (told,) = raised.value.problems
    return str(told).replace(f"{site}/", "")


def test_a_liveness_topic_must_not_lie_above_all_levels(tmp_path: Path) -> None:
    assert mistake(tmp_path, METER) == (
        "site.yaml:12: device air: the liveness topic of profile 'rack-climate': '../../status' goes up"
        " further than 'air' has levels; mend one of them"
    )
    (tmp_path / "meter.yaml").write_text(METER.replace("../../", "../"))
    folder = write_site(tmp_path, SITE + "profiles: [meter.yaml]\n")
    assert load(folder).plan.mqtt[0].profile.topics == ("controls/Temperature", "controls/Humidity")


def test_a_mistake_in_a_topic_of_a_point_is_told_with_the_file_of_the_profile(tmp_path: Path) -> None:
    assert mistake(tmp_path, METER.replace("controls/Humidity", "/controls/Humidity")) == (
        "meter.yaml:8: 'topic' '/controls/Humidity' begins or ends with '/'; it follows the device's topic,"
        " and a '/' is put between; remove that"
    )
