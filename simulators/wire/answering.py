"""What simulated devices answer to a request, whatever wire it came over.

Only reads are answered: functions 1 to 4, and 43/14 of devices that identify themselves. What is refused:
any other function with exception 1, an address outside the unit's map with 2, an impossible quantity with
3, a value that does not exist and has no sentinel with 4, a unit that is not there with 11, unless it is
on a bus (RTU): there nobody answers for it, nor to a broadcast.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

from collectors.config import ModbusProtocol
from collectors.profiles import ModbusProfile, Table

_BUSES = frozenset({ModbusProtocol.RTU, ModbusProtocol.RTU_TCP})
_REQUEST = struct.Struct(">BHH")
TABLES: Mapping[int, Table] = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
"""The table each read function is about."""
MOST_BITS, MOST_REGISTERS = 2000, 125
EXCEPTION_FLAG = 0x80

IDENTIFY = 43
"""Function of the encapsulated interface; with type 14 it reads the device identification."""
IDENTIFY_TYPE = 14
_LONGEST_PDU = 253
_IDENTITY_HEAD = 7
"""Function, type, code, conformity, more follows, next object, number of objects."""
_LONGEST_TEXT = _LONGEST_PDU - _IDENTITY_HEAD - 2
_BASIC_OBJECTS = 3
_INDIVIDUAL = 4
"""Code that asks for one object; 1, 2 and 3 ask for the basic, the regular and the extended ones."""
_CONFORMITY_BASIC, _CONFORMITY_REGULAR = 0x81, 0x82
_MORE = 0xFF


class Refusal(IntEnum):
    """Exception codes of the Modbus application protocol 1.1b3."""

    ILLEGAL_FUNCTION = 1
    ILLEGAL_ADDRESS = 2
    ILLEGAL_VALUE = 3
    DEVICE_FAILURE = 4
    GATEWAY_NO_RESPONSE = 11


class RefusedError(Exception):
    """A request is answered with an exception."""

    def __init__(self, code: int) -> None:
        """``code`` is one of ``Refusal``, or what a device is told to refuse with."""
        self.code = code
        super().__init__(f"exception {code}")


class Unit(Protocol):
    """One device behind an endpoint."""

    @property
    def silent(self) -> bool:
        """Whether it does not answer."""
        ...

    def read(self, table: Table, address: int, count: int) -> bytes:
        """Data bytes of the reply to a read, all of one moment; bits are packed eight to a byte.

        Raises:
            RefusedError: quantity or addresses are not possible.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """What a device says of itself with function 43/14. Empty texts are objects it does not have."""

    vendor: str
    product: str
    """Product code."""
    revision: str
    url: str = ""
    name: str = ""
    """Product name."""
    model: str = ""
    application: str = ""
    """Name the user has given it."""

    @property
    def objects(self) -> tuple[tuple[int, bytes], ...]:
        """(id, text) of the objects there are; the first three always are."""
        texts = (
            self.vendor,
            self.product,
            self.revision,
            self.url,
            self.name,
            self.model,
            self.application,
        )
        return tuple(
            (number, text.encode("utf-8")[:_LONGEST_TEXT])
            for number, text in enumerate(texts)
            if text or number < _BASIC_OBJECTS
        )


@runtime_checkable
class Identified(Protocol):
    """A unit that answers function 43/14."""

    @property
    def identification(self) -> Identification | None:
        """What it says of itself; None if it does not know the function."""
        ...


def identification_of(profile: ModbusProfile) -> Identification | None:
    """What a device of a profile says of itself; None if the profile does not tell that it does."""
    known = profile.identification
    if known is None:
        return None
    return Identification(
        vendor=known.vendor,
        product=known.product,
        revision=profile.firmware or "1.0",
        name=profile.make,
    )


class Answerer:
    """Answers the requests of one endpoint."""

    def __init__(self, units: Mapping[int, Unit], protocol: ModbusProtocol = ModbusProtocol.TCP) -> None:
        self._units = units
        self._is_bus = protocol in _BUSES

    def answer(self, number: int, request: bytes, *, gateway: bool = False) -> bytes | None:
        """The PDU that answers a request; None if there is no reply.

        Args:
            number: the unit.
            request: its PDU, of at least one byte.
            gateway: whether there is a gateway that answers exception 11 for a silent unit.
        """
        function = request[0]
        unit = self._units.get(number)
        if unit is None:
            nobody = self._is_bus and not gateway
            return None if nobody else exception(function, Refusal.GATEWAY_NO_RESPONSE)
        if unit.silent:
            return exception(function, Refusal.GATEWAY_NO_RESPONSE) if gateway else None
        try:
            if function == IDENTIFY:
                return _identify(unit, request)
            data = _read(unit, function, request)
        except RefusedError as refused:
            return exception(function, refused.code)
        return bytes((function, len(data))) + data


def exception(function: int, code: int) -> bytes:
    """The PDU that refuses a function."""
    return bytes((function | EXCEPTION_FLAG, code))


def _read(unit: Unit, function: int, request: bytes) -> bytes:
    table = TABLES.get(function)
    if table is None:
        raise RefusedError(Refusal.ILLEGAL_FUNCTION)
    if len(request) != _REQUEST.size:
        raise RefusedError(Refusal.ILLEGAL_VALUE)
    _, address, count = _REQUEST.unpack(request)
    return unit.read(table, address, count)


def _identify(unit: Unit, request: bytes) -> bytes:
    identification = unit.identification if isinstance(unit, Identified) else None
    if identification is None or request[1:2] != bytes((IDENTIFY_TYPE,)):
        raise RefusedError(Refusal.ILLEGAL_FUNCTION)
    if len(request) != 4 or not 1 <= request[2] <= _INDIVIDUAL:  # noqa: PLR2004 - function, type, code, object
        raise RefusedError(Refusal.ILLEGAL_VALUE)
    code, first = request[2], request[3]
    objects = identification.objects
    regular = len(objects) > _BASIC_OBJECTS
    if code == _INDIVIDUAL:
        offered = [each for each in objects if each[0] == first]
        if not offered:
            raise RefusedError(Refusal.ILLEGAL_ADDRESS)
    else:
        stream = objects if code > 1 else objects[:_BASIC_OBJECTS]
        # A first object that is not there means: from the beginning.
        start = first if any(number == first for number, _ in stream) else 0
        offered = [each for each in stream if each[0] >= start]
    conformity = _CONFORMITY_REGULAR if regular else _CONFORMITY_BASIC
    return _identity_reply(code, conformity, offered)


def _identity_reply(code: int, conformity: int, offered: list[tuple[int, bytes]]) -> bytes:
    """As many objects as a reply holds, and whether more follow."""
    body, count, more, following = b"", 0, 0, 0
    for number, text in offered:
        if _IDENTITY_HEAD + len(body) + 2 + len(text) > _LONGEST_PDU:
            more, following = _MORE, number
            break
        body += bytes((number, len(text))) + text
        count += 1
    return bytes((IDENTIFY, IDENTIFY_TYPE, code, conformity, more, following, count)) + body
