"""The addresses of a simulated device that can be read in one request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from collectors.profiles import ModbusProfile, Register, Table
from simulators.literals import Literal


@dataclass(frozen=True, slots=True)
class Area:
    """Addresses of one table that can be read in one request: values, and the gaps a device reads across."""

    table: Table
    start: int
    stop: int
    """First address behind it."""
    members: tuple[int, ...]
    """Places among the sources of the profile of what it holds."""


def areas_of(profile: ModbusProfile, fixed: Sequence[Literal]) -> list[Area]:
    """The areas of a profile, in the order in which they are to be searched for an address."""
    spans: list[tuple[Table, int, int, tuple[int, ...]]] = [
        (source.table, source.address, source.address + source.length, (at,))
        for at, source in enumerate(profile.sources)
        if isinstance(source, Register)
    ]
    spans += [(each.table, each.start, each.stop, ()) for each in fixed]
    spans.sort(key=lambda span: (list(Table).index(span[0]), span[1:]))
    if profile.alone:
        return _areas_alone(spans)
    areas: list[Area] = []
    for table, start, stop, members in spans:
        last = areas[-1] if areas and areas[-1].table is table else None
        if last is not None and _reads_across(profile, last, start):
            areas[-1] = Area(table, last.start, max(last.stop, stop), (*last.members, *members))
        else:
            areas.append(Area(table, start, stop, members))
    return areas


def _areas_alone(spans: Sequence[tuple[Table, int, int, tuple[int, ...]]]) -> list[Area]:
    """An area for each place; the highest address first, so that a value is found before one it lies in."""
    areas: dict[tuple[Table, int, int], Area] = {}
    for table, start, stop, members in spans:
        area = areas.get((table, start, stop), Area(table, start, stop, ()))
        areas[table, start, stop] = replace(area, members=(*area.members, *members))
    return sorted(areas.values(), key=lambda area: (-area.start, area.stop))


def _reads_across(profile: ModbusProfile, last: Area, start: int) -> bool:
    if start - last.stop > profile.max_gap:
        return False
    return not any(
        span.table is last.table and span.first < start and last.stop <= span.last
        for span in profile.forbidden
    )
