"""The generated site, which is simulated, and the copy of it that dcops runs.

The copy has devices and rules more: probes, whose registers the bench itself serves and changes.
"""

import csv
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.campus.case import PRESETS, Case

PROBE_SPACE = "bench"
PROBE_POINT = "step"
ALARM_LIMIT = 1000.0
"""A probe that shows more raises an alarm."""
_PROBE = "bench-probe"
_BROKER = "broker"
_PROFILE = f"""\
profile: {_PROBE}
kind: valve
protocol: modbus
source: benchmark
table: holding
points:
  - {{name: {PROBE_POINT}, type: generic, address: 0, data: f32, unit: "1"}}
"""
_RULE = {
    "name": "bench-step",
    "point": "generic",
    "devices": [f"{_PROBE}-*"],
    "high": f"{ALARM_LIMIT:g} 1",
    "priority": "low",
    "message": "{device} in {place} shows {value}, limit {limit}",
    "action": "None; it is a benchmark.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sites:
    """Where both are."""

    simulated: Path
    run: Path
    probe_port: int
    probes: tuple[str, ...]


def probe_names(count: int) -> tuple[str, ...]:
    """Ids of the probes; their units are 1, 2, 3 …."""
    return tuple(f"{_PROBE}-{number:02}" for number in range(1, count + 1))


def generate(case: Case, broker_port: int) -> Path:
    """Have ``dcops site generate`` write the site.

    Raises:
        RuntimeError: it did not; it has said why.
    """
    folder = case.folder / "site"
    command = (
        *("site", "generate", folder, "--preset", PRESETS[case.points], "--period", duration(case.period)),
        *("--base-port", case.base_port, "--broker-port", broker_port),
    )
    dcops(command)
    return folder


def with_probes(
    simulated: Path, case: Case, probe_port: int, stores: Sequence[Mapping[str, object]] = ()
) -> Sites:
    """Write the copy that dcops runs, beside the site that is simulated."""
    folder = simulated.with_name("site-run")
    shutil.copytree(simulated, folder)
    names = probe_names(case.probes)
    _append(folder / "spaces.csv", [{"id": PROBE_SPACE, "level": "hall", "in": "campus", "name": "Probes"}])
    endpoint = {"id": "bench", "protocol": "modbus-tcp", "host": "127.0.0.1", "port": str(probe_port)}
    _append(folder / "endpoints.csv", [endpoint])
    same = {"kind": "valve", "in": PROBE_SPACE, "profile": _PROBE, "endpoint": "bench"}
    _append(
        folder / "devices.csv",
        [{"id": name, "unit": str(unit), **same} for unit, name in enumerate(names, start=1)],
    )
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / f"{_PROBE}.yaml").write_text(_PROFILE, encoding="utf-8")
    more: dict[str, object] = {"alarms": {"rules": [_RULE]}}
    if stores:
        more["stores"] = [dict(each) for each in stores]
    _add(folder / "site.yaml", more)
    return Sites(simulated=simulated, run=folder, probe_port=probe_port, probes=names)


def with_stores(simulated: Path, stores: Sequence[Mapping[str, object]]) -> Path:
    """Write a copy that has stores more, and nothing else."""
    folder = simulated.with_name("site-run")
    shutil.copytree(simulated, folder)
    _add(folder / "site.yaml", {"stores": [dict(each) for each in stores]})
    return folder


def without_broker(folder: Path) -> None:
    """Leave out all devices that are read over MQTT, and their broker."""
    for name, key in (("devices.csv", "endpoint"), ("endpoints.csv", "id")):
        columns, rows = _rows(folder / name)
        _write(folder / name, columns, [row for row in rows if row[key] != _BROKER])


def silence(case: Case) -> Path:
    """A scenario in which the dead share of the devices never answers."""
    path = case.folder / "dead.yaml"
    step = {"at": "0s", "do": "silent", "devices": "*", "share": f"{case.dead:.0%}"}
    path.write_text(yaml.safe_dump({"dcops_scenario": 1, "name": "Dead devices", "steps": [step]}), "utf-8")
    return path


def change_one_device(site: Path) -> str:
    """Give one device of the site another name, as an engineer would before a reload; returns its id."""
    columns, rows = _rows(site / "devices.csv")
    row = next(each for each in rows if each["kind"] == "rack_pdu")
    if "name" not in columns:
        columns = [*columns, "name"]
    row["name"] = "Renamed while running"
    _write(site / "devices.csv", columns, rows)
    return row["id"]


def dcops(arguments: Iterable[object]) -> None:
    """Run a command of dcops to its end.

    Raises:
        RuntimeError: it failed; the message holds what it said.
    """
    command = [sys.executable, "-m", "dcops", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} ended with {done.returncode}:\n{done.stderr}")


def duration(seconds: float) -> str:
    """As a site writes it."""
    return f"{seconds * 1000:.0f}ms"


def _add(path: Path, more: Mapping[str, object]) -> None:
    """Add keys to a site file; a list of profiles that is there already is kept."""
    head = yaml.safe_load(path.read_text("utf-8"))
    head.setdefault("profiles", ["profiles/"])
    path.write_text(yaml.safe_dump({**head, **more}, allow_unicode=True, sort_keys=False), "utf-8")


def _append(path: Path, more: Sequence[Mapping[str, str]]) -> None:
    columns, rows = _rows(path)
    _write(path, columns, [*rows, *more])


def _rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        return list(reader.fieldnames or ()), list(reader)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
