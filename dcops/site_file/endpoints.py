"""Endpoints as items."""

import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeGuard

from collectors.config import MqttBroker
from collectors.profiles import ModbusProfile, Profile
from dcops.site_file.entries import Entry, shown
from dcops.site_file.fields import listed
from dcops.site_file.items import MqttItem
from dcops.site_file.meant_keys import written_for
from dcops.site_file.modbus_items import MODBUS_ITEMS, ModbusItem, ModbusTlsItem, address_of, files_of
from dcops.site_file.problems import Findings, near
from dcops.site_file.registry import EndpointItem, Registry
from dcops.site_file.secrets import SecretRef
from dcops.site_file.shapes import Shaped, keys_of, label, required_keys, shape

_MODELS: dict[str, type[ModbusItem] | type[MqttItem]] = {**MODBUS_ITEMS, "mqtt": MqttItem}
MODBUS = "Modbus"
_WITH_FILES = frozenset({"modbus-tls", "mqtt"})
"""Protocols whose endpoints may name files."""
_MQTT_PORT = 1883
_MQTT_TLS_PORT = 8883

ENDPOINT_KEYS = frozenset[str]().union(*map(keys_of, _MODELS.values()))
"""Every key an endpoint may have, whatever its protocol."""
ENDPOINT_REQUIRED = required_keys(MqttItem).intersection(*map(required_keys, _MODELS.values()))
"""Keys every endpoint must have."""


def read_endpoint(entry: Entry, findings: Findings) -> Shaped[EndpointItem]:
    """The endpoint an entry describes; mistakes are noted."""
    if entry.broken:
        return Shaped(None)
    protocol = entry.values.get("protocol")
    model = _MODELS.get(protocol) if isinstance(protocol, str) else None
    if model is None:
        message = "protocol is missing; add 'protocol: modbus-tcp' or 'protocol: mqtt'"
        other = written_for("protocol", ENDPOINT_KEYS, entry.values)
        if protocol is None and other:
            message = f"unknown key {other!r}; did you mean 'protocol'?"
        elif protocol is not None:
            meant = [] if protocol == "modbus" else _MODELS  # it is near to five of them
            mend = near(str(protocol), meant) or f"write {listed(list(_MODELS))}"
            message = f"protocol: {shown(protocol)} is no protocol; {mend}"
        findings.add(entry.at("protocol"), f"{label('endpoint', entry)}: {message}")
        return Shaped(None)
    check_one_place(entry, "password", "endpoint", findings)
    item = shape(model, entry, "endpoint", findings)
    if isinstance(item, ModbusTlsItem) and item.tls_key and not item.tls_cert:
        findings.add(
            entry.at("tls_key"), f"{label('endpoint', entry)}: tls_key has no certificate; add 'tls_cert: …'"
        )
        return Shaped(None)
    return Shaped(item)


def protocol_of(profile: Profile) -> str:
    """What the endpoints of a profile speak: Modbus, over whatever it may be, or mqtt."""
    return MODBUS if isinstance(profile, ModbusProfile) else "mqtt"


def spoken_by(endpoint: EndpointItem) -> str:
    """What an endpoint speaks: Modbus, over whatever it may be, or mqtt."""
    return MODBUS if isinstance(endpoint, ModbusItem) else endpoint.protocol


def warn_endpoints(registry: Registry, folder: Path, shared: Mapping[str, str]) -> None:
    """Warn of endpoints that no device is behind, that share an address or lack their certificate.

    ``shared`` is what ``shared_addresses`` says of them.
    """
    findings, entries = registry.findings, registry.endpoints.entries
    used = {device.endpoint for device in registry.devices.items.values()}
    for item in registry.endpoints.items.values():
        if item.id not in used:
            findings.warn(entries[item.id].place, f"endpoint {item.id} has no devices")
        if item.protocol not in _WITH_FILES:
            continue
        for key, file in _files_of(item).items():
            if file and not (folder / file).is_file():
                findings.warn(entries[item.id].at(key), f"endpoint {item.id}: {shown(file)} is not there")
    items = registry.endpoints.items
    for item_id, first in shared.items():
        item = items[item_id]
        if is_on_modbus(item):
            message = f"{address_of(item)} is that of {first} too; make them one endpoint"
            findings.warn(entries[item_id].place, f"endpoint {item_id}: {message}")


def shared_addresses(endpoints: Iterable[EndpointItem]) -> dict[str, str]:
    """Of each endpoint on Modbus that has the address of another one before it, that one."""
    addresses: dict[str, str] = {}
    found: dict[str, str] = {}
    for item in endpoints:
        if is_on_modbus(item):
            first = addresses.setdefault(address_of(item), item.id)
            if first != item.id:
                found[item.id] = first
    return found


def _files_of(item: EndpointItem) -> dict[str, str]:
    """Files it names, by key."""
    if is_on_modbus(item):
        return files_of(item)
    return {"tls_ca": item.tls_ca} if isinstance(item, MqttItem) and item.tls_ca else {}


def is_on_modbus(item: EndpointItem) -> TypeGuard[ModbusItem]:
    """Whether it speaks Modbus: much quicker told by its word than by its class, and there are thousands."""
    return item.protocol != "mqtt"


def mqtt_broker(item: MqttItem, site: str, folder: Path) -> MqttBroker:
    """The broker as collectors take it, still without its password.

    The client id holds the site's name, so that two sites on one broker do not throw each other out, and
    this machine's where several share the messages.
    """
    words = re.sub(r"[^a-z0-9]+", "-", site.lower()).strip("-")
    client_id = item.client_id or f"dcops-{words}-{item.id}{'-{host}' if item.share else ''}"
    default_port = _MQTT_TLS_PORT if item.tls_ca else _MQTT_PORT
    return MqttBroker(
        id=item.id,
        host=item.host,
        port=item.port if item.port is not None else default_port,
        client_id=client_id.replace("{host}", platform.node()),
        username=item.username,
        tls_ca=folder / item.tls_ca if item.tls_ca else None,
        version=item.version,
        qos=item.qos,
        session_expiry=item.session_expiry,
        in_flight=item.in_flight,
        share=item.share or "",
    )


def broker_password(item: MqttItem, folder: Path) -> SecretRef | None:
    """Where the broker's password is, if it has one."""
    return secret_ref(item.password_env, item.password_file, folder)


def check_one_place(entry: Entry, key: str, what: str, findings: Findings) -> None:
    """Note if a secret is said to be in two places, ``KEY_env`` and ``KEY_file``."""
    if entry.text(f"{key}_env") and entry.text(f"{key}_file"):
        findings.add(
            entry.at(f"{key}_file"), f"{label(what, entry)}: {key}_env is given too; keep one of them"
        )


def secret_ref(env: str | None, file: str | None, folder: Path) -> SecretRef | None:
    """A secret named by a pair of keys ``…_env`` and ``…_file``; None if neither is written."""
    if env is None and file is None:
        return None
    return SecretRef(env=env, file=folder / file if file is not None else None)
