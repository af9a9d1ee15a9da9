"""``dcops record``: record raw Modbus frames between a collector and devices."""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from collectors.collection import Collection
from collectors.config import CollectionPlan, host_and_port
from dcops.errors import in_words
from dcops.logs import configure
from dcops.options import add_verbose, address, positive, seconds
from dcops.progress import tell_progress
from dcops.recording_jobs import (
    RecordingJob,
    jobs_of,
    refuse_overwriting,
    through_proxies,
)
from dcops.running import load_site, run_async, stop_on_signal
from dcops.stages import Work, stage
from dcops.system_clock import SystemClock
from simulators.frames.proxy import RecordingProxy
from simulators.frames.recording import FRAMINGS, FrameHeader, FrameWriter, Kind, Room, now_text

_EXAMPLE = """examples:
  dcops record --listen 127.0.0.1:1502 --to 10.0.0.5:502 --output chiller.frames --duration 5min
  dcops record --listen 127.0.0.1:1502 --to gateway-2:4001 --protocol modbus-rtu-tcp --output bus-2.frames
  dcops record site/ --output site-frames/ --duration 5min
  dcops record site/ --endpoint gw-1 --endpoint gw-2 --output site-frames/ --duration 1h

With --to it is a proxy: have the collector connect to --listen instead of the devices.
With SITE it reads the site's Modbus devices itself, as 'dcops run' would, and stores nothing but the frames:
one file for each endpoint.

Reads pass through unchanged. Any other request is refused with exception 1 and reaches no device.
Recordings are replayed by 'dcops replay'.
"""
_MEGABYTE = 1_000_000
_FLUSH_EVERY = 1.0
_ODD = {
    Kind.ORPHAN: "that answer nothing",
    Kind.REFUSED: "refused because they are no reads",
    Kind.NOISE: "times bytes that are no frame",
}


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "record",
        help="record raw Modbus frames between a collector and devices",
        description="Record the raw Modbus frames between a collector and devices, with their times.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("site", metavar="SITE", nargs="?", help="site file, or folder with site.yaml")
    parser.add_argument(
        "--endpoint",
        action="append",
        default=[],
        dest="endpoints",
        metavar="ID",
        help="record only this endpoint of SITE; may be given several times",
    )
    parser.add_argument("--to", type=address, metavar="HOST:PORT", help="where the devices are")
    parser.add_argument("--listen", type=address, metavar="HOST:PORT", help="where the collector connects")
    parser.add_argument("--protocol", choices=list(FRAMINGS), help="what --to speaks (default: modbus-tcp)")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="PATH", help="file to write; with SITE, a folder"
    )
    parser.add_argument("--duration", type=seconds, metavar="TIME", help="end after this time")
    parser.add_argument(
        "--max-mb",
        type=positive,
        default=100.0,
        metavar="MB",
        help="end when this much is written, over all files (default: 100)",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")
    add_verbose(parser)
    parser.set_defaults(run=partial(run, parser))


def run(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    """Record until a signal, the duration or the size; 1 if the site or the world is wrong."""
    if (args.site is None) == (args.to is None):
        parser.error("give either SITE, or --listen and --to")
    if args.site is None and args.listen is None:
        parser.error("argument --listen: is needed with --to: where the collector connects")
    if args.site is None and args.endpoints:
        parser.error("argument --endpoint: goes with SITE only")
    if args.site is not None and (args.listen is not None or args.protocol is not None):
        parser.error(
            "arguments --listen and --protocol: go with --to only; SITE says what its endpoints speak"
        )
    configure(verbose=args.verbose)
    if args.site is None:
        job = RecordingJob(
            path=args.output, listen=args.listen, target=args.to, protocol=args.protocol or "modbus-tcp"
        )
        return run_async("dcops record", lambda: _record([job], args, None))
    loaded = load_site(args.site)
    if loaded is None:
        return 1
    return run_async("dcops record", lambda: _record_site(loaded.plan, args))


async def _record_site(plan: CollectionPlan, args: argparse.Namespace) -> int:
    jobs = jobs_of(plan, args.endpoints, args.output)
    args.output.mkdir(parents=True, exist_ok=True)
    return await _record(jobs, args, plan)


async def _record(jobs: Sequence[RecordingJob], args: argparse.Namespace, plan: CollectionPlan | None) -> int:
    if not args.force:
        refuse_overwriting(jobs)
    room = Room(round(args.max_mb * _MEGABYTE))
    session = _Session(jobs, room, overwrite=args.force)
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_on_signal(args.duration))
        session.ended = stop.set
        stack.callback(session.close)
        for proxy in session.proxies:
            stack.push_async_callback(proxy.stop)
            await proxy.start()
        tasks: dict[str, Work] = {
            "progress": tell_progress(session.progress),
            "flushing": session.flush_regularly(),
        }
        if plan is not None:
            ports = {
                job.endpoint: (job.listen[0], proxy.port)
                for job, proxy in zip(jobs, session.proxies, strict=True)
            }
            collection = Collection(through_proxies(plan, ports), SystemClock(), lambda _: None)
            tasks["collection"] = collection.run()
        for line in session.introduction():
            print(line, flush=True)
        async with stage(tasks):
            await stop.wait()
    for line in session.summary():
        print(line)
    for error in session.errors:
        print(f"dcops record: not all is recorded: {in_words(error)}", file=sys.stderr)
    return 1 if session.errors else 0


class _Session:
    """The proxies of a recording, and its files."""

    def __init__(self, jobs: Sequence[RecordingJob], room: Room, *, overwrite: bool) -> None:
        self.proxies = [self._proxy(job) for job in jobs]
        self.errors: list[OSError] = []
        self.ended: Callable[[], None] = lambda: None
        """Called when nothing more can be written."""
        self._jobs = jobs
        self._room = room
        self._overwrite = overwrite
        self._full = False
        self._writers: list[FrameWriter] = []

    def introduction(self) -> Iterator[str]:
        """What is recorded where, once all listen."""
        if self._jobs[0].endpoint:
            yield f"{_counted(len(self._jobs), 'endpoint')} read; recorded in {self._jobs[0].path.parent}"
        else:
            (job,), (proxy,) = self._jobs, self.proxies
            yield f"{job.name} ({job.protocol}) is now at {proxy.address}; recorded in {job.path}"
        yield "ready   (Ctrl-C ends)"

    def progress(self) -> str:
        """How much there is so far."""
        return f"{_told(self._counts())}, {self._room.taken / _MEGABYTE:.1f} MB"

    def summary(self) -> Iterator[str]:
        """What was recorded, file by file."""
        for job, proxy in zip(self._jobs, self.proxies, strict=True):
            unanswered = proxy.counts[Kind.REQUEST] - proxy.counts[Kind.REPLY]
            if not job.endpoint or unanswered or any(proxy.counts[kind] for kind in _ODD):
                yield f"{job.path}: {_told(proxy.counts)}"
        if self._jobs[0].endpoint:
            yield f"{_counted(len(self._jobs), 'file')}: {_told(self._counts())}"
        if self._full:
            yield f"ended because {self._room.taken / _MEGABYTE:.1f} MB are written; --max-mb allows more"

    async def flush_regularly(self) -> None:
        """Brings what is buffered to the files every second, so that a crash costs no more."""
        while True:
            await asyncio.sleep(_FLUSH_EVERY)
            for writer in self._writers:
                writer.flush()

    def close(self) -> None:
        """Ends all files."""
        for writer in self._writers:
            try:
                writer.close()
            except OSError as error:
                self.errors.append(error)

    def _proxy(self, job: RecordingJob) -> RecordingProxy:
        return RecordingProxy(
            job.listen,
            job.target,
            FRAMINGS[job.protocol],
            lambda: self._open(job),
            tell=lambda text: print(f"{job.name}: {text}", file=sys.stderr, flush=True),
        )

    def _open(self, job: RecordingJob) -> FrameWriter:
        target = host_and_port(*job.target)
        header = FrameHeader(protocol=job.protocol, target=target, started=now_text())
        writer = FrameWriter(job.path, header, self._room, ended=self._end, overwrite=self._overwrite)
        self._writers.append(writer)
        return writer

    def _end(self, error: OSError | None) -> None:
        if error is None:
            self._full = True
        else:
            self.errors.append(error)
        self.ended()

    def _counts(self) -> Counter[Kind]:
        total: Counter[Kind] = Counter()
        for proxy in self.proxies:
            total.update(proxy.counts)
        return total


def _told(counts: Mapping[Kind, int]) -> str:
    """Counts of frames, for people: what is odd only if there was any."""
    text = f"{_counted(counts[Kind.REQUEST], 'request')}, {counts[Kind.REPLY]:,} answered"
    return text + "".join(f", {counts[kind]:,} {word}" for kind, word in _ODD.items() if counts[kind])


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' if count != 1 else ''}"
