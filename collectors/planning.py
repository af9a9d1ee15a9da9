"""Which block reads fetch a device: planned once a profile, few and never tearing a value.

Places are those among the sources of the profile: first the points, then the helpers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from collectors.profiles import ModbusProfile, Register, Sum, Table

MAX_BITS = 2000
"""Bits one read may ask for. Source: Modbus application protocol 1.1b3, functions 1 and 2."""
BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})
"""Tables of bits; the others hold registers."""


@dataclass(frozen=True, slots=True)
class Block:
    """One read: consecutive registers or bits of one table."""

    table: Table
    address: int
    count: int
    """Registers, or bits in a table of bits."""
    points: tuple[int, ...]
    """Places in the profile of the points and helpers it holds, by address."""

    @property
    def holds_bits(self) -> bool:
        """Whether it counts bits, not registers."""
        return self.table in BIT_TABLES

    @property
    def payload_length(self) -> int:
        """Bytes of data in the reply."""
        return (self.count + 7) // 8 if self.holds_bits else 2 * self.count


@dataclass(frozen=True, slots=True)
class Group:
    """Points of one pace, read together in every ``every``-th scan."""

    every: int
    first: int
    """Place in the profile of its first point."""
    count: int
    """How many points; they stand together."""
    blocks: tuple[Block, ...]
    """What fetches them and all they refer to."""


def plan_groups(profile: ModbusProfile) -> tuple[Group, ...]:
    """The groups of a profile, the fastest first; a register that several refer to is read in each."""
    groups = []
    first = 0
    points = profile.points
    for after in range(1, len(points) + 1):
        if after == len(points) or points[after].every != points[first].every:
            blocks = _blocks(profile, needed_registers(profile, range(first, after)))
            groups.append(Group(points[first].every, first, after - first, blocks))
            first = after
    return tuple(groups)


def plan_blocks(profile: ModbusProfile) -> tuple[Block, ...]:
    """The blocks that fetch all points in one scan, by table and address; each value lies in one whole."""
    return _blocks(profile, needed_registers(profile, range(len(profile.points))))


def plan_texts(profile: ModbusProfile) -> tuple[tuple[Block, ...], ...]:
    """The reads of each of the texts, in their order; ``points`` are places among the texts.

    A text may be torn across requests, since it seldom changes: one that is longer than a read takes several.
    """
    limit = profile.max_registers
    return tuple(
        tuple(
            Block(text.table, first, min(limit, text.address + text.length - first), (at,))
            for first in range(text.address, text.address + text.length, limit)
        )
        for at, text in enumerate(profile.texts)
    )


def needed_registers(profile: ModbusProfile, places: Iterable[int]) -> tuple[int, ...]:
    """The places of all registers that the values of some sources are made of, in order."""
    found: set[int] = set()
    open_places = list(places)
    while open_places:
        at = open_places.pop()
        if at in found:
            continue
        found.add(at)
        source = profile.sources[at]
        if isinstance(source, Sum):
            open_places += source.sources
        else:
            open_places += [reference.source for reference in source.references]
    return tuple(at for at in sorted(found) if isinstance(profile.sources[at], Register))


def split_block(profile: ModbusProfile, block: Block) -> tuple[Block, ...]:
    """The block in two halves, each no longer than its values need; the block itself if it is one value."""
    spans = [_span(profile, at) for at in block.points]
    ends = list(accumulate((after for _, after in spans), max))
    cuts = [cut for cut in range(1, len(spans)) if ends[cut - 1] <= spans[cut][0]]
    if not cuts:
        return (block,)
    middle = min(cuts, key=lambda cut: abs(2 * cut - len(spans)))
    return _cover(profile, block.points[:middle]), _cover(profile, block.points[middle:])


def cheapest_read(profile: ModbusProfile, blocks: tuple[Block, ...]) -> Block:
    """The first value of a profile alone: what asks a device whether it is there."""
    return _cover(profile, blocks[0].points[:1])


def _blocks(profile: ModbusProfile, places: Sequence[int]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for table in Table:
        members = [at for at in places if _register(profile, at).table is table]
        members.sort(key=lambda at: _span(profile, at))
        if profile.alone:
            blocks.extend(_each_alone(profile, members))
        else:
            limit = MAX_BITS if table in BIT_TABLES else profile.max_registers
            blocks.extend(_join(profile, members, limit))
    return tuple(blocks)


def _each_alone(profile: ModbusProfile, members: Iterable[int]) -> Iterator[Block]:
    """One read for all values that lie on exactly the same addresses."""
    shared: dict[tuple[int, int], list[int]] = {}
    for at in members:
        shared.setdefault(_span(profile, at), []).append(at)
    for places in shared.values():
        yield _cover(profile, places)


def _join(profile: ModbusProfile, members: Iterable[int], limit: int) -> Iterator[Block]:
    joined: list[int] = []
    start = end = 0
    for at in members:
        first, after = _span(profile, at)
        if joined and (max(end, after) - start > limit or not _may_cross(profile, at, end, first)):
            yield _cover(profile, joined)
            joined = []
        if not joined:
            start, end = first, after
        joined.append(at)
        end = max(end, after)
    if joined:
        yield _cover(profile, joined)


def _may_cross(profile: ModbusProfile, at: int, end: int, first: int) -> bool:
    """Whether the addresses between two values may be read across, the second one being that at ``at``."""
    if first - end > profile.max_gap:
        return False
    table = _register(profile, at).table
    return not any(
        span.table is table and span.first < first and end <= span.last for span in profile.forbidden
    )


def _cover(profile: ModbusProfile, places: Iterable[int]) -> Block:
    points = tuple(places)
    spans = [_span(profile, at) for at in points]
    start = min(first for first, _ in spans)
    after = max(after for _, after in spans)
    return Block(_register(profile, points[0]).table, start, after - start, points)


def _span(profile: ModbusProfile, at: int) -> tuple[int, int]:
    register = _register(profile, at)
    return register.address, register.address + register.length


def _register(profile: ModbusProfile, at: int) -> Register:
    source = profile.sources[at]
    if not isinstance(source, Register):
        raise TypeError(f"profile {profile.name!r}: source {at} is composed and lies nowhere")
    return source
