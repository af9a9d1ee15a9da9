"""Which units answer at an address, what they say they are, and which profiles fit them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from collectors.commissioning.asking import Asker, HungUpError, Reply, Sleep, UnreachableError
from collectors.commissioning.examining import Examination, Examined
from collectors.modbus import Connect
from collectors.modbus.frames import read_request
from collectors.planning import Block
from collectors.profiles import ModbusProfile, Table

PRESENCE = Block(Table.HOLDING, 0, 1, ())
"""The read that asks whether somebody is there."""
_SECOND_PRESENCE = Block(Table.INPUT, 0, 1, ())
"""For devices that say nothing to the first."""
IMPOSSIBLE_UNIT = 251
"""A reserved number that no device has: who answers to it does not look at the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """How a scan goes about it."""

    units: tuple[int, ...]
    profiles: tuple[ModbusProfile, ...]
    pause: float = 0.05
    """Seconds between a reply and the next request to the same address."""
    patience: float = 0.3
    """Seconds to wait for a unit that may not be there."""
    most_requests: int | None = 100
    """To find out what one unit is; None for as many as all profiles need."""
    thorough: bool = False
    """Whether every profile is tried, also where another's identity holds."""


@dataclass(slots=True)
class UnitFound:
    """A unit that answers."""

    unit: int
    seconds: float
    """From request to reply."""
    answer: str
    """What it answered first, for people."""
    examined: Examined | None = None
    """None until it is known what it is."""


@dataclass(slots=True)
class HostFound:
    """What is at one address. Filled while it is scanned."""

    host: str
    port: int
    error: str = ""
    """Why it could not be reached, or not to the end."""
    note: str = ""
    """What is odd about it, for people."""
    asked: int = 0
    """Units asked so far."""
    examined: int = 0
    requests: int = 0
    units: list[UnitFound] = field(default_factory=list)


Progress = Callable[[], None]


async def scan_host(
    found: HostFound,
    connect: Connect,
    settings: ScanSettings,
    *,
    progress: Progress = lambda: None,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Ask every unit of an address, then examine those that answer. What is found stays if it is cancelled.

    Args:
        found: where results go, as they come.
        connect: opens links, which wait as long as a slow device takes.
        settings: what to ask.
        progress: told after every unit.
        sleep: how pauses are spent.
    """
    asker = Asker(connect, pause=settings.pause, sleep=sleep)
    try:
        await _look_for_units(found, asker, settings, progress)
        for unit in found.units:
            try:
                unit.examined = await Examination(
                    asker,
                    unit.unit,
                    settings.profiles,
                    most_requests=settings.most_requests,
                    thorough=settings.thorough,
                ).run()
            except HungUpError as error:  # perhaps for this unit only
                found.error = f"unit {unit.unit}: {error}"
            found.examined += 1
            found.requests = asker.requests
            progress()
    except UnreachableError as error:
        found.error = str(error)
    finally:
        asker.close()
        found.requests = asker.requests
        progress()


async def _look_for_units(found: HostFound, asker: Asker, settings: ScanSettings, progress: Progress) -> None:
    answers: dict[int, Reply] = {}
    for unit in settings.units:
        reply = await asker.ask(read_request(unit, PRESENCE), settings.patience)
        if not reply.somebody and settings.thorough:
            reply = await asker.ask(read_request(unit, _SECOND_PRESENCE), settings.patience)
        found.asked += 1
        if reply.somebody:
            answers[unit] = reply
            found.units.append(UnitFound(unit, reply.seconds, str(reply)))
        found.requests = asker.requests
        progress()
    if len(answers) > 1:
        await _drop_echoes(found, asker, answers)


async def _drop_echoes(found: HostFound, asker: Asker, answers: dict[int, Reply]) -> None:
    """Take one unit for all those that answer as a unit does that cannot be there."""
    impossible = await asker.ask(read_request(IMPOSSIBLE_UNIT, PRESENCE))
    if not impossible.somebody:
        return
    data = isinstance(impossible.answer, bytes)
    echoes = [unit for unit, reply in answers.items() if data or reply.answer == impossible.answer]
    if len(echoes) > 1:
        kept, dropped = echoes[0], frozenset(echoes[1:])
        found.units = [each for each in found.units if each.unit not in dropped]
        found.note = (
            f"answers to every unit number, also to {IMPOSSIBLE_UNIT}, which no device has:"
            f" {len(echoes)} answers are taken for one device, unit {kept}"
        )
