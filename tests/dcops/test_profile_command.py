"""``dcops profile`` as a user types it."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from collectors.profiles.reader import shipped
from dcops.cli import main
from dcops.profile_listing import markdown

MAPS = Path(__file__).parents[1] / "collectors" / "maps"
GUIDE = Path(__file__).parents[2] / "docs" / "devices.md"


def test_a_map_becomes_a_profile_that_can_be_shown_and_validated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "em.yaml"
    assert (
        main(["profile", "import", str(MAPS / "victron_em_energy_meter.csv"), "--output", str(output)]) == 0
    )
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"{output}: victron-em-energy-meter, board_meter, 27 points, 2 texts",
        f"Next: dcops profile show {output}",
    ]
    assert "victron_em_energy_meter.csv:1: kind board_meter guessed from maker and model" in told.err
    assert all(line.startswith("note: ") for line in told.err.splitlines())
    assert (
        "  - {name: energy_forward, type: active_energy, address: 12340, data: u32, scale: 0.01, unit: kWh}\n"
        in (output.read_text(encoding="utf-8"))
    )

    assert main(["profile", "validate", str(output)]) == 0
    assert "no mistakes" in capsys.readouterr().out
    assert main(["profile", "show", str(output)]) == 0
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines()]
    forward = ["energy_forward", "active_energy", "Wh", "holding", "12340", "u32", "1", "x", "10;", "none:"]
    assert [*forward, "0xFFFFFFFF"] in rows
    assert ["custom_name", "holding", "8194", "32"] in rows
    assert "every scan: 10 reads" in shown
    assert "firmware >= 0.1.9.0: power_factor_l1" in shown


def test_without_output_the_profile_goes_to_the_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(MAPS / "carrier_23xrv_chiller.csv")
    assert main(["profile", "import", file, "--name", "carrier", "--kind", "heat_pump"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("profile: carrier\nkind: heat_pump\nprotocol: modbus\n")
    assert "alone: true" in told.out
    assert "guessed" not in told.err


def test_a_wrong_map_is_told_line_by_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = tmp_path / "wrong.csv", tmp_path / "wrong.yaml"
    file.write_text(
        "name,register_type,address,data_type\na,holding,1,u17\nb,nowhere,2,u16\n", encoding="utf-8"
    )
    assert main(["profile", "import", str(file), "--output", str(output)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert lines[0].startswith(f"{file}:2: 'a': data_type is 'u17'; use one of u8, s8, u16")
    assert lines[1] == f"{file}:3: 'b': register_type is 'nowhere'; use one of coil, discrete, holding, input"
    assert lines[2] == f"{file}: nothing written, 2 mistakes"
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "absent.csv"], "absent.csv: cannot be read (No such file or directory); check the path"),
        (["show", "xyz"], "xyz: neither a shipped profile nor a file; see 'dcops profile list'"),
        (["show", "eastron-smd630"], "neither a shipped profile nor a file; did you mean 'eastron-sdm630'?"),
        (
            ["validate", "absent.yaml"],
            "absent.yaml:1: cannot be read (No such file or directory); check the path",
        ),
    ],
)
def test_what_is_not_there_is_said_so(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "name,unit\r\nTür,".encode() + b"\xb0C\r\n",
            (
                ":2: character 5 (byte 0xB0) is not UTF-8, perhaps Windows-1252 or Latin-1;"
                " save it as 'CSV UTF-8'"
            ),
        ),
        (
            "name,unit\n".encode("utf-16"),
            ":1: this is UTF-16, as spreadsheets save 'Unicode text'; save it as 'CSV UTF-8'",
        ),
        (
            b"PK\x03\x04\x00\x00\xff\xff",
            ":1: this is no text but a binary file; save the table as 'CSV UTF-8'",
        ),
    ],
)
def test_a_map_that_is_not_utf8_is_named_with_line_and_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    file = tmp_path / "map.csv"
    file.write_bytes(content)
    assert main(["profile", "import", str(file)]) == 1
    assert capsys.readouterr().err == f"{file}{message}\n"


def test_a_folder_in_place_of_a_map_is_named_with_its_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["profile", "import", str(tmp_path)]) == 1
    told = f"{tmp_path}: cannot be read (Is a directory); give a file: this is a folder\n"
    assert capsys.readouterr().err == told


def test_an_output_that_cannot_be_written_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").touch()
    output = tmp_path / "taken" / "x.yaml"
    assert main(["profile", "import", str(MAPS / "carrier_23xrv_chiller.csv"), "--output", str(output)]) == 1
    assert f"{output}: cannot be written" in capsys.readouterr().err


def test_the_folder_of_an_output_is_made(tmp_path: Path) -> None:
    output = tmp_path / "profiles" / "x.yaml"
    assert main(["profile", "import", str(MAPS / "carrier_23xrv_chiller.csv"), "--output", str(output)]) == 0
    assert main(["profile", "validate", str(output)]) == 0


@pytest.mark.parametrize("arguments", [["import", "x.csv", "--kind", "toaster"], ["nonsense"], []])
def test_wrong_usage_exits_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["profile", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err


def test_validate_tells_the_mistakes_of_all_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, data in (("a", "u17"), ("b", "u18")):
        (tmp_path / f"{name}.yaml").write_text(
            f"profile: {name}\nkind: ups\nprotocol: modbus\ntable: input\npoints:\n"
            f"  - {{name: load, address: 1, data: {data}}}\n",
            encoding="utf-8",
        )
    assert main(["profile", "validate", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit("/", 1)[-1].split(":")[:2] for line in lines[:2]] == [
        ["a.yaml", "6"],
        ["b.yaml", "6"],
    ]


def test_the_shipped_profiles_are_listed_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "list", "--kind", "rack_pdu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "POINTS", "MAKE"]
    assert [line.split()[0] for line in lines[1:]] == [
        "rack-pdu",
        "rack-pdu-mqtt",
        "raritan-servertech-xerus-pdu",
    ]
    assert main(["profile", "list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(shipped())


@pytest.mark.parametrize(
    "name", ["sunspec-meter-213-float", "carrier-30ev-aquasmart-chiller", "cdu-mqtt", "ups"]
)
def test_every_way_of_a_profile_can_be_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "show", name]) == 0
    assert capsys.readouterr().out.startswith(f"{name}: ")


def test_a_profile_with_a_topic_a_point_is_shown_with_its_topics(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "show", "mbmd-eastron-sdm630"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "mbmd-eastron-sdm630: board_meter, 19 points",
        "make: Eastron SDM630 through mbmd (Modbus meter gateway)",
        "topic: mbmd/{device}",
        "liveness: ../status, 'connected' or 'disconnected'",
    ]
    assert lines[5].split() == ["POINT", "TYPE", "UNIT", "TOPIC", "PATH"]
    assert lines[6].split() == ["voltage_l1", "voltage", "V", "Voltage/L1", "the", "bare", "value"]


def test_the_schema_fits_what_an_import_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert "$schema" in schema
    for file in sorted(MAPS.glob("*.csv")):
        assert main(["profile", "import", str(file)]) == 0
        written = yaml.safe_load(capsys.readouterr().out)
        # Numbers of states are keys: texts, as in JSON.
        jsonschema.validate(json.loads(json.dumps(written)), schema)


def test_the_guide_lists_the_devices_that_are_supported() -> None:
    table = "\n".join(markdown(shipped().values()))
    written = GUIDE.read_text(encoding="utf-8")
    assert table in written, "replace the table in docs/devices.md by: dcops profile list --markdown"


def test_an_import_keeps_what_somebody_has_made_of_the_profile_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, kept = tmp_path / "meter.yaml", tmp_path / "meter.yaml~"
    again = ["profile", "import", str(MAPS / "victron_em_energy_meter.csv"), "--output", str(output)]
    output.touch()
    assert (main(again), main(again)) == (0, 0)
    assert not kept.exists()
    edited = output.read_text().replace("kind: board_meter", "kind: rpp")
    output.write_text(edited)
    capsys.readouterr()
    assert main(again) == 0
    assert kept.read_text() == edited
    assert output.read_text() != edited
    assert f"note: {output} was there already; what it said is now in {kept}\n" in capsys.readouterr().err
