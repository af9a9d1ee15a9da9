"""Units with literal registers, served on any wire."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from collectors.config import ModbusEndpoint
from collectors.profiles import Table
from simulators.wire.answering import Answerer, Identification, Refusal, RefusedError, Unit
from simulators.wire.listening import listener
from simulators.wire.replies import Listener, Reply


class Registers:
    """Holding registers from address 0 on, and an identification if it has one."""

    def __init__(self, *words: int, identification: Identification | None = None, silent: bool = False):
        self.words = words
        self.identification = identification
        self.silent = silent

    def read(self, table: Table, address: int, count: int) -> bytes:
        if table is not Table.HOLDING or address + count > len(self.words):
            raise RefusedError(Refusal.ILLEGAL_ADDRESS)
        return b"".join(word.to_bytes(2, "big") for word in self.words[address : address + count])


@asynccontextmanager
async def served(
    place: ModbusEndpoint, units: Mapping[int, Unit], tls: ssl.SSLContext | None = None
) -> AsyncIterator[Listener]:
    answerer = Answerer(units, place.protocol)

    def take(unit: int, request: bytes, reply: Reply) -> None:
        answer = answerer.answer(unit, request)
        if answer is not None:
            reply(answer)

    listening = listener(place, take, tls)
    await listening.start()
    try:
        yield listening
    finally:
        await listening.stop()
