"""How collecting from a device and an endpoint goes: well, but for what a test says otherwise."""

from math import nan

from collectors.health import DeviceHealth, DeviceState, EndpointHealth, EndpointState


def device_health(device: str, **changes: object) -> DeviceHealth:
    usual: dict[str, object] = {
        "endpoint": "gw-1",
        "unit": 1,
        "state": DeviceState.ONLINE,
        "last_success": None,
        "polls_done": 0,
        "polls_missed": 0,
        "polls_failed": 0,
        "last_error": "",
    }
    return DeviceHealth(device=device, **(usual | changes))


def endpoint_health(endpoint: str, **changes: object) -> EndpointHealth:
    usual: dict[str, object] = {
        "protocol": "modbus-tcp",
        "address": "127.0.0.1:5020",
        "state": EndpointState.CONNECTED,
        "connected_since": None,
        "requests": 0,
        "errors": {},
        "round_trip": nan,
        "utilisation": nan,
        "last_error": "",
    }
    return EndpointHealth(endpoint=endpoint, **(usual | changes))
