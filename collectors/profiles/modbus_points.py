"""The Modbus part of a profile: its points and helpers, and what they make together."""

from collections.abc import Sequence

from collectors.profiles import DataType, ModbusProfile, Table
from collectors.profiles.document import Section, whole_number
from collectors.profiles.identities import (
    read_identification,
    read_identity,
    read_manners,
    read_sunspec,
    read_texts,
)
from collectors.profiles.points import PointReader, scaling
from collectors.profiles.references import REFERENCE_KEYS, Draft, Linker, read_links
from collectors.profiles.registers import (
    BIT_TABLES,
    LAST_ADDRESS,
    MAX_REGISTERS,
    PARTS,
    REGISTER_KEYS,
    Defaults,
    read_defaults,
    read_register,
)
from facility.devices import DeviceKind, PointSpec
from facility.point_types import Behaviour, PointType
from facility.units import Unit, UnknownUnitError, unit

MAX_EVERY = 100_000
"""Scans between two readings of one point."""
_NATURAL_MODULUS = {
    DataType.U16: 1 << 16,
    DataType.U32: 1 << 32,
    DataType.U48: 1 << 48,
    DataType.BCD16: 10**4,
    DataType.BCD32: 10**8,
    DataType.MOD10K32: 10**8,
    DataType.MOD10K48: 10**12,
}
_UNSIGNED = frozenset({DataType.U16, DataType.U32, DataType.U48, DataType.U64})
_ROUNDING = 1e-9


def read_modbus_profile(
    top: Section, name: str, kind: DeviceKind, source: str, caveats: str
) -> ModbusProfile:
    """The profile of a section; mistakes are noted there."""
    defaults = read_defaults(top)
    max_gap = top.integer("max_gap", 0, 0, MAX_REGISTERS)
    alone = top.flag("alone")
    check_range = top.flag("check_range", fallback=True)
    reader = PointReader()
    points = [_point(entry, reader, defaults) for entry in top.sections("points", required=True)]
    points.sort(key=lambda draft: draft.every)
    helpers = [_helper(entry, reader, defaults) for entry in top.sections("helpers")]
    sources = Linker(points, helpers).sources()
    if not alone:
        _check_overlaps([*points, *helpers])
    return ModbusProfile(
        name=name,
        kind=kind,
        points=tuple(_spec(draft, check_range=check_range) for draft in points),
        sources=sources,
        texts=tuple(read_texts(top, defaults)),
        max_registers=defaults.max_registers,
        max_gap=max_gap,
        alone=alone,
        forbidden=defaults.forbidden,
        identity=tuple(read_identity(top, defaults)),
        identification=read_identification(top),
        sunspec=read_sunspec(top),
        manners=read_manners(top),
        make=top.text("make"),
        firmware=top.text("firmware"),
        link=top.text("link"),
        source=source,
        caveats=caveats,
    )


def _point(entry: Section, reader: PointReader, defaults: Defaults) -> Draft:
    meaning = reader.read(entry)
    told = entry.has("unit") or (meaning.type.key != "generic" and not entry.has("unit_from"))
    draft = Draft(
        section=entry,
        name=meaning.name,
        meaning=meaning,
        unit=meaning.unit if told else None,
        type=meaning.type,
        every=entry.integer("every", 1, 1, MAX_EVERY),
        register=None,
    )
    if entry.has("sum"):
        draft.parts = entry.names("sum")
        if not draft.parts:
            entry.note("'sum' is empty; list at least one point", "sum")
        _refuse_keys(entry, "sum", (*REGISTER_KEYS, "scale", "offset", *REFERENCE_KEYS))
    else:
        draft.register = read_register(entry, meaning.name, defaults, meaning.scale, meaning.offset)
        draft.links = read_links(entry)
    _read_modulus(draft)
    entry.close()
    return draft


def _helper(entry: Section, reader: PointReader, defaults: Defaults) -> Draft:
    name = reader.name(entry)
    told = _helper_unit(entry)
    scale, offset = scaling(entry)
    if told is not None:
        scale, offset = scale * told.factor, offset * told.factor + told.offset
    draft = Draft(
        section=entry,
        name=name,
        meaning=None,
        unit=told,
        register=read_register(entry, name, defaults, scale, offset),
        links=read_links(entry),
    )
    _refuse_keys(entry, "helpers", ("type", "every", "states", "behaviour", "modulus", "sum"))
    entry.close()
    return draft


def _helper_unit(entry: Section) -> Unit | None:
    if not entry.has("unit"):
        return None
    try:
        return unit(entry.text("unit"))
    except UnknownUnitError as error:
        entry.note(str(error), "unit")
        return None


def _refuse_keys(entry: Section, what: str, keys: Sequence[str]) -> None:
    for key in keys:
        if entry.node(key) is not None:
            entry.note(f"{key!r} does not go with {what!r}; leave it out", key)


def _read_modulus(draft: Draft) -> None:
    """See where a counter rolls over: as told in counts, else at the end of its registers."""
    entry, register = draft.section, draft.register
    natural = 0 if register is None or draft.links else _NATURAL_MODULUS.get(register.data, 0)
    counts = entry.integer("modulus", natural, 1)
    if draft.type is None:
        return
    if entry.has("modulus"):
        if draft.type.behaviour is not Behaviour.COUNTER:
            rule = f"goes with counters, not with {draft.type.key!r}; leave it out"
            entry.note(f"'modulus' {rule}", "modulus")
        elif register is None or draft.links:
            entry.note("'modulus' goes with a register that needs no other; leave it out", "modulus")
    draft.modulus = counts


def _spec(draft: Draft, *, check_range: bool) -> PointSpec:
    kind = draft.type
    if kind is None or draft.meaning is None:
        raise TypeError(f"helper {draft.name!r} is no point")
    return PointSpec(
        name=draft.name,
        type=kind,
        modulus=_modulus(draft, kind),
        every=draft.every,
        states=draft.meaning.states,
        check_range=check_range,
    )


def _modulus(draft: Draft, kind: PointType) -> float | None:
    """Where the counter rolls over in base units; one that was told has to be a whole number of them."""
    if kind.behaviour is not Behaviour.COUNTER or draft.register is None or draft.links:
        return None
    rolls_at = draft.modulus * draft.register.scale
    if abs(rolls_at - round(rolls_at)) > _ROUNDING * abs(rolls_at):
        if draft.section.has("modulus"):
            rule = f"not a whole number of {kind.unit}; choose a coarser 'modulus'"
            message = f"'modulus' {draft.modulus} is {rolls_at:g} {kind.unit}, {rule}"
            draft.section.note(message, "modulus")
        return rolls_at
    return round(rolls_at) or None


def _check_overlaps(drafts: Sequence[Draft]) -> None:
    taken: dict[tuple[Table, int], list[Draft]] = {}
    for draft in drafts:
        register = draft.register
        if register is None or not _has_address(draft):
            continue
        for address in range(register.address, register.address + register.length):
            others = taken.setdefault((register.table, address), [])
            wrong = next((other for other in others if not _may_share(draft, other)), None)
            others.append(draft)
            if wrong is not None:
                message = f"{draft.name!r} lies on {register.table!s} {address} like {wrong.name!r}"
                draft.section.note(f"{message}; correct one address")
                break


def _has_address(draft: Draft) -> bool:
    """Whether its address was read: the place that stands in for a wrong one collides with nothing."""
    node = draft.section.node("address")
    address = None if node is None else whole_number(node)
    return address is not None and 0 <= address <= LAST_ADDRESS


def _may_share(one: Draft, other: Draft) -> bool:
    """Whether two may lie on one address: parts and the whole of them, and a helper that is a point too."""
    first, second = one.register, other.register
    if first is None or second is None:
        return True
    same = (first.address, first.length) == (second.address, second.length)
    if same and (one.meaning is None or other.meaning is None):
        return True
    kinds = {first.data, second.data}
    return first.table not in BIT_TABLES and kinds <= PARTS | _UNSIGNED and bool(kinds & PARTS)
