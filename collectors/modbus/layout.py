"""How a group of a device is read: the blocks as planned, carved around what the device refuses."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from collectors.decode import Decoder
from collectors.lessons import Address
from collectors.modbus.frames import Request, read_request
from collectors.planning import Block, Group, plan_groups
from collectors.profiles import ModbusProfile, Register

_MOST_LAYOUTS = 256
"""Layouts of one group that are kept for other devices that have learned the same."""

Requests = tuple[Request | None, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """The reads of one group: immutable, shared by all devices that are read so.

    One decoder belongs to one layout, so that the same block reads fail in all scans it takes apart.
    """

    blocks: tuple[Block, ...]
    codes: tuple[int, ...]
    """Of each block the exception it is refused with, 0 if it is to be read."""
    decoder: Decoder
    _requests: dict[tuple[int, int], Requests] = field(default_factory=dict, compare=False, repr=False)

    @property
    def whole(self) -> bool:
        """Whether nothing of it is known to be refused."""
        return not any(self.codes)

    def requests(self, unit: int, shift: int) -> Requests:
        """The requests of a unit, None for what is not to be read; ``shift`` is added to all addresses."""
        found = self._requests.get((unit, shift))
        if found is None:
            found = self._requests[unit, shift] = tuple(
                None if code else moved_request(unit, block, shift)
                for block, code in zip(self.blocks, self.codes, strict=True)
            )
        return found


class GroupPlan:
    """One group of a profile; shared by all its devices."""

    def __init__(self, profile: ModbusProfile, group: Group) -> None:
        self.profile = profile
        self.group = group
        self._layouts: dict[tuple[Block, ...], Layout] = {}
        self._planned = self._layout(group.blocks, (0,) * len(group.blocks))

    def address(self, place: int) -> Address:
        """Where the value at a place of the profile begins."""
        register = register_at(self.profile, place)
        return register.table, register.address

    def addresses(self) -> tuple[Address, ...]:
        """Where its values begin, block after block."""
        return tuple(self.address(place) for block in self.group.blocks for place in block.points)

    def single_values(self) -> tuple[Block, ...]:
        """Each value alone, or with those it shares registers with."""
        return tuple(
            self._cover(block, cluster) for block in self.group.blocks for cluster in self._clusters(block)
        )

    def layout(self, refused: Mapping[Address, int], cuts: AbstractSet[Address]) -> Layout:
        """Blocks in as few reads as what was learned allows.

        Args:
            refused: values the device does not have, and the exception it says so with.
            cuts: values a read must begin at.
        """
        if not refused and not cuts:
            return self._planned
        pieces = [piece for block in self.group.blocks for piece in self._carve(block, refused, cuts)]
        return self._layout(tuple(block for block, _ in pieces), tuple(code for _, code in pieces))

    def decoder(self, blocks: tuple[Block, ...]) -> Decoder:
        """What decodes other blocks that hold the same values."""
        return Decoder(self.profile, blocks, self.group)

    def _layout(self, blocks: tuple[Block, ...], codes: tuple[int, ...]) -> Layout:
        found = self._layouts.get(blocks)
        if found is None or found.codes != codes:
            if len(self._layouts) >= _MOST_LAYOUTS:
                self._layouts.clear()
            found = self._layouts[blocks] = Layout(blocks, codes, self.decoder(blocks))
        return found

    def _carve(
        self, block: Block, refused: Mapping[Address, int], cuts: AbstractSet[Address]
    ) -> Iterator[tuple[Block, int]]:
        run: list[int] = []
        for cluster in self._clusters(block):
            code = next(filter(None, (refused.get(self.address(at)) for at in cluster)), 0)
            if run and (code or self.address(cluster[0]) in cuts):
                yield self._cover(block, run), 0
                run = []
            if code:
                yield self._cover(block, cluster), code
            else:
                run += cluster
        if run:
            yield self._cover(block, run), 0

    def _clusters(self, block: Block) -> Iterator[list[int]]:
        """The values of a block, those that share registers together."""
        cluster: list[int] = []
        end = 0
        for place in block.points:
            register = register_at(self.profile, place)
            if cluster and register.address >= end:
                yield cluster
                cluster = []
            cluster.append(place)
            end = max(end, register.address + register.length)
        if cluster:
            yield cluster

    def _cover(self, block: Block, places: list[int]) -> Block:
        if len(places) == len(block.points):
            return block
        registers = [register_at(self.profile, place) for place in places]
        start = min(each.address for each in registers)
        end = max(each.address + each.length for each in registers)
        return replace(block, address=start, count=end - start, points=tuple(places))


def group_plans(profile: ModbusProfile) -> tuple[GroupPlan, ...]:
    """The plans of all groups of a profile, the fastest first."""
    return tuple(GroupPlan(profile, group) for group in plan_groups(profile))


def moved_request(unit: int, block: Block, shift: int) -> Request:
    """The read of a block whose addresses count from ``shift``."""
    return read_request(unit, replace(block, address=block.address + shift) if shift else block)


def register_at(profile: ModbusProfile, place: int) -> Register:
    """The register at a place of the profile.

    Raises:
        TypeError: it is no register.
    """
    source = profile.sources[place]
    if not isinstance(source, Register):
        raise TypeError(f"profile {profile.name}: place {place} is no register")
    return source
