"""How well a profile fits what a unit has answered, with the reasons for people.

Identity weighs most: device identification and the identity checks of the profile. Then comes what its blocks
and their decoded values say, in bits (see ``plausibility``), so that a profile that merely can be read there
gains nothing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collectors.commissioning.cross_checks import CrossCheck, cross_checks
from collectors.commissioning.memory import Memory
from collectors.commissioning.plausibility import Judgement, Verdict, judge
from collectors.decode import Decoder, Payload
from collectors.modbus import Answer, Fault
from collectors.planning import Block, plan_blocks
from collectors.profiles import IdentityCheck, ModbusProfile, Register
from facility.quality import FIRST_UNCERTAIN, Quality

_FULL_IDENTITY_BITS = 16.0
_STRONG_IDENTITY_BITS = 10.0
_MOST_BY_IDENTITY = 0.9
"""How sure a profile can be by its identity alone…"""
_MOST_BY_VALUES = 0.8
"""… and by its values alone."""
_HALVING_BITS = 8.0
"""So much evidence of values halves the doubt that values can take away."""
_ALL_ANSWERED_BITS = 2.0
_ALL_REFUSED_BITS = -8.0
_QUALITIES = {
    1: Quality.CONFIG_ERROR,
    2: Quality.NOT_CONNECTED,
    3: Quality.CONFIG_ERROR,
    4: Quality.DEVICE_FAILURE,
}
"""By exception; anything else is a failure of communication."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the identity checks of a profile came to."""

    bits: float = 0.0
    """How unlikely another device would pass."""
    failed: str = ""
    """The first check that did not hold, for people."""
    reasons: tuple[str, ...] = ()

    @property
    def strong(self) -> bool:
        """Whether other profiles need not be tried."""
        return not self.failed and self.bits >= _STRONG_IDENTITY_BITS


@dataclass(frozen=True, slots=True)
class Match:
    """A profile and how well it fits."""

    profile: ModbusProfile
    score: int
    """0…100."""
    bits: float
    """The evidence of values, not bounded: decides between equal scores."""
    reasons: tuple[str, ...]


def blocks_of(profile: ModbusProfile) -> tuple[Block, ...]:
    """Every read of a profile, the one that tells most first: registers, and many points."""
    blocks = plan_blocks(profile)
    return tuple(sorted(blocks, key=lambda block: (block.holds_bits, -len(block.points))))


def identity_block(check: IdentityCheck) -> Block:
    """The read of an identity check."""
    return Block(check.table, check.address, check.length, ())


def identity(profile: ModbusProfile, memory: Memory, told_of_itself: Mapping[str, str]) -> Identity:
    """What is known of a profile's identity; ``told_of_itself`` is its device identification."""
    bits = 0.0
    reasons: list[str] = []
    told = profile.identification
    if told is not None and told_of_itself:
        for name, start in (("vendor", told.vendor), ("product", told.product)):
            if not told_of_itself.get(name, "").startswith(start):
                return Identity(failed=f"the {name} of its device identification is another's")
        bits += 8.0 * len(told.vendor + told.product)
        reasons.append(f"identifies itself as {' '.join(filter(None, (told.vendor, told.product)))}")
    for check in profile.identity:
        words = memory.words(check.table, check.address, check.length)
        place = f"{check.table} {check.address}"
        if words is None:
            return Identity(failed=f"identity at {place} cannot be read")
        if not _holds(check, words):
            return Identity(failed=f"identity at {place} is {_shown(check, words)}")
        bits += _bits(check)
        reasons.append(f"identity {_shown(check, words)} at {place}")
    return Identity(bits, "", tuple(reasons))


def match(
    profile: ModbusProfile, blocks: Sequence[Block], memory: Memory, told_of_itself: Mapping[str, str]
) -> Match:
    """How well a profile fits what is known; 0 if its identity does not hold or nothing speaks for it.

    Args:
        profile: with addresses as on the wire.
        blocks: how it is read: ``blocks_of``, some perhaps split.
        memory: what was asked and answered.
        told_of_itself: the device identification.
    """
    known = identity(profile, memory, told_of_itself)
    if known.failed:
        return Match(profile, 0, -math.inf, (known.failed,))
    answers = [(block, memory.find(block.table, block.address, block.count)) for block in blocks]
    asked = sum(len(block.points) for block, answer in answers if answer is not None)
    answered = sum(len(block.points) for block, answer in answers if isinstance(answer, bytes))
    judgements, checks = _judged(profile, blocks, memory)
    bits = math.fsum(each.bits for each in judgements) + math.fsum(each.bits for each in checks)
    if asked:
        bits += (answered * _ALL_ANSWERED_BITS + (asked - answered) * _ALL_REFUSED_BITS) / asked
    by_values = _MOST_BY_VALUES * (1.0 - 2.0 ** (-max(0.0, bits) / _HALVING_BITS))
    by_identity = _MOST_BY_IDENTITY * min(1.0, known.bits / _FULL_IDENTITY_BITS)
    score = round(100 * (1.0 - (1.0 - by_identity) * (1.0 - by_values)))
    reasons = (*known.reasons, *_reasons(profile, answered, asked, judgements, checks))
    return Match(profile, score, bits, reasons)


def rank(matches: Iterable[Match]) -> tuple[Match, ...]:
    """Matches, the best first."""
    return tuple(sorted(matches, key=lambda each: (-each.score, -each.bits, each.profile.name)))


def decoded(profile: ModbusProfile, blocks: Sequence[Block], memory: Memory) -> tuple[list[float], list[int]]:
    """Values and qualities of a profile's points, as far as its blocks have been read."""
    payloads = [_payload(memory.find(block.table, block.address, block.count), block) for block in blocks]
    values, quality = Decoder(profile, blocks).decode(payloads)
    return [float(value) for value in values], [int(code) for code in quality]


def _payload(answer: Answer | None, block: Block) -> Payload:
    if answer is None:
        return Quality.WAITING_FOR_DATA
    if isinstance(answer, Fault):
        return _QUALITIES.get(answer.code, Quality.COMM_FAILURE)
    return answer if len(answer) == block.payload_length else Quality.BAD


def _judged(
    profile: ModbusProfile, blocks: Sequence[Block], memory: Memory
) -> tuple[list[Judgement], tuple[CrossCheck, ...]]:
    """What each value says of the profile, and whether the plausible ones agree with one another.

    Words that have been seen at another register already say nothing more: many devices fill a table alike.
    """
    values, quality = decoded(profile, blocks, memory)
    judgements = []
    plausible: dict[str, float] = {}
    seen: set[tuple[int, ...]] = set()
    for at, (point, value) in enumerate(zip(profile.points, values, strict=True)):
        source = profile.sources[at]
        read = quality[at] >= FIRST_UNCERTAIN or quality[at] == Quality.SENSOR_FAILURE
        words = memory.words_of(source) if isinstance(source, Register) and read else None
        if isinstance(source, Register):
            repeated = words is not None and words in seen
            judgement = judge(profile.kind, point, source, None if repeated else words, value)
            judgements.append(judgement)
            if judgement.verdict is Verdict.IMPLAUSIBLE:
                continue
        if words is not None:
            seen.add(words)
        if math.isfinite(value):
            plausible[point.name] = value
    return judgements, cross_checks(plausible)


def _reasons(
    profile: ModbusProfile,
    answered: int,
    asked: int,
    judgements: list[Judgement],
    checks: tuple[CrossCheck, ...],
) -> Iterator[str]:
    if not profile.identity and profile.identification is None:
        yield "no identity to check"
    yield f"{answered} of {asked} points can be read"
    plausible = sum(each.verdict is Verdict.PLAUSIBLE for each in judgements)
    telling = sum(each.verdict is not Verdict.SILENT for each in judgements)
    yield f"{plausible} of {telling} values plausible" if telling else "its values say nothing"
    failed = [check.text for check in checks if not check.passed]
    if failed:
        yield f"not so: {', '.join(failed)}"
    elif checks:
        yield f"{len(checks)} cross-checks hold"


def _holds(check: IdentityCheck, words: tuple[int, ...]) -> bool:
    if check.text is not None:
        return _text(words).startswith(check.text.rstrip(" \0"))
    number = _number(words)
    return (check.low is None or number >= check.low) and (check.high is None or number <= check.high)


def _bits(check: IdentityCheck) -> float:
    if check.text is not None:
        return 8.0 * len(check.text.rstrip(" \0"))
    most = (1 << 16 * check.length) - 1
    low = check.low if check.low is not None else 0
    high = check.high if check.high is not None else most
    return 16.0 * check.length - math.log2(max(1, high - low + 1))


def _shown(check: IdentityCheck, words: tuple[int, ...]) -> str:
    if check.text is not None:
        return repr(_text(words))
    return str(_number(words))


def _text(words: tuple[int, ...]) -> str:
    data = b"".join(word.to_bytes(2, "big") for word in words)
    return data.decode("latin-1").rstrip(" \0")


def _number(words: tuple[int, ...]) -> int:
    number = 0
    for word in words:
        number = number << 16 | word
    return number
