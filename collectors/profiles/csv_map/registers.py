"""From one row of a map to where its value lies: table, type, order, bits, patterns of no value."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collectors.profiles import LENGTHS, DataType, Order, Table
from collectors.profiles.csv_map.draft import Entry, Hex, number
from collectors.profiles.csv_map.remarks import Remarks
from collectors.profiles.csv_map.rows import MapRow
from collectors.profiles.csv_map.sentinels import FLOATS, packed
from collectors.profiles.csv_map.words import (
    is_time,
    order_of,
    swap_bytes,
    table_of,
    type_of,
    type_words,
)
from collectors.profiles.document import Problems, one_of

BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})
_PARTS = frozenset({DataType.BIT, DataType.BITS, DataType.U8, DataType.S8})
_HALVES = {"u8": DataType.U8, "s8": DataType.S8}
_BITS = 16
_BYTE = 8
_CHARACTERS = 2
_NEAR_END = 8
_LEAST_NINES = 99
_NEARLY = 1e-6
_LAST_ADDRESS = 0xFFFF
_MOD10K = {
    1: DataType.U16,
    2: DataType.MOD10K32,
    3: DataType.MOD10K48,
    4: DataType.MOD10K64,
}
_BCD = {1: DataType.BCD16, 2: DataType.BCD32}
_DIGITS = {
    **dict.fromkeys((DataType.MOD10K32, DataType.MOD10K48, DataType.MOD10K64), _MOD10K),
    **dict.fromkeys((DataType.BCD16, DataType.BCD32), _BCD),
}
"""What a type of decimal digits is by its number of registers."""


@dataclass(slots=True, kw_only=True)
class Place:
    """Where a row's value lies, and what its description says."""

    row: MapRow
    remarks: Remarks
    name: str
    table: Table
    data: DataType | None
    """None for a text."""
    order: Order
    address: int
    length: int

    @property
    def part(self) -> bool:
        """Whether it is less than a register, so that others may share it."""
        return self.data in _PARTS

    @property
    def whole(self) -> bool:
        """Whether it is an unsigned number that parts may lie in."""
        return self.data in {DataType.U16, DataType.U32, DataType.U48, DataType.U64}


class Notes:
    """What was assumed, for the user, with lines."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []

    def add(self, line: int, message: str) -> None:
        """Note one assumption."""
        self.found.append((line, message))


def place(
    row: MapRow,
    remarks: Remarks,
    name: str,
    problems: Problems,
    notes: Notes,
    *,
    usual: Order = Order.ABCD,
) -> Place | None:
    """Where a row lies; None, with a mistake or a note, if that cannot be told.

    ``usual`` is the order of a value where neither its row nor its type tells one.
    """
    before = len(problems.found)
    if is_time(row.data_type):
        rule = "a date is not read; the device's time is not needed"
        notes.add(row.line, f"{row.name}: left out, {row.data_type} is no number; {rule}")
        return None
    table = table_of(row.register_type)
    if table is None:
        rule = one_of(row.register_type.lower(), Table)
        problems.add(row.line, f"{row.name!r}: register_type is {row.register_type!r}; {rule}")
    word = type_of(row.data_type)
    if word is None:
        problems.add(row.line, f"{row.name!r}: data_type is {row.data_type!r}; use one of {type_words()}")
    order = order_of(row.word_order)
    if order is None:
        problems.add(row.line, f"{row.name!r}: word_order is {row.word_order!r}; use big or little")
    if table is None or word is None or order is None:
        return None
    if not row.word_order:
        order = word.order or usual
    if word.data is not None and remarks.swapped:
        order = swap_bytes(order)
    found = Place(
        row=row,
        remarks=remarks,
        name=name,
        table=table,
        data=word.data,
        order=order,
        address=row.address,
        length=LENGTHS.get(word.data, 1) if word.data else remarks.length or 0,
    )
    if word.characters and not remarks.length:
        found.length = (word.characters + 1) // _CHARACTERS
        told = f"{row.data_type} taken as {word.characters} characters, {found.length} registers"
        notes.add(row.line, f"{row.name}: {told}")
    _settle_type(found, problems, notes)
    if found.address + found.length - 1 > _LAST_ADDRESS:
        problems.add(row.line, f"{row.name!r} ends beyond address {_LAST_ADDRESS}; lower its address")
    return found if len(problems.found) == before else None


def _settle_type(at: Place, problems: Problems, notes: Notes) -> None:
    """Correct the type by what the description says, and refuse what cannot be."""
    row, remarks = at.row, at.remarks
    if at.table in BIT_TABLES:
        if at.data not in {DataType.BIT, DataType.BITS}:
            notes.add(row.line, f"{row.name}: taken as a bit, since {at.table} holds nothing else")
        at.data, at.length = DataType.BIT, 1
        remarks.bit = None
    elif at.data is None:
        if not at.length:
            problems.add(row.line, f"{row.name!r}: a string needs its length; write len=N registers")
    elif at.data in {DataType.BIT, DataType.BITS}:
        _settle_bit(at, problems, notes)
    elif at.data in _DIGITS:
        _settle_digits(at, problems)
    elif remarks.size in _HALVES and at.data in {DataType.U16, DataType.S16, DataType.U8, DataType.S8}:
        at.data = _HALVES[remarks.size]
    if at.data in {DataType.U8, DataType.S8} and remarks.swapped:
        remarks.high_byte = not remarks.high_byte


def _settle_digits(at: Place, problems: Problems) -> None:
    """Decimal digits take as many registers as the description says, where the type leaves it open."""
    told = at.remarks.length
    open_types = _DIGITS[at.data] if at.data is not None else {}
    if told is None or at.row.data_type.strip().lower()[-2:] in {"16", "32", "48", "64"}:
        return
    if told not in open_types:
        rule = f"{at.row.data_type} has {' or '.join(map(str, open_types))} registers"
        problems.add(at.row.line, f"{at.row.name!r}: {told} registers; {rule}")
        return
    at.data, at.length = open_types[told], told


def _settle_bit(at: Place, problems: Problems, notes: Notes) -> None:
    row, remarks = at.row, at.remarks
    if remarks.bit is None:
        problems.add(row.line, f"{row.name!r}: which bit of the register is missing; write bit=0 to bit=15")
        return
    if remarks.bit >= 2 * _BITS:
        rule = "write the address of the register it lies in, and which of its bits 0 to 15 it is"
        problems.add(row.line, f"{row.name!r}: bit {remarks.bit}; {rule}")
        return
    high_first = at.order in {Order.ABCD, Order.BADC}
    if remarks.bit >= _BITS:
        at.address += 0 if high_first else 1
        bit = remarks.bit - _BITS
        notes.add(row.line, f"{row.name}: bit {remarks.bit} taken as bit {bit} of register {at.address}")
        remarks.bit = bit
    elif _in_wide(remarks) and high_first:
        at.address += 1
        notes.add(row.line, f"{row.name}: bit {remarks.bit} of 32 taken as one of register {at.address}")
    if remarks.bit + remarks.width > _BITS:
        rule = "bits of one value lie in one register"
        problems.add(
            row.line, f"{row.name!r}: bits {remarks.bit} to {remarks.bit + remarks.width - 1}; {rule}"
        )
    at.data = DataType.BITS if remarks.width > 1 else DataType.BIT
    if remarks.swapped:
        _swap_bit(at, problems)


def _swap_bit(at: Place, problems: Problems) -> None:
    """Find a bit where it lies in a register whose bytes are swapped."""
    remarks = at.remarks
    first = remarks.bit or 0
    if first // _BYTE != (first + remarks.width - 1) // _BYTE:
        rule = "bits of one value lie in one byte where the bytes are swapped"
        problems.add(at.row.line, f"{at.row.name!r}: bits {first} to {first + remarks.width - 1}; {rule}")
    remarks.bit = first ^ _BYTE


def _in_wide(remarks: Remarks) -> bool:
    return "bitfield32" in remarks.words or "of 32 bits" in remarks.words


def where(at: Place, top: Entry) -> Entry:
    """The keys that say where a value lies; those that are as the head of the profile says are left out."""
    entry: Entry = {}
    if str(at.table) != top.get("table"):
        entry["table"] = str(at.table)
    entry["address"] = at.address
    if at.data is None:
        entry["length"] = at.length
        if at.remarks.swapped:
            entry["swapped"] = True
        if at.remarks.encoding != "ascii":
            entry["encoding"] = at.remarks.encoding
        return entry
    entry["data"] = str(at.data)
    if at.length > 1 and str(at.order) != top.get("order", str(Order.ABCD)):
        entry["order"] = str(at.order)
    elif at.length == 1 and not at.part and at.order in {Order.BADC, Order.DCBA}:
        entry["order"] = str(Order.BADC)
    if at.data in {DataType.U8, DataType.S8} and at.remarks.high_byte:
        entry["half"] = "high"
    if at.data in {DataType.BIT, DataType.BITS} and at.table not in BIT_TABLES:
        entry["bit"] = at.remarks.bit or 0
        if at.data is DataType.BITS:
            entry["width"] = at.remarks.width
    return entry


def scaling(row: MapRow) -> Entry:
    """Scale and offset, where they do anything."""
    entry: Entry = {}
    if row.scale != 1:
        entry["scale"] = number(row.scale)
    if row.offset != 0:
        entry["offset"] = number(row.offset)
    return entry


def patterns(at: Place, by_type: Mapping[DataType, Sequence[int]], notes: Notes) -> list[Hex] | None:
    """The patterns of no value the row needs to tell itself; None where those by type are all."""
    if at.data is None or at.data in {DataType.BIT, DataType.BITS}:
        return None
    measured = at.remarks.invalid_measured if at.row.unit else []
    limits = [each for each in at.remarks.invalid_limits if _is_limit(each, 1 << bits_of(at))]
    size = 1 << bits_of(at)
    doubtful = [*at.remarks.invalid_ends, *at.remarks.states] if at.row.unit else []
    ends = [each for each in doubtful if is_end(each, size)]
    told = [*at.remarks.invalid, *measured, *limits, *ends]
    found = [_pattern(given, at, notes) for given in told]
    found += [_scaled_pattern(each, at, notes) for each in at.remarks.invalid_scaled if at.row.unit]
    own = list(dict.fromkeys(each for each in found if each is not None))
    general = by_type.get(at.data, ())
    if set(own) <= set(general):
        return None
    return [Hex(each) for each in dict.fromkeys([*own, *general])]


def _scaled_pattern(value: float, at: Place, notes: Notes) -> int | None:
    """The pattern of a value, scaled as it is shown; None if the register cannot hold it."""
    raw = (value - at.row.offset) / at.row.scale
    if at.data in FLOATS:
        return packed(raw, at.data)
    whole = math.isfinite(raw) and abs(raw - round(raw)) < _NEARLY
    return _pattern(round(raw), at, notes) if whole and round(raw) else None


def _pattern(given: int, at: Place, notes: Notes) -> int | None:
    data = at.data or DataType.U16
    bits = bits_of(at)
    size = 1 << bits
    if data in FLOATS:
        if given not in at.remarks.hexadecimal:
            return packed(given, data)
        return None if _is_nan(given, bits) else given % size
    if -size // 2 <= given < size:
        return given % size
    short = given % size
    if short in {size - 1, size // 2, size // 2 - 1}:
        notes.add(
            at.row.line, f"{at.row.name}: no-value pattern {given:#x} cut to {short:#x}, its {bits} bits"
        )
        return short
    notes.add(
        at.row.line, f"{at.row.name}: no-value pattern {given:#x} left out, it has more than {bits} bits"
    )
    return None


def bits_of(at: Place) -> int:
    """Bits of the number that lies there."""
    return _BYTE if at.data in {DataType.U8, DataType.S8} else _BITS * at.length


def is_end(number: int, size: int) -> bool:
    """Whether a number is one of the few at an end of its type, signed or not, that devices use as codes."""
    return number > _BYTE and any(
        abs(number % size - end) < _NEAR_END for end in (size - 1, size // 2 - 1, size // 2)
    )


def _is_limit(number: int, size: int) -> bool:
    """Whether a number is an end of its type, negative or all nines: none a device would show by chance."""
    nines = number >= _LEAST_NINES and set(str(number)) == {"9"}
    return number in {size - 1, size // 2, size // 2 - 1} or number < -1 or nines


def _is_nan(pattern: int, bits: int) -> bool:
    fraction, exponent = (23, 0xFF) if bits == 32 else (52, 0x7FF)  # noqa: PLR2004
    return pattern >> fraction & exponent == exponent and bool(pattern & ((1 << fraction) - 1))


def overlapping(places: Sequence[Place]) -> list[tuple[Place, Place]]:
    """Pairs that lie on each other though neither is a part of the other."""
    taken: dict[tuple[Table, int], list[Place]] = {}
    found: dict[tuple[str, str], tuple[Place, Place]] = {}
    for at in places:
        for address in range(at.address, at.address + at.length):
            others = taken.setdefault((at.table, address), [])
            for other in others:
                if not (at.part and (other.part or other.whole)) and not (other.part and at.whole):
                    found.setdefault((other.name, at.name), (other, at))
            others.append(at)
    return list(found.values())
