"""Arguments that several commands share."""

import argparse
import os
import re
from pathlib import Path

DATA_VARIABLE = "DCOPS_DATA"
HOSTS_VARIABLE = "DCOPS_ALLOWED_HOSTS"
_DEFAULT_DATA = "dcops-data"
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
HIGHEST_PORT = 65535
_MOST_DIGITS = 18
"""What is longer fits no seed and no count."""
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


def add_data(parser: argparse.ArgumentParser) -> None:
    """``--data``: the folder of journal and history."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get(DATA_VARIABLE) or _DEFAULT_DATA),
        metavar="DIR",
        help=f"folder of the journal and the history (default: ${DATA_VARIABLE}, else ./{_DEFAULT_DATA})",
    )


def add_address(parser: argparse.ArgumentParser) -> None:
    """``--host`` and ``--port``: where the console is served."""
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: loopback only)")
    parser.add_argument(
        "--port", type=port, default=8080, help="port to serve on, 0 for a free one (default: 8080)"
    )
    parser.add_argument(
        "--allowed-hosts",
        type=host_names,
        default=os.environ.get(HOSTS_VARIABLE) or "",
        metavar="NAMES",
        help="names by which browsers may ask for it, with commas between; loopback names and addresses"
        f" always may (default: ${HOSTS_VARIABLE}, else any name unless --host is a loopback address)",
    )


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """``--verbose``: log everything."""
    parser.add_argument("--verbose", action="store_true", help="log everything, including routine events")


def port(text: str) -> int:
    """A TCP port, 0 for any free one."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to {HIGHEST_PORT}")
    return number


def real_port(text: str) -> int:
    """A TCP port that something listens on: 0 is none."""
    if text == "0":
        raise argparse.ArgumentTypeError(
            f"{text!r} is no port to connect to; give one from 1 to {HIGHEST_PORT}"
        )
    return port(text)


def host_names(text: str) -> frozenset[str]:
    """Names as in Host headers, with commas or spaces between."""
    names = text.lower().replace(",", " ").split()
    for name in names:
        if not _HOST_NAME.fullmatch(name):
            raise argparse.ArgumentTypeError(
                f"{name!r} is no host name; write a name such as dcops.example, without scheme and port"
            )
    return frozenset(names)


def address(text: str) -> tuple[str, int]:
    """``HOST:PORT``; an IPv6 address stands in brackets."""
    host, colon, number = text.rpartition(":")
    if not colon or not host:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write HOST:PORT, such as 127.0.0.1:1502")
    return host.removeprefix("[").removesuffix("]"), port(number)


def seconds(text: str) -> float:
    """A positive time such as ``60``, ``500ms``, ``10s``, ``5min``, ``24h``; a bare number is seconds."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :] or "s"
    try:
        value = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 60, 500ms, 10s, 5min or 24h")
    return value


def pause(text: str) -> float:
    """A time as above, or ``0`` for none."""
    return 0.0 if text == "0" else seconds(text)


def whole(text: str) -> int:
    """A whole number, 0 or more."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number; write digits only, such as 12")
    return int(text)


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0; write one such as 2 or 0.5")
    return value
