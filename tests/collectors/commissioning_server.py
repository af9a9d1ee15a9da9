"""Devices of literal registers behind a Modbus TCP socket; written apart from the simulators."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

COIL, DISCRETE, HOLDING, INPUT = 1, 2, 3, 4
IDENTIFY = 43
Words = Mapping[int, int]


@dataclass(kw_only=True)
class Bank:
    """One device: registers and bits by function and address; what is not there is refused with 2."""

    words: Mapping[int, Words] = field(default_factory=dict)
    identification: Mapping[int, str] = field(default_factory=dict)
    most: int = 125

    def answer(self, pdu: bytes) -> bytes:
        function = pdu[0]
        if function == IDENTIFY:
            return self._identify(pdu)
        if function not in self.words:
            return bytes((function | 0x80, 1))
        address, count = struct.unpack(">HH", pdu[1:])
        if count > self.most:
            return bytes((function | 0x80, 3))
        table = self.words[function]
        wanted = range(address, address + count)
        if any(each not in table for each in wanted):
            return bytes((function | 0x80, 2))
        values = [table[each] for each in wanted]
        if function in {COIL, DISCRETE}:
            number = sum(bit << place for place, bit in enumerate(values))
            data = number.to_bytes((count + 7) // 8, "little")
        else:
            data = struct.pack(f">{count}H", *values)
        return bytes((function, len(data))) + data

    def _identify(self, pdu: bytes) -> bytes:
        if not self.identification:
            return bytes((IDENTIFY | 0x80, 1))
        objects = b"".join(
            bytes((number, len(text))) + text.encode() for number, text in self.identification.items()
        )
        return bytes((IDENTIFY, 14, pdu[2], 1, 0, 0, len(self.identification))) + objects


class Gateway:
    """A TCP socket with banks behind it by unit number."""

    def __init__(self, units: Mapping[int, Bank], *, absent: bytes | None = None, every: Bank | None = None):
        """``absent`` is the exception code for a unit that is not there, None for silence.

        ``every`` answers for all other units.
        """
        self.units = units
        self.absent = absent
        self.every = every
        self.asked: list[tuple[int, bytes]] = []
        """(unit, PDU) of every request."""
        self.most_at_once = 0
        """Requests that arrived in one piece or before the former was answered, at most."""
        self.connections = 0
        self.port = 0
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        try:
            while data := await reader.read(4096):
                at = here = 0
                while at < len(data):
                    transaction, _, length, unit = struct.unpack_from(">HHHB", data, at)
                    pdu = data[at + 7 : at + 6 + length]
                    at += 6 + length
                    here += 1
                    self.asked.append((unit, pdu))
                    reply = self._reply(unit, pdu)
                    if reply is not None:
                        writer.write(struct.pack(">HHHB", transaction, 0, len(reply) + 1, unit) + reply)
                self.most_at_once = max(self.most_at_once, here)
        except ConnectionError:
            pass
        finally:
            self._serving.pop(task, None)
            writer.close()

    async def hang_up(self) -> None:
        """Close every connection and wait until all are."""
        for writer in self._serving.values():
            writer.transport.abort()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _reply(self, unit: int, pdu: bytes) -> bytes | None:
        bank = self.units.get(unit, self.every)
        if bank is not None:
            return bank.answer(pdu)
        return None if self.absent is None else bytes((pdu[0] | 0x80,)) + self.absent


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[Gateway]:
    """The gateway on a free port of the loopback interface."""
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    gateway.port = server.sockets[0].getsockname()[1]
    try:
        yield gateway
    finally:
        server.close()
        await gateway.hang_up()
        await server.wait_closed()


def f32(value: float) -> tuple[int, int]:
    """Two words, most significant first."""
    return struct.unpack(">HH", struct.pack(">f", value))


def u32(value: int) -> tuple[int, int]:
    """Two words, most significant first."""
    return value >> 16, value & 0xFFFF


def u64(value: int) -> tuple[int, ...]:
    """Four words, most significant first."""
    return struct.unpack(">4H", value.to_bytes(8, "big"))


def laid(*parts: tuple[int, tuple[int, ...]]) -> dict[int, int]:
    """Registers out of (address, words)."""
    return {address + at: word for address, words in parts for at, word in enumerate(words)}
