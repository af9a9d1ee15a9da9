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
from collectors.planning import Block, split_block
from collectors.profiles import ModbusProfile, Register, Span, SunSpecModel

_ROUNDS = (12, 6, 4)
"""How many profiles are left after one, two and three blocks of each; the last are read to their end."""
_HOPELESS_BITS = -12.0
"""With so much against it a profile is not read on."""
_CONVINCING = 25
"""Score below which profiles whose first block is refused get another chance."""
_REFUSALS = frozenset({2, 3})
"""Exceptions that are about what was asked for, so that asking for less may help."""
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
        self._forbidden: tuple[Span, ...] = ()
        self._plans: dict[str, tuple[Block, ...]] = {}
        """How each candidate is read, the blocks that tell most first."""
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
        candidates = self._candidates(profiles)
        self._plans = {profile.name: blocks_of(profile) for profile in candidates}
        matches = await self._tournament(candidates)
        if not matches or matches[0].score < _CONVINCING:
            matches = rank((*matches, *await self._second_chances(candidates)))
        return Examined(
            identification=self._identification,
            matches=tuple(each for each in matches if each.score > 0),
            complete=not self._cut_short,
        )

    async def _tournament(self, candidates: list[ModbusProfile]) -> tuple[Match, ...]:
        """Read a block of each, then of the better ones another; the best are read to their end."""
        left = candidates
        for place, keep in enumerate(_ROUNDS):
            for profile in left:
                await self._read_all(self._plans[profile.name][place : place + 1])
            ranked = sorted((self._match(profile) for profile in left), key=lambda each: -each.bits)
            hopeful = [each.profile for each in ranked if each.bits > _HOPELESS_BITS]
            left = hopeful if self._thorough else hopeful[:keep]
        for profile in left:
            await self._finish(profile, split=self._match(profile).bits > 0)
        return rank(self._match(profile) for profile in left)

    async def _second_chances(self, candidates: list[ModbusProfile]) -> list[Match]:
        """Profiles whose first block was refused, perhaps for one register of it: tried by its halves."""
        found = []
        for profile in candidates:
            first = self._plans[profile.name][0]
            if not _refused(self._memory, first):
                continue
            halves = split_block(profile, first)
            if len(halves) > 1:
                await self._read_all(halves)
                if not all(_refused(self._memory, half) for half in halves):
                    await self._finish(profile, split=True)
                    found.append(self._match(profile))
                    if found[-1].score >= _CONVINCING:
                        break
        return found

    async def _finish(self, profile: ModbusProfile, *, split: bool) -> None:
        """Read every block; with ``split`` what is refused in halves, down to single values."""
        left = list(reversed(self._plans[profile.name]))
        kept = []
        while left:
            block = left.pop()
            await self._read_all((block,))
            parts = split_block(profile, block) if split and _refused(self._memory, block) else ()
            if len(parts) > 1 and not self._exhausted:
                left.extend(reversed(parts))
            else:
                kept.append(block)
        self._plans[profile.name] = tuple(kept)

    def _match(self, profile: ModbusProfile) -> Match:
        return match(profile, self._plans[profile.name], self._memory, self._identification)

    def _candidates(self, profiles: Iterable[ModbusProfile]) -> list[ModbusProfile]:
        """Profiles worth reading, those whose identity holds first; notes what these forbid to read."""
        known = [(profile, identity(profile, self._memory, self._identification)) for profile in profiles]
        possible = [(profile, each) for profile, each in known if not each.failed]
        strong = [profile for profile, each in possible if each.strong]
        self._forbidden = tuple(span for profile in strong for span in profile.forbidden)
        if strong and not self._thorough:
            return strong
        possible.sort(key=lambda pair: -pair[1].bits)
        return [profile for profile, _ in possible]

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

    async def _read_all(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            if not any(_touches(block, span) for span in self._forbidden):
                await self._read(block)

    async def _read(self, block: Block) -> None:
        if self._memory.find(block.table, block.address, block.count) is not None:
            return
        if self._exhausted:
            self._cut_short = True
            return
        reply = await self._asker.ask(read_request(self._unit, block))
        silent = reply.answer == Fault(FaultKind.TIMEOUT)
        self._silent = self._silent + 1 if silent else 0
        self._memory.note(block, reply.answer)

    @property
    def _exhausted(self) -> bool:
        """Whether nothing more is asked: the bound is reached, or the unit no longer answers."""
        bound = self._last is not None and self._asker.requests >= self._last
        return bound or self._silent >= _SILENT_IN_A_ROW


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


def _refused(memory: Memory, block: Block) -> bool:
    answer = memory.find(block.table, block.address, block.count)
    return isinstance(answer, Fault) and answer.code in _REFUSALS
