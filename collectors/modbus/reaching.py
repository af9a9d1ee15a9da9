"""Sockets to the addresses of endpoints.

A name is looked up once at a time, however many ask: the threads that do it are few, nobody can call them
back, and a name service that is away would have them work through a queue that grows with each attempt.
They do nothing else, so that all other work that the process gives to threads goes on meanwhile, and nobody
waits for them at the exit. What they find when an attempt has ended is there for the next one.
Every address of a name has its share of the time, for the first one may swallow all of it. And the last open
files that the process may have are left to its journal, its history and its pages.
"""

import asyncio
import errno
import resource
import socket
from collections.abc import Sequence
from functools import partial

from collectors.apart import apart

SPARE_FILES = 64
"""Open files that connections to endpoints leave to all else."""
LOOKUPS = 4
"""Names looked up at once."""
KEPT_SECONDS = 60.0
"""How long what was found is there for the next attempt: twice the longest pause between attempts."""

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""As the socket module has it, with or without IPv6."""
_Found = Sequence[tuple[socket.AddressFamily, Address]]
_Lookup = asyncio.Task[_Found]


class Network:
    """Makes sockets; one for all endpoints of a loop."""

    def __init__(self) -> None:
        self._lookups: dict[tuple[str, int], _Lookup] = {}
        """Those under way or waiting for their turn."""
        self._kept: dict[tuple[str, int], tuple[_Found, float]] = {}
        """What was found and not used yet, and until when it may be, by the time of the loop."""
        self._room = asyncio.Semaphore(LOOKUPS)

    async def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection to the first address of a host that accepts; there are so many seconds for it.

        Raises:
            OSError: none accepts, or there is none, or too many files are open.
            TimeoutError: none has answered in time.
            UnicodeError: it is no name of a host.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        refused: OSError | None = None
        async with asyncio.timeout_at(ends):
            found = await self._addresses(host, port)
        for at, (family, address) in enumerate(found):
            reached = _socket(family, socket.SOCK_STREAM)
            try:
                reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                async with asyncio.timeout((ends - loop.time()) / (len(found) - at)):
                    await loop.sock_connect(reached, address)
            except OSError as error:  # a TimeoutError is one
                reached.close()
                refused = refused or error
            except BaseException:
                reached.close()
                raise
            else:
                return reached
        raise refused or OSError(f"{host} has no address")

    async def datagrams(self, host: str, port: int, seconds: float) -> socket.socket:
        """A socket for datagrams to and from the first address of a host.

        Raises:
            OSError: there is none, or it cannot be reached from here, or too many files are open.
            TimeoutError: its name was not looked up in time.
            UnicodeError: it is no name of a host.
        """
        async with asyncio.timeout(seconds):
            found = await self._addresses(host, port)
        if not found:
            raise OSError(f"{host} has no address")
        family, address = found[0]
        made = _socket(family, socket.SOCK_DGRAM)
        try:
            made.connect(address)
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Look up nothing more; a thread that does is left to itself."""
        for each in self._lookups.values():
            each.cancel()

    async def _addresses(self, host: str, port: int) -> _Found:
        """Where a host is reached; a thread looks it up, unless it is an address already."""
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                socket.inet_pton(family, host)
            except (OSError, UnicodeError):
                continue
            return [(family, (host, port))]
        kept, until = self._kept.pop((host, port), ((), 0.0))
        loop = asyncio.get_running_loop()
        if loop.time() < until:
            return kept
        lookup = self._lookups.get((host, port))
        if lookup is None:
            lookup = self._lookups[host, port] = loop.create_task(self._look_up(host, port), name="look-up")
            lookup.add_done_callback(lambda done: self._end(host, port, done))
        found = await asyncio.shield(lookup)
        self._kept.pop((host, port), None)
        return found

    async def _look_up(self, host: str, port: int) -> _Found:
        async with self._room:
            return await apart("names", partial(_looked_up, host, port))

    def _end(self, host: str, port: int, done: _Lookup) -> None:
        del self._lookups[host, port]
        # An exception is told to whoever waits; if nobody does any more, asyncio would complain.
        if not done.cancelled() and done.exception() is None:
            self._kept[host, port] = done.result(), done.get_loop().time() + KEPT_SECONDS


def _looked_up(host: str, port: int) -> _Found:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def _socket(family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
    """A socket that never blocks, and is none of the last files that may be open.

    Raises:
        OSError: it would be.
    """
    made = socket.socket(family, kind)
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and made.fileno() >= most - SPARE_FILES:  # numbers are given in order
        made.close()
        raise OSError(
            errno.EMFILE,
            f"this process may open {most} files, and the last {SPARE_FILES} are not for connections;"
            " raise the limit (LimitNOFILE of the service, ulimit -n)",
        )
    made.settimeout(0.0)
    return made
