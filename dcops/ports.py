"""Free ports for simulated devices."""

import socket
from collections.abc import Sequence

from dcops.errors import NoPortsError

_FIRST, _LAST, _STEP = 20_000, 32_000, 500


def free_base_port(count: int, host: str = "127.0.0.1") -> int:
    """The first of ``count`` ports in a row that nothing listens on now, below the ephemeral range.

    Raises:
        NoPortsError: there is no such row of ports.
    """
    for base in range(_FIRST, _LAST, _STEP):
        if _all_free(host, range(base, base + count)):
            return base
    raise NoPortsError(f"no {count} ports in a row are free on {host} from {_FIRST} to {_LAST}; free some")


def _all_free(host: str, ports: Sequence[int]) -> bool:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
