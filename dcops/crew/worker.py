"""A worker: a process that collects a share of what its parent is to collect, on the same machine.

``python -m dcops.crew`` is started by the parent, which is reached over an inherited socket and says
what to collect. What is read goes there at most 60 ms later; nothing is kept here but what devices taught.
"""

import argparse
import asyncio
import contextlib
import pickle
import resource
import signal
import socket
import uuid
from dataclasses import replace
from pathlib import Path

import uvloop

from collectors.changes import compare
from collectors.collection import Collection
from collectors.config import CollectionPlan
from collectors.shares import Share, read_share
from dcops.crew.lines import FrameError, Kind, frame, read_frame
from dcops.crew.report import Condition, Reporter
from dcops.garbage import spared_as_it_settles
from dcops.large_pages import gathered_as_it_settles
from dcops.lessons_file import open_lessons
from dcops.logs import configure
from dcops.running import run_async, stop_on_signal
from dcops.stages import stage
from dcops.system_clock import SystemClock
from facility.clock import Clock
from facility.sample import Sample, Scans
from ingest.batch import Batch, gather
from ingest.parcels import Parcel, Sender, pack

SEND_SECONDS = 0.01
MOST_WAITING = 64 << 20
"""Bytes that may wait for a parent that does not read; what comes then is dropped and counted."""
REPORT_SECONDS = 5.0


class Worker:
    """Collects a plan and hands what is read to the parent."""

    def __init__(
        self,
        plan: CollectionPlan,
        clock: Clock,
        *,
        sender: Sender,
        folder: Path,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Wire everything; nothing is connected yet, and of files only the lessons are read."""
        self._sender = sender
        self._clock = clock
        self._writer = writer
        self._open: list[Sample | Scans] = []
        self._number = 0
        self._lost = 0
        self.collection = Collection(
            plan, clock, self._emit, emit_scans=self._emit, lessons=open_lessons(folder)
        )
        self._reporter = Reporter(self.collection, self._condition)

    async def run(self, reader: asyncio.StreamReader, until: asyncio.Event) -> None:
        """Collect until the event is set, the parent says so or is gone; then hand over what there is."""
        work = {
            "collection": self.collection.run(),
            "sums": self._sum_up_regularly(),
            "reports": self._report_regularly(),
        }
        async with stage({"orders": self._obey(reader, until)}):
            async with stage(work):
                await until.wait()
            self._send()
            self._write(Kind.REPORT, await self._reporter.write(everything=True))
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()

    def _emit(self, read: Sample | Scans) -> None:
        if not self._open:
            asyncio.get_running_loop().call_later(SEND_SECONDS, self._send)
        self._open.append(read)

    def _send(self) -> None:
        read, self._open = self._open, []
        if not read:
            return
        batch = gather(read, self._clock.now())
        self._number += 1
        if not self._write(Kind.READINGS, pack(self._parcel(batch), plain=True)):
            self._lost += batch.point_count

    def _parcel(self, batch: Batch) -> Parcel:
        return Parcel(self._sender, batch.accepted, [(self._number, batch)])

    def _write(self, kind: Kind, body: bytes) -> bool:
        """Hand a frame to the socket; False if too much waits there already."""
        writer = self._writer
        if writer.is_closing() or writer.transport.get_write_buffer_size() > MOST_WAITING:
            return False
        writer.write(frame(kind, body))
        return True

    async def _sum_up_regularly(self) -> None:
        """Tell the sums in time, also while the loop is full and a report of all devices takes long."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self._write(Kind.REPORT, self._reporter.sums())

    async def _report_regularly(self) -> None:
        while True:
            self._write(Kind.REPORT, await self._reporter.write())
            await asyncio.sleep(REPORT_SECONDS)

    async def _obey(self, reader: asyncio.StreamReader, until: asyncio.Event) -> None:
        while (found := await read_frame(reader)) is not None:
            kind, body = found
            if kind is Kind.STOP:
                break
            if kind is Kind.PLAN:
                await self._go_over(body)
            elif kind is Kind.FORGET:
                with contextlib.suppress(KeyError):
                    self.collection.forget(body.decode() or None)
        until.set()

    async def _go_over(self, order: bytes) -> None:
        """Collect another plan. What was read before counts over the one, what is read after the other."""
        plan, catalogue = await asyncio.to_thread(read_order, order)
        change = await asyncio.to_thread(compare, self.collection.plan, plan)
        over = await self.collection.prepare(change)
        self.collection.flush()
        self._send()
        self.collection.change(over)
        self._sender = replace(self._sender, catalogue=catalogue)

    def _condition(self) -> Condition:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return Condition(
            index=self._sender.index,
            count=self._sender.count,
            catalogue=self._sender.catalogue,
            sent=self._clock.now(),
            process=self._sender.journal,
            lost=self._lost,
            cpu_seconds=used.ru_utime + used.ru_stime,
            memory=used.ru_maxrss << 10,
        )


def read_order(order: bytes) -> tuple[CollectionPlan, str]:
    """What to collect, and the digest of the catalogue its indices count over."""
    plan, catalogue = pickle.loads(order)  # noqa: S301 - from the parent, over a socket nobody else has
    return plan, catalogue


async def collect(line: socket.socket, share: Share, data: Path) -> None:
    """Collect for whoever is at the other end of a socket, until it says so or is gone.

    Raises:
        FrameError: it does not say what to collect.
    """
    reader, writer = await asyncio.open_connection(sock=line)
    try:
        first = await read_frame(reader)
        if first is None:
            return
        if first[0] is not Kind.PLAN:
            raise FrameError("the parent does not say what to collect")
        plan, catalogue = read_order(first[1])
        sender = Sender(index=share.index, count=share.count, catalogue=catalogue, journal=uuid.uuid4().hex)
        folder = data / "workers" / str(share.index)
        worker = Worker(plan, SystemClock(), sender=sender, folder=folder, writer=writer)
        later = asyncio.get_running_loop().call_later
        with spared_as_it_settles(later):
            async with gathered_as_it_settles(later), stop_on_signal(signals=(signal.SIGTERM,)) as stop:
                await worker.run(reader, stop)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def main(arguments: list[str] | None = None) -> int:
    """Run one worker; its exit code is of no interest but in a log."""
    args = _parser().parse_args(arguments)
    configure(verbose=args.verbose)
    with socket.socket(fileno=args.line) as line:
        line.settimeout(0)

        async def work() -> int:
            await collect(line, args.share, args.data)
            return 0

        return run_async(f"dcops worker {args.share}", work, uvloop.new_event_loop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dcops.crew", description="Started by dcops run --workers.")
    parser.add_argument("--line", type=int, required=True, help="file descriptor of the socket to the parent")
    parser.add_argument("--share", type=read_share, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--verbose", action="store_true")
    return parser
