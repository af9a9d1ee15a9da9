"""Every shipped profile, simulated and decoded: what devices show is what was meant."""

import math

import numpy as np
import pytest

from collectors.decode import Decoder
from collectors.planning import Block, plan_blocks
from collectors.profiles import DataType, ModbusProfile, Register, Table
from collectors.profiles.reader import shipped
from facility.point_types import Behaviour
from simulators.encode import RegisterEncoder

_COMMON_MODEL = 70
"""Registers of marker and common model before a SunSpec model."""
_PLAUSIBLE = {"°C": 22.0, "%RH": 45.0, "Hz": 50.0, "V": 230.0, "A": 12.0, "W": 4000.0, "%": 40.0}

PROFILES = {name: each for name, each in shipped().items() if isinstance(each, ModbusProfile)}


def shown(profile: ModbusProfile, values: list[float]) -> list[bytes]:
    """What a simulated device answers to each block of its profile."""
    encoder = RegisterEncoder(profile)
    images = encoder.encode(np.array(values))
    shift = profile.sunspec.bases[0] + _COMMON_MODEL if profile.sunspec is not None else 0
    return [_read(encoder, [image.data for image in images], block, shift) for block in plan_blocks(profile)]


def _read(encoder: RegisterEncoder, images: list[bytes], block: Block, shift: int) -> bytes:
    address = block.address + shift
    for area, data in zip(encoder.areas, images, strict=True):
        if area.table is block.table and area.start <= address and address + block.count <= area.stop:
            first = address - area.start
            if not block.holds_bits:
                return data[2 * first : 2 * (first + block.count)]
            flags = data[first : first + block.count]
            return sum(flag << at for at, flag in enumerate(flags)).to_bytes(block.payload_length, "little")
    raise AssertionError(f"{block} cannot be read")


def plausible(profile: ModbusProfile) -> list[float]:
    values = []
    for point in profile.points:
        value = _PLAUSIBLE.get(point.type.unit, 1.0 if point.type.behaviour is Behaviour.COUNTER else 0.0)
        values.append(min(max(value, point.type.low), point.type.high))
    return values


def _most(register: Register) -> int:
    """Counts that surely fit."""
    if register.data in {DataType.BIT, DataType.BITS}:
        return 1
    if register.data in {DataType.U8, DataType.S8}:
        return 99
    return {1: 9999, 2: 99_999_999}.get(register.length, 10**12)


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_simulated_device_shows_values_that_are_good(name: str) -> None:
    profile = PROFILES[name]
    payloads = shown(profile, plausible(profile))
    values, quality = Decoder(profile, plan_blocks(profile)).decode(payloads)
    wrong = [
        (point.name, value, code)
        for point, value, code in zip(profile.points, values.tolist(), quality.tolist(), strict=True)
        if code != 192 or math.isnan(value)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_plain_value_comes_back_within_one_count(name: str) -> None:
    profile = PROFILES[name]
    meant = plausible(profile)
    values, _ = Decoder(profile, plan_blocks(profile)).decode(shown(profile, meant))
    fixed = {(check.table, check.address) for check in profile.identity}
    fixed |= {(Table.HOLDING, 0), (Table.HOLDING, 1)} if profile.sunspec is not None else set()
    referred = {each.source for register in profile.registers for each in register.references}
    for at, (point, source) in enumerate(zip(profile.points, profile.sources, strict=False)):
        if not isinstance(source, Register) or source.references or at in referred:
            continue
        counts = (meant[at] - source.offset) / source.scale
        if (source.table, source.address) not in fixed and 0 <= counts <= _most(source):
            assert values[at] == pytest.approx(meant[at], abs=abs(source.scale) * 0.5001, rel=1e-6), (
                point.name
            )
