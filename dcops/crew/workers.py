"""The processes that collect for this one on the same machine: started, listened to, started again, ended."""

import asyncio
import contextlib
import logging
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collectors.shares import Share
from dcops.crew.lines import FrameError, Kind, frame, read_frame
from dcops.crew.members import Member
from dcops.crew.report import ReportUnreadableError, read_report
from facility.clock import Clock
from ingest.batch import Batch
from ingest.errors import BatchCorruptError, ParcelVersionError
from ingest.parcels import unpack

_log = logging.getLogger(__name__)

FIRST_RETRY = 1.0
LAST_RETRY = 60.0
"""Seconds until a worker that ended is started again: doubled from the first to the last."""
STEADY_SECONDS = 60.0
"""One that ran for so long is started again after the first of these."""
END_SECONDS = 2.0
"""To hand over what was read, at the end; then it is killed."""
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How workers are started."""

    site: Path
    """The site file: a worker reads it itself."""
    data: Path
    """Folder of what devices taught them."""
    count: int
    shard: Share | None = None
    """The share of the site that is divided among them; None for all of it."""
    command: tuple[str, ...] = (sys.executable, "-m", "dcops.crew.worker")


class Workers:
    """All workers of one process."""

    def __init__(
        self, options: WorkerOptions, clock: Clock, catalogue: str, accept: Callable[[Batch], None]
    ) -> None:
        """None is started yet.

        Args:
            options: how they are started.
            clock: the platform's.
            catalogue: digest of the catalogue that point indices count over.
            accept: shows readings and keeps them for the journal.
        """
        self.members = tuple(
            Member(f"worker {index}/{options.count}", clock) for index in range(1, options.count + 1)
        )
        self._options = options
        self._catalogue = catalogue
        self._accept = accept

    async def run(self) -> None:
        """Keep all of them running until cancelled."""
        async with asyncio.TaskGroup() as group:
            for index, member in enumerate(self.members, start=1):
                group.create_task(self._keep(index, member), name=member.name)

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
            member.error = member.error or ended
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
            except OSError:
                ours.close()
                raise
        ours.settimeout(0)
        reader, writer = await asyncio.open_connection(sock=ours, limit=_BUFFER)
        listening = asyncio.ensure_future(self._listen(member, reader, writer))
        try:
            await asyncio.shield(listening)
            return f"ended with {await process.wait()}"
        except (FrameError, BatchCorruptError, ParcelVersionError, ReportUnreadableError) as error:
            return f"says what cannot be understood: {error}"
        except asyncio.CancelledError:
            writer.write(frame(Kind.STOP))
            await asyncio.wait({listening}, timeout=END_SECONDS)
            raise
        finally:
            listening.cancel()
            writer.close()
            await _end(process)

    async def _listen(
        self, member: Member, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Take what a worker hands over, until it is gone."""
        while (found := await read_frame(reader)) is not None:
            kind, body = found
            if kind is Kind.READINGS:
                self._take(member, body)
            elif kind is Kind.REPORT:
                member.take(read_report(body))
                orders, member.orders = member.orders, []
                for device in orders:
                    writer.write(frame(Kind.FORGET, device.encode()))

    def _take(self, member: Member, body: bytes) -> None:
        parcel = unpack(body)
        member.hear(parcel.sent)
        if parcel.sender.catalogue != self._catalogue:
            raise FrameError("it has read another state of the site; restart or reload")
        member.error = ""
        for _, batch in parcel.entries:
            member.readings += batch.point_count
            self._accept(batch)

    def _command(self, index: int, line: int) -> list[str]:
        options = self._options
        shard = ("--shard", str(options.shard)) if options.shard is not None else ()
        verbose = ("--verbose",) if _log.isEnabledFor(logging.DEBUG) else ()
        return [
            *options.command,
            str(options.site),
            f"--line={line}",
            f"--share={index}/{options.count}",
            f"--data={options.data}",
            *shard,
            *verbose,
        ]


async def _end(process: Process) -> None:
    """See that a process is no more."""
    if process.returncode is None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.2)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
