"""Whether a device is what its profile says, and what it tells of itself: asked seldom, before its values.

Each question is a generator: it yields requests and is sent the answers. A question that is refused stays
open; only an answer that differs from what is expected shows that another device stands there.
"""

from collections.abc import Generator, Mapping

from collectors.modbus import Answer, Fault
from collectors.modbus.frames import Request, identify_request, read_request
from collectors.planning import Block
from collectors.profiles import DeviceIdentification, IdentityCheck

OBJECTS = {0: "vendor", 1: "product", 2: "revision"}
"""Objects of a basic identification by id. Source: Modbus application protocol 1.1b3, 6.21."""
_HEADER_LENGTH = 6
"""MEI type, code, conformity, more follows, next object, number of objects."""
_MEI_TYPE = 14
_MOST_PIECES = 8
"""Replies one identification may be told in."""


class ForeignDeviceError(Exception):
    """The device is not what its profile describes. The message says it, to follow the name of the device."""


class BusyDeviceError(Exception):
    """The device has no time to say what it is. The message says it, to follow the name of the device."""


_BUSY = frozenset({5, 6})
"""Exceptions by which a device says that it is still working, or busy: they prove nothing."""


def heard(answer: Answer) -> Answer:
    """An answer that says something of the device.

    Raises:
        BusyDeviceError: it does not.
    """
    if isinstance(answer, Fault) and answer.code in _BUSY:
        raise BusyDeviceError(str(answer))
    return answer


def plain_text(data: bytes) -> str:
    """A text out of registers: up to the first NUL, without blanks around it and what cannot be printed."""
    text = data.split(b"\0", 1)[0].decode("latin-1")
    return "".join(each for each in text if each.isprintable()).strip()


def read_identification(unit: int) -> Generator[Request, Answer, dict[str, str]]:
    """What function 43/14 tells; nothing of a device that does not know it.

    Raises:
        BusyDeviceError: it is busy.
    """
    told: dict[str, str] = {}
    first = 0
    for _ in range(_MOST_PIECES):
        answer = heard((yield identify_request(unit, first_object=first)))
        if isinstance(answer, Fault) or len(answer) < _HEADER_LENGTH or answer[0] != _MEI_TYPE:
            break
        told.update(_objects(answer))
        more, following = answer[3], answer[4]
        if not more or following <= first:
            break
        first = following
    return told


def _objects(answer: bytes) -> dict[str, str]:
    """The objects of one reply, as far as it holds them whole."""
    found: dict[str, str] = {}
    at = _HEADER_LENGTH
    for _ in range(answer[5]):
        if at + 2 > len(answer):
            break
        number, length = answer[at], answer[at + 1]
        data = answer[at + 2 : at + 2 + length]
        if len(data) < length:
            break
        if number in OBJECTS:
            found[OBJECTS[number]] = plain_text(data)
        at += 2 + length
    return found


def check_identification(expected: DeviceIdentification, told: Mapping[str, str]) -> None:
    """Compare what function 43/14 told with what the profile expects.

    Raises:
        ForeignDeviceError: vendor or product begin with something else.
    """
    for name, beginning in (("vendor", expected.vendor), ("product", expected.product)):
        found = told.get(name)
        if found is not None and not found.startswith(beginning):
            raise ForeignDeviceError(
                f"its {name} is {found!r} (function 43/14), expected {beginning!r} at its beginning"
            )


def read_checks(
    checks: tuple[IdentityCheck, ...], unit: int, shift: int
) -> Generator[Request, Answer, dict[str, str]]:
    """What the device shows at each known place.

    Raises:
        ForeignDeviceError: it is not what the profile expects there.
        BusyDeviceError: it is busy.
    """
    told: dict[str, str] = {}
    for check in checks:
        block = Block(check.table, check.address + shift, check.length, ())
        answer = heard((yield read_request(unit, block)))
        if not isinstance(answer, Fault):
            told[f"{check.table} {check.address}"] = _judge(check, answer)
    return told


def _judge(check: IdentityCheck, data: bytes) -> str:
    place = f"{check.table} register {check.address}"
    if check.text is not None:
        found = plain_text(data)
        if not found.startswith(check.text.rstrip("\0 ")):
            raise ForeignDeviceError(f"{place} reads {found!r}, expected {check.text!r} at its beginning")
        return found
    number = int.from_bytes(data, "big")
    low, high = check.low or 0, check.high if check.high is not None else number
    if not low <= number <= high:
        expected = f"{low}" if low == high else f"{low} to {high}"
        raise ForeignDeviceError(f"{place} reads {number}, expected {expected}")
    return str(number)
