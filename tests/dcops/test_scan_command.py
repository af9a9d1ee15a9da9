"""``dcops scan`` as a user types it."""

import json
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from collectors.commissioning.examining import Examined
from collectors.commissioning.matching import Match
from collectors.commissioning.scanning import HostFound, UnitFound, scan_host
from collectors.config import ModbusEndpoint, ModbusProtocol, SerialParity
from collectors.profiles import ModbusProfile
from collectors.profiles.reader import shipped
from dcops.cli import main
from dcops.scan_report import site_lines
from dcops.site_file import load
from tests.collectors.commissioning_server import Bank, Gateway
from tests.collectors.test_commissioning_scan import CDU, CHILLER, RACK_PDU
from tests.dcops.modbus_devices import served
from tests.servers.processes import free_port

QUICK = ("--pause", "1ms", "--timeout", "500ms")
UNITS = {3: RACK_PDU, 7: CHILLER, 9: CDU, 12: Bank()}


def scan(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(["scan", *arguments, *QUICK])
    except SystemExit as end:
        code = int(str(end.code))
    out, err = capsys.readouterr()
    return code, out, err


def test_what_is_found_is_a_table_and_lines_that_can_be_pasted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with served(Gateway(UNITS, absent=b"\x0b")) as gateway:
        code, out, err = scan(capsys, f"127.0.0.1:{gateway.port}", "--units", "1-12")
    assert code == 0
    place = f"127.0.0.1:{gateway.port}"
    rows = [line.split() for line in out.splitlines() if line.startswith(place)]
    assert [row[1] for row in rows] == ["3", "7", "9", "12"]
    assert "rack-pdu" in rows[0]
    assert "none fits" in next(line for line in out.splitlines() if "  12  " in line)
    assert "12 of 12 units asked, 4 found, 4 examined" in err
    site = tmp_path / "site.yaml"
    start = (
        "dcops: 1\nname: Found\nspaces:\n  - {id: room, level: campus, name: Room}\n"
        "  - {id: rack, level: rack, in: room, name: Rack}\n"
    )
    site.write_text(start + out[out.index("endpoints:") :].replace("PLACE", "rack"), encoding="utf-8")
    loaded = load(site)
    assert {(each.unit, each.profile.name) for each in loaded.plan.modbus} == {
        (3, "rack-pdu"),
        (7, "chiller"),
        (9, "cdu"),
    }
    (endpoint,) = loaded.plan.endpoints
    assert (endpoint.host, endpoint.port, endpoint.pause) == ("127.0.0.1", gateway.port, 0.001)


def test_json_holds_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with served(Gateway(UNITS, absent=b"\x0b")) as gateway:
        code, out, _ = scan(capsys, f"127.0.0.1:{gateway.port}", "--units", "3,4,12", "--json")
    assert code == 0
    answer = json.loads(out)
    (host,) = answer["hosts"]
    assert (host["host"], host["port"], host["units_asked"]) == ("127.0.0.1", gateway.port, 3)
    assert [unit["unit"] for unit in host["units"]] == [3, 12]
    assert host["units"][0]["matches"][0]["profile"] == "rack-pdu"
    assert host["units"][1]["answer"] == "exception 1 (illegal function)"
    assert yaml.safe_load(answer["site"])["devices"][0]["unit"] == 3


def test_several_hosts_are_scanned_and_the_unreachable_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    closed = free_port()
    with served(Gateway({1: RACK_PDU})) as one, served(Gateway({2: CDU})) as two, served(Gateway({})) as dumb:
        hosts = [f"127.0.0.1:{port}" for port in (one.port, two.port, dumb.port, closed)]
        code, out, err = scan(capsys, ",".join(hosts), "--units", "1,2")
    assert code == 0
    assert "rack-pdu" in out
    assert "cdu" in out
    assert f"{hosts[2]}: connects, but no unit of 2 answers" in err
    assert f"{hosts[3]}: connection refused" in err


def test_nothing_found_is_exit_code_1_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with served(Gateway({})) as dumb:
        code, out, err = scan(capsys, f"127.0.0.1:{dumb.port}", "--units", "1")
        assert code == 1
        assert out == ""
        assert "no unit of 1 answers" in err
    code, _, err = scan(capsys, f"127.0.0.1:{dumb.port}", "--units", "1")
    assert code == 1
    assert "connection refused" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["10.0.0.0/8"], "16,777,216 addresses, at most 1,024"),
        (["gw:x"], "'x' is no port"),
        (["gw", "--units", "0-300"], "numbers from 0 to 255"),
        (["gw", "--requests", "0"], "is no number of requests"),
        (["gw", "--protocol", "modbus"], "invalid choice"),
        (["gw", "--port", "0"], "is no port to connect to"),
        ([], "HOSTS"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, _, err = scan(capsys, *arguments)
    assert code == 2
    assert words in err


def test_own_profiles_are_tried(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "profile: mine\nkind: rack_pdu\nprotocol: modbus\ntable: holding\n"
        "identity: [{address: 5, from: 4900, to: 5100}]\n"
        "points:\n  - {name: frequency, address: 5, data: u16, scale: 0.01}\n",
        encoding="utf-8",
    )
    (tmp_path / "site.yaml").write_text("site: {name: Alpha}\nprofiles: [mine.yaml]\n", encoding="utf-8")
    with served(Gateway({3: RACK_PDU})) as gateway:
        place = f"127.0.0.1:{gateway.port}"
        _, out, told = scan(capsys, place, "--units", "3", "--profiles", str(tmp_path))
        code, _, err = scan(capsys, place, "--units", "3", "--profiles", str(tmp_path / "none"))
    assert "identity 5001 at holding 5" in out
    assert f"note: {tmp_path / 'site.yaml'}: left alone, it has no 'profile' at its top" in told
    assert code == 1
    assert "there is no profile; give a folder with .yaml files" in err


def test_an_interrupt_prints_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    held = threading.Event()

    class Endless(Gateway):
        def _reply(self, unit: int, pdu: bytes) -> bytes | None:
            if unit == 6:
                held.set()
            return super()._reply(unit, pdu)

    with served(Endless({3: RACK_PDU})) as gateway:
        command = [sys.executable, "-m", "dcops", "scan", f"127.0.0.1:{gateway.port}", "--timeout", "20s"]
        command += ["--units", "3,6,7"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        ) as running:
            assert held.wait(60)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=120)
    assert running.returncode == 0
    assert "stopped; this is what was found so far" in err
    assert "not examined" in out
    assert "Traceback" not in err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = scan(capsys, "--help")
    assert code == 0
    assert "dcops scan 192.0.2.0/28 --units 1-32,255" in out


@pytest.mark.parametrize(
    "endpoint",
    [
        ModbusEndpoint(id="x", host="192.0.2.10", port=502, pause=0.05),
        ModbusEndpoint(id="x", host="2001:db8::1", port=1502, pause=0.05, protocol=ModbusProtocol.UDP),
        ModbusEndpoint(id="x", host="gw", port=4001, pause=0.05, protocol=ModbusProtocol.RTU_TCP),
        ModbusEndpoint(
            id="x", host="gw", port=802, pause=0.05, protocol=ModbusProtocol.TLS, tls_ca=Path("/etc/ca.pem")
        ),
        ModbusEndpoint(
            id="x",
            device="/dev/ttyUSB0",
            pause=0.05,
            protocol=ModbusProtocol.RTU,
            baud=9600,
            parity=SerialParity.NONE,
            stop_bits=2,
        ),
    ],
    ids=lambda endpoint: str(endpoint.protocol),
)
def test_the_lines_for_the_site_say_every_protocol(endpoint: ModbusEndpoint, tmp_path: Path) -> None:
    profile = shipped()["crah"]
    assert isinstance(profile, ModbusProfile)
    examined = Examined(
        identification={}, matches=(Match(profile=profile, score=80, bits=30.0, reasons=()),), complete=True
    )
    host = HostFound(endpoint.host or endpoint.device, endpoint.port)
    host.units.append(UnitFound(9, 0.01, "data", examined))
    site = tmp_path / "site.yaml"
    lines = "\n".join(site_lines([(host, endpoint)])).replace("PLACE", "room")
    site.write_text(
        f"dcops: 1\nname: Found\nspaces:\n  - {{id: room, level: campus, name: Room}}\n{lines}\n",
        encoding="utf-8",
    )
    (found,) = load(site).plan.endpoints
    assert replace(found, id="x", turnaround=endpoint.turnaround) == endpoint


def test_a_device_the_program_stumbles_over_costs_its_own_address_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumbling(found: HostFound, *arguments: object, **options: object) -> None:
        if found.port == 1:
            raise ZeroDivisionError("float division by zero")
        await scan_host(found, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("dcops.commands.scan.scan_host", stumbling)
    with served(Gateway({7: RACK_PDU})) as one:
        code, out, err = scan(capsys, f"127.0.0.1:1,127.0.0.1:{one.port}", "--units", "7")
    assert code == 0
    assert "rack-pdu" in out
    assert "127.0.0.1:1: could not be scanned to the end: ZeroDivisionError('float division by zero')" in err


def test_a_scan_without_any_pause_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", f"127.0.0.1:{free_port()}", "--units", "1", "--pause", "0"]) == 1
    assert "connection refused" in capsys.readouterr().err
