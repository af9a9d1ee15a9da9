"""``dcops scan``: which Modbus units answer, what they are and which profile fits them."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from collectors.commissioning.connecting import Connections
from collectors.commissioning.scanning import HostFound, ScanSettings, scan_host
from collectors.config import ModbusEndpoint, ModbusProtocol
from collectors.errors import ProfileError
from collectors.profiles import ModbusProfile
from dcops import scan_report
from dcops.modbus_options import add_line, add_protocol, endpoint_at, profiles_with
from dcops.options import pause, seconds
from dcops.running import run_async, stop_on_signal
from dcops.targets import Target, targets, units

_EXAMPLE = """examples:
  dcops scan 192.0.2.10
  dcops scan 192.0.2.0/28 --units 1-32,255
  dcops scan 192.0.2.10,192.0.2.11:1502 --timeout 1s --pause 100ms --json
  dcops scan /dev/ttyUSB0 --protocol modbus-rtu --baud 9600 --parity none --units 1-64

Every unit is asked for one register. Those that answer say what they are (function 43/14, identity checks of
the profiles) and are read with the profiles that may fit: one request at a time per address, and nothing is
ever written. "score" is 0 to 100, from identity and from values that are plausible as read.
Exit code 0 if a unit answers, 1 if none does.
"""
_log = logging.getLogger(__name__)

_AT_ONCE = 32
"""Addresses scanned at the same time."""
_LEAST_PATIENCE = 1.0
"""Seconds a device that answers may take for a long read, at least."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "scan",
        help="find Modbus units and the profiles that fit them",
        description="Find which Modbus units answer, what they are and which profile fits them.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "targets", metavar="HOSTS", help="hosts, HOST:PORT or networks (192.0.2.0/28), separated by commas"
    )
    parser.add_argument(
        "--units", type=units, default=units("1-247,255"), metavar="UNITS", help="default: 1-247,255"
    )
    add_protocol(parser)
    add_line(parser)
    parser.add_argument(
        "--pause", type=pause, default=0.05, metavar="TIME", help="before each request (default: 50ms)"
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=0.3,
        metavar="TIME",
        help="how long to wait for a unit that may not be there (default: 300ms)",
    )
    parser.add_argument(
        "--profiles", type=Path, metavar="FOLDER", help="folder of your own profiles, which are tried, too"
    )
    parser.add_argument(
        "--requests",
        type=_count,
        default=100,
        metavar="N",
        help="requests to examine one unit, at most (default: 100)",
    )
    parser.add_argument(
        "--thorough", action="store_true", help="try every profile to its end, however many requests it takes"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Scan until all is asked or a signal comes; 1 if no unit was found."""
    try:
        protocol = ModbusProtocol(args.protocol)
        serial = protocol is ModbusProtocol.RTU
        places = [Target(args.targets)] if serial else targets(args.targets)
    except argparse.ArgumentTypeError as error:
        print(f"dcops scan: {error}", file=sys.stderr)
        return 2
    try:
        profiles = profiles_with(args.profiles)
    except (ProfileError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    patience = max(_LEAST_PATIENCE, args.timeout)
    endpoints = [endpoint_at(place, args, timeout=patience, pause=args.pause) for place in places]
    settings = ScanSettings(
        units=args.units,
        profiles=tuple(each for each in profiles.values() if isinstance(each, ModbusProfile)),
        pause=args.pause,
        patience=args.timeout,
        most_requests=None if args.thorough else args.requests,
        thorough=args.thorough,
    )
    return run_async("dcops scan", lambda: _scan(endpoints, settings, as_json=args.json))


async def _scan(endpoints: Sequence[ModbusEndpoint], settings: ScanSettings, *, as_json: bool) -> int:
    hosts = [HostFound(each.host or each.device, each.port) for each in endpoints]
    progress = _Progress(hosts, len(settings.units))
    connections = Connections()
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(host: HostFound, endpoint: ModbusEndpoint) -> None:
        async with room:
            try:
                await scan_host(host, connections.to(endpoint), settings, progress=progress.show)
            except Exception as error:  # noqa: BLE001 - it is logged and told
                # What one device makes the program stumble over must not cost what the others have shown.
                _log.exception("%s", endpoint.address)
                host.error = f"could not be scanned to the end: {error!r}; please report what is above"

    async def every() -> None:
        async with asyncio.TaskGroup() as group:
            for host, endpoint in zip(hosts, endpoints, strict=True):
                group.create_task(one(host, endpoint))

    async with stop_on_signal() as stop:
        work = asyncio.create_task(every())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
        else:
            work.result()
    progress.end(stopped=stop.is_set())
    connections.close()
    for line in _output(hosts, endpoints, as_json=as_json):
        print(line)
    for line in scan_report.without_units(hosts):
        print(line, file=sys.stderr)
    return 0 if any(host.units for host in hosts) else 1


def _output(
    hosts: Sequence[HostFound], endpoints: Sequence[ModbusEndpoint], *, as_json: bool
) -> Iterator[str]:
    if as_json:
        site = "\n".join(scan_report.site_lines(zip(hosts, endpoints, strict=True)))
        answer = {"hosts": [scan_report.as_json(host) for host in hosts], "site": site}
        yield orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode()
        return
    yield from scan_report.report([host for host in hosts if host.units])
    lines = list(scan_report.site_lines(zip(hosts, endpoints, strict=True)))
    if lines:
        yield ""
        yield "# For the site file; PLACE is the id of a space."
        yield from lines


class _Progress:
    """One line on stderr that says how far the scan is; on a terminal it is written over."""

    def __init__(self, hosts: Sequence[HostFound], units_each: int) -> None:
        self._hosts = hosts
        self._total = len(hosts) * units_each
        self._each = units_each
        self._terminal = sys.stderr.isatty()
        self._shown = (-1, 0)

    def show(self) -> None:
        asked = sum(self._each if host.error else host.asked for host in self._hosts)
        found = sum(len(host.units) for host in self._hosts)
        examined = sum(host.examined for host in self._hosts)
        text = f"{asked:,} of {self._total:,} units asked, {found:,} found, {examined:,} examined"
        step = (10 * asked // self._total, 10 * examined // max(1, found))
        if self._terminal:
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
        elif step != self._shown:
            print(text, file=sys.stderr, flush=True)
        self._shown = step

    def end(self, *, stopped: bool) -> None:
        """The last word."""
        if self._terminal:
            print(file=sys.stderr)
        if stopped:
            print("stopped; this is what was found so far", file=sys.stderr)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of requests; give 1 or more")
    return int(text)
