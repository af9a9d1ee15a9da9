"""What devices that report by exception said last, as bytes: so that a restart forgets none of it."""

import orjson

from dcops.memory import MemoryUnreadableError
from ingest.standing import StandingValue, StandingValues

FORMAT = 1


def encode(remembered: StandingValues, *, whole: bool) -> bytes:
    """The bytes that ``decode`` reads, as JSON; ``whole`` says that nothing is heard after it."""
    devices = {
        device: {name: list(told) for name, told in points.items()} for device, points in remembered.items()
    }
    return orjson.dumps({"format": FORMAT, "whole": whole, "devices": devices})


def decode(body: bytes) -> tuple[StandingValues, bool]:
    """What ``encode`` was given.

    Raises:
        MemoryUnreadableError: the bytes are none such.
    """
    try:
        content = orjson.loads(body)
        if content["format"] != FORMAT:
            raise MemoryUnreadableError(f"standing values are of format {content['format']}, not {FORMAT}")
        devices = {
            str(device): {
                str(name): StandingValue(int(time), float(value), int(quality))
                for name, (time, value, quality) in points.items()
            }
            for device, points in content["devices"].items()
        }
        return devices, content["whole"] is True
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MemoryUnreadableError(f"standing values cannot be read: {error!r}") from error
