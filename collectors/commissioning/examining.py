"""Finding out what one unit is: what it says of itself, what it shows at known places, which profiles fit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from collectors.commissioning.asking import Asker
from collectors.commissioning.matching import Match, blocks_of, identity, identity_block, match, rank
from collectors.commissioning.memory import Memory
from collectors.modbus import Fault, FaultKind
from collectors.modbus.frames import read_request
from collectors.modbus.identity import ForeignDeviceError, read_identification
from collectors.modbus.sunspec import find_model
from collectors.planning import Block
from collectors.profiles import ModbusProfile, Register, Span, SunSpecModel

_FINALISTS = 4
"""So many profiles are read to their end."""
_SILENT_IN_A_ROW = 3
"""After so many reads without a reply the unit is left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found out about a unit."""

    identification: Mapping[str, str]
    matches: tuple[Match, ...]
    complete: bool
    """Whether it was asked all there is to ask, not cut short by the bound or by its silence."""


class Examination:
    """The questions to one unit. What it answered once is not asked again."""

    def __init__(
        self,
        asker: Asker,
        unit: int,
        profiles: tuple[ModbusProfile, ...],
        *,
        most_requests: int | None,
        thorough: bool,
    ) -> None:
        """With ``thorough`` every profile is tried to its end, also where another's identity holds."""
        self._asker = asker
        self._unit = unit
        self._profiles = profiles
        self._thorough = thorough
        self._last = None if most_requests is None else asker.requests + most_requests
        self._memory = Memory()
        self._silent = 0
        self._identification: dict[str, str] = {}
        self._cut_short = False

    async def run(self) -> Examined:
        """Ask.

        Raises:
            UnreachableError: the address is lost.
        """
        self._identification = await self._asker.follow(read_identification(self._unit))
        profiles = await self._placed()
        for profile in profiles:
            for check in profile.identity:
                await self._read(identity_block(check))
        candidates, forbidden = self._candidates(profiles)
        for profile in candidates:
            await self._read_blocks(blocks_of(profile)[:1], forbidden)
        ranked = rank(self._match(profile) for profile in candidates)
        finalists = ranked if self._thorough else ranked[:_FINALISTS]
        for each in finalists:
            await self._read_blocks(blocks_of(each.profile)[1:], forbidden)
        matches = rank(self._match(each.profile) for each in finalists)
        return Examined(identification=self._identification, matches=matches, complete=not self._cut_short)

    def _match(self, profile: ModbusProfile) -> Match | None:
        return match(profile, self._memory, self._identification)

    def _candidates(self, profiles: Iterable[ModbusProfile]) -> tuple[list[ModbusProfile], tuple[Span, ...]]:
        """Profiles worth reading, those with an identity first, and what must not be read meanwhile."""
        known = [(profile, identity(profile, self._memory, self._identification)) for profile in profiles]
        possible = [(profile, each) for profile, each in known if not each.failed]
        strong = [profile for profile, each in possible if each.strong]
        forbidden = tuple(span for profile in strong for span in profile.forbidden)
        if strong and not self._thorough:
            return strong, forbidden
        possible.sort(key=lambda pair: -pair[1].bits)
        return [profile for profile, _ in possible], forbidden

    async def _placed(self) -> list[ModbusProfile]:
        """The profiles with their addresses on the wire; SunSpec ones only where their model is found."""
        starts: dict[SunSpecModel, int | None] = {}
        placed = []
        for profile in self._profiles:
            model = profile.sunspec
            if model is None:
                placed.append(profile)
                continue
            if model not in starts:
                starts[model] = await self._start_of(model)
            start = starts[model]
            if start is not None:
                placed.append(moved(profile, start))
        return placed

    async def _start_of(self, model: SunSpecModel) -> int | None:
        try:
            start, told = await self._asker.follow(find_model(model, self._unit))
        except ForeignDeviceError:
            return None
        for name, key in (("vendor", "manufacturer"), ("product", "model"), ("revision", "version")):
            if key in told:
                self._identification.setdefault(name, told[key])
        return start

    async def _read_blocks(self, blocks: Iterable[Block], forbidden: tuple[Span, ...]) -> None:
        for block in blocks:
            if not any(_touches(block, span) for span in forbidden):
                await self._read(block)

    async def _read(self, block: Block) -> None:
        if self._memory.find(block.table, block.address, block.count) is not None:
            return
        if self._silent >= _SILENT_IN_A_ROW or (
            self._last is not None and self._asker.requests >= self._last
        ):
            self._cut_short = True
            return
        reply = await self._asker.ask(read_request(self._unit, block))
        silent = reply.answer == Fault(FaultKind.TIMEOUT)
        self._silent = self._silent + 1 if silent else 0
        self._memory.note(block, reply.answer)


def moved(profile: ModbusProfile, start: int) -> ModbusProfile:
    """A profile whose addresses count from the start of a model, with those on the wire."""
    sources = tuple(
        replace(each, address=each.address + start) if isinstance(each, Register) else each
        for each in profile.sources
    )
    return replace(
        profile,
        sources=sources,
        identity=tuple(replace(each, address=each.address + start) for each in profile.identity),
        forbidden=tuple(
            replace(each, first=each.first + start, last=each.last + start) for each in profile.forbidden
        ),
    )


def _touches(block: Block, span: Span) -> bool:
    if block.table is not span.table:
        return False
    return block.address <= span.last and span.first < block.address + block.count
