"""``dcops simulate --replay`` as a user types it: what it says of the recording it is given."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import orjson
import pytest

from tests.servers.processes import free_port

SECOND = 1_000_000_000


def dcops(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dcops", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two Modbus devices."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "site.yaml").write_text(
        f"""
dcops: 1
name: Two meters
spaces:
  - {{id: campus, level: campus, name: Campus}}
endpoints:
  - {{id: gw, protocol: modbus-tcp, host: 127.0.0.1, port: {free_port()}}}
devices:
  - {{id: one, kind: utility_meter, in: campus, profile: utility-meter, endpoint: gw, unit: 1}}
  - {{id: two, kind: utility_meter, in: campus, profile: utility-meter, endpoint: gw, unit: 2}}
"""
    )
    return folder


def recording(path: Path, series: str, *times: float) -> str:
    """A file with a value of a series at each time in seconds."""
    samples = b"".join(struct.pack("<IIqdB", 0, 1, int(each * SECOND), 5.0, 192) for each in times)
    packed = zlib.compress(samples)
    block = struct.pack(">4sIII", b"DCRB", len(times), len(packed), zlib.crc32(packed)) + packed
    head = orjson.dumps({"dcops_recording": 1, "started": 0, "series": [series]})
    path.write_bytes(head + b"\n" + (block if times else b""))
    return str(path)


def test_a_recording_of_another_site_is_refused(site: Path, tmp_path: Path) -> None:
    other = recording(tmp_path / "other", "b7-chiller.active_power", 1)
    found = dcops("simulate", str(site), "--replay", other, "--duration", "1s")
    assert found.returncode == 1
    assert found.stderr == (
        f"dcops simulate: {other} is of another site: it has b7-chiller.active_power, and nothing of this"
        " site's devices\n"
    )


def test_a_recording_without_samples_is_refused(site: Path, tmp_path: Path) -> None:
    empty = recording(tmp_path / "empty", "one.active_power")
    found = dcops("simulate", str(site), "--replay", empty, "--duration", "1s")
    assert (found.returncode, found.stderr) == (
        1,
        f"dcops simulate: {empty} holds no samples; was anything read while it was made?\n",
    )


def test_the_end_and_what_does_not_answer_are_told(site: Path, tmp_path: Path) -> None:
    short = recording(tmp_path / "short", "one.active_power", 100, 100.5)
    found = dcops("simulate", str(site), "--replay", short, "--duration", "2s")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines() == [
        "1 of 2 devices is not in the recording and does not answer: two",
        "2 devices are served   (Ctrl-C ends)",
        f"{short} has been played; devices go on showing what they showed last",
        "0 requests came",
    ]
