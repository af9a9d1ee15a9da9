"""Which block reads fetch a device: planned once a profile, few and never tearing a value."""

from collections.abc import Iterable
from dataclasses import dataclass

from collectors.profiles import ModbusProfile, Register, Table

MAX_BITS = 2000
"""Bits one read may ask for. Source: Modbus application protocol 1.1b3, functions 1 and 2."""
_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})


@dataclass(frozen=True, slots=True)
class Block:
    """One read: consecutive registers or bits of one table."""

    table: Table
    address: int
    count: int
    """Registers, or bits in a table of bits."""
    points: tuple[int, ...]
    """Places in the profile of the points it holds, by address."""

    @property
    def holds_bits(self) -> bool:
        """Whether it counts bits, not registers."""
        return self.table in _BIT_TABLES

    @property
    def payload_length(self) -> int:
        """Bytes of data in the reply."""
        return (self.count + 7) // 8 if self.holds_bits else 2 * self.count


def plan_blocks(profile: ModbusProfile) -> tuple[Block, ...]:
    """The blocks of a profile, by table and address; each value lies in one of them whole."""
    blocks: list[Block] = []
    for table in Table:
        members = [at for at, register in enumerate(profile.registers) if register.table is table]
        limit = MAX_BITS if table in _BIT_TABLES else profile.max_registers
        blocks.extend(_join(profile, members, limit))
    return tuple(blocks)


def split_block(profile: ModbusProfile, block: Block) -> tuple[Block, ...]:
    """The block in two halves, each no longer than its values need; the block itself if it is one value."""
    cuts = [cut for cut in range(1, len(block.points)) if not _torn(profile, block.points, cut)]
    if not cuts:
        return (block,)
    middle = min(cuts, key=lambda cut: abs(2 * cut - len(block.points)))
    return _cover(profile, block.points[:middle]), _cover(profile, block.points[middle:])


def cheapest_read(profile: ModbusProfile, blocks: tuple[Block, ...]) -> Block:
    """The first value of a profile alone: what asks a device whether it is there."""
    return _cover(profile, blocks[0].points[:1])


def _join(profile: ModbusProfile, members: Iterable[int], limit: int) -> Iterable[Block]:
    group: list[int] = []
    start = end = 0
    for at in sorted(members, key=lambda each: _span(profile.registers[each])):
        first, after = _span(profile.registers[at])
        if group and (first - end > profile.max_gap or max(end, after) - start > limit):
            yield _cover(profile, group)
            group = []
        if not group:
            start, end = first, after
        group.append(at)
        end = max(end, after)
    if group:
        yield _cover(profile, group)


def _cover(profile: ModbusProfile, members: Iterable[int]) -> Block:
    points = tuple(members)
    spans = [_span(profile.registers[at]) for at in points]
    start = min(first for first, _ in spans)
    return Block(profile.registers[points[0]].table, start, max(after for _, after in spans) - start, points)


def _span(register: Register) -> tuple[int, int]:
    return register.address, register.address + register.length


def _torn(profile: ModbusProfile, points: tuple[int, ...], cut: int) -> bool:
    """Whether a cut before the point at ``cut`` goes through a register that two points share."""
    _, end = _span(profile.registers[points[cut - 1]])
    start, _ = _span(profile.registers[points[cut]])
    return start < end
