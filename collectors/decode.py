"""From the bytes of block reads to values in base units, each with its quality.

All that depends on the profile is worked out once: which bytes make a value in which order, one struct a
block, scales, limits. A scan then costs one unpacking a block and a few array operations, which the scans of
many devices share; only values that other registers or several registers make cost steps of their own.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from collectors.composition import Composition, Slots, is_composed
from collectors.planning import Block, Group, needed_registers
from collectors.profiles import ModbusProfile, Order, Register, TextRegister, Use
from collectors.scaling import Scaling
from collectors.unpacking import ScanPlan
from facility.devices import PointSpec
from facility.point_types import POINT_TYPES
from facility.quality import Quality, QualityArray

Payload = bytes | Quality
"""What a block read gave: its data bytes, or why there are none."""

_UNSCALED = PointSpec("", POINT_TYPES["generic"])
"""Stands for what is no point, or is scaled and checked where it is composed."""


class Decoder:
    """Turns the block reads of one profile into a device's values. Immutable, shared by all its devices."""

    def __init__(self, profile: ModbusProfile, blocks: Sequence[Block], group: Group | None = None) -> None:
        """Args:
        profile: what the blocks are of.
        blocks: what is read: those of the group, some perhaps split.
        group: the points that are wanted; all of the profile if there is none.
        """
        self.blocks = tuple(blocks)
        self._count = len(profile.points) if group is None else group.count
        first = 0 if group is None else group.first
        points = range(first, first + self._count)
        layout = _SlotLayout(profile, points)
        layout.check(self.blocks)
        held = [layout.values_of(block) for block in self.blocks]
        self._plan = ScanPlan(zip(self.blocks, held, strict=True), len(layout.registers))
        self._slots = tuple(np.array([slot for slot, _ in values], np.intp) for values in held)
        self._scaling = _scaling(profile, layout)
        composed = any(is_composed(profile.sources[at]) for at in points)
        self._composition = Composition(profile, points, layout.slots) if composed else None

    def decode(self, payloads: Sequence[Payload]) -> tuple[NDArray[np.float64], QualityArray]:
        """Values and quality of the wanted points, from what each block read gave.

        A sentinel, a number that is none and one that is physically impossible are NaN with
        SENSOR_FAILURE; the points of a failed block are NaN with the quality given for it. A value that
        several registers make is NaN, with the worst of their qualities, if one of them gives none.
        """
        values, quality = self.decode_all([payloads])
        return values[0], np.full(self._count, Quality.GOOD, np.uint8) if quality is None else quality[0]

    def decode_all(
        self, scans: Sequence[Sequence[Payload]]
    ) -> tuple[NDArray[np.float64], QualityArray | None]:
        """The same of many scans, of which the same block reads failed; shape (scans, points).

        Of plain numbers of one type a scan costs a fraction of what it costs alone. There are no quality
        codes if all are good.
        """
        failed = [at for at, payload in enumerate(scans[0]) if isinstance(payload, Quality)]
        read = cast("Sequence[Sequence[bytes]]", scans) if not failed else self._filled(scans)
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._plan.unpack_all(read)
            for at in failed:
                values[:, self._slots[at]] = np.nan
            quality = self._scaling.judge(values)
        if quality is not None:
            for at in failed:
                quality[:, self._slots[at]] = scans[0][at]
        if self._composition is None:
            return values, quality
        return self._composed(self._composition, values, quality)

    def _filled(self, scans: Sequence[Sequence[Payload]]) -> list[list[bytes]]:
        """Zeros in place of what was not read."""
        zeros = [bytes(block.payload_length) for block in self.blocks]
        return [
            [none if isinstance(given, Quality) else given for given, none in zip(scan, zeros, strict=True)]
            for scan in scans
        ]

    def _composed(
        self, composition: Composition, values: NDArray[np.float64], quality: QualityArray | None
    ) -> tuple[NDArray[np.float64], QualityArray]:
        """Only what is wanted, with the values that others make."""
        numbers = values.tolist()
        codes = np.full(values.shape, Quality.GOOD).tolist() if quality is None else quality.tolist()
        for of_scan, their_codes in zip(numbers, codes, strict=True):
            composition.complete(of_scan, their_codes)
        wanted = slice(self._count)
        return (
            np.array([each[wanted] for each in numbers], np.float64),
            np.array([each[wanted] for each in codes], np.uint8),
        )


def decode_text(register: TextRegister, data: bytes) -> str | None:
    """The text in the data bytes of its registers; None if they are no text of its encoding."""
    if register.swapped:
        data = b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))
    try:
        text = data.partition(b"\0")[0].decode(register.encoding)
    except (UnicodeDecodeError, LookupError):
        return None
    text = text.strip()
    return text if text.isprintable() else None


class _SlotLayout:
    """Where values stand while they are decoded: points, what they refer to, the same in other orders."""

    def __init__(self, profile: ModbusProfile, points: range) -> None:
        self._profile = profile
        self.registers: list[Register | None] = []
        """What is unpacked into each slot; None if nothing is."""
        self.specs: list[PointSpec] = []
        """By which each slot is checked."""
        needed = needed_registers(profile, points)
        self.places = (*points, *(at for at in needed if at not in points))
        of_order: dict[tuple[int, Order], int] = {}
        for at in self.places:
            source = profile.sources[at]
            plain = at < len(profile.points) and not is_composed(source)
            self._add(source if isinstance(source, Register) else None, profile.points[at] if plain else None)
        for at in self.places:
            source = profile.sources[at]
            if isinstance(source, Register):
                for order in _orders(source):
                    of_order[at, order] = len(self.registers)
                    self._add(replace(source, order=order), None)
        self.slots = Slots(
            of_place={at: slot for slot, at in enumerate(self.places)},
            of_order=of_order,
        )

    def values_of(self, block: Block) -> list[tuple[int, Register]]:
        """(slot, register) of what a block holds."""
        wanted = [at for at in block.points if at in self.slots.of_place]
        slots = [self.slots.of_place[at] for at in wanted]
        slots += [slot for (at, _), slot in self.slots.of_order.items() if at in wanted]
        return [(slot, register) for slot in slots if (register := self.registers[slot]) is not None]

    def check(self, blocks: Sequence[Block]) -> None:
        """Raises ValueError unless each register that is needed is read once."""
        read = [at for block in blocks for at in block.points]
        needed = {at for at in self.places if isinstance(self._profile.sources[at], Register)}
        if len(read) != len(set(read)) or not needed <= set(read):
            name = self._profile.name
            raise ValueError(f"the blocks of {name!r} do not hold each point and what it refers to once")

    def _add(self, register: Register | None, spec: PointSpec | None) -> None:
        self.registers.append(register)
        self.specs.append(spec or _UNSCALED)


def _orders(register: Register) -> list[Order]:
    """The orders a value may have, where another register tells it."""
    told = [order for each in register.references if each.use is Use.ORDER for _, order in each.orders]
    return list(dict.fromkeys(told))


def _scaling(profile: ModbusProfile, layout: _SlotLayout) -> Scaling:
    scales, offsets = [1.0] * len(layout.registers), [0.0] * len(layout.registers)
    for slot, at in enumerate(layout.places):
        source = profile.sources[at]
        if isinstance(source, Register) and not source.references:
            scales[slot], offsets[slot] = source.scale, source.offset
    return Scaling(layout.specs, scales, offsets)
