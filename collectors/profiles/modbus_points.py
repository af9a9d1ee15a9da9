"""The Modbus part of a profile: tables, addresses, data types, orders and sentinels."""

from collectors.profiles import DataType, ModbusProfile, Order, Register, Table
from collectors.profiles.document import Section, whole_number, written
from collectors.profiles.points import Meaning, PointReader
from facility.devices import DeviceKind, PointSpec
from facility.point_types import Behaviour

MAX_REGISTERS = 125
"""Registers one read may ask for. Source: Modbus application protocol 1.1b3, function 3."""
_LAST_ADDRESS = 0xFFFF
_BITS_OF_REGISTER = 16
_NATURAL_MODULUS = {DataType.U16: 1 << 16, DataType.U32: 1 << 32}
_ROUNDING = 1e-9
_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})


def read_modbus_profile(
    top: Section, name: str, kind: DeviceKind, source: str, caveats: str
) -> ModbusProfile:
    """The profile of a section; mistakes are noted there."""
    table = top.choice("table", Table)
    order = top.choice("order", Order, Order.ABCD) or Order.ABCD
    max_registers = top.integer("max_registers", MAX_REGISTERS, 1, MAX_REGISTERS)
    max_gap = top.integer("max_gap", 0, 0, MAX_REGISTERS)
    reader = PointReader()
    points: list[PointSpec] = []
    registers: list[Register] = []
    lines: list[int] = []
    for section in top.sections("points", required=True):
        meaning = reader.read(section)
        register = _register(section, meaning, table, order)
        if register.length > max_registers:
            section.note(f"{meaning.name!r} takes {register.length} registers, 'max_registers' is less")
        points.append(PointSpec(meaning.name, meaning.type, _modulus(section, meaning, register)))
        registers.append(register)
        lines.append(section.line)
        section.close()
    _check_overlaps(top, points, registers, lines)
    return ModbusProfile(
        name=name,
        kind=kind,
        points=tuple(points),
        sources=tuple(registers),
        max_registers=max_registers,
        max_gap=max_gap,
        source=source,
        caveats=caveats,
    )


def _register(point: Section, meaning: Meaning, table: Table | None, order: Order) -> Register:
    here = point.choice("table", Table, table)
    if here is None:
        if not point.has("table"):
            point.note(f"{meaning.name!r} has no 'table'; give one here or at the top")
        here = Table.HOLDING
    data = point.choice("data", DataType, required=True)
    bit = point.integer("bit", 0, 0, _BITS_OF_REGISTER - 1) if point.has("bit") else None
    if data is not None:
        _check_bit(point, here, data, bit)
    register = Register(
        table=here,
        address=point.integer("address", 0, 0, _LAST_ADDRESS, required=True),
        data=data or DataType.U16,
        order=point.choice("order", Order, order) or order,
        scale=meaning.scale,
        offset=meaning.offset,
        bit=bit,
        invalid=_invalid(point, data),
    )
    if register.address + register.length - 1 > _LAST_ADDRESS:
        point.note(f"{meaning.name!r} ends beyond address {_LAST_ADDRESS}; lower 'address'", "address")
    return register


def _check_bit(point: Section, table: Table, data: DataType, bit: int | None) -> None:
    if table in _BIT_TABLES:
        if data is not DataType.BIT:
            point.note(f"table {table!s} holds single bits; write 'data: bit'", "data")
        if bit is not None:
            point.note(f"table {table!s} holds single bits; leave 'bit' out", "bit")
    elif data is DataType.BIT and bit is None:
        point.note("which bit of the register is missing; add 'bit: 0' (least significant) to 'bit: 15'")
    elif data is not DataType.BIT and bit is not None:
        point.note(f"'bit' goes with 'data: bit', not with {data!s}; leave it out", "bit")


def _invalid(point: Section, data: DataType | None) -> frozenset[int]:
    found: set[int] = set()
    nodes = point.items("invalid")
    if nodes and data is DataType.BIT:
        point.note("a bit has no pattern to spare; leave 'invalid' out", "invalid")
        return frozenset()
    bits = _BITS_OF_REGISTER * (Register(table=Table.HOLDING, address=0, data=data).length if data else 4)
    for node in nodes:
        value = whole_number(node)
        if value is None or not 0 <= value < 1 << bits:
            rule = f"write the raw pattern, unsigned, below 0x1{'0' * (bits // 4)}"
            point.note(f"'invalid' holds {written(node)}; {rule}", "invalid")
        else:
            found.add(value)
    return frozenset(found)


def _modulus(point: Section, meaning: Meaning, register: Register) -> int | None:
    """Where the counter rolls over in base units: as told in counts, else at the end of its 16 or 32 bits."""
    told = point.has("modulus")
    counts = point.integer("modulus", _NATURAL_MODULUS.get(register.data, 0), 1)
    if meaning.type.behaviour is not Behaviour.COUNTER:
        if told:
            rule = f"goes with counters, not with {meaning.type.key!r}; leave it out"
            point.note(f"'modulus' {rule}", "modulus")
        return None
    rolls_at = counts * register.scale
    if abs(rolls_at - round(rolls_at)) > _ROUNDING * abs(rolls_at):
        if not told:
            return None
        rule = f"not a whole number of {meaning.type.unit}; choose a coarser 'modulus'"
        point.note(f"'modulus' {counts} is {rolls_at:g} {meaning.type.unit}, {rule}", "modulus")
        return None
    return round(rolls_at) or None


def _check_overlaps(
    top: Section, points: list[PointSpec], registers: list[Register], lines: list[int]
) -> None:
    taken: dict[tuple[Table, int], int] = {}
    for at, register in enumerate(registers):
        for address in range(register.address, register.address + register.length):
            before = taken.setdefault((register.table, address), at)
            if before != at and not (_is_bit(register) and _is_bit(registers[before])):
                message = (
                    f"{points[at].name!r} lies on {register.table!s} {address} like {points[before].name!r}"
                )
                top.note_at(lines[at], f"{message}; correct one address")
                break


def _is_bit(register: Register) -> bool:
    return register.bit is not None
