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

    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"
    BIT = "bit"


class Order(StrEnum):
    """Where the bytes of a 32-bit value ``ABCD`` (A most significant) arrive; 64-bit values alike."""

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Where one point lies and how it becomes a number: ``value = raw * scale + offset``, in base units."""

    table: Table
    address: int
    """Protocol address, from 0."""
    data: DataType
    order: Order = Order.ABCD
    scale: float = 1.0
    """Device scale and unit conversion together."""
    offset: float = 0.0
    bit: int | None = None
    """Which bit of a register, 0 the least significant; only with BIT in holding or input registers."""
    invalid: frozenset[int] = frozenset()
    """Raw patterns (unsigned) that mean there is no value."""

    @property
    def length(self) -> int:
        """How many registers (or coils) it takes."""
        return {"u32": 2, "s32": 2, "f32": 2, "u64": 4, "s64": 4, "f64": 4}.get(self.data, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusProfile:
    """A device over Modbus: ``points`` and ``registers`` run in parallel."""

    name: str
    kind: DeviceKind
    points: tuple[PointSpec, ...]
    registers: tuple[Register, ...]
    max_registers: int = 125
    """Largest read the device answers."""
    max_gap: int = 0
    """Unused registers that may be read across to join two blocks."""
    source: str = ""
    caveats: str = ""


class TimeFormat(StrEnum):
    """How a payload writes its source time."""

    NONE = "none"
    EPOCH_SECONDS = "epoch_s"
    EPOCH_MILLISECONDS = "epoch_ms"
    ISO8601 = "iso8601"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadField:
    """Where one point lies in a JSON payload: ``value = number * scale + offset``, in base units."""

    path: tuple[str | int, ...]
    """Keys and list places from the root; empty if the payload is the bare value."""
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttProfile:
    """A device over MQTT: ``points`` and ``fields`` run in parallel."""

    name: str
    kind: DeviceKind
    points: tuple[PointSpec, ...]
    topic: str
    """Template; ``{device}`` and any word a site defines for the device are filled in."""
    fields: tuple[PayloadField, ...]
    time_path: tuple[str | int, ...] = ()
    time_format: TimeFormat = TimeFormat.NONE
    source: str = ""
    caveats: str = ""


Profile = ModbusProfile | MqttProfile
