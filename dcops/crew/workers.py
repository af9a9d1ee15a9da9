"""The processes that collect for this one on the same machine: started, listened to, started again, ended.

A worker reads no file of the site: what it collects is told to it, so that it collects of the very state of
the site that runs here, and its indices count over the same points.
"""

import asyncio
import contextlib
import logging
import pickle
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collectors.config import CollectionPlan
from collectors.shares import Share, share_of, without_brokers
from dcops.crew.lines import FrameError, Kind, frame, read_frame
from dcops.crew.members import Member
from dcops.crew.report import ReportUnreadableError, read_report
from dcops.crew.roles import WORKER
from facility.clock import Clock
from ingest.batch import Batch
from ingest.errors import BatchCorruptError, ParcelVersionError
from ingest.parcels import unpack
from ingest.translation import KnownCatalogues

_log = logging.getLogger(__name__)

FIRST_RETRY = 1.0
LAST_RETRY = 60.0
"""Seconds until a worker that ended is started again: doubled from the first to the last."""
STEADY_SECONDS = 60.0
"""One that ran for so long is started again after the first of these."""
HUNG_SECONDS = 60.0
"""A worker says something every five seconds. One that is silent for so long hangs, and is ended."""
_LOOKS = 6
"""So often it is looked at in that time, so that it is not this process that stood still, and has yet to hear
what was said."""
END_SECONDS = 2.0
"""To hand over what was read, at the end; then it is killed."""
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How workers are started."""

    data: Path
    """Folder of what devices taught them."""
    count: int
    command: tuple[str, ...] = (sys.executable, "-m", "dcops.crew")


Orders = tuple[bytes, ...]
"""For each worker what it is to collect."""


def write_orders(plan: CollectionPlan, catalogue: str, count: int) -> Orders:
    """What each worker is told to collect of a plan; ``catalogue`` is the digest of the site's.

    They are pickled: they go to processes that this one starts, over a socket that nobody else has.
    """
    polled = without_brokers(plan)
    shares = (Share(index, count) for index in range(1, count + 1))
    return tuple(pickle.dumps((share_of(polled, share, WORKER), catalogue)) for share in shares)


class Workers:
    """All workers of one process."""

    def __init__(
        self,
        options: WorkerOptions,
        orders: Orders,
        clock: Clock,
        known: KnownCatalogues,
        accept: Callable[[Batch], None],
    ) -> None:
        """None is started yet.

        Args:
            options: how they are started.
            orders: what each is to collect.
            clock: the platform's.
            known: the catalogues that point indices may count over.
            accept: shows readings and keeps them for the journal.
        """
        self.members = tuple(
            Member(f"worker {index}/{options.count}", clock) for index in range(1, options.count + 1)
        )
        self._options = options
        self._orders = orders
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._known = known
        self._accept = accept

    async def run(self) -> None:
        """Keep all of them running until cancelled."""
        async with asyncio.TaskGroup() as group:
            for index, member in enumerate(self.members, start=1):
                group.create_task(self._keep(index, member), name=member.name)

    def change(self, orders: Orders) -> None:
        """Have them collect something else from now on; what each still has under way is understood."""
        self._orders = orders
        for index, writer in self._writers.items():
            writer.write(frame(Kind.PLAN, orders[index - 1]))

    async def _keep(self, index: int, member: Member) -> None:
        loop = asyncio.get_running_loop()
        wait = FIRST_RETRY
        while True:
            began = loop.time()
            try:
                ended = await self._one(index, member)
            except OSError as error:
                ended = f"can't be started: {error}"
            if loop.time() - began >= STEADY_SECONDS:
                wait = FIRST_RETRY
            member.error, member.gone = f"it {ended}", True
            _log.error("%s %s; it is started again in %.0f s", member.name, ended, wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LAST_RETRY)
            member.restarts += 1

    async def _one(self, index: int, member: Member) -> str:
        """Run a worker to its end; returns how it ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.settimeout(None)
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command(index, theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            except BaseException:
                ours.close()
                raise
        ours.settimeout(0)
        try:
            reader, writer = await asyncio.open_connection(sock=ours, limit=_BUFFER)
        except BaseException:  # a stop, which finds it at its start
            ours.close()
            await _end(process)
            raise
        self._writers[index] = writer
        writer.write(frame(Kind.PLAN, self._orders[index - 1]))
        heard = asyncio.Event()
        listening = asyncio.ensure_future(self._listen(member, reader, writer, heard))
        hanging = asyncio.ensure_future(_hanging(heard))
        try:
            await asyncio.wait({listening, hanging}, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                return f"has said nothing for {HUNG_SECONDS:.0f} s and is ended"
            listening.result()
            return await _ending(process)
        except (FrameError, BatchCorruptError, ParcelVersionError, ReportUnreadableError) as error:
            return f"says what cannot be understood: {error}"
        except Exception as error:  # noqa: BLE001 - the others collect on
            _log.exception("what %s brought cannot be taken", member.name)
            return f"brought what cannot be taken: {type(error).__name__}: {error}"
        except asyncio.CancelledError:
            writer.write(frame(Kind.STOP))
            await asyncio.wait({listening}, timeout=END_SECONDS)
            raise
        finally:
            del self._writers[index]
            hanging.cancel()
            listening.cancel()
            writer.close()
            await _end(process)

    async def _listen(
        self,
        member: Member,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        heard: asyncio.Event,
    ) -> None:
        """Take what a worker hands over, until it is gone; ``heard`` is set with each frame."""
        while (found := await read_frame(reader)) is not None:
            kind, body = found
            heard.set()
            if kind is Kind.READINGS:
                self._take(member, body)
            elif kind is Kind.REPORT:
                member.take(read_report(body))
                member.error = ""
                orders, member.orders = member.orders, []
                for device in orders:
                    writer.write(frame(Kind.FORGET, device.encode()))

    def _take(self, member: Member, body: bytes) -> None:
        parcel = unpack(body)
        member.hear(parcel.sent)
        if not self._known.knows(parcel.sender.catalogue):
            raise FrameError("it collects a state of the site that is long outdated")
        member.error = ""
        for _, batch in parcel.entries:
            member.readings += batch.point_count
            self._accept(self._known.translate(parcel.sender.catalogue, batch))

    def _command(self, index: int, line: int) -> list[str]:
        options = self._options
        verbose = ("--verbose",) if _log.isEnabledFor(logging.DEBUG) else ()
        return [
            *options.command,
            f"--line={line}",
            f"--share={index}/{options.count}",
            f"--data={options.data}",
            *verbose,
        ]


async def _hanging(heard: asyncio.Event) -> None:
    """Return once nothing was heard for too long."""
    quiet = 0
    while quiet < _LOOKS:
        await asyncio.sleep(HUNG_SECONDS / _LOOKS)
        quiet = 0 if heard.is_set() else quiet + 1
        heard.clear()


async def _ending(process: Process) -> str:
    """How a process ended that has closed its line; it may hang at its end, and is not waited for longer."""
    try:
        async with asyncio.timeout(END_SECONDS):
            return f"ended with {await process.wait()}"
    except TimeoutError:
        return f"closed its line, did not end within {END_SECONDS:.0f} s and is ended"


async def _end(process: Process) -> None:
    """See that a process is no more."""
    if process.returncode is None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):  # wait_for may swallow a cancellation before Python 3.12
                await process.wait()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
