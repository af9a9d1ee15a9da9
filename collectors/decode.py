"""From the bytes of block reads to values in base units, each with its quality.

All that depends on the profile is worked out once: which bytes make a value in which order, one struct a
block, scales, limits. A scan then costs one unpacking a block and a few array operations. Orders apply to
values of 32 and 64 bits; 16-bit values are always most significant byte first.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collectors.planning import Block
from collectors.profiles import DataType, ModbusProfile, Order, Register
from collectors.scaling import Scaling
from facility.quality import Quality, QualityArray

Payload = bytes | Quality
"""What a block read gave: its data bytes, or why there are none."""

_FORMATS: dict[DataType, str] = {
    DataType.U16: "H",
    DataType.S16: "h",
    DataType.U32: "I",
    DataType.S32: "i",
    DataType.U64: "Q",
    DataType.S64: "q",
    DataType.F32: "f",
    DataType.F64: "d",
}


@dataclass(frozen=True, slots=True)
class _BlockPlan:
    """How the values of one block are taken out of its data bytes."""

    block: Block
    bytes_taken: NDArray[np.intp] | None
    """Places of the wanted bytes, most significant first, value after value; None if they lie so already."""
    layout: struct.Struct
    bits: tuple[tuple[int, int], ...]
    """(place among the values, shift) of the single bits."""
    sentinels: tuple[tuple[int, frozenset[float]], ...]
    """(place among the values, raw numbers that are none)."""

    def unpack(self, data: bytes) -> list[float]:
        """Raw numbers in the order of the block's points; NaN for a sentinel."""
        if self.bytes_taken is not None:
            data = np.frombuffer(data, np.uint8)[self.bytes_taken].tobytes()
        raw: list[float] = list(self.layout.unpack(data))
        for place, shift in self.bits:
            raw[place] = int(raw[place]) >> shift & 1
        for place, none in self.sentinels:
            if raw[place] in none:
                raw[place] = np.nan
        return raw


class Decoder:
    """Turns the block reads of one profile into a device's values. Immutable, shared by all its devices."""

    def __init__(self, profile: ModbusProfile, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self._plans = tuple(_plan(profile, block) for block in self.blocks)
        places = [at for block in self.blocks for at in block.points]
        if sorted(places) != list(range(len(profile.points))):
            raise ValueError(f"the blocks of {profile.name!r} do not hold each point once")
        ordered = list(range(len(places)))
        self._order = None if places == ordered else np.argsort(np.array(places)).astype(np.intp)
        scaling = Scaling(
            profile.points,
            [register.scale for register in profile.registers],
            [register.offset for register in profile.registers],
        )
        large = any(register.data is DataType.F64 for register in profile.registers)
        self._scale = scaling.apply_guarded if large else scaling.apply

    def decode(self, payloads: Sequence[Payload]) -> tuple[NDArray[np.float64], QualityArray]:
        """Values and quality of all points, from what each block read gave.

        A sentinel, a number that is none and one that is physically impossible are NaN with
        SENSOR_FAILURE; the points of a failed block are NaN with the quality given for it.
        """
        raw: list[float] = []
        for plan, payload in zip(self._plans, payloads, strict=True):
            raw += [np.nan] * len(plan.block.points) if isinstance(payload, Quality) else plan.unpack(payload)
        values = np.array(raw, np.float64)
        if self._order is not None:
            values = values[self._order]
        quality = self._scale(values)
        for plan, payload in zip(self._plans, payloads, strict=True):
            if isinstance(payload, Quality):
                quality[list(plan.block.points)] = payload
        return values, quality


def _plan(profile: ModbusProfile, block: Block) -> _BlockPlan:
    taken: list[int] = []
    layout = ">"
    bits: list[tuple[int, int]] = []
    sentinels: list[tuple[int, frozenset[float]]] = []
    for place, at in enumerate(block.points):
        register = profile.registers[at]
        start = register.address - block.address
        if block.holds_bits:
            taken.append(start // 8)
            layout += "B"
            bits.append((place, start % 8))
            continue
        taken += [2 * start + byte for byte in _byte_places(register)]
        if register.data is DataType.BIT:
            layout += "H"
            bits.append((place, register.bit or 0))
        else:
            layout += _FORMATS[register.data]
        if register.invalid:
            sentinels.append((place, _raw_numbers(register)))
    straight = taken == list(range(block.payload_length))
    return _BlockPlan(
        block=block,
        bytes_taken=None if straight else np.array(taken, np.intp),
        layout=struct.Struct(layout),
        bits=tuple(bits),
        sentinels=tuple(sentinels),
    )


def _byte_places(register: Register) -> list[int]:
    """Where the bytes of a value lie from its first register on, most significant first."""
    length = register.length
    words = list(range(length))
    if length > 1 and register.order in {Order.CDAB, Order.DCBA}:
        words.reverse()
    swapped = length > 1 and register.order in {Order.BADC, Order.DCBA}
    return [2 * word + (1 - byte if swapped else byte) for word in words for byte in (0, 1)]


def _raw_numbers(register: Register) -> frozenset[float]:
    """The sentinel patterns as the numbers they unpack to; a NaN pattern needs no listing."""
    width = 2 * register.length
    layout = struct.Struct(">" + _FORMATS[register.data])
    return frozenset(layout.unpack(pattern.to_bytes(width, "big"))[0] for pattern in register.invalid)
