"""What a Modbus profile says beside its values: texts, identity, and how it wants to be read."""

from collections.abc import Iterator

from collectors.profiles import (
    DeviceIdentification,
    IdentityCheck,
    Manners,
    SunSpecModel,
    TextRegister,
)
from collectors.profiles.document import Section, whole_number, written
from collectors.profiles.registers import (
    BIT_TABLES,
    LAST_ADDRESS,
    MAX_REGISTERS,
    Defaults,
    check_place,
    read_table,
)

ENCODINGS = ("ascii", "utf-8", "latin-1")
LONGEST_TEXT = 1000
"""Registers."""
LONGEST_TIMEOUT = 60.0
LONGEST_PAUSE = 60.0
_SHORTEST_TIMEOUT = 0.01


def read_texts(top: Section, defaults: Defaults) -> Iterator[TextRegister]:
    """The texts a device tells of itself."""
    lines: dict[str, int] = {}
    for entry in top.sections("texts"):
        name = entry.text("name", required=True)
        if name in lines:
            entry.note(f"text {name!r} is already on line {lines[name]}; rename one", "name")
        lines.setdefault(name, entry.line)
        encoding = entry.text("encoding", "ascii")
        if encoding not in ENCODINGS:
            entry.note(f"'encoding' is {encoding!r}; use one of {', '.join(ENCODINGS)}", "encoding")
        what = f"text {name!r}"
        text = TextRegister(
            name=name,
            table=read_table(entry, defaults.table, what),
            address=entry.integer("address", 0, 0, LAST_ADDRESS, required=True),
            length=entry.integer("length", 1, 1, LONGEST_TEXT, required=True),
            swapped=entry.flag("swapped"),
            encoding=encoding,
        )
        _check_registers(entry, what, text, defaults)
        entry.close()
        yield text


def read_identity(top: Section, defaults: Defaults) -> Iterator[IdentityCheck]:
    """What a device of the profile shows at known places."""
    for entry in top.sections("identity"):
        text = entry.text("text") or None
        low, high = _numbers(entry)
        if (text is None) == (low is None):
            entry.note("give one expectation: 'text', 'equals', or 'from' and 'to'")
        check = IdentityCheck(
            table=read_table(entry, defaults.table, "an identity check"),
            address=entry.integer("address", 0, 0, LAST_ADDRESS, required=True),
            length=entry.integer("length", (len(text or "") + 1) // 2 or 1, 1, MAX_REGISTERS),
            text=text,
            low=low,
            high=high,
        )
        if text is not None and len(text) > 2 * check.length:
            entry.note(f"'text' has {len(text)} characters, 'length' is for {2 * check.length}", "text")
        _check_registers(entry, "an identity check", check, defaults)
        entry.close()
        yield check


def read_identification(top: Section) -> DeviceIdentification | None:
    """What the device answers to *read device identification*."""
    section = top.section("identification")
    if section is None:
        return None
    vendor, product = section.text("vendor"), section.text("product")
    if not vendor and not product:
        section.note("'identification' says nothing; add 'vendor' or 'product'")
    section.close()
    return DeviceIdentification(vendor=vendor, product=product)


def read_sunspec(top: Section) -> SunSpecModel | None:
    """The SunSpec model that addresses count from."""
    section = top.section("sunspec")
    if section is None:
        return None
    model = section.integer("model", 1, 1, LAST_ADDRESS - 1, required=True)
    bases = tuple(_bases(section))
    section.close()
    return SunSpecModel(model=model, bases=bases) if bases else SunSpecModel(model=model)


def read_manners(top: Section) -> Manners:
    """How the device wants to be read."""
    section = top.section("manners")
    if section is None:
        return Manners()
    manners = Manners(
        timeout=section.duration("timeout", _SHORTEST_TIMEOUT, LONGEST_TIMEOUT),
        pause=section.duration("pause", 0.0, LONGEST_PAUSE),
    )
    section.close()
    return manners


def _numbers(entry: Section) -> tuple[int | None, int | None]:
    """The bounds of the number that is expected, if one is."""
    most = (1 << 64) - 1
    equals = entry.integer("equals", 0, 0, most)
    low = entry.integer("from", 0, 0, most)
    high = entry.integer("to", low, 0, most)
    if entry.has("equals"):
        if entry.has("from") or entry.has("to"):
            entry.note("'equals' and 'from' exclude each other; leave one out", "equals")
        return equals, equals
    if not entry.has("from") and not entry.has("to"):
        return None, None
    if high < low:
        entry.note(f"'to' is {high}, which is below 'from' {low}; exchange them", "to")
    return low, high


def _bases(section: Section) -> Iterator[int]:
    for node in section.items("bases"):
        base = whole_number(node)
        if base is None or not 0 <= base <= LAST_ADDRESS:
            section.note_at(node, f"'bases' holds {written(node)}; list addresses such as [40000, 0, 50000]")
        else:
            yield base


def _check_registers(
    entry: Section, what: str, place: TextRegister | IdentityCheck, defaults: Defaults
) -> None:
    if place.table in BIT_TABLES:
        entry.note(f"{what} lies in table {place.table!s}, which holds single bits; use holding or input")
    text = isinstance(place, TextRegister)
    check_place(entry, what, place.table, (place.address, place.length), defaults, several_reads=text)
