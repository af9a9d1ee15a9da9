"""A site of climate sensors behind one MQTT broker."""

_HEAD = """
dcops: 1
name: Climate
spaces:
  - {{id: campus, level: campus}}
  - {{id: rack-1, level: rack, in: campus}}
endpoints:
  - {{id: broker, protocol: mqtt, host: 127.0.0.1, port: {port}, client_id: collector}}
devices:
"""


def climate_site(port: int, *sensors: str, more: str = "") -> str:
    """Its file; ``more`` are further keys of each sensor."""
    keys = f"kind: environment_sensor, in: rack-1, profile: rack-climate, endpoint: broker{more}"
    return _HEAD.format(port=port) + "".join(f"  - {{id: {sensor}, {keys}}}\n" for sensor in sensors)
