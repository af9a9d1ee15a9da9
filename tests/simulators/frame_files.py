"""What the tests of recorded frames share: lines of a file, frames, one client connection."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from simulators.frames.recording import FrameRecording

ASK = bytes.fromhex("0001 0000 0006 03 03 0000 0002")
TELL = bytes.fromhex("0001 0000 0007 03 03 04 1234 FFFF")
HEAD = '{"dcops_frames": 1, "protocol": "modbus-tcp", "target": "10.0.0.5:502", "started": ""}'


def line(at: int, kind: str, number: int, raw: str, link: int = 1) -> str:
    return json.dumps({"at": at, "link": link, "kind": kind, "no": number, "hex": raw.replace(" ", "")})


def ask(number: int, address: int, count: int, function: int = 3, unit: int = 3) -> str:
    return struct.pack(">HHHBBHH", number, 0, 6, unit, function, address, count).hex()


def tell(number: int, *words: int, unit: int = 3) -> str:
    data = struct.pack(f">{len(words)}H", *words)
    return (struct.pack(">HHHBBB", number, 0, 3 + len(data), unit, 3, len(data)) + data).hex()


def pdu(address: int, count: int, function: int = 3) -> bytes:
    return struct.pack(">BHH", function, address, count)


GOOD = [
    line(1_000_000, "request", 1, ask(1, 0, 2)),
    line(21_000_000, "reply", 1, tell(1, 10, 20)),
    line(1_000_000_000, "request", 2, ask(2, 2, 1)),
    line(1_040_000_000, "reply", 2, tell(2, 30)),
    line(2_000_000_000, "request", 3, ask(3, 0, 2)),
    line(2_060_000_000, "reply", 3, tell(3, 11, 21)),
    line(3_000_000_000, "request", 4, ask(4, 100, 1)),
    line(3_020_000_000, "reply", 4, "0004 0000 0003 03 83 02"),
    line(9_000_000_000, "request", 5, ask(5, 0, 2)),
]
"""Two different replies to one request, one to its neighbour, an exception, and a request cut off."""


def recorded(path: Path, *lines: str, head: str = HEAD) -> FrameRecording:
    file = path / "seen.frames"
    file.write_text("\n".join((head, *lines)) + "\n")
    return FrameRecording.read(file)


class Stream:
    """One client connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, request: bytes, size: int) -> bytes:
        self._writer.write(request)
        return await self.take(size)

    async def take(self, size: int) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(size), 60)

    async def ended(self) -> bool:
        try:
            return await asyncio.wait_for(self._reader.read(), 60) == b""
        except ConnectionResetError:
            return True

    def write(self, data: bytes) -> None:
        self._writer.write(data)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Stream(reader, writer)
    finally:
        writer.transport.abort()
