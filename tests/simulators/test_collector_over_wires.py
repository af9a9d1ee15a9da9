"""Our own collector reads simulated devices over every wire, through the whole of both."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trustme

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusProtocol
from collectors.profiles import ModbusProfile
from facility.quality import is_good
from facility.sample import Sample
from facility.site import Site
from simulators.clock import ScaledClock
from simulators.plant import LoadKind, Plant
from simulators.readings import Readings
from simulators.wire.modbus import modbus_servers
from tests.servers.processes import free_port
from tests.simulators.sites import WINTER, build_plan
from tests.simulators.waiting import until

DEVICES = ("h1-r1-k1-pdu-a", "h1-r1-k1-pdu-b", "chiller-a")


def plan_over(site: Site, protocol: ModbusProtocol, tmp_path: Path, authority: Path) -> CollectionPlan:
    plan = build_plan(site, free_port(), free_port())
    (endpoint,) = plan.endpoints
    endpoint = replace(
        endpoint,
        protocol=protocol,
        device=str(tmp_path / "bus"),
        baud=115200,
        tls_ca=authority,
        server_name="device.example",
    )
    bindings = tuple(each._replace(period=0.5) for each in plan.modbus if each.device in DEVICES)
    return CollectionPlan(endpoints=(endpoint,), modbus=bindings)


@pytest.mark.parametrize("protocol", list(ModbusProtocol))
async def test_what_devices_show_is_what_is_collected(
    site: Site, protocol: ModbusProtocol, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("device.example").configure_cert(tls)
    plan = plan_over(site, protocol, tmp_path, tmp_path / "ca.pem")
    clock = ScaledClock(WINTER, 1.0)
    plant = Plant(site, 1, WINTER, load=LoadKind.STEADY)
    readings = Readings(site, plant, clock, resolution=3600.0)
    seen: dict[int, Sample] = {}

    def emit(sample: Sample) -> None:
        if is_good(sample.quality).all():
            seen[sample.first] = sample

    (server,) = modbus_servers(site, plan, readings, tls=tls)
    await server.start()
    collecting = asyncio.create_task(Collection(plan, clock, emit).run())
    try:
        await until(lambda: len(seen) == len(DEVICES))
    finally:
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
        await server.stop()
    for binding in plan.modbus:
        assert isinstance(binding.profile, ModbusProfile)
        shown = plant.values[binding.first : binding.first + len(binding.profile.points)]
        steps = np.array([register.scale for register in binding.profile.registers])
        assert np.all(np.abs(seen[binding.first].values - shown) <= np.maximum(np.abs(shown) * 1e-6, steps))
