"""Where a value lies: the keys that make one register of an entry, be it a point or a helper."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import yaml

from collectors.profiles import LENGTHS, DataType, Half, Order, Register, Span, Table
from collectors.profiles.document import Section, one_of, whole_number, written

MAX_REGISTERS = 125
"""Registers one read may ask for. Source: Modbus application protocol 1.1b3, function 3."""
LAST_ADDRESS = 0xFFFF
BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})
REAL = frozenset({DataType.F32, DataType.F64})
"""Data types that hold no whole numbers."""
PARTS = frozenset({DataType.BIT, DataType.BITS, DataType.U8, DataType.S8})
"""Data types that are a part of a register."""
REGISTER_KEYS = ("table", "address", "data", "order", "half", "bit", "width", "binary_point", "invalid")
"""What says where a value lies."""

_BYTES = frozenset({DataType.U8, DataType.S8})
_BITS_OF_REGISTER = 16
_BITS_OF_BYTE = 8
_LAST_BINARY_POINT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the top of a profile says for all its values."""

    table: Table | None
    order: Order
    invalid: Mapping[DataType, frozenset[int]] = field(default_factory=dict)
    max_registers: int = MAX_REGISTERS
    forbidden: tuple[Span, ...] = ()
    table_meant: bool = True
    """Whether ``table`` is what was written: a stand-in for a word that is none makes no more mistakes."""


def read_defaults(top: Section) -> Defaults:
    """What holds for all values of a profile; mistakes are noted in its section."""
    written_table = top.choice("table", Table)
    table_meant = written_table is not None or not top.has("table")
    table = written_table if table_meant else Table.HOLDING
    return Defaults(
        table=table,
        table_meant=table_meant,
        order=top.choice("order", Order, Order.ABCD) or Order.ABCD,
        invalid=_invalid_by_type(top),
        max_registers=top.integer("max_registers", MAX_REGISTERS, 1, MAX_REGISTERS),
        forbidden=tuple(_forbidden(top, table)),
    )


def read_table(entry: Section, fallback: Table | None, what: str) -> Table:
    """The table of an entry; ``what`` is how messages name it."""
    found = entry.choice("table", Table, fallback)
    if found is None:
        if not entry.has("table"):
            entry.note(f"{what} has no 'table'; give one here or at the top")
        return Table.HOLDING
    return found


def read_register(entry: Section, name: str, defaults: Defaults, scale: float, offset: float) -> Register:
    """The register of an entry; ``scale`` and ``offset`` lead from its raw number to the base unit."""
    table = read_table(entry, defaults.table, repr(name))
    data = entry.choice("data", DataType, required=True)
    bit = entry.integer("bit", 0, 0, _BITS_OF_REGISTER - 1) if entry.has("bit") else None
    width = entry.integer("width", 1, 1, _BITS_OF_REGISTER)
    half = entry.choice("half", Half, Half.LOW) or Half.LOW
    if data is not None:
        if defaults.table_meant or entry.has("table"):
            _check_bit(entry, table, data, bit)
        _check_part(entry, data, bit, width)
    register = Register(
        table=table,
        address=entry.integer("address", 0, 0, LAST_ADDRESS, required=True),
        data=data or DataType.U16,
        order=entry.choice("order", Order) or _usual_order(data, defaults),
        scale=scale / 2.0 ** _binary_point(entry, data),
        offset=offset,
        bit=bit,
        width=width,
        half=half,
        invalid=_invalid(entry, data, width, defaults),
    )
    check_place(entry, repr(name), register.table, (register.address, register.length), defaults)
    return register


def _usual_order(data: DataType | None, defaults: Defaults) -> Order:
    """The order of a value that tells none: that of the profile, if it takes several registers."""
    return defaults.order if data in LENGTHS else Order.ABCD


def check_place(
    entry: Section,
    what: str,
    table: Table,
    place: tuple[int, int],
    defaults: Defaults,
    *,
    several_reads: bool = False,
) -> None:
    """Note a value that ends beyond the last address, is longer than a read or lies where none is allowed."""
    address, length = place
    last = address + length - 1
    if last > LAST_ADDRESS:
        entry.note(f"{what} ends beyond address {LAST_ADDRESS}; lower 'address'", "address")
    if length > defaults.max_registers and not several_reads:
        entry.note(f"{what} takes {length} registers, 'max_registers' is less")
    for span in defaults.forbidden:
        if span.table is table and address <= span.last and span.first <= last:
            place_of = f"{table!s} {span.first} to {span.last}"
            entry.note(f"{what} lies in {place_of}, which is 'forbidden'; correct one of them", "address")


def bits_of(data: DataType, width: int) -> int:
    """How many bits the raw pattern of a value has."""
    if data is DataType.BITS:
        return width
    if data in _BYTES:
        return _BITS_OF_BYTE
    return _BITS_OF_REGISTER * Register(table=Table.HOLDING, address=0, data=data).length


def _check_bit(entry: Section, table: Table, data: DataType, bit: int | None) -> None:
    fields = {DataType.BIT, DataType.BITS}
    if table in BIT_TABLES:
        if data is not DataType.BIT:
            entry.note(f"table {table!s} holds single bits; write 'data: bit'", "data")
        if bit is not None:
            entry.note(f"table {table!s} holds single bits; leave 'bit' out", "bit")
    elif data in fields and bit is None:
        entry.note("which bit of the register is missing; add 'bit: 0' (least significant) to 'bit: 15'")
    elif data not in fields and bit is not None:
        entry.note(f"'bit' goes with 'data: bit', not with {data!s}; leave it out", "bit")


def _check_part(entry: Section, data: DataType, bit: int | None, width: int) -> None:
    if data is DataType.BITS and not entry.has("width"):
        entry.note("how many bits is missing; add 'width', such as 'width: 4'")
    elif data is not DataType.BITS and entry.has("width"):
        entry.note(f"'width' goes with 'data: bits', not with {data!s}; leave it out", "width")
    elif (bit or 0) + width > _BITS_OF_REGISTER:
        entry.note(f"'bit' {bit} and 'width' {width} go beyond bit 15 of the register; correct one", "width")
    if data not in _BYTES and entry.has("half"):
        entry.note(f"'half' goes with 'data: u8' or 's8', not with {data!s}; leave it out", "half")


def _binary_point(entry: Section, data: DataType | None) -> int:
    places = entry.integer("binary_point", 0, -_LAST_BINARY_POINT, _LAST_BINARY_POINT)
    if places and data in REAL | {DataType.BIT}:
        entry.note(f"'binary_point' goes with whole numbers, not with {data!s}; leave it out", "binary_point")
        return 0
    return places


def _invalid(entry: Section, data: DataType | None, width: int, defaults: Defaults) -> frozenset[int]:
    nodes = entry.items("invalid")
    if data is DataType.BIT:
        if nodes:
            entry.note("a bit has no pattern to spare; leave 'invalid' out", "invalid")
        return frozenset()
    if not entry.has("invalid"):
        return defaults.invalid.get(data or DataType.U16, frozenset())
    return _patterns(entry, "invalid", nodes, bits_of(data or DataType.U64, width))


def _invalid_by_type(top: Section) -> dict[DataType, frozenset[int]]:
    section = top.section("invalid_by_type")
    found: dict[DataType, frozenset[int]] = {}
    known = [each for each in DataType if each not in {DataType.BIT, DataType.BITS}]
    for name, _ in section.entries() if section is not None else ():
        if section is None or name not in known:
            top.note(f"'invalid_by_type' has {name!r}; {one_of(name, known)}", "invalid_by_type")
            continue
        data = DataType(name)
        found[data] = _patterns(section, name, section.items(name), bits_of(data, 1))
    return found


def _patterns(section: Section, key: str, nodes: Iterable[yaml.Node], bits: int) -> frozenset[int]:
    found: set[int] = set()
    for node in nodes:
        value = whole_number(node)
        if value is None or not 0 <= value < 1 << bits:
            rule = f"write the raw pattern, unsigned, below {1 << bits:#x}"
            section.note(f"{key!r} holds {written(node)}; {rule}", key)
        else:
            found.add(value)
    return frozenset(found)


def _forbidden(top: Section, table: Table | None) -> Iterable[Span]:
    for entry in top.sections("forbidden"):
        first = entry.integer("from", 0, 0, LAST_ADDRESS, required=True)
        last = entry.integer("to", first, 0, LAST_ADDRESS)
        if last < first:
            entry.note(f"'to' is {last}, which is before 'from' {first}; exchange them", "to")
        yield Span(table=read_table(entry, table, "an entry of 'forbidden'"), first=first, last=last)
        entry.close()
