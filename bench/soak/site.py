"""The site of a soak: Modbus devices behind a few servers, and devices that publish to one broker."""

from collections.abc import Iterator
from pathlib import Path

from bench.soak.load import FIELDS, POINTS, Load, is_timed, point_name, polled_id, publishing_id

DATABASE = "soak"


def topic(device: int) -> str:
    """Where a device publishes."""
    return f"soak/{publishing_id(device)}"


def write_site(folder: Path, load: Load, *, victoria: str, influx: str) -> Path:
    """Write it for these stores; the path of the site file."""
    folder.mkdir(parents=True, exist_ok=True)
    points = [
        f"  - {{name: {point_name(at)}, type: generic, address: {at}, data: u16}}" for at in range(POINTS)
    ]
    fields = [f"  - {{name: {point_name(at)}, type: generic, path: v.{at}}}" for at in range(FIELDS)]
    polled = ("profile: soak-polled", "protocol: modbus", "table: holding")
    publishing = ("protocol: mqtt", "topic: soak/{device}", "kind: environment_sensor")
    timed = ("profile: soak-timed", "time: {path: ts, format: epoch_ms}")
    _write(folder / "polled.yaml", [*polled, "kind: environment_sensor", "points:", *points])
    _write(folder / "timed.yaml", [*timed, *publishing, "points:", *fields])
    _write(folder / "untimed.yaml", ["profile: soak-untimed", *publishing, "points:", *fields])
    path = folder / "site.yaml"
    _write(path, _site(load, victoria, influx))
    return path


def _site(load: Load, victoria: str, influx: str) -> Iterator[str]:
    yield from (
        "dcops: 1",
        "name: Soak",
        "collection: {period: 1s}",
        "profiles: [polled.yaml, timed.yaml, untimed.yaml]",
    )
    yield from ("spaces:", "  - {id: campus, level: campus}", "endpoints:")
    for at, port in enumerate(load.modbus_ports):
        yield f"  - {{id: server-{at}, protocol: modbus-tcp, host: 127.0.0.1, port: {port}, timeout: 3s}}"
    yield f"  - {{id: broker, protocol: mqtt, host: 127.0.0.1, port: {load.broker_port}}}"
    yield "devices:"
    common = "kind: environment_sensor, in: campus"
    for device in range(load.polled):
        endpoint, unit = load.place(device)
        where = f"profile: soak-polled, endpoint: server-{endpoint}, unit: {unit}"
        yield f"  - {{id: {polled_id(device)}, {common}, {where}}}"
    for device in range(load.publishing):
        profile = "soak-timed" if is_timed(device) else "soak-untimed"
        where = f"profile: {profile}, endpoint: broker, period: 10s"
        yield f"  - {{id: {publishing_id(device)}, {common}, {where}}}"
    yield "stores:"
    yield f'  - {{kind: victoriametrics, url: "{victoria}"}}'
    yield f'  - {{kind: influxdb1, url: "{influx}", database: {DATABASE}}}'


def _write(path: Path, lines: Iterator[str] | list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
