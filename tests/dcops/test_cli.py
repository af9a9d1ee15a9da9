"""The command line as a user types it, in a process of its own."""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcops.cli import main
from dcops.options import add_address
from tests.servers.processes import free_port

ROOT = Path(__file__).parents[2]


def dcops(*arguments: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dcops", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def test_a_demo_ends_by_itself_with_a_summary():
    done = dcops("demo", "--duration", "12", "--port", "0", "--racks", "2", "--period", "1s")
    assert done.returncode == 0, done.stderr
    found = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.strip())
    devices, points = map(number, re.findall(r"\d[\d,]*", found["site"]))
    assert devices == 50
    assert points > 300
    polls, missed, _ = map(number, re.findall(r"\d[\d,]*", found["polls"]))
    assert polls > 2 * 50
    assert missed < polls / 2
    assert number(found["stored"].split()[0]) > 1000
    mark, value, *_ = found["PUE"].split()
    assert mark == "≈"  # of a day next to nothing is measured
    assert 1.0 < float(value) < 2.0


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_check_of_a_site_with_mistakes_exits_1_with_one_line_each(tmp_path: Path):
    site = tmp_path / "site.yaml"
    site.write_text(
        "dcops: 1\nname: Wrong\nspaces:\n  - {id: campus, level: campus, name: C}\n"
        "  - {id: b1, level: biulding, in: campus, name: B}\n"
        "endpoints:\n  - {id: gw, protocol: modbus-tcp, host: 127.0.0.1, port: 70000}\n",
        encoding="utf-8",
    )
    done = dcops("check", str(site))
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith(str(site))]
    assert any(":5:" in line and "did you mean" in line for line in lines), done.stderr
    assert any(":7:" in line and "70000" in line for line in lines), done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--duration", "soon"], "'soon' is no time; write 60, 500ms, 10s, 5min or 24h"),
        (["demo", "--port", "70000"], "'70000' is no port"),
        (["demo", "--racks", "ten"], "argument --racks: 'ten' is no whole number; write digits only"),
        (["demo", "--speed", "0"], "'0' is no number above 0; write one such as 2 or 0.5"),
        (
            ["site", "generate", "x", "--base-port", "0"],
            "'0' is no port to connect to; give one from 1 to 65535",
        ),
        (["nonsense"], "invalid choice: 'nonsense'"),
        ([], "COMMAND"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_expected(arguments, words):
    done = dcops(*arguments)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["demo"],
        ["check"],
        ["run"],
        ["simulate"],
        ["record"],
        ["replay"],
        ["site", "generate"],
        ["dashboards", "build"],
    ],
)
def test_every_command_explains_itself_with_an_example(command):
    done = dcops(*command, "--help")
    assert done.returncode == 0
    assert f"dcops {command[0]}" in done.stdout.split("example", 1)[1]


def test_names_to_answer_to_come_from_the_command_line_or_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(*arguments: str) -> frozenset[str]:
        parser = argparse.ArgumentParser()
        add_address(parser)
        return parser.parse_args(arguments).allowed_hosts

    monkeypatch.delenv("DCOPS_ALLOWED_HOSTS", raising=False)
    assert read() == frozenset()
    monkeypatch.setenv("DCOPS_ALLOWED_HOSTS", "dcops NOC.example,")
    assert read() == {"dcops", "noc.example"}
    assert read("--allowed-hosts", "a.example,b.example") == {"a.example", "b.example"}
    monkeypatch.setenv("DCOPS_ALLOWED_HOSTS", "https://noc.example:8443")
    with pytest.raises(SystemExit, match="2"):
        read()
    assert "'https://noc.example:8443' is no host name; write a name such as" in capsys.readouterr().err


def test_an_unknown_scenario_is_named_with_those_there_are(tmp_path: Path):
    done = dcops("demo", "--duration", "5", "--port", "0", "--scenario", "nothing-like-it")
    assert done.returncode == 1
    assert "nothing-like-it" in done.stderr
    assert "feed-a-lost" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_of_a_missing_site_says_so(tmp_path: Path):
    done = dcops("run", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_simulate_and_run_meet_on_the_wire_and_a_recording_is_replayed(tmp_path: Path):
    base = str(free_port(40))
    site = str(tmp_path / "site")
    shape = [
        "--rows",
        "1",
        "--racks",
        "2",
        "--period",
        "1s",
        "--base-port",
        base,
        "--broker-port",
        str(free_port()),
    ]
    made = dcops("site", "generate", site, *shape)
    assert made.returncode == 0, made.stderr
    recording = tmp_path / "seen.rec"
    simulate = [sys.executable, "-m", "dcops", "simulate", site, "--broker"]
    with subprocess.Popen(simulate, stdout=subprocess.PIPE, text=True) as devices:
        assert "devices are served" in devices.stdout.readline()
        run = [sys.executable, "-m", "dcops", "run", site, "--data", str(tmp_path / "data"), "--port", "0"]
        with subprocess.Popen(
            [*run, "--record", str(recording)], stderr=subprocess.PIPE, text=True
        ) as platform:
            address = next(
                found[0] for line in platform.stderr if (found := re.search(r"http://\S+\d", line))
            )
            deadline = time.monotonic() + 120
            while polls_done(address) <= 100 and time.monotonic() < deadline:
                time.sleep(0.1)
            platform.send_signal(signal.SIGTERM)
            assert platform.wait(120) == 0
        devices.send_signal(signal.SIGTERM)
        rest = devices.stdout.read()
        assert devices.wait(120) == 0
    assert number(rest.split()[0]) > 100
    assert recording.stat().st_size > 1000
    replayed = dcops("simulate", site, "--replay", str(recording), "--duration", "2s", "--broker")
    assert (replayed.returncode, replayed.stderr) == (0, "")
    recording.write_bytes(recording.read_bytes()[:-3])
    torn = dcops("simulate", site, "--replay", str(recording), "--duration", "1s", "--broker")
    assert torn.returncode == 0, torn.stderr
    assert re.search(rf"{recording}: its last \d+ bytes, \d+ samples, are torn and left out", torn.stderr)


def polls_done(address: str) -> int:
    with urllib.request.urlopen(f"{address}/api/v1/collection", timeout=60) as answer:
        return json.load(answer)["totals"]["polls_done"]


def test_an_interrupt_while_a_command_is_still_loading_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr("importlib.import_module", interrupted)
    assert main(["check", "site/"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    """As with ``dcops scan gw-1 | head -1``."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "dcops", "scan", f"127.0.0.1:{free_port()}", "--units", "1", "--json"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    os.close(write)
    assert done.returncode == 1
    assert "pipe" not in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_demo_whose_data_folder_cannot_be_made_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = dcops("demo", "--port", "0", "--racks", "2", "--data", str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"dcops demo: {tmp_path}/file")
    assert done.stderr.endswith("; give the path of a folder: a file is in the way\n")
    assert done.stderr.count("\n") == 1


def test_a_folder_where_a_file_is_asked_for_is_told_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(tmp_path)]) == 1
    said = f"dcops replay: {tmp_path}: is a directory; give a file: this is a folder\n"
    assert capsys.readouterr().err == said


def test_a_demo_whose_port_is_taken_says_so_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["demo", "--port", str(port), "--racks", "2"]) == 1
    assert capsys.readouterr().err == (
        f"dcops demo: the page can't be served at 127.0.0.1:{port}: address already in use;"
        " give another --port, or --port 0 for a free one\n"
    )


LOADS_UP_TO = """
import sys

class Waits:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print("loading", flush=True)
            sys.stdin.read()

sys.meta_path.insert(0, Waits())
"""
"""Python reads it at its start: the program loads up to a module and waits there."""


def test_a_run_does_not_write_over_a_recording_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "monday.rec"
    recording.write_text("precious")
    assert main(["run", str(tmp_path / "site"), "--record", str(recording)]) == 1
    assert (
        capsys.readouterr().err
        == f"{recording}: there is a file already; give another --record, or move it\n"
    )
    assert recording.read_text() == "precious"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Tests that run in the background ignore interrupts, and what they start would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("module", ["dcops.cli", "argparse", "numpy", "dcops.running"])
def test_a_signal_while_the_program_is_loading_ends_it_without_a_word(
    tmp_path: Path, module: str, number: signal.Signals
) -> None:
    (tmp_path / "sitecustomize.py").write_text(LOADS_UP_TO.format(module=module))
    with subprocess.Popen(
        [sys.executable, "-m", "dcops", "run", "nowhere"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(number)
        assert process.wait(60) == -number
        assert process.communicate() == ("", "")


def test_an_interrupt_stays_ignored_where_it_was() -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from dcops.__main__ import main\nimport sys; sys.argv = ['dcops', '--version']\n"
        "try: main()\nexcept SystemExit: print(signal.getsignal(signal.SIGINT).name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["dcops", "0.1.0", "SIG_IGN"]


def unread(*arguments: str, both: bool = False) -> tuple[int, str]:
    """Exit code and standard error of a command whose output nobody reads: not even that, if ``both``."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "dcops", *arguments],
        stdout=writer,
        stderr=writer if both else subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["--help"], 0),  # what cannot be printed of it is let go by the parser
        (["run", "--help"], 0),
        (["profile", "list"], 1),
        (["profile", "show", "eastron-sdm630"], 1),
    ],
    ids=str,
)
def test_a_reader_that_has_left_is_told_nothing(command: list[str], code: int) -> None:
    assert unread(*command) == (code, "")


def test_a_long_command_whose_reader_has_left_ends_without_a_complaint() -> None:
    code, told = unread("demo", "--duration", "1s", "--racks", "2", "--port", "0")
    assert code == 1
    assert [line for line in told.splitlines() if " INFO " not in line] == []


def test_a_reader_that_has_left_is_told_nothing_of_mistakes_either(tmp_path: Path) -> None:
    assert unread("check", str(tmp_path / "nowhere"), both=True) == (1, "")


def test_a_pipe_that_broke_elsewhere_is_no_reader_that_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise BrokenPipeError(name)

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(BrokenPipeError):
        main(["check", "site/"])


def test_an_option_that_a_command_does_not_have_is_told_with_where_its_options_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["check", "site/", "--bogus", "7"])
    assert capsys.readouterr().err.endswith(
        "error: unrecognized arguments: --bogus 7; see 'dcops check --help'\n"
    )


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = dcops("simulate", str(ROOT / "examples" / "small"), "--tls-certificate", str(tmp_path / "no.pem"))
    assert done.returncode == 1
    assert done.stderr == (
        f"dcops simulate: {tmp_path}/no.pem: no such file or directory; check the path and its permissions\n"
    )


def test_a_full_disk_behind_the_output_is_told_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "dcops", "profile", "list"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "dcops: what is printed finds no room: no space left on device;"
        " free some space, or choose another disk\n"
    )
