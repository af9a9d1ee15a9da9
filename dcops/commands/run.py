"""``dcops run SITE``: collect, compute, store and show a site."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from dcops.garbage import no_search, spare_nothing, spare_what_lives
from dcops.logs import configure
from dcops.options import add_address, add_data, add_verbose
from dcops.platform import Platform, Settings
from dcops.running import heed_signal, load_site, run_async, stop_on_signal
from dcops.site_file import LoadedSite, load
from dcops.stopping import leave
from simulators.clock import SystemClock

_SETTLED_SECONDS = 60.0
"""After which every connection stands and every device has been read a few times, as a rule."""
_EXAMPLE = """examples:
  dcops run site/
  dcops run site.yaml --data /var/lib/dcops --host 0.0.0.0 --port 8080
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "run",
        help="collect, compute, store and show a site",
        description="Run a site until it is told to stop. No device, broker or store has to answer at start."
        " SIGHUP, or 'dcops reload', has it take up what has changed in the site's files.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("site", metavar="SITE", help="site file, or folder with site.yaml")
    add_data(parser)
    add_address(parser)
    parser.add_argument("--record", type=Path, metavar="FILE", help="write what collectors see, for replay")
    add_verbose(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until a signal; 1 if the site has mistakes."""
    configure(verbose=args.verbose)
    with no_search():
        loaded = load_site(args.site)
    if loaded is None:
        return 1
    for line in loaded.missing_secrets(os.environ):
        print(f"warning: {line}", file=sys.stderr)
    settings = Settings(
        data=args.data,
        host=args.host,
        port=args.port,
        record=args.record,
        load=None if args.record else lambda: load(args.site),
    )
    left_behind: list[str] = []
    code = run_async("dcops run", lambda: _serve(loaded, settings, left_behind))
    leave(code, left_behind)
    spare_nothing()
    return code


async def _serve(loaded: LoadedSite, settings: Settings, left_behind: list[str]) -> int:
    with no_search():
        platform = Platform(loaded, SystemClock(), settings, os.environ)
    settled = asyncio.get_running_loop().call_later(_SETTLED_SECONDS, spare_what_lives)
    async with stop_on_signal() as stop, heed_signal(signal.SIGHUP, platform.reloader.request):
        await platform.run(stop)
    settled.cancel()
    left_behind += platform.stopping.left_behind
    return 0
