"""What the description column of a map says about one register."""

import re
from dataclasses import dataclass, field

from collectors.profiles.csv_map.rows import whole

_VALUE = r"(?:0x[0-9A-Fa-f_]+|-?\d+)"
_NO_VALUE = (
    r"(?:the |a |an |field |value |register |sensor |probe |input |is |was )*"
    r"(?:not[- ](?:available|supported|applicable|connected|present|used|implemented|valid|installed|fitted)"
    r"|n/?a\b|no (?:valid )?(?:sensor|probe|value|data|reading|measurement)|invalid|unavailable|unsupported"
    r"|unimplemented|missing|absent|unplugged|disconnected|undefined|sentinel|nan\b|open[- ]circuit"
    r"|(?:sensor|probe) (?:fault|failure|missing|not connected))"
)
NO_VALUE = re.compile(_NO_VALUE, re.IGNORECASE)

_TROUBLE = (
    r"(?:the |a |an |is )*(?:(?:sensor|probe|transducer) (?:error|broken|open|short(?:ed)?|defect)"
    r"|(?:sensor |probe )?(?:fault|failure|error)\b|short[- ]circuit|out of range"
    r"|over-?range|under-?range|over-?flow)"
)
"""Words that mean no value of a number that is the limit of its type; of others they may be states."""
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
    r"(?:=|:|,|->|→|means|signals|indicates|marks|stands|is|are|reads?|returned|sent|shown"
    r"|for|when|while|if|where|as|\()"
)
_MEANS_NONE = re.compile(rf"(?<![\w.])({_VALUE})(?:\s*{_CONNECTORS}){{0,3}}\s*{_NO_VALUE}", re.IGNORECASE)
_MEANS_TROUBLE = re.compile(rf"(?<![\w.])({_VALUE})(?:\s*{_CONNECTORS}){{0,3}}\s*{_TROUBLE}", re.IGNORECASE)
_NONE_IS = re.compile(
    rf"{_NO_VALUE}[\"')]*(?: value| values| pattern| code| data)?"
    rf"(?:\s*(?:=|:|->|→|is|are|reads?|returns?|shown as|sent as))+\s*({_VALUE})(?![\w.])",
    re.IGNORECASE,
)
_LIMIT_WHEN = re.compile(r"(?<!\w)(0x(?:[Ff]{2,}|80{1,}|7[Ff]+))\s+(?:on|while|if|when|without|for)\b")
_ENUM = re.compile(r"^enum\s*:?\s*", re.IGNORECASE)
_STATE = re.compile(r"^(-?\d+|0x[0-9A-Fa-f]+)\s*[=:]\s*(\S.*)$")
_STATE_LIST = re.compile(r"^\d+\s*[=: ]\s*[^\d\s,=.][^,]*(?:,\s*(?:\.\.\.)?\d+\s*[=: ]\s*[^\s,=][^,]*)+$")
_STATE_ITEM = re.compile(r"^(?:\.\.\.)?(\d+)\s*[=: ]\s*(.+)$")
_REFERENCE = re.compile(
    rf"\b(scale|exponent|sf|factor|multiplier|divisor|percent|fraction)_reg\s*=\s*"
    rf"([A-Za-z_]\w*)?@?({_VALUE})?",
    re.IGNORECASE,
)
_FRACTION_IN = re.compile(rf"\bfraction(?:al)?(?: part)? in (?:register )?({_VALUE})", re.IGNORECASE)
_PERCENT_OF = re.compile(
    r"(?<!\d)(?<!\d )(?:%|\bpercent(?:age)?) of (?:the )?(?:value of |register )?"
    r"([A-Za-z_]\w*|0x[0-9A-Fa-f]+)(?:@\S+)?",
    re.IGNORECASE,
)
_ROLLS = re.compile(
    r"\b(?:modulus|roll(?:s|ed)?[- ]?over(?: at)?|wraps at)\s*[=:]?\s*(0x[0-9A-Fa-f]+|\d+)", re.IGNORECASE
)
_UNREADABLE = re.compile(
    r"\bwrite[- ]only\b|\bclear(?:s|ed)?[- ](?:on|by|when|after)[- ]read"
    r"|\bread(?:ing)?(?: it)? (?:clears|resets)|\bmust not be read"
    r"|\b(?:do not|don't|never) read\b|\breset(?:s)? on read",
    re.IGNORECASE,
)
_FIRMWARE = re.compile(r"\bfirmware\s*(?:>=|from|since|version)\s*\S+", re.IGNORECASE)
_ENCODING = re.compile(r"\b(utf-?8|latin-?1|iso[- ]?8859[- ]?1)\b", re.IGNORECASE)

_USES = {
    "scale": "exponent",
    "exponent": "exponent",
    "sf": "exponent",
    "factor": "factor",
    "multiplier": "factor",
    "divisor": "divisor",
    "percent": "percent_of",
    "fraction": "fraction",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Another register a description refers to, by name, by address or by both."""

    use: str
    """Key of the reference in a profile: ``exponent``, ``percent_of``, ``fraction`` …."""
    name: str = ""
    address: int | None = None
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
    invalid: list[int] = field(default_factory=list)
    invalid_measured: list[int] = field(default_factory=list)
    """The same of small numbers, of measurements only: of others they are states, "not installed"."""
    states: dict[int, str] = field(default_factory=dict)
    mentions: list[Mention] = field(default_factory=list)
    modulus: int | None = None
    unreadable: bool = False
    """It must not be read at all."""
    firmware: str = ""
    encoding: str = "ascii"
    words: str = ""
    """What is left: the plain description."""


def read_remarks(description: str) -> Remarks:
    """Understand a description, part by part; what is not understood is left in ``words``."""
    found = Remarks()
    listing = False
    words: list[str] = []
    for part in (each.strip() for each in description.split(";")):
        if not part:
            continue
        listed = _ENUM.sub("", part)
        listing = listing or listed != part
        if listing and (state := _STATE.match(listed)):
            found.states[_number(state[1])] = state[2].strip()
            continue
        listing = False
        if not (_place(part, found) or _values(part, found) or _references(part, found)):
            words.append(part)
        _asides(part, found)
    found.words = "; ".join(words)
    return found


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
    if match := _INVALID.search(part):
        told = re.sub(r"\([^)]*\)", "", match[1])
        found.invalid.extend(_number(each) for each in re.findall(_VALUE, told))
        return True
    if _STATE_LIST.match(part):
        for item in part.split(","):
            if match := _STATE_ITEM.match(item.strip()):
                found.states[int(match[1])] = match[2].strip()
        return True
    patterns = [*_MEANS_NONE.findall(part), *_NONE_IS.findall(part), *_LIMIT_WHEN.findall(part)]
    patterns += [each for each in _MEANS_TROUBLE.findall(part) if _is_limit(_number(each))]
    for number in dict.fromkeys(_number(each) for each in patterns):
        (found.invalid_measured if 0 <= number < _LEAST_LIMIT else found.invalid).append(number)
    return bool(patterns)


def _is_limit(number: int) -> bool:
    """Whether a number is the end of a type, negative, or all nines: none a device would show by chance."""
    ends = {size - back for bits in (8, 16, 32, 64) for size in (1 << bits, 1 << bits - 1) for back in (0, 1)}
    return number in ends or number < 0 or (number > _LEAST_LIMIT and set(str(number)) == {"9"})


def _references(part: str, found: Remarks) -> bool:
    before = len(found.mentions)
    for match in _REFERENCE.finditer(part):
        if match[2] or match[3]:
            address = _number(match[3]) if match[3] else None
            found.mentions.append(
                Mention(use=_USES[match[1].lower()], name=match[2] or "", address=address, told=True)
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
    if match := _ROLLS.search(part):
        found.modulus = _number(match[1])
    if match := _FIRMWARE.search(part):
        found.firmware = match[0]
    if match := _ENCODING.search(part):
        found.encoding = "utf-8" if match[1].lower().startswith("utf") else "latin-1"


def _number(text: str) -> int:
    return whole(text) or 0
