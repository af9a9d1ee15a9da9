"""Finding a SunSpec model in a device: marker, then from header to header of the models behind it.

Source: SunSpec device information model specification. A marker ``SunS`` stands at one of few addresses;
behind it come models, each with its id and its length in registers, until the id 0xFFFF.
"""

import struct
from collections.abc import Generator

from collectors.modbus import Answer, Fault
from collectors.modbus.frames import Request, read_request
from collectors.modbus.identity import ForeignDeviceError, heard, plain_text
from collectors.planning import Block
from collectors.profiles import SunSpecModel, Table

_MARKER = b"SunS"
_HEADER = struct.Struct(">HH")
_END = 0xFFFF
_MOST_MODELS = 200
_LAST_ADDRESS = 0xFFFF

_COMMON = 1
"""The model every device begins with: who made it."""
_COMMON_TEXTS = (("manufacturer", 2, 16), ("model", 18, 16), ("version", 42, 8), ("serial", 50, 16))
"""Name, offset and length of its texts, in registers."""
_COMMON_LENGTH = 66

Found = tuple[int, dict[str, str]]
"""Address where the model starts, and what the device tells of itself."""


def find_model(spec: SunSpecModel, unit: int) -> Generator[Request, Answer, Found]:
    """Walk to a model.

    Raises:
        ForeignDeviceError: there is no marker, or no such model behind it.
        BusyDeviceError: it is busy.
    """
    base = yield from _find_marker(spec, unit)
    address = base + _HEADER.size // 2
    told: dict[str, str] = {}
    seen: list[int] = []
    while len(seen) < _MOST_MODELS and address < _LAST_ADDRESS:
        answer = heard((yield read_request(unit, _block(address, 2))))
        if isinstance(answer, Fault):
            raise ForeignDeviceError(f"its SunSpec models break off at {address}: {answer}")
        model, length = _HEADER.unpack(answer)
        if model == spec.model:
            return address, told
        if model == _END:
            break
        if model == _COMMON and length + 2 >= _COMMON_LENGTH:
            told = yield from _common_texts(address, unit)
        seen.append(model)
        address += 2 + length
    listed = ", ".join(str(each) for each in seen) or "none"
    raise ForeignDeviceError(f"it has no SunSpec model {spec.model}, only: {listed}")


def _find_marker(spec: SunSpecModel, unit: int) -> Generator[Request, Answer, int]:
    for base in spec.bases:
        answer = heard((yield read_request(unit, _block(base, 2))))
        if answer == _MARKER:
            return base
    places = ", ".join(str(base) for base in spec.bases)
    raise ForeignDeviceError(f"it is no SunSpec device: there is no marker at {places}")


def _common_texts(address: int, unit: int) -> Generator[Request, Answer, dict[str, str]]:
    answer = heard((yield read_request(unit, _block(address, _COMMON_LENGTH))))
    if isinstance(answer, Fault):
        return {}
    texts = {
        name: plain_text(answer[2 * offset : 2 * (offset + length)]) for name, offset, length in _COMMON_TEXTS
    }
    return {name: text for name, text in texts.items() if text}


def _block(address: int, count: int) -> Block:
    return Block(Table.HOLDING, address, count, ())
