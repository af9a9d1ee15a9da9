"""Small sites for tests."""

from pathlib import Path

HEAD = "dcops: 1\nname: Test\n"
SPACES = """\
spaces:
  - {id: campus, level: campus}
  - {id: b1, level: building, in: campus, name: Building 1, rated_kw: 2000}
  - {id: r1, level: rack, in: b1, rated_kw: 130, position: 1}
"""
ENDPOINTS = """\
endpoints:
  - {id: gw, protocol: modbus-tcp, host: 10.0.0.1}
  - {id: broker, protocol: mqtt, host: broker.example, username: dcops, password_env: DCOPS_MQTT_PASSWORD}
"""
DEVICES = """\
devices:
  - {id: pdu-a, kind: rack_pdu, in: r1, profile: rack-pdu, endpoint: gw, unit: 1, feed: A, serves: [r1]}
  - {id: air, kind: environment_sensor, in: r1, profile: rack-climate, endpoint: broker}
"""
SITE = HEAD + SPACES + ENDPOINTS + DEVICES


def write_site(folder: Path, site: str = SITE, **tables: str) -> Path:
    """Write ``site.yaml`` and tables (``devices="id,kind…"``) into a folder and return the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "site.yaml").write_text(site, encoding="utf-8")
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder
