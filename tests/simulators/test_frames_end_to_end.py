"""Frames recorded between our collector and simulated devices are replayed to it with every fault.

Whatever happens on the wire, a value that is accepted is one that was recorded.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusEndpoint, ModbusProtocol
from dcops.system_clock import SystemClock
from facility.quality import is_good
from facility.sample import Sample
from facility.site import Site
from simulators.clock import ManualClock
from simulators.frames.faults import Fault, FaultPlan
from simulators.frames.proxy import RecordingProxy
from simulators.frames.recording import FRAMINGS, FrameHeader, FrameRecording, FrameWriter, Room
from simulators.frames.replay import ReplayServer
from simulators.plant import Plant
from simulators.readings import Readings
from simulators.wire.modbus import modbus_servers
from tests.servers.processes import free_port
from tests.simulators.sites import WINTER, build_plan
from tests.simulators.waiting import until

PDUS = ("h1-r1-k1-pdu-a", "h1-r1-k1-pdu-b")
PERIOD = 0.05
PATIENT, HASTY = 60.0, 0.1
"""Timeouts: where none may happen, and where replies are missing on purpose."""
Scan = tuple[int, tuple[float, ...]]
"""First point and values."""


def pdus_at(plan: CollectionPlan, endpoint: ModbusEndpoint) -> CollectionPlan:
    bindings = tuple(each._replace(period=PERIOD) for each in plan.modbus if each.device in PDUS)
    return CollectionPlan(endpoints=(endpoint,), modbus=bindings)


def endpoint_at(port: int, protocol: ModbusProtocol, timeout: float) -> ModbusEndpoint:
    return ModbusEndpoint(id="gateway", protocol=protocol, host="127.0.0.1", port=port, timeout=timeout)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Seen:
    """Scans in which everything is good, as they came."""

    def __init__(self) -> None:
        self.scans: list[Scan] = []

    def emit(self, sample: Sample) -> None:
        if is_good(sample.quality).all():
            self.scans.append((sample.first, tuple(sample.values.tolist())))

    def counts(self) -> Counter[int]:
        """Scans of each device, by its first point."""
        return Counter(first for first, _ in self.scans)


async def record(site: Site, protocol: ModbusProtocol, path: Path) -> set[Scan]:
    """Records some scans of two PDUs whose values change from scan to scan; returns what was collected."""
    plan = build_plan(site, free_port(), free_port())
    clock = ManualClock(WINTER)
    endpoint = replace(plan.endpoints[0], protocol=protocol)
    readings = Readings(site, Plant(site, 1, WINTER), clock)
    (server,) = modbus_servers(site, replace(plan, endpoints=(endpoint,)), readings)
    header = FrameHeader(protocol=protocol, target=server.address, started="")
    writer = FrameWriter(path, header, Room(1 << 20), ended=lambda _: None)
    proxy = RecordingProxy(
        ("127.0.0.1", 0), (endpoint.host, endpoint.port), FRAMINGS[protocol], lambda: writer, tell=print
    )
    seen = Seen()
    firsts = [each.first for each in plan.modbus if each.device in PDUS]
    await server.start()
    await proxy.start()
    collector = endpoint_at(proxy.port, protocol, PATIENT)
    collection = Collection(pdus_at(plan, collector), SystemClock(), seen.emit)
    async with running(collection.run()):
        while len(set(seen.scans)) < 16:
            await clock.advance(30.0)
            # The second scan from here has these values and no others, and so has any later one.
            before = seen.counts()
            await until(lambda: all(seen.counts()[first] >= before[first] + 2 for first in firsts))  # noqa: B023
    await proxy.stop()
    await server.stop()
    writer.close()
    return set(seen.scans)


@asynccontextmanager
async def replayed(
    site: Site, recording: FrameRecording, *faults: tuple[str, float], wait: float = HASTY
) -> AsyncIterator[tuple[ReplayServer, Collection, Seen]]:
    plan = FaultPlan([(Fault.parse(name), share) for name, share in faults], seed=5)
    server = ReplayServer(("127.0.0.1", 0), recording, faults=plan, delay=0.0)
    await server.start()
    seen = Seen()
    endpoint = endpoint_at(server.port, ModbusProtocol(recording.header.protocol), wait)
    collection = Collection(pdus_at(build_plan(site, 1, 1), endpoint), SystemClock(), seen.emit)
    try:
        async with running(collection.run()):
            yield server, collection, seen
    finally:
        await server.stop()


def errors(collection: Collection) -> dict[str, int]:
    return collection.endpoints()[0].errors


@pytest.fixture(scope="module", params=[ModbusProtocol.TCP, ModbusProtocol.RTU_TCP])
def recorded(
    request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FrameRecording, set[Scan]]:
    path = tmp_path_factory.mktemp("frames") / "seen.frames"
    truth = asyncio.run(record(site, request.param, path))
    return FrameRecording.read(path), truth


async def test_without_faults_the_recorded_values_come_in_their_order(
    site: Site, recorded: tuple[FrameRecording, set[Scan]]
) -> None:
    recording, truth = recorded
    async with replayed(site, recording, wait=PATIENT) as (server, collection, seen):
        await until(lambda: set(seen.scans) >= truth)
        await until(lambda: server.counts.replayed == server.counts.requests)
        assert errors(collection) == {}
    for binding in build_plan(site, 1, 1).modbus:
        if binding.device in PDUS:
            energies = [values[-1] for first, values in seen.scans if first == binding.first]
            once = energies[: len({values for first, values in truth if first == binding.first})]
            assert once == sorted(once)


FAULTS: list[tuple[str, set[str]]] = [
    ("late", {"late", "wrong_unit"}),
    ("duplicate", {"duplicate", "late"}),
    ("wrong-unit", {"wrong_unit"}),
    ("exception", {"exception_4"}),
    ("exception:6", {"exception_6"}),
    ("truncated", {"truncated"}),
    ("silent", {"timeout"}),
    ("garbage", {"garbage", "checksum", "oversized"}),
    ("oversized", {"garbage", "oversized"}),
    ("wrong-transaction", {"foreign"}),
]


@pytest.mark.parametrize(("fault", "classes"), FAULTS, ids=[name for name, _ in FAULTS])
async def test_under_a_fault_no_wrong_value_is_accepted_and_the_fault_is_counted(
    site: Site, recorded: tuple[FrameRecording, set[Scan]], fault: str, classes: set[str]
) -> None:
    recording, truth = recorded
    if fault == "wrong-transaction" and recording.header.protocol != "modbus-tcp":
        pytest.skip("RTU has no transactions")
    if fault == "late" and recording.header.protocol == "modbus-rtu-tcp":
        classes = classes | {"timeout"}  # the connection is given up, and the late reply goes with it
    async with replayed(site, recording, (fault, 0.3)) as (server, collection, seen):

        def counted() -> int:
            return sum(errors(collection).get(name, 0) for name in classes)

        kind = Fault.parse(fault).kind
        await until(lambda: server.counts.faults[kind] >= 3 and counted() >= 2 and len(seen.scans) >= 10)
    assert set(seen.scans) <= truth


async def test_stuck_devices_show_their_first_values_for_ever(
    site: Site, recorded: tuple[FrameRecording, set[Scan]]
) -> None:
    recording, truth = recorded
    async with replayed(site, recording, ("stuck", 1.0)) as (server, _, seen):
        await until(lambda: len(seen.scans) >= 12)
        await until(lambda: server.counts.faults.total() == server.counts.requests)
    assert set(seen.scans) <= truth
    assert len(set(seen.scans)) == len(PDUS)


async def test_under_all_faults_at_once_values_still_come_and_are_true(
    site: Site, recorded: tuple[FrameRecording, set[Scan]]
) -> None:
    recording, truth = recorded
    rtu = recording.header.protocol != "modbus-tcp"
    mixed = [(name, 0.05) for name, _ in FAULTS if not (rtu and name == "wrong-transaction")]
    async with replayed(site, recording, *mixed, ("stuck", 0.5)) as (server, _, seen):
        await until(lambda: len(seen.scans) >= 40 and server.counts.faults.total() >= 20)
    assert set(seen.scans) <= truth
