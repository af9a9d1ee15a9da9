"""``dcops probe``: one Modbus device, live: raw words, values, and doubtful ones in every order."""

import argparse
import asyncio
import contextlib
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from collectors.commissioning.asking import Asker, UnreachableError
from collectors.commissioning.connecting import Connections
from collectors.commissioning.probing import DeviceProbe, Doubt, Probe
from collectors.config import ModbusEndpoint, ModbusProtocol
from collectors.errors import ProfileError
from collectors.profiles import ModbusProfile
from collectors.profiles.reader import read_files
from dcops import probe_report
from dcops.modbus_options import add_line, add_protocol, endpoint_at, profiles_with
from dcops.options import pause, seconds
from dcops.running import load_site, run_async, stop_on_signal
from dcops.targets import Target, target

_EXAMPLE = """examples:
  dcops probe 192.0.2.10 --unit 11 --profile rack-pdu
  dcops probe 192.0.2.10:1502 --unit 1 --profile meter.yaml --point voltage_l1 --expect 230.5
  dcops probe 192.0.2.10 --unit 1 --profile meter.yaml --point active_power --orders
  dcops probe site/ rack-1-pdu-a --watch 2s

Shows every point with its raw words, value and quality. An implausible value is also shown in every byte and
word order, type and scale, and one address before and after; with --orders this is done for all values. "→"
marks plausible ones. Compare with the display of the device: --expect ranks readings by how near they come to
it. Values and --expect are in the unit of the table.
Exit code 0 if something could be read, 1 if not.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Device:
    """What is to be probed."""

    name: str
    endpoint: ModbusEndpoint
    unit: int
    profile: ModbusProfile


class _WrongUsageError(Exception):
    """The arguments do not go together."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "probe",
        help="read one Modbus device live; show doubtful values in every order",
        description="Read one Modbus device and show what it answers and what that could mean.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="HOST|SITE", help="host or HOST:PORT; or a site, with DEVICE")
    parser.add_argument("device", metavar="DEVICE", nargs="?", help="id of a device of the site")
    parser.add_argument("--unit", type=_unit, metavar="N", help="unit number, 0 to 255")
    parser.add_argument("--profile", metavar="NAME|FILE", help="a shipped profile, or a file")
    parser.add_argument(
        "--profiles", type=Path, metavar="FOLDER", help="folder in which to look for NAME, too"
    )
    parser.add_argument(
        "--point", action="append", default=[], metavar="NAME", help="show this point only; repeatable"
    )
    parser.add_argument("--orders", action="store_true", help="show every reading of every point shown")
    parser.add_argument(
        "--expect", type=_number, metavar="VALUE", help="known value of the points given, in the unit shown"
    )
    parser.add_argument(
        "--watch", type=seconds, metavar="TIME", help="read again each time this long has passed"
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=1.0,
        metavar="TIME",
        help="how long to wait for a reply (default: 1s)",
    )
    parser.add_argument(
        "--pause", type=pause, default=0.05, metavar="TIME", help="before each request (default: 50ms)"
    )
    add_protocol(parser)
    add_line(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, one line per reading")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Probe once, or until a signal; 1 if nothing could be read."""
    try:
        device = _site_device(args) if args.device is not None else _bare_device(args)
        doubt = _doubt(args, device) if device is not None else Doubt()
    except _WrongUsageError as error:
        print(f"dcops probe: {error}", file=sys.stderr)
        return 2
    except (ProfileError, OSError) as error:
        print(f"dcops probe: {error}", file=sys.stderr)
        return 1
    if device is None:
        return 1
    return run_async("dcops probe", lambda: _probe(device, doubt, args))


async def _probe(device: _Device, doubt: Doubt, args: argparse.Namespace) -> int:
    connections = Connections()
    asker = Asker(connections.to(device.endpoint), pause=device.endpoint.pause)
    probe = DeviceProbe(asker, device.unit, device.profile)
    read = False
    try:
        async with stop_on_signal() as stop:
            while not stop.is_set():
                look = asyncio.create_task(probe.look(doubt))
                stopping = asyncio.create_task(stop.wait())
                await asyncio.wait({look, stopping}, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if not look.done():
                    look.cancel()
                    break
                read = _print(device, look, args) or read
                if args.watch is None:
                    break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), args.watch)
    finally:
        asker.close()
        connections.close()
    return 0 if read else 1


def _print(device: _Device, look: "asyncio.Task[Probe]", args: argparse.Namespace) -> bool:
    """Print what a look has shown; whether it has shown anything."""
    try:
        probe = look.result()
    except UnreachableError as error:
        print(f"{device.name}: {error}", file=sys.stderr)
        return False
    if args.point:
        chosen = tuple(each for each in probe.points if each.point.name in args.point)
        probe = replace(probe, points=chosen)
    if args.json:
        print(orjson.dumps(probe_report.as_json(probe)).decode(), flush=True)
    else:
        for line in probe_report.report(probe):
            print(line)
        print(flush=True)
    if probe.error:
        print(f"{device.name}: {probe.error}", file=sys.stderr)
    return not probe.error


def _bare_device(args: argparse.Namespace) -> _Device:
    if args.unit is None or args.profile is None:
        raise _WrongUsageError("give --unit and --profile, or a site and the id of a device")
    serial = ModbusProtocol(args.protocol) is ModbusProtocol.RTU
    try:
        place = Target(args.target) if serial else target(args.target)
    except argparse.ArgumentTypeError as error:
        raise _WrongUsageError(str(error)) from None
    endpoint = endpoint_at(place, args, timeout=args.timeout, pause=args.pause)
    name = f"{args.target} unit {args.unit}"
    return _Device(name=name, endpoint=endpoint, unit=args.unit, profile=_profile(args))


def _profile(args: argparse.Namespace) -> ModbusProfile:
    file = Path(args.profile)
    if file.suffix in {".yaml", ".yml"}:
        (found,) = read_files([file]).values()
    else:
        known = profiles_with(args.profiles)
        if args.profile not in known and file.is_file():
            raise _WrongUsageError(f"{file}: files of profiles end with .yaml or .yml; rename it")
        if args.profile not in known:
            raise _WrongUsageError(
                f"{args.profile!r} is no profile; see 'dcops profile list', or give a file"
            )
        found = known[args.profile]
    if not isinstance(found, ModbusProfile):
        raise _WrongUsageError(f"profile {found.name!r} is not read over Modbus")
    return found


def _site_device(args: argparse.Namespace) -> _Device | None:
    loaded = load_site(args.target)
    if loaded is None:
        return None
    plan = loaded.plan
    binding = next((each for each in plan.modbus if each.device == args.device), None)
    if binding is None:
        raise _WrongUsageError(f"{args.device!r} is no Modbus device of {args.target}; check its id")
    endpoint = next(each for each in plan.endpoints if each.id == binding.endpoint)
    return _Device(name=args.device, endpoint=endpoint, unit=binding.unit, profile=binding.profile)


def _doubt(args: argparse.Namespace, device: _Device) -> Doubt:
    names = {point.name for point in device.profile.points}
    for name in args.point:
        if name not in names:
            raise _WrongUsageError(f"{name!r} is no point of {device.profile.name!r}; it has {_few(names)}")
    if args.expect is not None and not args.point:
        raise _WrongUsageError("--expect needs --point NAME: whose value it is")
    if args.expect is None and not args.orders:
        return Doubt()
    return Doubt(points=frozenset(args.point or names), expect=args.expect)


def _few(names: set[str], most: int = 12) -> str:
    listed = sorted(names)
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")


def _unit(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:  # noqa: PLR2004 - a byte
        raise argparse.ArgumentTypeError(f"{text!r} is no unit; give a number from 0 to 255")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return number
