"""What the description column of a map says about one register."""

import re
from dataclasses import dataclass, field
from itertools import pairwise

from collectors.profiles.csv_map.rows import whole

_VALUE = r"(?:(?:0x|\$)[0-9A-Fa-f_]+h?|\b[0-9A-Fa-f]{2,16}h\b|-?\d+(?:\.0+)?)"
_NO_VALUE = (
    r"(?:the |a |an |field |value |register |sensor |probe |input |is |was ){0,5}"
    r"(?:not[- ](?:available|supported|applicable|connected|present|used|implemented|valid|installed|fitted)"
    r"|n/?a\b|n\.a\.|null\b|no (?:valid )?(?:sensor|probe|value|data|reading|measurement)"
    r"|invalid|unavailable|unsupported|unimplemented|missing|absent|unplugged|disconnected|undefined"
    r"|sentinel|nan\b|open[- ]circuit"
    r"|(?:sensor|probe) (?:missing|not connected)|not (?:measured|equipped|ready)|unknown\b|blank\b)"
)
NO_VALUE = re.compile(_NO_VALUE, re.IGNORECASE)

_TROUBLE = (
    r"(?:the |a |an |is ){0,3}(?:(?:sensor|probe|transducer|wire|cable) "
    r"(?:failed|break|broken|open|short(?:ed)?|defect)"
    r"|(?:open|broken|shorted|faulty|failed|defective) (?:sensor|probe|transducer|wire|cable|loop|input)\b"
    r"|(?:sensor |probe )?(?:fault|failure|error)\b|short[- ]circuit|out of range|no communication|disabled"
    r"|over-?range|under-?range|over-?flow)"
)
"""Words that mean no value of a number that is the limit of its type; of others they may be states."""
NEGATIVE = re.compile(r"\bnegative\b[^;]{0,80}\bcodes?\b|(?<![\w.])-\d+\b", re.IGNORECASE)
"""What may say that negative numbers of a measurement are codes."""
_CODES = re.compile(r"\b(?:negative|error|state|status|reason)\b[^;]{0,80}\bcodes?\b", re.IGNORECASE)
_CODE = re.compile(r"(?<![\w.])(-\d+)\s*[=:]?\s*[A-Za-z(]")
_NEGATIVE_NONE = re.compile(
    r"(?<![\w.])(-\d+)(?:\s*(?:=|:|->|→|means|indicates|is|for|when|while|if))+\s*"
    r"(?:the |a |an |timer |countdown |counter )*(?:not|no|inactive|idle|unknown|none|never|off"
    r"|stopped|disabled)\b",
    re.IGNORECASE,
)
_LEAST_LIMIT = 0x7F
"""Least number that is surely no state."""
_BIT_RANGE = re.compile(r"^bits?\s*[=:]?\s*(\d+)\s*(?:-|\.\.+|to)\s*(\d+)$", re.IGNORECASE)
_BIT = re.compile(r"^bit\s*[=:]?\s*(\d+)\b|\bbit=(\d+)\b", re.IGNORECASE)
_WIDTH = re.compile(r"^width\s*=\s*(\d+)$", re.IGNORECASE)
_MASK = re.compile(r"\bmask\s*=?\s*(0x[0-9A-Fa-f]+)", re.IGNORECASE)
_LENGTH = re.compile(
    r"^(?:len(?:gth)?\s*=\s*)?(\d+)\s*(registers?|regs?|words?|bytes?|chars?|characters?)$"
    r"|^len(?:gth)?\s*=\s*(\d+)$",
    re.IGNORECASE,
)
_LENGTH_WITHIN = re.compile(r"\b(?:len(?:gth)?\s*=\s*)?(\d+)[ -](?:registers?|regs?|words?)\b", re.IGNORECASE)
_SWAPPED = re.compile(
    r"byte_?\s?order\s*=\s*little|low byte first|bytes (?:are )?swapped|swapped bytes|byte[- ]swapped",
    re.IGNORECASE,
)
_SIZE = re.compile(r"\bsize\s*=?\s*([us]\d+)\b", re.IGNORECASE)
_HALF = re.compile(
    r"\b(low|high|lower|upper|least significant|most significant)[ -]?byte\b|\b(LSB|MSB)\b", re.IGNORECASE
)
_ACTIVE = re.compile(r"\bactive\s*=\s*(true|false|1|0|high|low)\b|\bactive (low)\b", re.IGNORECASE)
_INVALID = re.compile(
    rf"\b(?:invalid|sentinel)(?: if| when| values?)?s?\s*[=:]?\s*"
    rf"({_VALUE}(?:\s*(?:\([^)]*\))?\s*(?:,|/|\||or|and)\s*{_VALUE})*)",
    re.IGNORECASE,
)
_CONNECTORS = (
    r"(?:=|:|,|->|→|means|signals|indicates|denotes|marks|stands|is|are|reads?|returned|sent|shown"
    r"|for|when|while|if|where|as|\()"
)
_MEANS_NONE = re.compile(rf"(?<![\w.+])({_VALUE})((?:\s*{_CONNECTORS}){{0,3}})\s*{_NO_VALUE}", re.IGNORECASE)
_NUMBERED = re.compile(
    r"\b(?:register|reg|address|document|doc|row|no|model|type|version|firmware|rev|before|since|from|until)"
    r"[.:#]? *$",
    re.IGNORECASE,
)
"""What stands before a number that is no value of the register."""
_ENDS = re.compile(r"[\s\"')]*(?:$|[,.|/])")
_MEANS_TROUBLE = re.compile(rf"(?<![\w.])({_VALUE})(?:\s*{_CONNECTORS}){{0,3}}\s*{_TROUBLE}", re.IGNORECASE)
_TROUBLE_IS = re.compile(
    rf"(?:{_NO_VALUE}|(?:error|fault)(?: value| code)?)\s*[=:]?\s*({_VALUE})(?![\w.])", re.IGNORECASE
)
_SAID_LATER = re.compile(rf"(?<![\w.])({_VALUE})\s*(?:=|:|means)[^;]{{0,80}}?\b{_NO_VALUE}", re.IGNORECASE)
_ALL_ONES = re.compile(r"\ball (?:ones|bits set|bits 1|0xFF|F\b)", re.IGNORECASE)
_NONE_IS = re.compile(
    rf"{_NO_VALUE}[\"')]*(?: value| values| pattern| code| data)?"
    rf"(?:\s*(?:=|:|->|→|is|are|reads?|returns?|shown as|sent as))+\s*({_VALUE})"
    r"(?![\w.]|[ -](?:phase|wire|pole|model))",
    re.IGNORECASE,
)
_SCALED = re.compile(
    rf"(?<![\w.])(-?\d+\.\d*[1-9]\d*|-?\d+(?:\.\d+)?e[+-]?\d+)(?:\s*{_CONNECTORS}){{0,3}}\s*(?:{_NO_VALUE}|{_TROUBLE})",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    rf"{_NO_VALUE}|{_TROUBLE}|\b(?:open|short(?:ed)?|broken|unplugged|fault\w*|fail\w*|errors?|missing)\b",
    re.IGNORECASE,
)
_RANGE = re.compile(
    r"\brange\b|\.\.|\broll|\bwrap|\bmodul|\bregister|\baddress|\bdocument|\bbits?\b", re.IGNORECASE
)
_INVALID_SPAN = re.compile(
    rf"\b(?:invalid|sentinels?)\s*[=:]?\s*({_VALUE})\s*(?:\.\.+|to|-)\s*({_VALUE})", re.IGNORECASE
)
_WIDEST_SPAN = 256
_LIMIT_WHEN = re.compile(r"(?<!\w)(0x(?:[Ff]{2,}|80{1,}|7[Ff]+))\s+(?:on|while|if|when|without|for)\b")
_ENUM = re.compile(r"^enum\s*:?\s*", re.IGNORECASE)
_STATE = re.compile(r"^(-?\d+|0x[0-9A-Fa-f]+)\s*[=:]\s*(\S.*)$")
_NUMBER = r"(?:0x[0-9A-Fa-f]+|\d+)"
_STATE_LIST = re.compile(
    rf"^{_NUMBER}\s*[=: ]\s*[^\d\s,=.][^,]*(?:,\s*(?:\.\.\.)?{_NUMBER}\s*[=: ]\s*[^\s,=][^,]*)+$"
)
_STATE_ITEM = re.compile(rf"^(?:\.\.\.)?({_NUMBER})\s*[=: ]\s*(.+)$")
_REFERENCE = re.compile(
    rf"\b(scale|exponent|sf|unit|factor|multiplier|divisor|percent|fraction)_reg\s*=\s*"
    rf"([A-Za-z_]\w*)?@?({_VALUE})?",
    re.IGNORECASE,
)
_FRACTION_IN = re.compile(rf"\bfraction(?:al)?(?: part)? in (?:register )?({_VALUE})", re.IGNORECASE)
_PERCENT_OF = re.compile(
    r"(?<!\d)(?<!\d )(?:%|\bpercent(?:age)?) of (?:the )?(?:value of |register )?"
    r"([A-Za-z_]\w*|0x[0-9A-Fa-f]+)(?:@\S+)?",
    re.IGNORECASE,
)
_MODULUS = re.compile(rf"\bmodulus\s*[=:]?\s*({_VALUE})", re.IGNORECASE)
_ROLLS = re.compile(
    r"\b(?:roll(?:s|ed)?[- ]?over(?: at)?|wraps at)\s*[=:]?\s*(0x[0-9A-Fa-f]+|\d+(?:\.\d+)?)\s*([A-Za-z³]*)",
    re.IGNORECASE,
)
_UNREADABLE = re.compile(
    r"\bwrite[- ]only\b|\bclear(?:s|ed)?[- ](?:on|by|when|after)[- ]read"
    r"|\bread(?:ing)?(?: it)? (?:clears|resets)|\bmust not be read"
    r"|\b(?:do not|don't|never) read\b|\breset(?:s)? on read",
    re.IGNORECASE,
)
_FIRMWARE = re.compile(r"\bfirmware\s*(?:>=|from|since|version)\s*\S+", re.IGNORECASE)
_ENCODING = re.compile(r"\b(utf-?8|latin-?1|iso[- ]?8859[- ]?1)\b", re.IGNORECASE)

_STATES_APART = re.compile(r"\s*[/|]\s*(?=\d+\s*[=:]\s*[^\W\d])")
"""What parts the words of a state where it is no comma: ``0: Off / 1: On``."""

_USES = {
    "scale": "exponent",
    "exponent": "exponent",
    "sf": "exponent",
    "unit": "unit_from",
    "factor": "factor",
    "multiplier": "factor",
    "divisor": "divisor",
    "percent": "percent_of",
    "fraction": "fraction",
}


REFERENCES = {use: word for word, use in reversed(_USES.items())}
"""The first word before ``_reg=`` for each use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Another register a description refers to, by name, by address or by both."""

    use: str
    """Key of the reference in a profile: ``exponent``, ``percent_of``, ``fraction`` …."""
    name: str = ""
    address: int | None = None
    phrase: str = ""
    """All that stands in place of the name, for names of several words."""
    told: bool = False
    """Whether it is told as a reference, such as ``percent_reg=NAME@12``, not in passing words."""


@dataclass(slots=True, kw_only=True)
class Remarks:
    """What was understood of one description."""

    length: int | None = None
    """Registers of a text, or of digits."""
    bit: int | None = None
    width: int = 1
    swapped: bool = False
    """The less significant byte of each register comes first."""
    size: str = ""
    """Size of the value where it is less than its register, such as ``u8``."""
    high_byte: bool = False
    active_low: bool = False
    hexadecimal: frozenset[int] = frozenset()
    """Numbers that are written as patterns; others are what they say, also where a real number lies."""
    invalid: list[int] = field(default_factory=list)
    invalid_measured: list[int] = field(default_factory=list)
    """The same of small numbers, of measurements only: of others they are states, "not installed"."""
    invalid_limits: list[int] = field(default_factory=list)
    """The same where the words leave doubt: only if it is an end of its type, negative or all nines."""
    invalid_ends: list[int] = field(default_factory=list)
    """The same of any number beside words of trouble: only if it is about an end of its type."""
    invalid_scaled: list[float] = field(default_factory=list)
    """Values, not raw numbers, that mean none."""
    states: dict[int, str] = field(default_factory=dict)
    mentions: list[Mention] = field(default_factory=list)
    modulus: int | None = None
    """Counts of a counter that starts again."""
    rolls_at: tuple[str, str] | None = None
    """The last number before it does, or the first it never shows, and the word behind, maybe a unit."""
    unreadable: bool = False
    """It must not be read at all."""
    firmware: str = ""
    encoding: str = "ascii"
    words: str = ""
    """What is left: the plain description."""


def read_remarks(description: str) -> Remarks:
    """Understand a description, part by part; what is not understood is left in ``words``."""
    written = re.findall(_VALUE, description, re.IGNORECASE)
    found = Remarks(
        hexadecimal=frozenset(_number(each) for each in written if not re.fullmatch(r"-?[\d.]+", each))
    )
    listing = False
    words: list[str] = []
    parts = [each for each in (part.strip() for part in description.split(";")) if each]
    for part, following in pairwise([*parts, ""]):
        listed = _ENUM.sub("", part)
        listing = listing or listed != part or (_is_state(part) and _is_state(following))
        if listing and (state := _STATE.match(listed)):
            found.states[_number(state[1])] = state[2].strip()
            continue
        listing = False
        if not (_place(part, found) or _values(part, found) or _references(part, found)):
            words.append(part)
        _asides(part, found)
    found.words = "; ".join(words)
    return found


def _is_state(part: str) -> bool:
    """Whether a part looks like a number and its word: two of them in a row are a list."""
    state = _STATE.match(part)
    return state is not None and 0 <= _number(state[1]) < _LEAST_LIMIT and state[2][0].isalpha()


def _place(part: str, found: Remarks) -> bool:
    """Bits, lengths and sizes."""
    return any(read(part, found) for read in (_bits, _length, _size))


def _bits(part: str, found: Remarks) -> bool:
    if match := _BIT_RANGE.match(part):
        low, high = sorted((int(match[1]), int(match[2])))
        found.bit, found.width = low, high - low + 1
    elif match := _BIT.search(part):
        found.bit = int(match[1] or match[2])
    elif match := _WIDTH.match(part):
        found.width = int(match[1])
    elif match := _MASK.search(part):
        mask = int(match[1], 16)
        found.bit = (mask & -mask).bit_length() - 1 if mask else None
        found.width = mask.bit_length() - (found.bit or 0)
    else:
        return False
    return True


def _length(part: str, found: Remarks) -> bool:
    if match := _LENGTH.match(part):
        count, of = int(match[1] or match[3]), (match[2] or "").lower()
        found.length = (count + 1) // 2 if of.startswith(("byte", "char")) else count
        return True
    # A length may stand among other words, as in "len=5 registers, low byte first".
    if found.length is None and (within := _LENGTH_WITHIN.search(part)):
        found.length = int(within[1])
    return False


def _size(part: str, found: Remarks) -> bool:
    match = _SIZE.search(part)
    if match:
        found.size = match[1].lower()
    return match is not None


def _values(part: str, found: Remarks) -> bool:
    """Patterns for "no value" and words for numbers."""
    if (match := _INVALID_SPAN.search(part)) and 0 < _number(match[2]) - _number(match[1]) < _WIDEST_SPAN:
        found.invalid.extend(range(_number(match[1]), _number(match[2]) + 1))
        return True
    if match := _INVALID.search(part):
        told = re.sub(r"\([^)]*\)", "", match[1])
        found.invalid.extend(_number(each) for each in re.findall(_VALUE, told))
        return True
    listed = _STATES_APART.sub(",", part)
    if _STATE_LIST.match(listed):
        for item in listed.split(","):
            if match := _STATE_ITEM.match(item.strip()):
                number, word = _number(match[1]), match[2].strip()
                if number >= _LEAST_LIMIT and NO_VALUE.match(word):
                    found.invalid.append(number)
                else:
                    found.states[number] = word
        return True
    sure, unsure = _meaning_none(part)
    patterns = [*sure, *_NONE_IS.findall(part), *_LIMIT_WHEN.findall(part)]
    doubtful = [
        *unsure,
        *_MEANS_TROUBLE.findall(part),
        *_TROUBLE_IS.findall(part),
        *_SAID_LATER.findall(part),
    ]
    found.invalid_limits.extend(_number(each) for each in doubtful)
    found.invalid_measured.extend(negative_codes(part))
    found.invalid_scaled.extend(float(each) for each in _SCALED.findall(part))
    if _DOUBT.search(part) and not _RANGE.search(part):
        found.invalid_ends.extend(_number(each) for each in re.findall(_VALUE, part))
    if _ALL_ONES.search(part) and NO_VALUE.search(part):
        found.invalid.append(-1)
        return True
    for number in dict.fromkeys(_number(each) for each in patterns):
        (found.invalid_measured if 0 <= number < _LEAST_LIMIT else found.invalid).append(number)
    return bool(patterns)


def _meaning_none(part: str) -> tuple[list[str], list[str]]:
    """Numbers beside words for no value: those the words are surely about, and others.

    A decimal number that nothing joins to the words may be that of a probe, a model or a register.
    """
    sure: list[str] = []
    unsure: list[str] = []
    for match in _MEANS_NONE.finditer(part):
        if _NUMBERED.search(part[: match.start()]):
            continue
        alone = match.start() == 0 and _ENDS.match(part, match.end())
        plain = match[1].lstrip("-").isdecimal()
        (unsure if plain and not match[2].strip() and not alone else sure).append(match[1])
    return sure, unsure


def negative_codes(part: str) -> list[int]:
    """The negative numbers that are codes of a measurement: "-1 = not active", "codes: -1 off, -2 idle"."""
    told = _CODE.findall(part) if _CODES.search(part) else []
    return [_number(each) for each in dict.fromkeys([*told, *_NEGATIVE_NONE.findall(part)])]


def _references(part: str, found: Remarks) -> bool:
    before = len(found.mentions)
    for match in _REFERENCE.finditer(part):
        if match[2] or match[3]:
            phrase, _, behind = part[match.start(2) if match[2] else match.end() :].partition("@")
            at = match[3] or next(iter(re.findall(_VALUE, behind)), "")
            found.mentions.append(
                Mention(
                    use=_USES[match[1].lower()],
                    name=match[2] or "",
                    phrase=phrase.split(",")[0].strip(),
                    address=_number(at) if at else None,
                    told=True,
                )
            )
    if fraction := _FRACTION_IN.search(part):
        found.mentions.append(Mention(use="fraction", address=_number(fraction[1])))
    if percent := _PERCENT_OF.search(part):
        address = whole(percent[1])
        name = "" if address is not None else percent[1]
        found.mentions.append(Mention(use="percent_of", name=name, address=address))
    return len(found.mentions) > before


def _asides(part: str, found: Remarks) -> None:
    """What may stand beside anything else."""
    found.swapped |= bool(_SWAPPED.search(part))
    found.unreadable |= bool(_UNREADABLE.search(part))
    if match := _ACTIVE.search(part):
        found.active_low = (match[1] or match[2]).lower() in {"false", "0", "low"}
    if match := _HALF.search(part):
        found.high_byte = (match[1] or match[2]).lower() in {"high", "upper", "most significant", "msb"}
    if match := _MODULUS.search(part):
        found.modulus = _number(match[1])
    if match := _ROLLS.search(part):
        found.rolls_at = (match[1], match[2])
    if match := _FIRMWARE.search(part):
        found.firmware = match[0]
    if match := _ENCODING.search(part):
        found.encoding = "utf-8" if match[1].lower().startswith("utf") else "latin-1"


def _number(text: str) -> int:
    return whole(text.partition(".")[0].replace("$", "0x")) or 0
