"""Device profiles: what a make of device offers, as data; the shipped ones are the YAML files here.

The types live here; reading and checking the files is ``collectors.profiles.reader``.
"""

from dataclasses import dataclass
from enum import StrEnum

from facility.devices import DeviceKind, PointSpec


class Table(StrEnum):
    """The four address spaces of Modbus, each with its read function code."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"


class DataType(StrEnum):
    """How a value lies in registers or bits."""

    U8 = "u8"
    """Half a register: ``Register.half`` says which."""
    S8 = "s8"
    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U48 = "u48"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"
    BCD16 = "bcd16"
    """Four decimal digits, one in each half byte; a half byte above 9 means there is no value."""
    BCD32 = "bcd32"
    MOD10K32 = "mod10k32"
    """Decimal groups of four digits, one a register, 0…9999; anything above means there is no value."""
    MOD10K48 = "mod10k48"
    MOD10K64 = "mod10k64"
    BIT = "bit"
    """One bit of a register, or an entry of a table of bits."""
    BITS = "bits"
    """Neighbouring bits of a register as a whole number."""


LENGTHS: dict[DataType, int] = {
    DataType.U32: 2,
    DataType.S32: 2,
    DataType.F32: 2,
    DataType.BCD32: 2,
    DataType.MOD10K32: 2,
    DataType.U48: 3,
    DataType.MOD10K48: 3,
    DataType.U64: 4,
    DataType.S64: 4,
    DataType.F64: 4,
    DataType.MOD10K64: 4,
}
"""Registers a value takes, where it is more than one."""


class Order(StrEnum):
    """Where the bytes of a 32-bit value ``ABCD`` (A most significant) arrive; longer values alike.

    The first letter of a pair swaps words, the second the bytes within each: for eight bytes ``ABCDEFGH``
    CDAB means ``GHEFCDAB``, BADC ``BADCFEHG`` and DCBA ``HGFEDCBA``. Of one register BADC and DCBA swap the
    bytes; parts of a register have no order.
    """

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


class Half(StrEnum):
    """Which byte of a register an 8-bit value is."""

    LOW = "low"
    HIGH = "high"


class Use(StrEnum):
    """What a register does for the value of another one."""

    EXPONENT = "exponent"
    """The value is multiplied by ten to its power: SunSpec scale factors. None without it."""
    FACTOR = "factor"
    """The value is multiplied by it."""
    DIVISOR = "divisor"
    """The value is divided by it."""
    PERCENT_OF = "percent_of"
    """The value is a percentage of it, and takes its unit."""
    FRACTION = "fraction"
    """It is added: the part behind the point, with a scale of its own."""
    UNIT = "unit"
    """It says in which unit the value is: ``Reference.units``."""
    ORDER = "order"
    """It says in which order the bytes of the value lie: ``Reference.orders``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A value that is not complete without another register of the device."""

    use: Use
    source: int
    """Place of that register among the sources of the profile."""
    units: tuple[tuple[int, float, float], ...] = ()
    """With ``Use.UNIT``: (number read, factor, offset) to the base unit, after scale and offset."""
    orders: tuple[tuple[int, Order], ...] = ()
    """With ``Use.ORDER``: (number read, order)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Where one point lies and how it becomes a number: ``value = raw * scale + offset``, in base units.

    Where it refers to others, ``value = raw * scale * factors + offset + fraction``, then the unit that is
    told; so that offsets of units such as kelvin stay right. A referring value that is read without what it
    refers to is none, with the quality of the reference.
    """

    table: Table
    address: int
    """Protocol address, from 0; from the start of the model with a ``SunSpecModel``."""
    data: DataType
    order: Order = Order.ABCD
    scale: float = 1.0
    """Device scale and unit conversion together."""
    offset: float = 0.0
    bit: int | None = None
    """Which bit of a register, 0 the least significant; the lowest of several with BITS."""
    width: int = 1
    """How many bits, with BITS."""
    half: Half = Half.LOW
    """Which byte, with 8-bit values."""
    invalid: frozenset[int] = frozenset()
    """Raw patterns (unsigned, most significant byte first) that mean there is no value."""
    references: tuple[Reference, ...] = ()

    @property
    def length(self) -> int:
        """How many registers (or coils) it takes."""
        return LENGTHS.get(self.data, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """A point that is composed: the sum of others, such as of three phases. None if one of them is none."""

    sources: tuple[int, ...]
    """Places among the sources of the profile; of registers only."""


Source = Register | Sum


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRegister:
    """A text a device tells of itself, such as its serial number. Read seldom, shown, never a number."""

    name: str
    table: Table
    address: int
    length: int
    """Registers; two characters each."""
    swapped: bool = False
    """Whether the second character of a register comes first."""
    encoding: str = "ascii"
    """Ends at the first NUL; blanks around it are not part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Addresses ``first``…``last``, both included."""

    table: Table
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityCheck:
    """What a device of this profile shows at a known place. Exactly one of the expectations is given."""

    table: Table
    address: int
    length: int
    text: str | None = None
    """It begins with this text, blanks and NULs at its end aside."""
    low: int | None = None
    """The registers, most significant first, make a number from ``low``…"""
    high: int | None = None
    """… to ``high``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentification:
    """What function 43/14 answers for a device of this profile; texts it begins with, "" for anything."""

    vendor: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SunSpecModel:
    """Addresses count from the start of a SunSpec model, which is found by walking from ``SunS`` on."""

    model: int
    bases: tuple[int, ...] = (40000, 0, 50000)
    """Where the marker may stand, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a device wants to be read, where it differs from its endpoint. None: as the endpoint says."""

    timeout: float | None = None
    """Seconds it may take to answer."""
    pause: float | None = None
    """Seconds it wants between a reply and the next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusProfile:
    """A device over Modbus.

    ``sources`` begins with one for each of ``points``, in the same order; those behind are helpers that
    others refer to and that are no points themselves. Points that are read at the same pace
    (``PointSpec.every``) stand together, the fastest first.
    """

    name: str
    kind: DeviceKind
    points: tuple[PointSpec, ...]
    sources: tuple[Source, ...]
    texts: tuple[TextRegister, ...] = ()
    max_registers: int = 125
    """Largest read of registers the device answers; 1 with one register a request."""
    max_gap: int = 0
    """Unused registers that may be read across to join two blocks."""
    alone: bool = False
    """Whether each value is read by a request of its own; addresses of values may then overlap."""
    forbidden: tuple[Span, ...] = ()
    """What must never be read, not even across."""
    identity: tuple[IdentityCheck, ...] = ()
    """All of them hold for a device of this profile."""
    identification: DeviceIdentification | None = None
    sunspec: SunSpecModel | None = None
    manners: Manners = Manners()
    make: str = ""
    """Maker and model, for people."""
    firmware: str = ""
    """Versions the map holds for, for people."""
    link: str = ""
    """Serial settings and unit ids as delivered, for people: ``19200 8E1, unit 12``."""
    source: str = ""
    """Document the map is taken from."""
    caveats: str = ""

    @property
    def registers(self) -> tuple[Register, ...]:
        """The sources that are registers, in order."""
        return tuple(each for each in self.sources if isinstance(each, Register))


class TimeFormat(StrEnum):
    """How a payload writes its source time."""

    NONE = "none"
    EPOCH_SECONDS = "epoch_s"
    EPOCH_MILLISECONDS = "epoch_ms"
    ISO8601 = "iso8601"


Path = tuple[str | int, ...]
"""Keys and list places from the root of a JSON payload; empty if the payload is the bare value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadField:
    """Where one point lies in a JSON payload: ``value = number * scale + offset``, in base units."""

    path: Path
    scale: float = 1.0
    offset: float = 0.0
    topic: str = ""
    """Under that of the device, joined by ``/``; the device's own if empty."""
    invalid: frozenset[float] = frozenset()
    """Numbers, before scaling, that mean there is no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadQuality:
    """What a payload says of how far its values can be believed."""

    path: Path
    good: frozenset[str]
    """Words in small letters, or numbers as texts, that mean good; what is in neither set means bad."""
    uncertain: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """A topic that tells whether a device is connected to its broker, such as its last will."""

    topic: str
    """Under that of the device; each ``../`` before it goes one level up from there."""
    path: Path = ()
    online: str = "online"
    """In whatever letters, large or small."""
    offline: str = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttProfile:
    """A device over MQTT: ``points`` and ``fields`` run in parallel; those of one topic stand together."""

    name: str
    kind: DeviceKind
    points: tuple[PointSpec, ...]
    topic: str
    """Template; ``{device}`` and any word a site defines for the device are filled in."""
    fields: tuple[PayloadField, ...]
    time_path: Path = ()
    time_format: TimeFormat = TimeFormat.NONE
    quality: PayloadQuality | None = None
    partial: bool = False
    """Whether a message holds only what has changed: what it leaves out is as it was, not missing."""
    liveness: Liveness | None = None
    make: str = ""
    """Maker and model, for people."""
    source: str = ""
    caveats: str = ""

    @property
    def topics(self) -> tuple[str, ...]:
        """Of the points, under that of the device; in the order of the points."""
        return tuple(dict.fromkeys(field.topic for field in self.fields))


Profile = ModbusProfile | MqttProfile
