"""One device, read once and looked at closely: raw words, values, and what a doubtful value could be."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from collectors.commissioning.asking import Asker
from collectors.commissioning.cross_checks import CrossCheck, cross_checks
from collectors.commissioning.examining import moved
from collectors.commissioning.hints import Hint, Shown, hints
from collectors.commissioning.matching import blocks_of, decoded, identity, identity_block
from collectors.commissioning.memory import Memory
from collectors.commissioning.orders import Reading, readings
from collectors.commissioning.plausibility import SILENT, Verdict, empty, judge, nominal, says_none
from collectors.decode import decode_text
from collectors.modbus import Answer, Fault
from collectors.modbus.frames import read_request
from collectors.modbus.identity import ForeignDeviceError, read_identification
from collectors.modbus.sunspec import find_model
from collectors.planning import Block, plan_texts, split_block
from collectors.profiles import ModbusProfile, Register, Table
from facility.devices import PointSpec
from facility.quality import FIRST_GOOD
from facility.quality import text as quality_text

_REFUSALS = frozenset({2, 3})
"""Exceptions that are about what was asked for, so that asking for less may help."""
_ANSWERS = frozenset(range(1, 10))
"""Exceptions that show that the unit is there."""
_SILENT_IN_A_ROW = 3
"""After so many reads without an answer the rest is not asked for."""
_MOST_NEIGHBOURS = 32
"""So many doubtful values are looked at beyond their own registers."""
_LAST_ADDRESS = 0xFFFF
_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class PointShown:
    """One point as it was read."""

    point: PointSpec
    register: Register | None
    """None for a sum of others."""
    words: tuple[int, ...] | None
    """Raw registers; None if they could not be read, or are bits."""
    value: float
    """In base units; NaN if there is none."""
    quality: int
    verdict: Verdict
    remark: str = ""
    """Why there is no value or why it is doubtful, for people; empty if all is well."""
    readings: tuple[Reading, ...] = ()
    """Every way it could be meant, the most plausible first, for a doubtful or chosen point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one look at a device has shown."""

    identification: Mapping[str, str]
    """What the device says it is."""
    identity: tuple[str, ...]
    """What became of the identity checks of the profile, for people."""
    texts: Mapping[str, str]
    """Texts the profile knows, such as the serial number."""
    points: tuple[PointShown, ...]
    checks: tuple[CrossCheck, ...]
    hints: tuple[Hint, ...]
    """What most doubtful values have in common; several if they explain the same."""
    error: str
    """Why nothing could be read at all; empty if something could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Which points are shown in every way, besides those that are implausible or say there is no value."""

    points: frozenset[str] = frozenset()
    expect: float | None = None
    """Value of these points as it is known from elsewhere, in base units."""


class DeviceProbe:
    """One unit, to be read any number of times. What it refused is not asked for again."""

    def __init__(self, asker: Asker, unit: int, profile: ModbusProfile) -> None:
        self._asker = asker
        self._unit = unit
        self._told = profile
        self._profile: ModbusProfile | None = None
        self._identification: dict[str, str] = {}
        self._identity: tuple[str, ...] = ()
        self._texts: dict[str, str] = {}
        self._blocks: tuple[Block, ...] = ()
        self._refused: dict[Block, Fault] = {}
        self._refused_around: set[tuple[Table, int, int]] = set()

    async def look(self, doubt: Doubt) -> Probe:
        """Read the device.

        Raises:
            UnreachableError: the address is lost.
        """
        nothing = Probe(identification={}, identity=(), texts={}, points=(), checks=(), hints=(), error="")
        try:
            profile = self._profile or await self._place()
        except ForeignDeviceError as error:
            return replace(nothing, identification=self._identification, error=str(error))
        memory = Memory()
        await self._read(profile, memory)
        shown = _show(profile, self._blocks, memory)
        await self._look_around(profile, shown, doubt, memory)
        plausible = {each.point.name: each.value for each in shown if each.verdict is not Verdict.IMPLAUSIBLE}
        return Probe(
            identification=self._identification,
            identity=self._identity,
            texts=self._texts,
            points=tuple(_with_readings(profile, each, doubt, memory) for each in shown),
            checks=cross_checks(plausible),
            hints=hints(profile.kind, list(_evidence(shown, memory))),
            error=self._nothing(memory),
        )

    async def _place(self) -> ModbusProfile:
        profile = self._told
        self._identification = await self._asker.follow(read_identification(self._unit))
        if profile.sunspec is not None:
            start, told = await self._asker.follow(find_model(profile.sunspec, self._unit))
            self._identification |= told
            profile = moved(profile, start)
        await self._read_identity(profile)
        self._profile = profile
        self._blocks = blocks_of(profile)
        return profile

    async def _read_identity(self, profile: ModbusProfile) -> None:
        memory = Memory()
        for check in profile.identity:
            await self._fetch(identity_block(check), memory)
        known = identity(profile, memory, self._identification)
        self._identity = (known.failed,) if known.failed else known.reasons
        for text, blocks in zip(profile.texts, plan_texts(profile), strict=True):
            answers = [await self._fetch(block, memory) for block in blocks]
            data = b"".join(answer for answer in answers if isinstance(answer, bytes))
            said = decode_text(text, data) if len(data) == 2 * text.length else None
            if said:
                self._texts[text.name] = said

    async def _fetch(self, block: Block, memory: Memory) -> Answer:
        answer = (await self._asker.ask(read_request(self._unit, block))).answer
        memory.note(block, answer)
        return answer

    async def _read(self, profile: ModbusProfile, memory: Memory) -> None:
        """Read every block; one that is refused in halves from now on, down to single values."""
        left = list(reversed(self._blocks))
        kept: list[Block] = []
        silent = 0
        while left:
            block = left.pop()
            answer = self._refused.get(block)
            if answer is None and silent < _SILENT_IN_A_ROW:
                read = await self._fetch(block, memory)
                answer = read if isinstance(read, Fault) else None
                silent = silent + 1 if answer is not None and answer.code not in _ANSWERS else 0
            if answer is not None and answer.code in _REFUSALS:
                parts = split_block(profile, block)
                if len(parts) > 1:
                    left.extend(reversed(parts))
                    continue
                self._refused[block] = answer
                memory.note(block, answer)
            kept.append(block)
        self._blocks = tuple(kept)

    async def _look_around(
        self, profile: ModbusProfile, shown: list[PointShown], doubt: Doubt, memory: Memory
    ) -> None:
        """Read the registers before and behind what is doubtful, where that is allowed."""
        asked = [each.register for each in shown if each.register is not None and _doubtful(each, doubt)]
        for register in asked[:_MOST_NEIGHBOURS]:
            if register.table in _BIT_TABLES:
                continue
            for address in (register.address - 1, register.address + register.length):
                place = (register.table, address, 1)
                if (
                    not 0 <= address <= _LAST_ADDRESS
                    or place in self._refused_around
                    or memory.find(*place) is not None
                    or _forbidden(profile, register.table, address)
                ):
                    continue
                if isinstance(await self._fetch(Block(*place, ()), memory), Fault):
                    self._refused_around.add(place)

    def _nothing(self, memory: Memory) -> str:
        answers = [memory.find(block.table, block.address, block.count) for block in self._blocks]
        faults = [answer for answer in answers if isinstance(answer, Fault)]
        if any(isinstance(answer, bytes) for answer in answers):
            return ""
        kinds = sorted({str(fault) for fault in faults})
        return f"no block of the profile could be read: {', '.join(kinds)}"


def _show(profile: ModbusProfile, blocks: tuple[Block, ...], memory: Memory) -> list[PointShown]:
    """Every point as it was read and what that says."""
    values, quality = decoded(profile, blocks, memory)
    faults: dict[int, str] = {}
    for block in blocks:
        answer = memory.find(block.table, block.address, block.count)
        if not isinstance(answer, bytes):
            place = f"{block.table} {block.address}+{block.count}"
            text = f"{answer} reading {place}" if answer is not None else f"not asked: {place}"
            faults.update(dict.fromkeys(block.points, text))
    shown = []
    for at, (point, value, code) in enumerate(zip(profile.points, values, quality, strict=True)):
        source = profile.sources[at]
        register = source if isinstance(source, Register) else None
        words = memory.words_of(register) if register is not None else None
        judgement = judge(profile.kind, point, register, words, value) if register is not None else SILENT
        each = PointShown(
            point=point, register=register, words=words, value=value, quality=code, verdict=judgement.verdict
        )
        shown.append(replace(each, remark=faults.get(at) or _remark(profile, each)))
    return shown


def _remark(profile: ModbusProfile, shown: PointShown) -> str:
    if shown.verdict is Verdict.IMPLAUSIBLE:
        low, high = nominal(profile.kind, shown.point)
        place = "impossible" if math.isnan(shown.value) else "unusual"
        return f"{place}, expected {low:g}…{high:g} {shown.point.type.unit}"
    if shown.quality >= FIRST_GOOD:
        return ""
    if shown.register is not None and shown.words is not None and says_none(shown.register, shown.words):
        return "the device says there is no value"
    return quality_text(shown.quality)


def _doubtful(shown: PointShown, doubt: Doubt) -> bool:
    if shown.register is None or shown.words is None:
        return False
    none = says_none(shown.register, shown.words) and not empty(shown.words)
    return none or shown.verdict is Verdict.IMPLAUSIBLE or shown.point.name in doubt.points


def _forbidden(profile: ModbusProfile, table: Table, address: int) -> bool:
    return any(span.table is table and span.first <= address <= span.last for span in profile.forbidden)


def _around(register: Register, memory: Memory) -> dict[int, int]:
    """The known registers from one before a value to one behind it, by address."""
    known: dict[int, int] = {}
    for address in range(max(0, register.address - 1), register.address + register.length + 1):
        words = memory.words(register.table, address, 1)
        if words is not None:
            known[address] = words[0]
    words = memory.words_of(register)
    if words is not None:
        known.update(zip(range(register.address, register.address + register.length), words, strict=True))
    return known


def _with_readings(profile: ModbusProfile, shown: PointShown, doubt: Doubt, memory: Memory) -> PointShown:
    if shown.register is None or not _doubtful(shown, doubt):
        return shown
    expect = doubt.expect if shown.point.name in doubt.points else None
    found = readings(profile.kind, shown.point, shown.register, _around(shown.register, memory), expect)
    return replace(shown, readings=found)


def _evidence(shown: list[PointShown], memory: Memory) -> Iterator[Shown]:
    for each in shown:
        if each.register is not None and each.words is not None:
            yield Shown(each.point, each.register, _around(each.register, memory), each.verdict)
