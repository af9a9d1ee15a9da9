"""Free ports: for simulated devices, and whether that of the page is one."""

import errno
import os
import socket
from collections.abc import Sequence

from collectors.config import host_and_port
from dcops.errors import NoPortsError

_FIRST, _LAST, _STEP = 20_000, 32_000, 500
_MENDS = {
    errno.EADDRINUSE: "give another --port, or --port 0 for a free one",
    errno.EACCES: "give a --port above 1023",
}


def free_base_port(count: int, host: str = "127.0.0.1") -> int:
    """The first of ``count`` ports in a row that nothing listens on now, below the ephemeral range.

    Raises:
        NoPortsError: there is no such row of ports.
    """
    for base in range(_FIRST, _LAST, _STEP):
        if _all_free(host, range(base, base + count)):
            return base
    raise NoPortsError(f"no {count} ports in a row are free on {host} from {_FIRST} to {_LAST}; free some")


def check_page(host: str, port: int) -> None:
    """See to it that a page can be served here.

    Raises:
        NoPortsError: it can't.
    """
    try:
        socket.create_server((host, port), family=_family(host)).close()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        mend = _MENDS.get(error.errno or 0, "give an address of this machine as --host")
        place = host_and_port(host, port)
        raise NoPortsError(f"the page can't be served at {place}: {str(why).lower()}; {mend}") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _all_free(host: str, ports: Sequence[int]) -> bool:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
