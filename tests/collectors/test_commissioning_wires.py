"""A simulated plant behind every kind of wire: each unit's best profile is its own."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from collectors.commissioning.connecting import Connections
from collectors.commissioning.scanning import HostFound, ScanSettings, scan_host
from collectors.config import CollectionPlan, ModbusProtocol
from collectors.profiles import ModbusProfile
from collectors.profiles.reader import shipped
from simulators.clock import ManualClock
from simulators.plant import Plant
from simulators.readings import Readings
from simulators.wire.modbus import Manner, modbus_servers
from tests.servers.processes import free_port
from tests.simulators.sites import WINTER, build_plan, build_site

ALL = tuple(each for each in shipped().values() if isinstance(each, ModbusProfile))
NOT_SURE = {"generator"}
"""It stands still: of zeros and a counter nobody can tell what they are."""


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("protocol", list(ModbusProtocol))
async def test_each_kind_of_device_is_recognised(protocol: ModbusProtocol, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("device.example").configure_cert(tls)
    site = build_site(rows=1, racks_per_row=1)
    plan = build_plan(site, free_port(), free_port())
    endpoint = replace(
        plan.endpoints[0],
        protocol=protocol,
        device=str(tmp_path / "bus"),
        baud=115200,
        tls_ca=tmp_path / "ca.pem",
        server_name="device.example",
    )
    one_each = {binding.profile.name: binding for binding in plan.modbus}
    units = {binding.unit: name for name, binding in one_each.items()}
    served = CollectionPlan(endpoints=(endpoint,), modbus=tuple(one_each.values()))
    readings = Readings(site, Plant(site, 1, WINTER), ManualClock(WINTER), resolution=3600.0)
    manners = {endpoint.id: Manner(gateway_answers=True)}
    (server,) = modbus_servers(site, served, readings, manners, tls=tls)
    await server.start()
    found = HostFound("plant", 0)
    settings = ScanSettings(units=tuple(units), profiles=ALL, patience=2.0)
    connections = Connections()
    try:
        await scan_host(found, connections.to(endpoint), settings, sleep=no_pause)
    finally:
        connections.close()
        await server.stop()
    assert found.error == ""
    names = {
        unit.unit: [match.profile.name for match in unit.examined.matches]
        for unit in found.units
        if unit.examined is not None
    }
    assert sorted(names) == sorted(units)
    for unit, name in units.items():
        if name in NOT_SURE:
            assert name in names[unit]
        else:
            assert names[unit][:1] == [name]
