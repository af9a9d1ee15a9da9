"""``dcops site generate DIR``: a site of any size, with a plausible topology."""

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

from dcops.errors import mend_of
from dcops.options import positive, real_port, whole
from dcops.site_file import SITE_FILE
from dcops.site_file.fields import duration, host
from dcops.site_file.items import MAX_PERIOD, MIN_PERIOD
from simulators.sitegen import PRESETS, GeneratedSite, ShapeError, SiteShape, generate, write_site

_EXAMPLE = """examples:
  dcops site generate demo/ --preset demo
  dcops site generate campus/ --buildings 4 --halls 4 --rows 12 --racks 18 --period 10s
"""
_LARGE = 5000
"""From so many devices on, progress is shown."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser("site", help="generate a site", description="Make a site.")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    making = actions.add_parser(
        "generate",
        help="write a generated site into a folder",
        description="Write a site of any size: 2N feeds, cooling plant, heat recovery. Its devices are"
        " addresses on this machine, to be served by 'dcops simulate'.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    making.add_argument("folder", metavar="DIR", type=Path, help="where to write; it need not exist yet")
    making.add_argument(
        "--preset", choices=sorted(PRESETS), default="demo", help="sizes to start from (default: demo)"
    )
    making.add_argument("--buildings", type=whole, metavar="N", help="buildings on the campus")
    making.add_argument("--halls", type=whole, metavar="N", help="halls in a building")
    making.add_argument("--rows", type=whole, metavar="N", help="rows in a hall")
    making.add_argument("--racks", type=whole, metavar="N", help="racks in a row")
    making.add_argument("--rack-kw", type=positive, metavar="KW", help="design load of a rack (default: 130)")
    making.add_argument("--period", type=_period, metavar="TIME", help="between two readings (default: 10s)")
    making.add_argument("--name", help="name of the campus")
    making.add_argument("--host", type=_host, help="address of all endpoints (default: 127.0.0.1)")
    making.add_argument(
        "--base-port", type=real_port, metavar="PORT", help="first Modbus port (default: 20000)"
    )
    making.add_argument(
        "--broker-port", type=real_port, metavar="PORT", help="port of the broker (default: 1883)"
    )
    making.add_argument("--seed", type=whole, default=1, help="seed of what is left to chance (default: 1)")
    making.add_argument("--force", action="store_true", help="write even if the folder is not empty")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the site; 1 if that cannot be done."""
    folder: Path = args.folder
    try:
        if not args.force and folder.exists() and any(folder.iterdir()):
            print(f"{folder}: is not empty; choose another folder or add --force", file=sys.stderr)
            return 1
        site = generate(_shape(args), args.seed)
        _write(site, folder)
    except ShapeError as error:
        print(f"dcops site generate: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{folder}: cannot be written ({error.strerror}); {mend_of(error)}", file=sys.stderr)
        return 1
    print(
        f"{folder / SITE_FILE}: {len(site.spaces):,} spaces, {len(site.devices):,} devices,"
        f" {len(site.endpoints):,} endpoints"
    )
    print(f"Next: dcops check {folder}")
    return 0


def _shape(args: argparse.Namespace) -> SiteShape:
    written = vars(args)
    names = (each.name for each in fields(SiteShape))
    given = {name: written[name] for name in names if written.get(name) is not None}
    return replace(PRESETS[args.preset], **given)


def _write(site: GeneratedSite, folder: Path) -> None:
    large = len(site.devices) >= _LARGE

    def progress(name: str, items: int) -> None:
        if large:
            print(f"{folder / name}: {items:,} rows", file=sys.stderr)

    write_site(site, folder, progress)


def _host(text: str) -> str:
    try:
        return host(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _period(text: str) -> str:
    try:
        duration(MIN_PERIOD, MAX_PERIOD)(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
