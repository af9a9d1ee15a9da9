"""Device profiles as text, for people: what a device offers, where it lies and how it is read."""

from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill

from collectors.planning import Block, plan_groups, plan_texts
from collectors.profiles import (
    ModbusProfile,
    MqttProfile,
    Order,
    Path,
    Profile,
    Reference,
    Register,
    Source,
    Sum,
    TimeFormat,
    Use,
)
from facility.devices import PointSpec

_WIDTH = 100
_DEFAULT_REGISTERS = 125


def listing(profiles: Iterable[Profile]) -> Iterator[str]:
    """One line a profile: name, kind, points, maker and model."""
    rows = [
        (
            each.name,
            str(each.kind),
            str(len(each.points)),
            each.make or ("MQTT" if isinstance(each, MqttProfile) else ""),
        )
        for each in sorted(profiles, key=lambda profile: (profile.kind, profile.name))
    ]
    yield from table(("NAME", "KIND", "POINTS", "MAKE"), rows)


def markdown(profiles: Iterable[Profile]) -> Iterator[str]:
    """A table of the profiles of real devices, for the guide: one row each, by kind."""
    yield "| Device | Kind | Profile | Points | Source | Confidence | Beware |"
    yield "|---|---|---|---|---|---|---|"
    for each in sorted(profiles, key=lambda profile: (profile.kind, profile.name)):
        if not each.make:
            continue
        source, _, confidence = each.source.partition("; confidence ")
        firmware = each.firmware if isinstance(each, ModbusProfile) else ""
        beware = f"Firmware: {firmware}. {each.caveats}" if firmware else each.caveats
        cells = (
            each.make,
            str(each.kind),
            f"`{each.name}`",
            str(len(each.points)),
            source,
            confidence,
            beware,
        )
        yield "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def page(profile: Profile) -> Iterator[str]:
    """All of one profile."""
    yield f"{profile.name}: {profile.kind}, {_count(len(profile.points), 'point')}"
    if isinstance(profile, MqttProfile):
        yield from _mqtt(profile)
    else:
        yield from _modbus(profile)
    for title in ("source", "caveats"):
        text: str = getattr(profile, title)
        if text:
            yield fill(f"{title}: {text}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows under a head, in columns as wide as they need; the last one is as long as it is."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    for row in [head, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        yield "  ".join([*cells, row[-1]]).rstrip()


def _mqtt(profile: MqttProfile) -> Iterator[str]:
    if profile.make:
        yield f"make: {profile.make}"
    yield f"topic: {profile.topic}"
    if profile.time_format is not TimeFormat.NONE:
        yield f"time: {_payload_path(profile.time_path)}, {profile.time_format}"
    if profile.quality is not None:
        good = ", ".join(sorted(profile.quality.good))
        uncertain = ", ".join(sorted(profile.quality.uncertain))
        also = f"; uncertain: {uncertain}" if uncertain else ""
        yield f"quality: {_payload_path(profile.quality.path)}; good: {good}{also}"
    if profile.partial:
        yield "messages hold only what has changed"
    if profile.liveness is not None:
        told = profile.liveness
        where = f" at {_payload_path(told.path)}" if told.path else ""
        yield f"liveness: {told.topic}, {told.online!r} or {told.offline!r}{where}"
    yield ""
    rows: list[tuple[str, ...]] = [
        (point.name, point.type.key, point.type.unit, field.topic, _payload_path(field.path))
        for point, field in zip(profile.points, profile.fields, strict=True)
    ]
    if not any(field.topic for field in profile.fields):
        rows = [(*row[:3], row[4]) for row in rows]
        yield from table(("POINT", "TYPE", "UNIT", "PATH"), rows)
    else:
        yield from table(("POINT", "TYPE", "UNIT", "TOPIC", "PATH"), rows)
    yield ""


def _payload_path(path: Path) -> str:
    return ".".join(str(word) for word in path) or "the bare value"


def _modbus(profile: ModbusProfile) -> Iterator[str]:
    for title in ("make", "firmware", "link"):
        text: str = getattr(profile, title)
        if text:
            yield f"{title}: {text}"
    yield from _manner(profile)
    yield ""
    rows = [
        _point(profile, point, source) for point, source in zip(profile.points, profile.sources, strict=False)
    ]
    yield from table(("POINT", "TYPE", "UNIT", "TABLE", "ADDRESS", "DATA", "EVERY", "HOW"), rows)
    helpers = profile.sources[len(profile.points) :]
    if helpers:
        yield ""
        yield f"{_count(len(helpers), 'register')} more that these refer to"
    if profile.texts:
        yield ""
        texts = [
            (
                text.name,
                str(text.table),
                str(text.address),
                str(text.length),
                "swapped" if text.swapped else "",
            )
            for text in profile.texts
        ]
        yield from table(("TEXT", "TABLE", "ADDRESS", "REGISTERS", ""), texts)
    yield ""
    for group in plan_groups(profile):
        pace = "every scan" if group.every == 1 else f"every {group.every} scans"
        yield f"{pace}: {_count(len(group.blocks), 'read')}"
        yield fill(", ".join(map(_block, group.blocks)), _WIDTH, initial_indent="  ", subsequent_indent="  ")
    if profile.texts:
        yield f"seldom: {_count(sum(map(len, plan_texts(profile))), 'read')} of texts"
    yield ""


def _manner(profile: ModbusProfile) -> Iterator[str]:
    """How it wants to be read, where that is not as any device."""
    if profile.sunspec is not None:
        yield f"addresses count from the start of SunSpec model {profile.sunspec.model}"
    if profile.max_registers != _DEFAULT_REGISTERS:
        yield f"reads: {_count(profile.max_registers, 'register')} at most"
    if profile.alone:
        yield "reads: each value by itself"
    if profile.max_gap:
        yield f"reads: across gaps of up to {_count(profile.max_gap, 'register')}"
    for span in profile.forbidden:
        yield f"never read: {span.table} {span.first} to {span.last}"
    if profile.manners.timeout is not None:
        yield f"answers within {profile.manners.timeout:g} s"
    if profile.manners.pause is not None:
        yield f"rests {profile.manners.pause:g} s between two requests"
    for check in profile.identity:
        expected = repr(check.text) if check.text is not None else _range(check.low, check.high)
        yield f"shows at {check.table} {check.address}: {expected}"


def _range(low: int | None, high: int | None) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _point(profile: ModbusProfile, point: PointSpec, source: Source) -> tuple[str, ...]:
    if isinstance(source, Sum):
        place, data = ("", ""), "sum"
        how = " + ".join(_name(profile, at) for at in source.sources)
    else:
        place, data = (str(source.table), str(source.address)), _data(source)
        how = _how(profile, source)
    return (point.name, point.type.key, point.type.unit, *place, data, str(point.every), how)


def _data(register: Register) -> str:
    if register.bit is not None:
        last = register.bit + register.width - 1
        return f"bit {register.bit}" if register.width == 1 else f"bits {register.bit}-{last}"
    if register.order is not Order.ABCD:
        return f"{register.data} {register.order}"
    return str(register.data)


def _how(profile: ModbusProfile, register: Register) -> str:
    parts = [] if register.scale == 1 else [f"x {register.scale:.9g}"]
    parts += [f"{register.offset:+.9g}"] if register.offset else []
    parts += [_reference(profile, each) for each in register.references]
    patterns = ", ".join(f"0x{each:X}" for each in sorted(register.invalid))
    return "; ".join([*filter(None, [" ".join(parts)]), *([f"none: {patterns}"] if patterns else [])])


def _reference(profile: ModbusProfile, reference: Reference) -> str:
    name = _name(profile, reference.source)
    words = {
        Use.EXPONENT: f"x 10^{name}",
        Use.FACTOR: f"x {name}",
        Use.DIVISOR: f"/ {name}",
        Use.PERCENT_OF: f"% of {name}",
        Use.FRACTION: f"+ {name}",
        Use.UNIT: f"in the unit {name} says",
        Use.ORDER: f"in the order {name} says",
    }
    return words[reference.use]


def _name(profile: ModbusProfile, at: int) -> str:
    """A source by the name of its point; a helper by its place."""
    if at < len(profile.points):
        return profile.points[at].name
    source = profile.sources[at]
    return f"{source.table} {source.address}" if isinstance(source, Register) else "sum"


def _block(block: Block) -> str:
    last = block.address + block.count - 1
    return f"{block.table} {block.address}" + (f"-{last}" if block.count > 1 else "")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
