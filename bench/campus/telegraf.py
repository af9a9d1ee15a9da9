"""A Telegraf configuration that reads the same Modbus devices with the same timeouts.

As one who knows it would write it: an input a device, so that a dead one holds up no other; requests laid out
by the field, in the blocks our profiles allow; an offset each that spreads them over the period, for without
all are due at once; nothing compressed, as the sink is on the same machine; in files of some inputs each,
for parsing takes a hundred times the size of the largest file.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collectors.config import CollectionPlan, ModbusBinding, ModbusEndpoint, ModbusProtocol
from collectors.profiles import DataType, Half, ModbusProfile, Order, Register, Table

_TYPES = {
    DataType.U16: "UINT16",
    DataType.S16: "INT16",
    DataType.U32: "UINT32",
    DataType.S32: "INT32",
    DataType.U64: "UINT64",
    DataType.S64: "INT64",
    DataType.F32: "FLOAT32",
    DataType.F64: "FLOAT64",
}
_HALVES = {
    (DataType.U8, Half.LOW): "UINT8L",
    (DataType.U8, Half.HIGH): "UINT8H",
    (DataType.S8, Half.LOW): "INT8L",
    (DataType.S8, Half.HIGH): "INT8H",
}
_BIT_TABLES = frozenset({Table.COIL, Table.DISCRETE})
_WORDS = frozenset({DataType.U16, DataType.S16})
_LONGER = frozenset(_TYPES) - _WORDS
_SWAPPED = frozenset({Order.BADC, Order.DCBA})
"""Orders in which the bytes of a register are swapped."""
_MOST_FILL = 125
_BUFFER_PERIODS = 6
_BATCH = 5000
_INPUTS_A_FILE = 200


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the files hold, and how much is read."""

    head: str
    """Settings and the output."""
    inputs: tuple[str, ...]
    fields: int
    """Read in each period."""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join((self.head, *self.inputs))


def configuration(plan: CollectionPlan, period: float, sink: str, *, shared: bool = False) -> Configuration:
    """What Telegraf is told.

    Args:
        plan: what is read; its Modbus devices only.
        period: seconds.
        sink: address of the server that takes everything.
        shared: whether the devices behind an endpoint share an input, and so a connection.

    Raises:
        ValueError: a device is read by something else than Modbus TCP.
    """
    endpoints = {each.id: each for each in plan.endpoints}
    groups: dict[str, list[ModbusBinding]] = {}
    for binding in plan.modbus:
        endpoint = endpoints[binding.endpoint]
        if endpoint.protocol is not ModbusProtocol.TCP:
            raise ValueError(f"device {binding.device}: {endpoint.protocol} is not read here")
        groups.setdefault(binding.endpoint if shared else binding.device, []).append(binding)
    return Configuration(
        _head(len(plan.modbus), period, sink),
        tuple(
            _input(name, group, endpoints[group[0].endpoint], period * place / len(groups))
            for place, (name, group) in enumerate(groups.items())
        ),
        sum(len(each) for binding in plan.modbus for each in _requests(binding.profile).values()),
    )


def write(folder: Path, told: Configuration) -> tuple[str, ...]:
    """Write the files; returns the arguments that name them."""
    head, inputs = folder / "telegraf.conf", folder / "telegraf.d"
    head.write_text(told.head, encoding="utf-8")
    inputs.mkdir()
    for first in range(0, len(told.inputs), _INPUTS_A_FILE):
        some = told.inputs[first : first + _INPUTS_A_FILE]
        (inputs / f"{first:05}.conf").write_text("".join(some), encoding="utf-8")
    return ("--config", str(head), "--config-directory", str(inputs))


def _head(devices: int, period: float, sink: str) -> str:
    return f"""\
[agent]
  interval = "{_time(period)}"
  round_interval = false
  flush_interval = "1s"
  precision = "1ms"
  metric_batch_size = {_BATCH}
  metric_buffer_limit = {max(10_000, devices * _BUFFER_PERIODS)}
  omit_hostname = true

[[outputs.influxdb_v2]]
  urls = ["{sink}"]
  token = "bench"
  organization = "bench"
  bucket = "bench"
  content_encoding = "identity"
"""


def _input(name: str, group: list[ModbusBinding], endpoint: ModbusEndpoint, offset: float) -> str:
    first = group[0]
    timeout = first.manners.timeout or first.profile.manners.timeout or endpoint.timeout
    lines = [
        "\n[[inputs.modbus]]",
        f'  name = "{name}"',
        f'  collection_offset = "{_time(offset)}"',
        f'  controller = "tcp://{endpoint.host}:{endpoint.port}"',
        f'  timeout = "{_time(timeout)}"',
        '  configuration_type = "request"',
        '  tagexclude = ["name", "type", "slave_id"]',
    ]
    for binding in group:
        lines += _of_device(binding)
    return "\n".join(lines) + "\n"


def _of_device(binding: ModbusBinding) -> list[str]:
    lines: list[str] = []
    profile = binding.profile
    for (table, order), fields in _requests(profile).items():
        lines += [
            "  [[inputs.modbus.request]]",
            f"    slave_id = {binding.unit}",
            f'    byte_order = "{order}"',
            f'    register = "{table}"',
            f'    measurement = "{profile.kind}"',
            *_joining(profile.max_gap),
            "    fields = [",
            *(f"      {{ {each} }}," for each in fields),
            "    ]",
            "    [inputs.modbus.request.tags]",
            f'      device = "{binding.device}"',
        ]
    return lines


def _joining(gap: int) -> list[str]:
    """Blocks are read as one across so many registers that nobody wants."""
    if not gap:
        return ['    optimization = "rearrange"']
    return ['    optimization = "max_insert"', f"    optimization_max_register_fill = {min(gap, _MOST_FILL)}"]


def _requests(profile: ModbusProfile) -> Mapping[tuple[Table, Order], list[str]]:
    """The fields of a profile by what one request has in common."""
    sources = list(_sources(profile))
    found: dict[tuple[Table, Order], list[str]] = {}
    for name, register in sources:
        field = _field(name, register)
        if field is not None:
            longer = [
                each.order for _, each in sources if each.table is register.table and each.data in _LONGER
            ]
            found.setdefault((register.table, _order(register, longer)), []).append(field)
    return found


def _order(register: Register, longer: Collection[Order]) -> Order:
    """What lies in one register is read with what is longer, if that has its bytes in the same order.

    Of parts of a register the order says nothing.
    """
    if register.table in _BIT_TABLES or register.data in _LONGER:
        return register.order
    swapped = register.data in _WORDS and register.order in _SWAPPED
    fitting = (each for each in longer if (each in _SWAPPED) is swapped)
    return next(fitting, Order.BADC if swapped else Order.ABCD)


def _sources(profile: ModbusProfile) -> Iterator[tuple[str, Register]]:
    found = [
        (point.name, source)
        for point, source in zip(profile.points, profile.sources, strict=False)
        if isinstance(source, Register)
    ]
    yield from sorted(found, key=lambda each: (each[1].address, each[1].bit or 0))


def _field(name: str, register: Register) -> str | None:
    """One field; None where Telegraf has no such type."""
    start = f'address={register.address}, name="{name}"'
    if register.table in _BIT_TABLES:
        return start
    if register.data is DataType.BIT:
        return f'{start}, type="BIT", bit={register.bit or 0}'
    kind = _HALVES.get((register.data, register.half)) or _TYPES.get(register.data)
    if kind is None:
        return None
    scale = f", scale={float(register.scale)!r}" if register.scale != 1.0 else ""
    return f'{start}, type="{kind}"{scale}, output="FLOAT64"'


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"
