"""Addresses and unit numbers as people write them on a command line."""

import argparse
import ipaddress
from dataclasses import dataclass

from dcops.options import HIGHEST_PORT
from dcops.site_file.fields import is_host

MOST_HOSTS = 1024
"""So many addresses one scan may ask: a mistyped prefix would otherwise run for days."""
_HIGHEST_UNIT = 255


@dataclass(frozen=True, slots=True)
class Target:
    """One address; without a port it has the one of the protocol."""

    host: str
    port: int | None = None


def targets(text: str) -> tuple[Target, ...]:
    """Hosts, ``HOST:PORT`` and networks like ``192.0.2.0/28``, separated by commas; each address once."""
    found: dict[Target, None] = {}
    for word in text.split(","):
        for target in _hosts(word.strip()):
            found[target] = None
        if len(found) > MOST_HOSTS:
            raise argparse.ArgumentTypeError(f"{_too_many(text)}; scan a part of them")
    return tuple(found)


def target(text: str) -> Target:
    """One ``HOST`` or ``HOST:PORT``; IPv6 with a port in brackets: ``[2001:db8::1]:502``."""
    host, port = text, ""
    if text.startswith("["):
        host, end, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
        if not end or (rest and not (rest.startswith(":") and port)):
            raise argparse.ArgumentTypeError(f"{text!r} is no address; write [2001:db8::1]:502")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port:
            raise argparse.ArgumentTypeError(f"{text!r} lacks the port behind ':'; write {host}:502")
    if not is_host(host):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address; write a host name, 192.0.2.10 or HOST:PORT"
        )
    return Target(host, _port(text, port))


def units(text: str) -> tuple[int, ...]:
    """Unit numbers and ranges of them: ``1-32,255``; each once, in the order written."""
    found: dict[int, None] = {}
    for word in text.split(","):
        first, to, last = word.strip().partition("-")
        low, high = (int(each) if each.isdecimal() else -1 for each in (first, last if to else first))
        if not 0 <= low <= high <= _HIGHEST_UNIT:
            raise argparse.ArgumentTypeError(
                f"{word!r} is no range of units; write numbers from 0 to {_HIGHEST_UNIT}, like 1-32,255"
            )
        found.update(dict.fromkeys(range(low, high + 1)))
    return tuple(found)


def _hosts(word: str) -> tuple[Target, ...]:
    if "/" not in word:
        return (target(word),)
    try:
        network = ipaddress.ip_network(word, strict=False)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is no network; write one like 192.0.2.0/28") from None
    if network.num_addresses > MOST_HOSTS + 2:
        raise argparse.ArgumentTypeError(
            f"{_too_many(word, network.num_addresses)}; take a longer prefix than /{network.prefixlen}"
        )
    return tuple(Target(str(host)) for host in network.hosts())


def _too_many(text: str, count: int | None = None) -> str:
    many = f" {count:,}" if count is not None else " more"
    return f"{text!r} are{many} addresses{' than' if count is None else ', at most'} {MOST_HOSTS:,}"


def _port(text: str, port: str) -> int | None:
    if not port:
        return None
    if not port.isdecimal() or not 0 < int(port) <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r}: {port!r} is no port; give one from 1 to {HIGHEST_PORT}")
    return int(port)
