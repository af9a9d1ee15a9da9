"""What a collection needs to go over to another plan: found and made before, so that going over is quick."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collectors.changes import PlanChange
from collectors.config import ModbusBinding
from collectors.harvest import hold_of
from collectors.modbus.device import DeviceReader
from collectors.modbus.endpoint import Endpoint
from collectors.modbus.scan import Scan

Move = tuple[DeviceReader, ModbusBinding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changeover:
    """Everything made; only to be put in its place."""

    change: PlanChange
    endpoints: dict[str, Endpoint]
    """Those opened."""
    readers: tuple[DeviceReader, ...]
    """All of them, in the order of the plan."""
    gone: tuple[DeviceReader, ...]
    """Those that read no more."""
    moved: tuple[Move, ...]
    """Those kept whose points have other indices."""
    scans: tuple[Scan, ...]
    """Of those made."""
    hold: float
    """Seconds a scan waits for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SortedOut:
    """Readers there are and readers there are to be."""

    readers: list[DeviceReader]
    """Those that stay, in the order of the plan."""
    wanted: tuple[tuple[int, ModbusBinding], ...]
    """Where among all of the plan one is to be made, ascending, and of what."""
    beside: tuple[DeviceReader, ...]
    """Those that readers to be made may share something with."""
    gone: tuple[DeviceReader, ...]
    moved: tuple[Move, ...]
    hold: float


def sort_out(readers: Sequence[DeviceReader], change: PlanChange) -> SortedOut:
    """Tell who stays, goes, moves and is to be made. Changes nothing; for any thread, as it takes a while."""
    kept = {reader.id: reader for reader in readers if reader.id in change.kept}
    staying, wanted, moved = list[DeviceReader](), list[tuple[int, ModbusBinding]](), list[Move]()
    for at, binding in enumerate(change.plan.modbus):
        reader = kept.get(binding.device)
        if reader is None:
            wanted.append((at, binding))
            continue
        staying.append(reader)
        if reader.binding is not binding and reader.binding.first != binding.first:
            moved.append((reader, binding))
    return SortedOut(
        readers=staying,
        wanted=tuple(wanted),
        beside=_beside(kept.values(), [binding for _, binding in wanted]),
        gone=tuple([reader for reader in readers if reader.id not in kept]),
        moved=tuple(moved),
        hold=hold_of(each.period for each in change.plan.modbus),
    )


def _beside(kept: Iterable[DeviceReader], made: Sequence[ModbusBinding]) -> tuple[DeviceReader, ...]:
    """Of the readers that stay, those at the same endpoints, and one of each profile."""
    if not made:
        return ()
    endpoints = {binding.endpoint for binding in made}
    profiles = {id(binding.profile) for binding in made}
    found = []
    for reader in kept:
        binding = reader.binding
        if id(binding.profile) in profiles:
            profiles.discard(id(binding.profile))
            found.append(reader)
        elif binding.endpoint in endpoints:
            found.append(reader)
    return tuple(found)
