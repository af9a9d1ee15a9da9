"""``dcops record`` and ``dcops replay`` as a user types them, against devices on real sockets."""

import contextlib
import json
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.processes import free_port

READ = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 2)
WRITE = struct.pack(">HHHBBHH", 2, 0, 6, 1, 6, 0, 9)
HEAD = '{"dcops_frames": 1, "protocol": "modbus-tcp", "target": "10.0.0.5:502", "started": "x"}\n'
LINES = (
    '{"at": 1000, "link": 1, "kind": "request", "no": 1, "hex": "000700000006010300000002"}\n'
    '{"at": 2000, "link": 1, "kind": "reply", "no": 1, "hex": "00070000000701030412345678"}\n'
)


def dcops(*arguments: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dcops", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that has said it is ready."""
    command = [sys.executable, "-m", "dcops", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            while "(Ctrl-C ends)" not in said:
                line = process.stdout.readline()
                assert line, process.stderr.read()
                said += line
            process.said = said
            yield process
        finally:
            process.kill()


def interrupted(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out


def port_in(said: str) -> int:
    return int(re.search(r"127\.0\.0\.1:(\d+);", said)[1])


def ask(port: int, *requests: bytes) -> list[bytes]:
    replies = []
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        for request in requests:
            client.sendall(request)
            head = client.recv(6, socket.MSG_WAITALL)
            replies.append(head + client.recv(int.from_bytes(head[4:], "big"), socket.MSG_WAITALL))
    return replies


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    file = tmp_path / "device.frames"
    file.write_text(HEAD + LINES)
    return file


def test_a_proxy_records_what_a_replay_then_answers(tmp_path: Path, frames: Path) -> None:
    answer = struct.pack(">HHHBBBI", 1, 0, 7, 1, 3, 4, 0x12345678)
    taken = tmp_path / "taken.frames"
    with started("replay", str(frames), "--listen", "127.0.0.1:0") as devices:
        target = f"127.0.0.1:{port_in(devices.said)}"
        listen = ["--listen", "127.0.0.1:0", "--to", target]
        with started("record", *listen, "--output", str(taken)) as proxy:
            found = ask(port_in(proxy.said), READ, WRITE)
            assert found == [answer, struct.pack(">HHHBBB", 2, 0, 3, 1, 0x86, 1)]
            out = interrupted(proxy)
            assert f"{taken}: 1 request, 1 answered, 1 refused because they are no reads" in out
        summary = interrupted(devices)
        assert re.search(r"^requests +1$", summary, re.MULTILINE)
        assert re.search(r"^faults +none$", summary, re.MULTILINE)
    lines = [json.loads(line) for line in taken.read_text().splitlines()]
    assert lines[0]["target"] == target
    assert [(line["kind"], line["hex"]) for line in lines[1:]] == [
        ("request", READ.hex()),
        ("reply", answer.hex()),
        ("refused", WRITE.hex()),
    ]
    again = ["replay", str(taken), "--listen", "127.0.0.1:0", "--fault", "exception:6=1"]
    with started(*again) as devices:
        assert ask(port_in(devices.said), READ) == [struct.pack(">HHHBBB", 1, 0, 3, 1, 0x83, 6)]
        assert re.search(r"^faults +exception 1$", interrupted(devices), re.MULTILINE)


def test_a_site_is_recorded_with_one_command_endpoint_by_endpoint(tmp_path: Path) -> None:
    site, taken = str(tmp_path / "site"), tmp_path / "taken"
    shape = ["--rows", "1", "--racks", "2", "--period", "1s", "--base-port", str(free_port(40))]
    assert dcops("site", "generate", site, *shape, "--broker-port", str(free_port())).returncode == 0
    chosen = ["--endpoint", "b1-h1-r01-pdus", "--endpoint", "b1-chiller-1"]
    with started("simulate", site, "--broker"):
        done = dcops("record", site, *chosen, "--output", str(taken), "--duration", "5s")
    assert done.returncode == 0, done.stderr
    assert "2 endpoints read" in done.stdout
    assert sorted(file.name for file in taken.iterdir()) == ["b1-chiller-1.frames", "b1-h1-r01-pdus.frames"]
    for file in taken.iterdir():
        head, *lines = map(json.loads, file.read_text().splitlines())
        assert head["protocol"] == "modbus-tcp"
        assert {line["kind"] for line in lines} == {"request", "reply"}
    again = dcops("record", site, *chosen, "--output", str(taken), "--duration", "3s")
    assert again.returncode == 1
    assert "there is a file already; give another --output, or --force" in again.stderr
    replayed = dcops(
        "replay", *(str(file) for file in taken.iterdir()), "--listen", "127.0.0.1:0", "--duration", "500ms"
    )
    assert replayed.returncode == 0, replayed.stderr


def test_recording_ends_when_enough_is_written(tmp_path: Path, frames: Path) -> None:
    taken = tmp_path / "taken.frames"
    with started("replay", str(frames), "--listen", "127.0.0.1:0") as devices:
        listen = ["--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{port_in(devices.said)}"]
        with started("record", *listen, "--output", str(taken), "--max-mb", "0.001") as proxy:
            with contextlib.suppress(OSError):  # it is cut when enough is written
                ask(port_in(proxy.said), *[READ] * 50)
            out, _ = proxy.communicate(timeout=120)
            assert proxy.returncode == 0
    assert "--max-mb allows more" in out
    assert taken.stat().st_size <= 1000


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["record", "--output", "x"], 2, "give either SITE, or --listen and --to"),
        (["record", "--to", "a:502", "--output", "x"], 2, "argument --listen: is needed with --to"),
        (["record", "--to", "a", "--output", "x"], 2, "'a' is no address; write HOST:PORT"),
        (["record", "site/", "--listen", "a:1", "--output", "x"], 2, "go with --to only"),
        (["record", "--to", "a:1", "--listen", "a:1", "--endpoint", "e", "--output", "x"], 2, "SITE only"),
        (["record", "examples/small", "--endpoint", "ga", "--output", "x"], 1, "no Modbus endpoint 'ga'"),
        (["replay", "x", "--fault", "late"], 2, "'late': write KIND=SHARE with a share from 0 to 1"),
        (["replay", "x", "--fault", "tardy=0.1"], 2, "'tardy' is no fault; there are late, duplicate"),
        (
            ["replay", "x", "--fault", "late=0.7", "--fault", "silent=0.7"],
            2,
            "the shares of the faults are 1.4",
        ),
        (["replay", "x", "y", "--listen", "a:65535"], 2, "there are no 2 ports from 65535 on"),
        (["replay", "nowhere"], 1, "dcops replay: nowhere: no such file or directory"),
        (["simulate", "examples/small", "--tls-certificate", "README.md"], 1, "README.md: "),
        (["simulate", "examples/small", "--tls-key", "README.md"], 1, "--tls-key and --tls-client-ca"),
        (["replay", "README.md"], 1, "dcops replay: README.md:1: not a recording of frames"),
    ],
)
def test_mistakes_are_one_line_and_an_exit_code(arguments: list[str], code: int, words: str) -> None:
    done = dcops(*arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_wrong_line_is_told_with_its_number(frames: Path) -> None:
    frames.write_text(HEAD + LINES + LINES)
    done = dcops("replay", str(frames))
    assert done.returncode == 1
    assert done.stderr == (f"dcops replay: {frames}:4: 'at' is 1000, before the line above it (2000)\n")
