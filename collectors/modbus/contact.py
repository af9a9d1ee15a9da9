"""The first talk with a device, and those now and then: who it is, where its values lie, what it tells."""

from collections.abc import Generator
from dataclasses import dataclass, field

from collectors.decode import decode_text
from collectors.modbus import Answer, Fault
from collectors.modbus.frames import Request, read_request
from collectors.modbus.identity import check_identification, read_checks, read_identification
from collectors.modbus.sunspec import find_model
from collectors.planning import Block, plan_texts
from collectors.profiles import ModbusProfile

Talk = Generator[Request, Answer, "Acquaintance"]
"""Yields requests, is sent the answer to each."""


@dataclass(slots=True)
class Acquaintance:
    """What a device told."""

    start: int | None = None
    """Where its SunSpec model begins."""
    identity: dict[str, str] = field(default_factory=dict)
    """What another device would tell otherwise."""
    texts: dict[str, str] = field(default_factory=dict)
    """Those of the profile, and what the device tells of itself by a standard; to be shown."""


def is_worth_asking(profile: ModbusProfile) -> bool:
    """Whether there is anything to ask a device of this profile."""
    return bool(profile.identity or profile.identification or profile.sunspec or profile.texts)


def converse(profile: ModbusProfile, unit: int, *, identification: bool) -> Talk:
    """Ask a device who it is.

    Args:
        profile: what it should be.
        unit: its number.
        identification: whether to try function 43/14; some devices are silent when they do not know it.

    Raises:
        ForeignDeviceError: it is not what the profile describes.
    """
    found = Acquaintance()
    if profile.sunspec is not None:
        found.start, common = yield from find_model(profile.sunspec, unit)
        found.texts |= common
    shift = found.start or 0
    if profile.identification is not None and identification:
        told = yield from read_identification(unit)
        check_identification(profile.identification, told)
        found.texts |= told
    found.identity |= yield from read_checks(profile.identity, unit, shift)
    found.texts |= yield from _texts(profile, unit, shift)
    found.identity |= found.texts
    return found


def _texts(profile: ModbusProfile, unit: int, shift: int) -> Generator[Request, Answer, dict[str, str]]:
    told: dict[str, str] = {}
    for text, block in zip(profile.texts, plan_texts(profile), strict=True):
        answer = yield read_request(
            unit, Block(block.table, block.address + shift, block.count, block.points)
        )
        if isinstance(answer, Fault):
            continue
        words = decode_text(text, answer)
        if words:
            told[text.name] = words
    return told
