"""What the words of a map mean: register types, data types and word orders as sources spell them."""

import re
from dataclasses import dataclass

from collectors.profiles import DataType, Order, Table

_TABLES: dict[Table, tuple[str, ...]] = {
    Table.HOLDING: (
        "holding",
        "holding register",
        "hr",
        "4x",
        "4xxxx",
        "fc03",
        "fc3",
        "3",
        "03",
        "parameter",
    ),
    Table.INPUT: (
        "input",
        "input register",
        "ir",
        "3x",
        "3xxxx",
        "fc04",
        "fc4",
        "4",
        "04",
        "read only register",
    ),
    Table.COIL: ("coil", "co", "0x", "0xxxx", "fc01", "fc1", "1", "01", "output coil", "discrete output"),
    Table.DISCRETE: (
        "discrete",
        "di",
        "1x",
        "1xxxx",
        "fc02",
        "fc2",
        "2",
        "02",
        "discrete input",
        "input status",
    ),
}
_TABLE_OF = {word: table for table, words in _TABLES.items() for word in words}

_TYPES: dict[DataType, tuple[str, ...]] = {
    DataType.U8: ("u8", "uint8", "byte", "uchar"),
    DataType.S8: ("s8", "int8", "i8", "sbyte"),
    DataType.U16: (
        *("u16", "uint16", "uint", "word", "ushort", "unsigned", "unsigned16", "enum", "enum16"),
        *("bitfield16", "bitmap16", "bitfield", "bitmap", "acc16", "count", "raw16", "unsignedint"),
    ),
    DataType.S16: (
        "s16",
        "int16",
        "i16",
        "int",
        "short",
        "signed",
        "signed16",
        "sint16",
        "signedint",
        "sunssf",
    ),
    DataType.U32: (
        *(
            "u32",
            "uint32",
            "dword",
            "udint",
            "ulong",
            "unsigned32",
            "enum32",
            "bitfield32",
            "bitmap32",
            "acc32",
        ),
    ),
    DataType.S32: ("s32", "int32", "i32", "dint", "long", "signed32", "sint32"),
    DataType.U48: ("u48", "uint48", "unsigned48"),
    DataType.U64: ("u64", "uint64", "qword", "ulint", "unsigned64", "acc64", "bitfield64"),
    DataType.S64: ("s64", "int64", "i64", "lint", "signed64"),
    DataType.F32: ("f32", "float32", "float", "real", "real32", "single", "ieee754"),
    DataType.F64: ("f64", "float64", "double", "real64", "lreal"),
    DataType.BCD16: ("bcd", "bcd16", "bcd4"),
    DataType.BCD32: ("bcd32", "bcd8"),
    DataType.MOD10K32: ("mod10k", "mod10k32", "mod10", "mod10000"),
    DataType.MOD10K48: ("mod10k48",),
    DataType.MOD10K64: ("mod10k64",),
    DataType.BIT: ("bit", "bool", "boolean", "flag", "coil"),
    DataType.BITS: ("bits", "bitrange"),
}
_TYPE_OF = {word: data for data, words in _TYPES.items() for word in words}
_TEXT_WORDS = frozenset({"string", "str", "ascii", "text", "char", "utf8", "string8", "string16"})
_ORDER_SUFFIX = re.compile(r"[_ -]?(le|be|big|little|swapped|sw|cdab|abcd|badc|dcba)$")
_ORDERS: dict[Order, tuple[str, ...]] = {
    Order.ABCD: (
        "",
        "big",
        "be",
        "abcd",
        "msw",
        "msw first",
        "high",
        "high first",
        "big endian",
        "high word first",
        "hi lo",
        "none",
        "-",
    ),
    Order.CDAB: (
        "little",
        "le",
        "cdab",
        "lsw",
        "lsw first",
        "low",
        "low first",
        "swapped",
        "swap",
        "word swap",
        "word swapped",
        "little endian",
        "low word first",
        "lo hi",
    ),
    Order.BADC: ("badc",),
    Order.DCBA: ("dcba",),
}
_ORDER_OF = {word: order for order, words in _ORDERS.items() for word in words}
_BYTES_SWAPPED = {
    Order.ABCD: Order.BADC,
    Order.CDAB: Order.DCBA,
    Order.BADC: Order.BADC,
    Order.DCBA: Order.DCBA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeWord:
    """A data type as a map writes it."""

    data: DataType | None
    """None for a text."""
    order: Order | None = None
    """Where the word itself tells it, as in ``float32_le``."""


def table_of(word: str) -> Table | None:
    """The address space a register type names; None if it is unknown."""
    return _TABLE_OF.get(_plain(word).removesuffix("s"), _TABLE_OF.get(_plain(word)))


def type_of(word: str) -> TypeWord | None:
    """The data type a word names; None if it is unknown."""
    plain = _plain(word).replace(" ", "")
    order = None
    if plain not in _TYPE_OF and (suffix := _ORDER_SUFFIX.search(plain)):
        order = order_of(suffix[1])
        plain = plain[: suffix.start()]
    if plain in _TEXT_WORDS:
        return TypeWord(data=None)
    data = _TYPE_OF.get(plain)
    return None if data is None else TypeWord(data=data, order=order)


def order_of(word: str) -> Order | None:
    """The byte order a word order names; None if it is unknown."""
    return _ORDER_OF.get(_plain(word))


def swap_bytes(order: Order) -> Order:
    """The same order of words with the bytes of each register the other way round."""
    return _BYTES_SWAPPED[order]


def type_words() -> str:
    """The data types, for a message."""
    return ", ".join([*DataType, "string"])


def _plain(word: str) -> str:
    return re.sub(r"[_\s-]+", " ", word.strip().lower()).strip()
