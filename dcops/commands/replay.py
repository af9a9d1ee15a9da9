"""``dcops replay FILE``: answer as the devices of a recording of frames did, with faults if asked for."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from dcops.logs import configure
from dcops.options import HIGHEST_PORT, add_verbose, address, pause, positive, seconds, whole
from dcops.progress import tell_progress
from dcops.running import run_async, stop_on_signal
from dcops.stages import stage
from simulators.frames.faults import Fault, FaultKind, FaultPlan
from simulators.frames.recording import FrameRecording
from simulators.frames.replay import ReplayServer

_EXAMPLE = f"""examples:
  dcops replay chiller.frames
  dcops replay site-frames/*.frames --listen 127.0.0.1:1502 --speed 10
  dcops replay chiller.frames --fault late=0.05 --fault exception:6=0.02 --fault silent=0.1 --seed 7

Recordings are made by 'dcops record'. Each file is served on a port of its own: the first on that of
--listen, the next on the port behind it, and so on.

A request that was recorded gets its recorded replies, one after the other and then from the first again.
Another read of recorded registers gets the last words known of them; anything else gets an exception.

KIND is one of {", ".join(FaultKind)};
SHARE is that of the replies, from 0 to 1 (of 'stuck', of the different requests).
"""
_MOST_UNITS_SHOWN = 12


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "replay",
        help="answer as recorded devices did, with faults on request",
        description="Serve recordings of raw Modbus frames: each request is answered as it once was.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="recordings of frames")
    parser.add_argument(
        "--listen",
        type=address,
        default=("127.0.0.1", 1502),
        metavar="HOST:PORT",
        help="where to serve the first file; port 0 takes free ones (default: 127.0.0.1:1502)",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        dest="faults",
        metavar="KIND=SHARE",
        help="what goes wrong with a share of the replies; may be given several times",
    )
    parser.add_argument("--seed", type=whole, default=1, help="seed of the faults (default: 1)")
    parser.add_argument(
        "--speed",
        type=positive,
        default=1.0,
        help="how much faster than recorded devices answer (default: 1)",
    )
    parser.add_argument(
        "--delay", type=pause, metavar="TIME", help="answer after this time instead of the recorded one"
    )
    parser.add_argument("--duration", type=seconds, metavar="TIME", help="end after this time")
    add_verbose(parser)
    parser.set_defaults(run=partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Serve until a signal or the duration; 1 if a file or the world is wrong."""
    configure(verbose=args.verbose)
    if args.listen[1] and args.listen[1] + len(args.files) - 1 > HIGHEST_PORT:
        parser.error(f"argument --listen: there are no {len(args.files)} ports from {args.listen[1]} on")
    try:
        FaultPlan(args.faults)
    except ValueError as error:
        parser.error(f"argument --fault: {error}")
    return run_async("dcops replay", lambda: _serve(args))


async def _serve(args: argparse.Namespace) -> int:
    recordings = [FrameRecording.read(path) for path in args.files]
    host, port = args.listen
    servers = [
        ReplayServer(
            (host, port + number if port else 0),
            recording,
            faults=FaultPlan(args.faults, args.seed + number),
            speed=args.speed,
            delay=args.delay,
        )
        for number, recording in enumerate(recordings)
    ]
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_on_signal(args.duration))
        for recording, server in zip(recordings, servers, strict=True):
            stack.push_async_callback(server.stop)
            await server.start()
            print(_introduced(recording, server), flush=True)
        print("ready   (Ctrl-C ends)", flush=True)
        async with stage({"progress": tell_progress(lambda: _progress(servers))}):
            await stop.wait()
    for line in _summary(servers):
        print(line)
    return 0


def _introduced(recording: FrameRecording, server: ReplayServer) -> str:
    units = server.memory.units
    shown = ", ".join(map(str, units[:_MOST_UNITS_SHOWN])) + (", …" if len(units) > _MOST_UNITS_SHOWN else "")
    return (
        f"{recording.path}: {recording.header.protocol} of {recording.header.target} on {server.address};"
        f" {server.memory.requests:,} different requests, units {shown or 'none'}"
    )


def _progress(servers: Sequence[ReplayServer]) -> str:
    requests = sum(server.counts.requests for server in servers)
    return f"{requests:,} requests, {sum(_faults(servers).values()):,} faults"


def _summary(servers: Sequence[ReplayServer]) -> Iterator[str]:
    counts = [server.counts for server in servers]
    yield f"requests    {sum(each.requests for each in counts):,}"
    yield f"as recorded {sum(each.replayed for each in counts):,}"
    yield f"assembled   {sum(each.assembled for each in counts):,} from the last words known"
    yield f"refused     {sum(each.refused for each in counts):,} that nothing recorded answers"
    yield f"unanswered  {sum(each.unanswered for each in counts):,} as recorded"
    faults = _faults(servers)
    kinds = ", ".join(f"{kind} {faults[kind]:,}" for kind in FaultKind if faults[kind])
    yield f"faults      {kinds or 'none'}"


def _faults(servers: Sequence[ReplayServer]) -> Counter[FaultKind]:
    total: Counter[FaultKind] = Counter()
    for server in servers:
        total.update(server.counts.faults)
    return total


def _fault(text: str) -> tuple[Fault, float]:
    """``KIND=SHARE``."""
    name, _, number = text.partition("=")
    try:
        share = float(number)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r}: write KIND=SHARE with a share from 0 to 1, such as late=0.05"
        )
    try:
        return Fault.parse(name), share
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
