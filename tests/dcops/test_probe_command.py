"""``dcops probe`` as a user types it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dcops.cli import main
from tests.collectors.commissioning_server import HOLDING, Bank, Gateway
from tests.collectors.test_commissioning_probe import LOADED, swapped
from tests.collectors.test_commissioning_scan import RACK_PDU
from tests.dcops.modbus_devices import served

SWAPPED = Bank(words={HOLDING: swapped(LOADED, 0, 2, 10, 12, 14, 16)})
QUICK = ("--pause", "1ms", "--timeout", "500ms")


def probe(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(["probe", *arguments, *QUICK])
    except SystemExit as end:
        code = int(str(end.code))
    out, err = capsys.readouterr()
    return code, out, err


def test_each_point_is_a_line_with_raw_words_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    with served(Gateway({3: RACK_PDU})) as gateway:
        code, out, err = probe(capsys, f"127.0.0.1:{gateway.port}", "--unit", "3", "--profile", "rack-pdu")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert rows["active_power"] == ["holding", "0", "45D5", "2000", "6820", "W", "good"]
    assert rows["voltage_l1"] == ["holding", "6", "0901", "230.5", "V", "good"]
    assert rows["active_energy"] == ["holding", "16", "075B", "CD15", "123456789", "Wh", "good"]


def test_a_wrong_order_is_hinted_at_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with served(Gateway({3: SWAPPED})) as gateway:
        code, out, _ = probe(capsys, f"127.0.0.1:{gateway.port}", "--unit", "3", "--profile", "rack-pdu")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("hint: 5 of 5 doubtful values become plausible with order CDAB")
    at = lines.index("active_power, holding 0, could be:")
    assert lines[at + 2].split() == ["→", "6820", "W", "CDAB", "f32"]


def test_a_point_can_be_chosen_and_compared_with_a_known_value(capsys: pytest.CaptureFixture[str]) -> None:
    with served(Gateway({3: SWAPPED})) as gateway:
        place = ("127.0.0.1:%d" % gateway.port, "--unit", "3", "--profile", "rack-pdu")  # noqa: UP031
        _, out, _ = probe(capsys, *place, "--point", "active_energy", "--expect", "123456789", "--json")
        _, every, _ = probe(capsys, *place, "--point", "voltage_l1", "--orders")
    (point,) = json.loads(out)["points"]
    best = point["readings"][0]
    assert (best["order"], best["data"], best["value"], best["near"]) == ("CDAB", "u32", 123456789.0, True)
    assert "voltage_l1, holding 6, could be:" in every
    assert "active_energy" not in every


@pytest.mark.parametrize("absent", [None, b"\x0b"])
def test_a_unit_that_is_not_there_is_exit_code_1(
    capsys: pytest.CaptureFixture[str], absent: bytes | None
) -> None:
    with served(Gateway({}, absent=absent)) as gateway:
        place = f"127.0.0.1:{gateway.port}"
        code, out, err = probe(capsys, place, "--unit", "3", "--profile", "rack-pdu")
    assert code == 1
    assert f"{place} unit 3: no block of the profile could be read" in err
    assert "reading holding 0+18" in out
    code, _, err = probe(capsys, place, "--unit", "3", "--profile", "rack-pdu")
    assert code == 1
    assert "connection refused" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gw"], "give --unit and --profile"),
        (["gw", "--unit", "1", "--profile", "rack-pduu"], "'rack-pduu' is no profile"),
        (["gw", "--unit", "1", "--profile", "rack-climate"], "is not read over Modbus"),
        (["gw", "--unit", "300", "--profile", "rack-pdu"], "give a number from 0 to 255"),
        (["gw", "--unit", "1", "--profile", "rack-pdu", "--point", "power"], "'power' is no point"),
        (["gw", "--unit", "1", "--profile", "rack-pdu", "--expect", "5"], "--expect needs --point"),
        (["gw", "--unit", "1", "--profile", "rack-pdu", "--expect", "nan"], "'nan' is no number"),
        (["gw:x", "--unit", "1", "--profile", "rack-pdu"], "'x' is no port"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, _, err = probe(capsys, *arguments)
    assert code == 2
    assert words in err


def test_a_profile_file_of_another_ending_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("profile: mine\n", encoding="utf-8")
    code, _, err = probe(capsys, "gw", "--unit", "1", "--profile", str(file))
    assert (code, err) == (2, f"dcops probe: {file}: files of profiles end with .yaml or .yml; rename it\n")


def test_a_profile_file_is_taken_and_its_mistakes_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "profile: mine\nkind: rack_pdu\nprotocol: modbus\ntable: holding\n"
        "points:\n  - {name: frequency, address: 5, data: u16, scale: 0.01}\n",
        encoding="utf-8",
    )
    with served(Gateway({3: RACK_PDU})) as gateway:
        place = f"127.0.0.1:{gateway.port}"
        code, out, err = probe(capsys, place, "--unit", "3", "--profile", str(file))
    assert (code, err) == (0, "")
    assert "50.01" in out
    file.write_text("profile: mine\nkind: toaster\n", encoding="utf-8")
    code, _, err = probe(capsys, place, "--unit", "3", "--profile", str(file))
    assert code == 1
    assert f"{file}:2:" in err
    assert "Traceback" not in err
    code, _, err = probe(capsys, place, "--unit", "3", "--profile", str(tmp_path / "no.yaml"))
    assert code == 1
    assert "no.yaml" in err


def site_with(port: int, folder: Path) -> Path:
    site = folder / "site.yaml"
    site.write_text(
        "dcops: 1\nname: Room\nspaces:\n  - {id: room, level: campus, name: Room}\n"
        "  - {id: rack, level: rack, in: room, name: Rack}\n"
        f"endpoints:\n  - {{id: gw, protocol: modbus-tcp, host: 127.0.0.1, port: {port}, timeout: 500ms}}\n"
        "devices:\n"
        "  - {id: pdu, kind: rack_pdu, in: rack, profile: rack-pdu, endpoint: gw, unit: 3}\n",
        encoding="utf-8",
    )
    return site


def test_a_device_of_a_site_is_read_as_the_site_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with served(Gateway({3: RACK_PDU})) as gateway:
        site = str(site_with(gateway.port, tmp_path))
        code, out, _ = probe(capsys, site, "pdu")
        assert code == 0
        assert "45D5 2000" in out
        code, _, err = probe(capsys, site, "pduu")
    assert code == 2
    assert "'pduu' is no Modbus device" in err
    code, _, err = probe(capsys, str(tmp_path / "nowhere"), "pdu")
    assert code == 1
    assert "nowhere" in err


def test_watching_reads_again_until_it_is_stopped() -> None:
    with served(Gateway({3: RACK_PDU})) as gateway:
        command = [sys.executable, "-m", "dcops", "probe", f"127.0.0.1:{gateway.port}", "--unit", "3"]
        command += ["--profile", "rack-pdu", "--watch", "10ms", "--json", *QUICK]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as running:
            assert running.stdout is not None
            readings = [json.loads(running.stdout.readline()) for _ in range(3)]
            running.send_signal(signal.SIGINT)
            running.stdout.read()
    assert running.returncode == 0
    assert all(reading["points"][0]["value"] == 6820.0 for reading in readings)


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = probe(capsys, "--help")
    assert code == 0
    assert "dcops probe site/ rack-1-pdu-a --watch 2s" in out
