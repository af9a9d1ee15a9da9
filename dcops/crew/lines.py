"""What a worker and its parent say to each other over a socket: frames of a kind and a length."""

import asyncio
import struct
from enum import IntEnum

from dcops.errors import DcopsError

MOST_BYTES = 64 << 20
"""Of one frame."""

_HEADER = struct.Struct("<IB3x")


class Kind(IntEnum):
    """What a frame carries."""

    READINGS = 1
    """A parcel."""
    REPORT = 2
    FORGET = 3
    """To the worker: a device whose lessons it is to forget; empty for all."""
    PLAN = 5
    """To the worker: what to collect from now on."""
    STOP = 4
    """To the worker: hand over what there is, and end."""


class FrameError(DcopsError):
    """What comes over the line is no frame."""


def frame(kind: Kind, body: bytes = b"") -> bytes:
    """The bytes of a frame."""
    return _HEADER.pack(len(body), kind) + body


async def read_frame(reader: asyncio.StreamReader) -> tuple[Kind, bytes] | None:
    """The next frame; None when the other side is gone.

    Raises:
        FrameError: the bytes are none.
    """
    try:
        size, kind = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        if size > MOST_BYTES:
            raise FrameError(f"a frame of {size} bytes; {MOST_BYTES} are the most")
        return Kind(kind), await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except ValueError as error:
        raise FrameError(f"a frame of an unknown kind: {error}") from error
