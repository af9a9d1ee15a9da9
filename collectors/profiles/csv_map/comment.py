"""What the comment line of a map says about the device as a whole."""

import re
from dataclasses import dataclass, field

from collectors.profiles import DataType
from collectors.profiles.csv_map.remarks import NEGATIVE
from collectors.profiles.csv_map.rows import whole
from collectors.profiles.csv_map.sentinels import CONTINUES, Sentinels, add, add_told, tells

MAX_REGISTERS = 125
_LAST_ADDRESS = 0xFFFF
_ADDRESS = r"0x[0-9A-Fa-f]+|\d+"
_TO = r"\s*(?:-|–|\.\.+|to|through|thru)\s*"
_SLOW = 0.5
"""Seconds from which on a time to answer is worth telling: below, it is a matter of the line."""

_MARGIN = 1.5
"""A reply that takes as long as the map says must not be given up at that very moment."""

_IDENTIFY = re.compile(
    rf"(?<!\d)(\d+)\s*register(?:\(s\)|s)? at ({_ADDRESS}) must (?:read|be|equal)\s*"
    rf"(?:'([^']*)'|\"([^\"]*)\"|({_ADDRESS}))",
    re.IGNORECASE,
)
_EXPECT = re.compile(
    rf"(?:\b(u16|u32|s16)\s+at|\bregister|\bat)\s+({_ADDRESS})"
    rf"\s*={{1,2}}\s*({_ADDRESS})(?:\s*\.\.+\s*({_ADDRESS}))?(?!\w)",
    re.IGNORECASE,
)
_OFFSETS = re.compile(r"offset from the model start", re.IGNORECASE)
_MODEL = re.compile(r"\b(?:model )?ID\s*={1,2}\s*(\d+)", re.IGNORECASE)
_BASES = re.compile(r"\bSunS\"?[^;]{0,80}?\bat (\d+)((?:\s*(?:,|or)\s*\d+)*)", re.IGNORECASE)
_LIMITS = (
    re.compile(r"\bmax_read_registers\s*=?\s*(\d+)", re.IGNORECASE),
    re.compile(
        r"\b(?<!strings )(?:up to|at most|max(?:imum|\.)?(?: of)?|limit(?:ed)?(?: of| to|:)?|no more than"
        r"|\b(?:reads?|reading|requests?|asking)(?: of| for)? more than)"
        r"\s+(\d+)\s+(?:holding |input |modbus |consecutive )?(?:registers|words|regs)\b",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(\d+)\s+(?:registers|words|regs) (?:max\b|per|a|in one|in a|at) "
        r"(?:request|read|query|message|block|a? ?time|once|telegram|poll)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:max(?:imum|\.)?|largest|longest) (?:read |request )?(?:block|request|read)(?: length| size)?"
        r"(?: of| is|:| =)? (\d+)\b(?! ?(?:ms|s|bytes)\b)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:read|block|request) (?:length|size)(?: is| of|:| =)? (?:max(?:imum|\.)? )?"
        r"(\d+)\b(?! ?(?:ms|s|bytes)\b)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:only|ask for) (?:at most )?(\d+) (?:registers|words)\b"
        r"|\bregister limit (?:per|for a) (?:request|read):? (\d+)\b",
        re.IGNORECASE,
    ),
)
_SINGLE = re.compile(
    r"\b(?:one|1|single)[- ]register"
    r"(?: (?:per|a|in a|in one) (?:request|read|query|frame)|[- ]reads| at a time)"
    r"|no (?:block|multi(?:ple)?[- ]register) reads",
    re.IGNORECASE,
)
_ALONE = re.compile(
    r"point[- ]by[- ]point|one (?:value|point) (?:per|a) (?:request|read)"
    r"|\bread (?:individually|one by one|separately|singly)",
    re.IGNORECASE,
)
_BRIDGED = re.compile(
    r"reachable in one (?:request|read)|readable gaps"
    r"|gaps? (?:are |is |may be |can be )?(?:readable|bridged|read)",
    re.IGNORECASE,
)
_NOT_BRIDGED = re.compile(
    r"gaps? (?:must not|cannot|can't|may not)|not readable gaps|unreadable gaps", re.IGNORECASE
)
_TIME = r"(\d+(?:\.\d+)?)\s*(ms|msec|milliseconds|s|sec|seconds)\b"
_TAKES = re.compile(
    r"(?:repl(?:y|ies)|respon[ds]\w*|answers?|read)\b[^;]{0,80}?"
    r"\b(?:up to|takes?|within|timeout(?: of)?|max(?:imum|\.)?(?: of)?)"
    rf"\s+{_TIME}"
    rf"|timeout(?: of|:)?\s+{_TIME}"
    rf"|(?:allow|needs)(?: up to)? {_TIME} (?:per|for an?|for each|to) (?:re\w+|answers?)",
    re.IGNORECASE,
)
_PAUSE = re.compile(
    rf"(?:pause|wait|delay|gap|rest|silence)(?: of| at least)?\s+{_TIME}\s+between"
    rf"|\b{_TIME} (?:pause |delay |silence )?"
    r"between (?:two )?(?:requests|reads|polls|messages|frames)"
    r"|(?:inter[- ]?(?:frame|message|request)|turn-?around|guard) (?:delay|interval|time|gap)"
    rf"(?: of)? {_TIME}",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"\b\d{4,6} ?[5-8][NEO][12]\b(?: unit(?: id)? \d+)?"
    r"|\b(?:default )?\d{4,6} baud\b|\bbaud(?:rate)? \d{4,6}\b"
    r"|\bparity (?:none|even|odd)\b|\b(?:none|even|odd) parity\b"
    r"|\bunit ids? \d+(?:[-–]\d+)?(?:, ?\d+(?:[-–]\d+)?)*",
    re.IGNORECASE,
)
_SPAN = rf"(?:{_ADDRESS})(?:{_TO}(?:{_ADDRESS}))?"
_SPANS = (
    rf"({_SPAN}(?:(?:, ?(?:and |or )?| and | or | ?& ?)(?:registers? |addresses? )?{_SPAN})*)(?!\w)"
    r"(?! ?(?:registers?|words|times|ms|s|sec|seconds|min|baud)\b)"
)
_ONE_SPAN = re.compile(rf"({_ADDRESS})(?:{_TO}({_ADDRESS}))?", re.IGNORECASE)
_BE_READ = r"(?:must not|must never|may not|cannot|should not|not to) be (?:read|polled|accessed|touched)"
_FORBIDDEN = re.compile(
    rf"(?:do not|don't|never|must not|avoid) (?:read |reading |poll |polling |access |touch )?"
    rf"(?:(?:holding |input )?(?:registers?:? |addresses?:? ))?{_SPANS}"
    rf"|\b(?:registers?|address(?:es)?|ranges?|holes?|gaps?)(?: (?:at|from))? {_SPANS}"
    rf" (?:(?:is|are) \w+ and )?(?:are )?"
    rf"(?:{_BE_READ}|(?:are |is )?(?:not readable|unreadable|write[- ]only))"
    rf"|\b{_BE_READ}(?: \(|: ?){_SPANS}"
    rf"|\breading (?:(?:holding |input )?(?:registers? |addresses? ))?{_SPANS}"
    r" (?:hangs|crashes|locks|blocks|resets|clears|reboots|restarts|stops)"
    rf"|\b(?:forbidden|unreadable|not readable|off[- ]limits)"
    rf"(?: registers?| address(?:es)?| ranges?)?:? ?{_SPANS}",
    re.IGNORECASE,
)
_FORBIDDEN_BEYOND = re.compile(
    rf"registers? (above|beyond|from|below) ({_ADDRESS})(?: on(?:wards)?| up(?:wards)?)?"
    rf"(?: must not| may not| cannot| are not to) be read"
    rf"|(?:do not|don't|never|must not) read (?:registers? |addresses? )?(above|beyond|from|below)"
    rf" ({_ADDRESS})(?! *(?:to|-|\.\.))",
    re.IGNORECASE,
)
_SWAPPED = re.compile(
    r"(?:\b(\w+) )?(?:string|text)s?\b[^;]{0,80}"
    r"(?:swapped bytes|bytes swapped|byte[- ]swapped|low byte first)"
    r"|(?:swapped bytes|bytes (?:are )?swapped) in (?:the )?(?:(\w+) )?(?:string|text)s?",
    re.IGNORECASE,
)
_BYTES_LITTLE = re.compile(r"\bbyte_?order\s*=\s*little\b", re.IGNORECASE)
_LAST_OF_SUNSPEC = {
    DataType.U16: 0xFFFF,
    DataType.S16: 0x8000,
    DataType.U32: 0xFFFFFFFF,
    DataType.S32: 0x80000000,
    DataType.U64: (1 << 64) - 1,
    DataType.S64: 1 << 63,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a device shows at an address."""

    address: int
    length: int
    text: str = ""
    low: int | None = None
    high: int | None = None


@dataclass(slots=True, kw_only=True)
class Comment:
    """What was understood of the comment; all of its remaining text stays in ``caveats``."""

    source: str = ""
    make: str = ""
    link: str = ""
    caveats: str = ""
    sentinels: Sentinels = field(default_factory=dict)
    max_registers: int = MAX_REGISTERS
    alone: bool = False
    bridged: bool = False
    identity: list[Expectation] = field(default_factory=list)
    model: int | None = None
    """SunSpec model whose start the addresses count from."""
    offsets: bool = False
    """Addresses count from the start of a SunSpec model."""
    bases: tuple[int, ...] = ()
    timeout: float | None = None
    pause: float | None = None
    forbidden: list[tuple[int, int]] = field(default_factory=list)
    negatives: list[str] = field(default_factory=list)
    """Clauses that say negative numbers are codes, of whatever their words name."""
    clauses: tuple[str, ...] = ()
    """All it says, one thing after the other."""
    bytes_little: bool = False
    """In every register the less significant byte comes first."""
    swapped: list[str] = field(default_factory=list)
    """Words in the names of texts whose bytes are swapped; "" for all texts."""


def read_comment(text: str) -> Comment:
    """Understand a comment."""
    found = Comment()
    found.source, found.make, rest = _split(text)
    found.link = _link(f"{found.make}; {rest}")
    _identity(rest, found)
    _reading(rest, found)
    found.bytes_little = bool(_BYTES_LITTLE.search(rest))
    found.caveats = _tidy(rest)
    found.clauses = tuple(clauses_of(rest))
    telling = False
    for clause in found.clauses:
        telling = tells(clause) or (telling and bool(CONTINUES.match(clause)))
        if telling:
            add_told(clause, found.sentinels)
        if NEGATIVE.search(clause):
            found.negatives.append(clause)
        if match := _SWAPPED.search(clause):
            word = (match[1] or match[2] or "").lower()
            found.swapped.append("" if word in {"all", "the", "in", "of", "ascii"} else word)
    if found.offsets:
        for data, pattern in _LAST_OF_SUNSPEC.items():
            add(found.sentinels, data, pattern)
    return found


def clauses_of(text: str) -> list[str]:
    """What a text says, one thing after the other."""
    return [each.strip() for each in re.split(r";|\.\s+(?=[A-Z])", text)]


def _split(text: str) -> tuple[str, str, str]:
    """Source, maker and rest of ``source: SOURCE (MAKER). REST``."""
    if not text.lower().startswith("source:"):
        return "", "", text
    plain = text[len("source:") :].strip()
    depth = start = 0
    for at, letter in enumerate(plain):
        if letter == "(":
            start = at if depth == 0 else start
            depth += 1
        elif letter == ")" and depth:
            depth -= 1
            if depth == 0 and re.match(r"\)(?:\.\s|\.?$)", plain[at:]):
                return plain[:start].strip(), plain[start + 1 : at].strip(), plain[at + 1 :].lstrip(". ")
    head, _, rest = plain.partition(". ")
    return head.strip(), "", rest.strip()


def _link(text: str) -> str:
    """Serial settings and unit ids, each once."""
    parts: dict[str, str] = {}
    for part in (each.strip() for each in _LINK.findall(text)):
        parts.setdefault("".join(sorted(re.findall(r"[a-z]+|\d+", part.lower()))), part)
    return ", ".join(parts.values())


def _tidy(rest: str) -> str:
    """The rest without what profiles say in keys of their own."""
    parts = [each.strip() for each in rest.split(";")]
    settled = re.compile(
        r"^(?:RTU(?: \d+ baud parity \w+)?|FC0?[34](?: reads| only)?|unit ids? [\d,\- ]+"
        r"|probe register \d+|baud \d+"
        r"|parity \w+|identify: .*|\d+ baud)\.?$",
        re.IGNORECASE,
    )
    return "; ".join(each for each in parts if each and not settled.match(each))


def _identity(rest: str, found: Comment) -> None:
    for match in _IDENTIFY.finditer(rest):
        text = match[3] or match[4] or ""
        number = whole(match[5]) if match[5] else None
        found.identity.append(
            Expectation(
                address=whole(match[2]) or 0, length=int(match[1]), text=text, low=number, high=number
            )
        )
    for match in _EXPECT.finditer(rest):
        low = whole(match[3]) or 0
        wide = (match[1] or "").lower() == "u32"
        high = whole(match[4]) if match[4] else low
        found.identity.append(
            Expectation(address=whole(match[2]) or 0, length=2 if wide else 1, low=low, high=high)
        )
    found.offsets = bool(_OFFSETS.search(rest))
    if found.offsets:
        model = _MODEL.search(rest)
        found.model = int(model[1]) if model else None
        if bases := _BASES.search(rest):
            found.bases = tuple(int(each) for each in re.findall(r"\d+", bases[1] + bases[2]))


def _reading(rest: str, found: Comment) -> None:
    """How much a request may ask for and how long it takes."""
    limits = [int(match[match.lastindex or 1]) for limit in _LIMITS for match in limit.finditer(rest)]
    if _SINGLE.search(rest):
        limits.append(1)
    found.max_registers = max(1, min([MAX_REGISTERS, *limits]))
    found.alone = bool(_ALONE.search(rest))
    found.bridged = bool(_BRIDGED.search(rest)) and not _NOT_BRIDGED.search(rest)
    times = [_seconds(match) for match in _TAKES.finditer(rest)]
    found.timeout = max((each * _MARGIN for each in times if each >= _SLOW), default=None)
    if match := _PAUSE.search(rest):
        found.pause = _seconds(match)
    for match in _FORBIDDEN.finditer(rest):
        for span in _ONE_SPAN.finditer(next(each for each in match.groups() if each)):
            first = whole(span[1]) or 0
            found.forbidden.append((first, whole(span[2]) or 0 if span[2] else first))
    for match in _FORBIDDEN_BEYOND.finditer(rest):
        side, limit = (match[1] or match[3]).lower(), whole(match[2] or match[4]) or 0
        spans = {"below": (0, limit - 1), "from": (limit, _LAST_ADDRESS)}
        found.forbidden.append(spans.get(side, (limit + 1, _LAST_ADDRESS)))


def _seconds(match: re.Match[str]) -> float:
    """The time a match tells: the first number of it, and its unit."""
    number, unit = [each for each in match.groups() if each][:2]
    return float(number) / (1000 if unit.lower().startswith("m") else 1)
