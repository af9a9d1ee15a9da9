"""Every shipped profile of a real device, as literal registers behind one gateway: a scan names each."""

from pathlib import Path

import yaml

from collectors.commissioning.matching import blocks_of
from collectors.profiles import IdentityCheck, ModbusProfile
from collectors.profiles.reader import shipped
from tests.collectors.commissioning_server import COIL, DISCRETE, HOLDING, INPUT, Bank, Gateway, serving
from tests.collectors.test_commissioning_scan import best, scan

CASES = sorted((Path(__file__).parent / "library").glob("*.yaml"))
FUNCTIONS = {"coil": COIL, "discrete": DISCRETE, "holding": HOLDING, "input": INPUT}
PROFILES = {name: each for name, each in shipped().items() if isinstance(each, ModbusProfile)}


def bank(case: Path) -> tuple[str, Bank]:
    """The registers of a case, the gaps its profile reads across, and what identifies it."""
    told = yaml.safe_load(case.read_text(encoding="utf-8"))
    profile = PROFILES[told["profile"]]
    words: dict[int, dict[int, int]] = {}
    for entry in (*told.get("also", ()), *told["points"], *told.get("texts", ())):
        table, address = str(entry["at"]).split()
        written = [int(word, 16) for word in str(entry["words"]).split()]
        written += [0] * (int(entry.get("length", 0)) - len(written))
        words.setdefault(FUNCTIONS[table], {}).update(enumerate(written, int(address)))
    for block in blocks_of(profile) if profile.sunspec is None else ():
        held = words.setdefault(FUNCTIONS[block.table], {})
        for address in range(block.address, block.address + block.count):
            held.setdefault(address, 0)
    for check in profile.identity:
        held = words.setdefault(FUNCTIONS[check.table], {})
        if check.address not in held:
            held.update(enumerate(_expected(check), check.address))
    named = profile.identification
    objects = {0: named.vendor or "-", 1: named.product or "-"} if named is not None else {}
    return profile.name, Bank(words=words, identification=objects, most=profile.max_registers)


def _expected(check: IdentityCheck) -> list[int]:
    if check.text is not None:
        data = check.text.encode().ljust(2 * check.length, b"\0")
    else:
        data = (check.low or check.high or 0).to_bytes(2 * check.length, "big")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


async def test_each_real_device_is_named_within_the_bound_of_requests() -> None:
    devices = dict(enumerate(map(bank, CASES), 1))
    units = {unit: device for unit, (_, device) in devices.items()}
    async with serving(Gateway(units, absent=b"\x0b")) as gateway:
        found = await scan(gateway.port, *units, profiles=tuple(PROFILES.values()))
    wrong = {devices[unit.unit][0]: best(unit) for unit in found.units if best(unit) != devices[unit.unit][0]}
    assert wrong == {}
    assert len(found.units) == len(CASES) > 0
    assert found.requests <= len(CASES) * 101
