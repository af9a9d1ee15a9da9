"""``dcops run SITE``: collect, compute, store and show a site."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from dcops.crew.secrets import TokenError
from dcops.crew.shard import Shard
from dcops.crew.usage import RoleError, read_role
from dcops.garbage import no_search, spare_nothing, spared_as_it_settles
from dcops.large_pages import gathered_as_it_settles
from dcops.logs import configure
from dcops.options import add_address, add_data, add_verbose, whole
from dcops.platform import Platform
from dcops.running import EarlySignal, heed_signal, load_site, loop_for, run_async, stop_on_signal
from dcops.settings import Settings
from dcops.site_file import LoadedSite, SiteReader
from dcops.stopping import leave
from dcops.system_clock import SystemClock

_EXAMPLE = """examples:
  dcops run site/
  dcops run site.yaml --data /var/lib/dcops --host 0.0.0.0 --port 8080
  dcops run site/ --workers 2                            collect in two more processes of this machine

on two machines, with the same site and the same token (see docs/scaling.md):
  DCOPS_SHARD_TOKEN_FILE=token dcops run site/ --shard 1/2 --host 10.0.0.5
  DCOPS_SHARD_TOKEN_FILE=token dcops run site/ --shard 2/2 --head http://10.0.0.5:8080
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "run",
        help="collect, compute, store and show a site",
        description="Run a site until it is told to stop. No device, broker or store has to answer at start."
        " SIGHUP, or 'dcops reload', applies changes in the site's files.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("site", metavar="SITE", help="site file, or folder with site.yaml")
    add_data(parser)
    add_address(parser)
    parser.add_argument(
        "--record", type=Path, metavar="FILE", help="record what collectors see, for 'simulate --replay'"
    )
    parser.add_argument(
        "--believe-clock",
        action="store_true",
        help="trust the clock, however far it is ahead of when the site last ran; see alarm clock-ahead",
    )
    _add_role(parser)
    add_verbose(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until a signal; 1 if the site has mistakes."""
    configure(verbose=args.verbose)
    try:
        role = read_role(args, os.environ)
    except RoleError as error:
        print(f"dcops run: {error}", file=sys.stderr)
        return 2
    except TokenError as error:
        print(f"dcops run: {error}", file=sys.stderr)
        return 1
    if args.record is not None and args.record.exists():
        print(f"{args.record}: there is a file already; give another --record, or move it", file=sys.stderr)
        return 1
    early = EarlySignal(signal.SIGHUP)
    reader = SiteReader(args.site)
    with no_search():
        loaded = load_site(args.site, reader)
    if loaded is None:
        return 1
    for line in loaded.missing_secrets(os.environ):
        print(f"warning: {line}", file=sys.stderr)
    settings = Settings(
        data=args.data,
        host=args.host,
        port=args.port,
        allowed_hosts=args.allowed_hosts,
        record=args.record,
        believe_clock=args.believe_clock,
        role=role,
        load=None if args.record else reader.load,
    )
    left_behind: list[str] = []
    loop = loop_for(loaded.plan.polls_a_second)
    code = run_async("dcops run", lambda: _serve(loaded, settings, args, left_behind, early), loop)
    leave(code, left_behind)
    spare_nothing()
    return code


def _add_role(parser: argparse.ArgumentParser) -> None:
    """What part of the collecting this process takes."""
    group = parser.add_argument_group("collecting in several processes")
    group.add_argument(
        "--workers", type=whole, default=0, metavar="N", help="poll in N more processes on this machine"
    )
    group.add_argument("--shard", metavar="I/N", help="collect only this share of the endpoints, such as 1/2")
    group.add_argument("--shards", type=whole, default=0, metavar="N", help="be the head and collect nothing")
    group.add_argument(
        "--head",
        metavar="URL",
        help="hand readings over to this head; without it the shard is the head itself",
    )
    group.add_argument("--head-ca", type=Path, metavar="FILE", help="certificate authority of the head")


async def _serve(
    loaded: LoadedSite,
    settings: Settings,
    args: argparse.Namespace,
    left_behind: list[str],
    early: EarlySignal,
) -> int:
    clock = SystemClock()
    platform: Platform | Shard
    share = settings.role.shard
    with no_search():
        if settings.role.head and share is not None:
            platform = Shard(loaded, clock, settings, os.environ, share=share, tls_ca=args.head_ca)
        else:
            platform = Platform(loaded, clock, settings, os.environ)
    later = asyncio.get_running_loop().call_later
    with spared_as_it_settles(later):
        async with (
            gathered_as_it_settles(later),
            stop_on_signal() as stop,
            heed_signal(signal.SIGHUP, platform.reloader.request),
        ):
            if early.came:  # the files may have changed after they were read
                platform.reloader.request()
            await platform.run(stop)
    left_behind += platform.stopping.left_behind
    return 0
