"""A register map as a whole: its names, its mistakes, its comment, and maps of real devices."""

from pathlib import Path

import pytest

from collectors.errors import ProfileError
from collectors.profiles import Order
from collectors.profiles.csv_map import import_map
from facility.devices import DeviceKind
from tests.collectors.imports import HEADER, imported, notes, register

MAPS = Path(__file__).parent / "maps"


def test_names_are_made_valid_and_unique_in_the_order_of_the_map() -> None:
    found = imported(
        *(
            f"{name},holding,{at},u16,,,,,"
            for at, name in enumerate(["Voltage L1", "voltage_l1", "1st", "x_q"])
        )
    )
    assert [point.name for point in found.profile.points] == [
        "voltage_l1",
        "voltage_l1_2",
        "r_1st",
        "x_q_value",
    ]
    assert "acme.csv:3: Voltage L1: named voltage_l1, names are small letters" in notes(found)
    assert "acme.csv:4: voltage_l1: named voltage_l1_2, so that no two are alike" in notes(found)


def test_every_mistake_is_told_at_once_with_line_and_mend() -> None:
    rows = [
        "a,holding,xx,u16,,,,,",
        "b,foo,1,u16,,,,,",
        "c,holding,2,u17,,,,,",
        "d,holding,3,string,,,,,",
        "e,holding,4,bit,,,,,",
        "f,holding,5,u32,middle,,,,",
        "g,holding,6,u16,,0,,,",
        "h,holding,7,u16",
        "i,holding,65535,u32,,,,,",
    ]
    with pytest.raises(ProfileError) as caught:
        imported(*rows)
    told = [str(problem) for problem in caught.value.problems]
    assert [line.split(":")[1] for line in told] == ["3", "4", "5", "6", "7", "8", "9", "10", "11"]
    assert (
        told[0] == "acme.csv:3: 'a': address is 'xx'; write the protocol address, 0 to 65535 or 0x0 to 0xFFFF"
    )
    assert "write len=N registers" in told[3]
    assert "write bit=0 to bit=15" in told[4]
    assert "scale is 0" in told[6]
    assert "the row has 4 fields, the header 9" in told[7]
    assert "ends beyond address 65535" in told[8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: there is no table"),
        ("# only a comment\n", "1: there is no table"),
        ("name,register_type,address\nx,holding,1\n", "1: column 'data_type' is missing"),
        ("name,register_type,address,data_type,scal\n", "1: unknown column 'scal'; did you mean 'scale'?"),
        (HEADER + "\n", "1: the map has no rows"),
        (
            HEADER + "\nx,holding,1,string,,,,,len=4 registers\n",
            "1: the map has no register that can be read",
        ),
    ],
)
def test_what_is_no_map_is_said_so(text: str, message: str) -> None:
    with pytest.raises(ProfileError) as caught:
        import_map(text, "acme.csv")
    assert f"acme.csv:{message}" in str(caught.value)


def test_a_map_without_comment_with_other_separators_and_line_ends_is_read() -> None:
    text = (
        "\ufeffname;register_type;address;data_type\r\n\r\nx;holding;1;u16\r\n# aside\r\ny;holding;2;f32\r\n"
    )
    assert [point.name for point in import_map(text, "acme.csv").profile.points] == ["x", "y"]


def test_names_and_kinds_are_taken_as_told() -> None:
    text = f"{HEADER}\nx,holding,1,u16,,,,,\n"
    found = import_map(text, "My Meter_2.csv", name="acme-9", kind=DeviceKind.UPS)
    assert (found.profile.name, found.profile.kind) == ("acme-9", DeviceKind.UPS)
    assert import_map(text, "dir/My Meter_2.csv").profile.name == "my-meter-2"


def test_the_parts_of_a_comment_stand_in_their_places() -> None:
    found = import_map((MAPS / "carlo_gavazzi_em24_e1.csv").read_text(encoding="utf-8"), "em24.csv")
    profile = found.profile
    assert profile.make == "Carlo Gavazzi EM24 Ethernet"
    assert profile.source == "volkszaehler/mbmd meters/rs485/carlogavazzi-em24_e1.go @ fb8f9c22f121"
    assert "phase sequence u16 at 0x0032 is 0 or 0xFFFF" in profile.caveats
    assert register(found, "voltage_l1").order is Order.CDAB
    assert register(found, "import").scale == pytest.approx(100.0)
    assert not register(found, "frequency").invalid
    # What identifies the device is for a person to put into force.
    assert not profile.identity
    assert "#   - {address: 11, length: 1, from: 1648, to: 1653}" in found.text


def test_maps_of_real_devices_are_understood() -> None:
    read = {
        file.stem: import_map(file.read_text(encoding="utf-8"), file.name)
        for file in sorted(MAPS.glob("*.csv"))
    }
    socomec = read["socomec_delphys_jbus_ups"]
    (serial,) = socomec.profile.texts
    assert (serial.address, serial.length, serial.swapped) == (4099, 5, True)
    assert register(socomec, "output_voltage_l1").invalid == {0xFFFF}
    assert socomec.profile.link == "9600 8N1 unit 1"
    victron = read["victron_em_energy_meter"]
    assert register(victron, "energy_forward").invalid == {0xFFFFFFFF}
    assert not register(victron, "voltage_l1").invalid
    assert [text.encoding for text in victron.profile.texts] == ["ascii", "utf-8"]
    carrier = read["carrier_23xrv_chiller"].profile
    assert (carrier.alone, carrier.kind) == (True, DeviceKind.CHILLER)
    belimo = read["belimo_ev200_arx_energy_valve"]
    assert register(belimo, "absolute_volumetric_rate_liquidflow").scale == pytest.approx(0.378541 / 60)
    assert [found.profile.points[0].check_range for found in read.values()] == [False] * 5
