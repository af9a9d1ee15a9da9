"""What it takes to serve simulated devices: a listener, and a way to reply."""

import errno
from collections.abc import Callable
from typing import Protocol

from collectors.config import ModbusEndpoint
from simulators.errors import ListenError
from simulators.wire.framing import Frame, Framing

Reply = Callable[[bytes], None]
"""Sends the PDU of a reply; does nothing when the client has gone."""
Take = Callable[[int, bytes, Reply], None]
"""Takes a request: unit, PDU, and how to answer it."""


class Listener(Protocol):
    """Something that listens."""

    @property
    def address(self) -> str:
        """Where, once it listens: ``127.0.0.1:1502``, or the path of a terminal."""
        ...

    async def start(self) -> None:
        """Listens.

        Raises:
            ListenError: the place is in use or not one of this machine.
        """
        ...

    async def stop(self) -> None:
        """Drops all connections and no longer listens; it may be started again."""
        ...


def replying(framing: Framing, request: Frame, write: Callable[[bytes], None]) -> Reply:
    """How to answer a request that came in a frame."""
    return lambda pdu: write(framing.wrap(request.unit, pdu, request.transaction))


def cannot_listen(place: str, error: OSError) -> ListenError:
    """Why nothing can listen at a place, with the mend."""
    if error.errno == errno.EADDRINUSE:
        return ListenError(f"{place} is already in use; stop what listens there or choose another port")
    if error.errno == errno.EADDRNOTAVAIL:
        return ListenError(f"{place} is not an address of this machine; 127.0.0.1 is one")
    return ListenError(f"{place} cannot be listened on: {error.strerror or error}")


def cannot_serve(endpoint: ModbusEndpoint, error: OSError) -> ListenError:
    """Why an endpoint can't be served, with the mend."""
    return cannot_listen(f"endpoint {endpoint.id}: {endpoint.address}", error)
