"""What a simulated device shows besides values: texts, what it is known by, and its SunSpec models.

The words never change. Where they lie on a value's registers they take its place, for they are what a
device is known by.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from collectors.profiles import ModbusProfile, Register, Source, Table, TextRegister

SERIAL = "SIM-000001"
REVISION = "1.0.0"
MAKER = "dcops"

_MARKER = b"SunS"
_COMMON_LENGTH = 66
_HEAD = 2
"""Registers of the id and length of a SunSpec model."""
_END_MODEL = 0xFFFF
_MODEL_OFFSET = _HEAD + _HEAD + _COMMON_LENGTH
"""From the marker to the model that stands behind the common one."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Words at a fixed place; without words, addresses that can be read and hold 0 where no value lies."""

    table: Table
    start: int
    stop: int
    """First address behind it."""
    data: bytes = b""


def placed(profile: ModbusProfile) -> ModbusProfile:
    """The profile with protocol addresses, where it counts them from a SunSpec model."""
    if profile.sunspec is None:
        return profile
    shift = profile.sunspec.bases[0] + _MODEL_OFFSET
    return replace(
        profile,
        sources=tuple(_moved(source, shift) for source in profile.sources),
        texts=tuple(replace(text, address=text.address + shift) for text in profile.texts),
        identity=tuple(replace(check, address=check.address + shift) for check in profile.identity),
        forbidden=tuple(
            replace(span, first=span.first + shift, last=span.last + shift) for span in profile.forbidden
        ),
    )


def literals(profile: ModbusProfile) -> tuple[Literal, ...]:
    """The fixed words of a profile with protocol addresses; later ones take the place of former ones."""
    return (*_texts(profile), *_identity(profile), *_sunspec(profile))


def _texts(profile: ModbusProfile) -> Iterator[Literal]:
    for text in profile.texts:
        data = _padded(_word(profile, text), text.length, text.encoding)
        if text.swapped:
            data = b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))
        yield Literal(text.table, text.address, text.address + text.length, data)


def _identity(profile: ModbusProfile) -> Iterator[Literal]:
    for check in profile.identity:
        if check.text is not None:
            data = _padded(check.text, check.length, "ascii")
        else:
            data = (check.low or 0).to_bytes(2 * check.length, "big")
        yield Literal(check.table, check.address, check.address + check.length, data)


def _sunspec(profile: ModbusProfile) -> Iterator[Literal]:
    """Marker, common model, head of the model and the end behind it."""
    if profile.sunspec is None:
        return
    start = profile.sunspec.bases[0]
    common = [(MAKER, 16), (profile.name, 16), ("", 8), (REVISION, 8), (SERIAL, 16)]
    texts = b"".join(_padded(text, length, "ascii") for text, length in common)
    head = _MARKER + struct.pack(">HH", 1, _COMMON_LENGTH) + texts + struct.pack(">HH", 1, 0)
    model = start + _MODEL_OFFSET
    registers = [source for source in profile.sources if isinstance(source, Register)]
    ends = [each.address + each.length for each in registers]
    ends += [text.address + text.length for text in profile.texts]
    stop = max(ends, default=model + _HEAD)
    length = stop - model - _HEAD
    yield Literal(Table.HOLDING, start, model, head)
    yield Literal(Table.HOLDING, model, stop)
    yield Literal(Table.HOLDING, model, model + _HEAD, struct.pack(">HH", profile.sunspec.model, length))
    yield Literal(Table.HOLDING, stop, stop + _HEAD, struct.pack(">HH", _END_MODEL, 0))


def _word(profile: ModbusProfile, text: TextRegister) -> str:
    """Something plausible for a text of that name."""
    name = text.name
    if "serial" in name:
        return SERIAL
    if any(word in name for word in ("firmware", "version", "revision", "software", "hardware")):
        return REVISION
    if any(word in name for word in ("vendor", "manufacturer", "maker")):
        return profile.identification.vendor if profile.identification is not None else MAKER
    return profile.name


def _padded(text: str, length: int, encoding: str) -> bytes:
    return text.encode(encoding, "replace")[: 2 * length].ljust(2 * length, b"\0")


def _moved(source: Source, shift: int) -> Source:
    return replace(source, address=source.address + shift) if isinstance(source, Register) else source
