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
_TEXT_OF = re.compile(r"(string|str|ascii|text|char|utf8)[\[(](\d+)[\])]")
_TIMES = frozenset({"date", "time", "datetime", "timestamp", "dateandtime", "timedate", "utctime"})
_UNSIGNED = frozenset({"unsigned", "u", "uint"})
_WHOLE = frozenset({"signed", "s", "i", "int", "integer", "sint", "long", "short"})
_FLOATING = frozenset({"float", "floating", "real", "ieee", "single", "double"})
_FILLING = frozenset({"bit", "bits", "point", "precision", "number", "754"})
_BY_SIZE = {
    ("unsigned", 8): DataType.U8,
    ("unsigned", 16): DataType.U16,
    ("unsigned", 32): DataType.U32,
    ("unsigned", 48): DataType.U48,
    ("unsigned", 64): DataType.U64,
    ("signed", 8): DataType.S8,
    ("signed", 16): DataType.S16,
    ("signed", 32): DataType.S32,
    ("signed", 64): DataType.S64,
    ("floating", 32): DataType.F32,
    ("floating", 64): DataType.F64,
}
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
    characters: int | None = None
    """Of a text whose length the word tells, as ``string[20]``."""


def table_of(word: str) -> Table | None:
    """The address space a register type names; None if it is unknown."""
    return _TABLE_OF.get(_plain(word).removesuffix("s"), _TABLE_OF.get(_plain(word)))


def type_of(word: str) -> TypeWord | None:
    """The data type a word names; None if it is unknown."""
    plain = _plain(word).replace(" ", "")
    if text := _TEXT_OF.fullmatch(plain):
        return TypeWord(data=None, characters=int(text[2]))
    order = None
    if plain not in _TYPE_OF and (suffix := _ORDER_SUFFIX.search(plain)):
        order = order_of(suffix[1])
        plain = plain[: suffix.start()]
    if plain in _TEXT_WORDS:
        return TypeWord(data=None)
    data = _TYPE_OF.get(plain) or _spelled_out(plain if order else word.lower())
    return None if data is None else TypeWord(data=data, order=order)


def is_time(word: str) -> bool:
    """Whether a data type is a date or a time: no number, and coded by every maker in a way of its own."""
    return _plain(word).replace(" ", "") in _TIMES


def _spelled_out(word: str) -> DataType | None:
    """The type that single words tell: ``unsigned long``, ``16 bit unsigned integer``, ``INT32U``."""
    told = re.findall(r"[a-z]+|\d+", word)
    words = {each for each in told if not each.isdigit() or each == "754"}
    sizes = [int(each) for each in told if each.isdigit() and each != "754"]
    if not words <= _UNSIGNED | _WHOLE | _FLOATING | _FILLING or len(sizes) > 1:
        return None
    if words & _FLOATING and not words & (_UNSIGNED | _WHOLE):
        return _BY_SIZE.get(("floating", sizes[0] if sizes else 64 if "double" in words else 32))
    if words & _FLOATING or not words & (_UNSIGNED | _WHOLE):
        return None
    size = sizes[0] if sizes else min(16 << told.count("long"), 64)
    return _BY_SIZE.get(("unsigned" if words & _UNSIGNED else "signed", size))


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
