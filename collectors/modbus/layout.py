"""How a group of a device is read: the blocks as planned, carved around what the device refuses."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from collectors.decode import Decoder
from collectors.lessons import Address
from collectors.planning import Block, Group, plan_groups
from collectors.profiles import ModbusProfile, Register

_MOST_DECODERS = 256
"""Layouts of one group that are kept for other devices that have learned the same."""


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """One group of a profile; shared by all its devices."""

    profile: ModbusProfile
    group: Group
    _decoders: dict[tuple[Block, ...], Decoder] = field(default_factory=dict, compare=False, repr=False)

    def decoder(self, blocks: tuple[Block, ...]) -> Decoder:
        """What decodes these blocks; the same one for the same blocks."""
        found = self._decoders.get(blocks)
        if found is None:
            if len(self._decoders) >= _MOST_DECODERS:
                self._decoders.clear()
            found = self._decoders[blocks] = Decoder(self.profile, blocks, self.group)
        return found

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

    def layout(
        self, refused: Mapping[Address, int], cuts: Set[Address]
    ) -> tuple[tuple[Block, ...], tuple[int, ...]]:
        """Blocks in as few reads as what was learned allows.

        Args:
            refused: values the device does not have, and the exception it says so with.
            cuts: values a read must begin at.

        Returns:
            The blocks, and of each the exception it is refused with, 0 if it is to be read.
        """
        if not refused and not cuts:
            return self.group.blocks, (0,) * len(self.group.blocks)
        pieces = [piece for block in self.group.blocks for piece in self._carve(block, refused, cuts)]
        return tuple(block for block, _ in pieces), tuple(code for _, code in pieces)

    def _carve(
        self, block: Block, refused: Mapping[Address, int], cuts: Set[Address]
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


def register_at(profile: ModbusProfile, place: int) -> Register:
    """The register at a place of the profile.

    Raises:
        TypeError: it is no register.
    """
    source = profile.sources[place]
    if not isinstance(source, Register):
        raise TypeError(f"profile {profile.name}: place {place} is no register")
    return source
