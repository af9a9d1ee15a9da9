"""How a device is reached over Modbus, as arguments of commands."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from collectors.config import ModbusEndpoint, ModbusProtocol, SerialParity
from collectors.profiles import Profile
from collectors.profiles.reader import name_of, read_files, shipped
from dcops.options import real_port, whole
from dcops.targets import Target

_PORT = 502
_TLS_PORT = 802


def add_protocol(parser: argparse.ArgumentParser) -> None:
    """``--protocol`` and ``--port``."""
    parser.add_argument(
        "--protocol",
        choices=[str(each) for each in ModbusProtocol],
        default=str(ModbusProtocol.TCP),
        help="what the address speaks (default: modbus-tcp)",
    )
    parser.add_argument(
        "--port",
        type=real_port,
        metavar="PORT",
        help=f"port if none is given (default: {_PORT}, TLS {_TLS_PORT})",
    )


def add_line(parser: argparse.ArgumentParser) -> None:
    """Settings of a serial line and of TLS."""
    parser.add_argument("--baud", type=whole, default=19200, help="of a serial line (default: 19200)")
    parser.add_argument(
        "--parity",
        choices=[str(each) for each in SerialParity],
        default=str(SerialParity.EVEN),
        help="of a serial line (default: even)",
    )
    parser.add_argument(
        "--stop-bits", type=int, choices=(1, 2), help="of a serial line (default: 1, 2 without parity)"
    )
    parser.add_argument("--tls-ca", type=Path, metavar="FILE", help="authority of the device's certificate")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate to show to the device")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key")


def endpoint_at(target: Target, args: argparse.Namespace, *, timeout: float, pause: float) -> ModbusEndpoint:
    """The endpoint of a target, by the arguments that this module adds."""
    protocol = ModbusProtocol(args.protocol)
    serial = protocol is ModbusProtocol.RTU
    parity = SerialParity(args.parity)
    default = _TLS_PORT if protocol is ModbusProtocol.TLS else _PORT
    return ModbusEndpoint(
        id=target.host,
        protocol=protocol,
        host="" if serial else target.host,
        port=0 if serial else target.port or args.port or default,
        device=target.host if serial else "",
        timeout=timeout,
        pause=pause,
        baud=args.baud,
        parity=parity,
        stop_bits=args.stop_bits or (2 if parity is SerialParity.NONE else 1),
        tls_ca=args.tls_ca,
        tls_cert=args.tls_cert,
        tls_key=args.tls_key,
    )


def profiles_with(folder: Path | None) -> dict[str, Profile]:
    """The shipped profiles and those of a folder or file, which replace shipped ones of the same name.

    A folder may hold other YAML files too, such as that of the site: they are left alone, and said so.

    Raises:
        ProfileError: a file has mistakes.
        FileNotFoundError: there is no such folder, or no profile in it.
    """
    found = dict(shipped())
    if folder is None:
        return found
    files = [folder] if folder.is_file() else list(_profiles_in(folder))
    if not files:
        raise FileNotFoundError(f"{folder}: there is no profile; give a folder with .yaml files")
    return found | read_files(files)


def _profiles_in(folder: Path) -> Iterator[Path]:
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        if name_of(file.read_text(encoding="utf-8", errors="replace")) is None:
            print(f"note: {file}: left alone, it has no 'profile' at its top", file=sys.stderr)
        else:
            yield file
