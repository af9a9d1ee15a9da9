"""Every shipped profile of a real device against literal registers, over the wire, into the live image.

``library/NAME.yaml`` holds, for each point, where it lies, the words the device has there and the value in
base units they mean; the words stand in a server that is not ours, the values are none of our decoder's. A
second device of each profile has, wherever the map knows such a thing, the words that mean "no value".
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest
import yaml
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType as SimType
from pymodbus.simulator import SimData, SimDevice

from collectors.collection import Collection
from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint
from collectors.profiles import ModbusProfile
from collectors.profiles.csv_map import import_map
from collectors.profiles.reader import shipped
from facility.quality import Quality
from facility.sample import Sample
from ingest.live_image import LiveImage
from tests.collectors.conftest import WallClock, running, until

CASES = Path(__file__).parent / "library"
MAPS = Path(__file__).parent / "maps"
NAMES = sorted(file.stem for file in CASES.glob("*.yaml"))
TABLES = ("coil", "discrete", "holding", "input")

Words = dict[int, int]
"""What stands at each address of a table."""


@dataclass(slots=True)
class Case:
    """One profile with its literals."""

    profile: ModbusProfile
    words: dict[str, Words]
    values: dict[str, float]
    texts: dict[str, str]
    silent: dict[str, Words]
    """The words with those for "no value" in their places."""
    without_value: set[str]
    units: list[int] = field(default_factory=list)


def place(entries: Sequence[Mapping[str, object]], onto: dict[str, Words]) -> dict[str, Words]:
    """A copy with the words of entries written over it."""
    found = {table: dict(words) for table, words in onto.items()}
    for entry in entries:
        table, address = str(entry["at"]).split()
        written = str(entry["words"]).split()
        length = max(int(str(entry.get("length", 0))), len(written))
        words = [*(int(word, 16) for word in written), *[0] * (length - len(written))]
        found[table].update(zip(range(int(address), int(address) + length), words, strict=True))
    return found


@cache
def profiles() -> dict[str, ModbusProfile]:
    return {name: found for name, found in shipped().items() if isinstance(found, ModbusProfile)}


@cache
def case(name: str) -> Case:
    told = yaml.load((CASES / f"{name}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    empty: dict[str, Words] = {table: {} for table in TABLES}
    texts = told.get("texts", [])
    words = place([*told.get("also", []), *told["points"], *texts], empty)
    without = told.get("no_value", [])
    return Case(
        profile=profiles()[told["profile"]],
        words=words,
        values={point["name"]: float(point["value"]) for point in told["points"]},
        texts={text["name"]: text["text"] for text in texts},
        silent=place(without, words),
        without_value={point["name"] for point in without},
    )


def runs(words: Words) -> Iterator[tuple[int, list[int]]]:
    """Neighbouring addresses together: everything else does not exist in the device."""
    start, run = -1, list[int]()
    for address in sorted(words):
        if run and address == start + len(run):
            run.append(words[address])
        else:
            if run:
                yield start, run
            start, run = address, [words[address]]
    if run:
        yield start, run


def device(unit: int, words: Mapping[str, Words]) -> SimDevice:
    tables = []
    for table in TABLES:
        bits = table in {"coil", "discrete"}
        kind = SimType.BITS if bits else SimType.REGISTERS
        blocks = [
            SimData(start, values=[bool(each) for each in run] if bits else run, datatype=kind)
            for start, run in runs(words[table])
        ]
        tables.append(blocks or [SimData(0xFFFF, values=[False] if bits else [0], datatype=kind)])
    return SimDevice(id=unit, simdata=(tables[0], tables[1], tables[2], tables[3]))


@asynccontextmanager
async def served(devices: list[SimDevice]) -> AsyncIterator[int]:
    server = ModbusTcpServer(devices, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        yield server.transport.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


@dataclass(slots=True)
class Read:
    """What came of it, by profile: the device, and its twin that has no values."""

    values: dict[str, dict[str, tuple[float, int]]] = field(default_factory=dict)
    silent: dict[str, dict[str, tuple[float, int]]] = field(default_factory=dict)
    texts: dict[str, dict[str, str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


async def poll(cases: Mapping[str, Case]) -> Read:
    """All devices behind one server, read once by the collection.

    Each over a connection of its own: this server loses a request that reaches it together with another
    one, as those do that are sent while a busy machine takes its time over the one before.
    """
    servers: list[SimDevice] = []
    bindings: list[ModbusBinding] = []
    first = 0
    for unit, (name, silent) in enumerate([(n, s) for n in cases for s in (False, True)], 1):
        found = cases[name]
        servers.append(device(unit, found.silent if silent else found.words))
        bindings.append(
            ModbusBinding(
                device=f"{name}{'-silent' if silent else ''}",
                first=first,
                endpoint=f"gw-{unit}",
                unit=unit,
                period=3.0,
                profile=found.profile,
            )
        )
        first += len(found.profile.points)
    image = LiveImage(first)
    seen: set[int] = set()

    def emit(sample: Sample) -> None:
        image.apply(sample)
        seen.add(sample.first)

    async with served(servers) as port:
        endpoints = tuple(
            ModbusEndpoint(id=binding.endpoint, host="127.0.0.1", port=port, timeout=60.0)
            for binding in bindings
        )
        plan = CollectionPlan(endpoints=endpoints, modbus=tuple(bindings))
        collection = Collection(plan, WallClock(), emit)
        async with running(collection.run()):
            await until(lambda: len(seen) == len(bindings), "every device is read")
        health = collection.devices()
        texts = {binding.device: collection.texts(binding.device) for binding in bindings}
    read = Read()
    for binding, state in zip(bindings, health, strict=True):
        name = binding.device.removesuffix("-silent")
        into = read.silent if binding.device != name else read.values
        into[name] = {
            point.name: (float(image.values[at]), int(image.quality[at]))
            for at, point in enumerate(binding.profile.points, binding.first)
        }
        read.errors[binding.device] = state.last_error
        if binding.device == name:
            read.texts[name] = texts[name]
    return read


@pytest.fixture(scope="module")
def read() -> Read:
    return asyncio.run(poll({name: case(name) for name in NAMES}))


def test_every_modbus_profile_of_a_real_device_has_literals() -> None:
    library = Path(__file__).parents[2] / "collectors" / "profiles" / "library"
    real = sorted(file.stem for file in library.glob("*.yaml"))
    assert [name for name in real if isinstance(shipped()[name], ModbusProfile)] == NAMES
    for name in NAMES:
        assert set(case(name).values) == {point.name for point in case(name).profile.points}, name
        assert set(case(name).texts) == {text.name for text in case(name).profile.texts}, name


@pytest.mark.parametrize("name", NAMES)
def test_each_point_equals_its_literal(read: Read, name: str) -> None:
    got = read.values[name]
    wrong = {
        point: (found, expected)
        for point, expected in case(name).values.items()
        if (found := got[point])[1] != Quality.GOOD or found[0] != pytest.approx(expected, rel=1e-9, abs=1e-9)
    }
    assert not wrong, read.errors[name]


@pytest.mark.parametrize("name", [name for name in NAMES if case(name).texts])
def test_each_text_equals_its_literal(read: Read, name: str) -> None:
    got = read.texts[name]
    assert {text: got.get(text, "") for text in case(name).texts} == case(name).texts


@pytest.mark.parametrize("name", [name for name in NAMES if case(name).without_value])
def test_what_means_no_value_gives_none_and_the_rest_stays(read: Read, name: str) -> None:
    got = read.silent[name]
    for point, expected in case(name).values.items():
        value, quality = got[point]
        if point in case(name).without_value:
            assert math.isnan(value), point
            assert quality == Quality.SENSOR_FAILURE, point
        else:
            assert quality == Quality.GOOD, (point, read.errors)
            assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), point


def test_maps_that_were_just_imported_are_read_alike() -> None:
    cases: dict[str, Case] = {}
    for file in sorted(MAPS.glob("*.csv")):
        name = file.stem.replace("_", "-")
        profile = import_map(file.read_text(encoding="utf-8"), file.name).profile
        cases[name] = replace(case(name), profile=profile)
    read = asyncio.run(poll(cases))
    for name, found in cases.items():
        for point, expected in found.values.items():
            assert read.values[name][point] == (pytest.approx(expected, rel=1e-9), Quality.GOOD), (
                name,
                point,
            )
        assert {text: read.texts[name][text] for text in found.texts} == found.texts
    assert len(cases) == len(list(MAPS.glob("*.csv"))) > 0
