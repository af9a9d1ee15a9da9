"""What becomes of workers that say what cannot be understood, or cannot be started."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collectors.config import CollectionPlan
from dcops.crew import workers as workers_module
from dcops.crew.lines import Kind, frame
from dcops.crew.workers import WorkerOptions, Workers, write_orders
from dcops.stages import stage
from dcops.system_clock import SystemClock
from facility.catalogue import Catalogue
from ingest.batch import Batch, gather
from ingest.catalogues import KeptCatalogue
from ingest.parcels import Parcel, Sender, pack
from ingest.translation import KnownCatalogues
from tests.e2e.hall import until
from tests.ingest.plant import GRID, K1_PDU, NOON, catalogue, sample
from tests.ingest.test_translation import without

SAYS = """
import socket, sys, time
line = next(int(w[7:]) for w in sys.argv if w.startswith("--line="))
with socket.socket(fileno=line) as parent:
    parent.sendall(bytes.fromhex(sys.argv[1]))
    if sys.argv[2] == "stays":
        time.sleep(60)
if sys.argv[2] == "hangs at its end":
    time.sleep(60)
"""


def readings(digest: str, first: int = GRID) -> bytes:
    sender = Sender(index=1, count=1, catalogue=digest, journal="00" * 16)
    return pack(Parcel(sender, NOON, [(1, gather([sample(first, NOON, [1.0, 2.0])], NOON))]), plain=True)


@asynccontextmanager
async def worker_that_says(
    said: bytes,
    then: str,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    now: Catalogue | None = None,
    *,
    accept: Callable[[Batch], None] | None = None,
) -> AsyncIterator[tuple[Workers, list[Batch]]]:
    monkeypatch.setattr(workers_module, "FIRST_RETRY", 0.05)
    monkeypatch.setattr(workers_module, "END_SECONDS", 0.2)
    kept = KeptCatalogue(catalogue())
    known = KnownCatalogues(kept)
    known.change(KeptCatalogue(now or catalogue()))
    batches: list[Batch] = []
    command = (sys.executable, "-c", SAYS, said.hex(), then)
    workers = Workers(
        WorkerOptions(data=folder, count=1, command=command),
        write_orders(CollectionPlan(), kept.digest, 1),
        SystemClock(),
        known,
        accept or batches.append,
    )
    async with stage({"workers": workers.run()}):
        yield workers, batches


async def test_what_a_worker_read_is_taken_though_it_dies_and_it_is_started_again(
    monkeypatch, tmp_path
) -> None:
    said = frame(Kind.READINGS, readings(KeptCatalogue(catalogue()).digest))
    async with worker_that_says(said, "ends", monkeypatch, tmp_path) as (workers, batches):
        member = workers.members[0]
        await until(lambda: member.restarts >= 2, "it is started again")
        assert len(batches) >= 2
        assert batches[0].values.tolist() == [1.0, 2.0]
        await until(lambda: member.health().error == "it ended with 0", "it is gone")


async def test_what_a_worker_read_of_the_site_as_it_was_gets_the_indices_of_now(
    monkeypatch, tmp_path
) -> None:
    said = frame(Kind.READINGS, readings(KeptCatalogue(catalogue()).digest, K1_PDU))
    now = without("grid")
    async with worker_that_says(said, "stays", monkeypatch, tmp_path, now) as (_, batches):
        await until(lambda: batches, "it is taken")
        assert batches[0].expand().points.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (frame(Kind.READINGS, readings("ab" * 32)), "a state of the site that is long outdated"),
        (b"\x00\x00\x00\x00\x63\x00\x00\x00", "unknown kind"),
        (b"\xff\xff\xff\xff\x01\x00\x00\x00", "4294967295 bytes"),
        (frame(Kind.READINGS, b"nonsense"), "no parcel of readings"),
        (frame(Kind.REPORT, b"nonsense"), "1 lines, not 4"),
    ],
)
async def test_a_worker_that_cannot_be_understood_is_ended(said, error, monkeypatch, tmp_path) -> None:
    async with worker_that_says(said, "stays", monkeypatch, tmp_path) as (workers, batches):
        member = workers.members[0]
        await until(lambda: error in member.error, "what it says is not understood")
        await until(lambda: member.restarts >= 1, "another one is started")
        assert batches == []


async def test_what_nobody_thought_of_ends_the_worker_that_brought_it_and_nothing_else(
    monkeypatch, tmp_path, caplog
) -> None:
    def fail(_: Batch) -> None:
        raise IndexError("out of bounds")

    said = frame(Kind.READINGS, readings(KeptCatalogue(catalogue()).digest))
    async with worker_that_says(said, "stays", monkeypatch, tmp_path, accept=fail) as (workers, _):
        member = workers.members[0]
        await until(lambda: "IndexError: out of bounds" in member.error, "it is told")
        await until(lambda: member.restarts >= 1, "another one is started")
    assert any(record.exc_info for record in caplog.records)


async def test_a_worker_that_hangs_is_ended_and_started_again(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(workers_module, "HUNG_SECONDS", 0.5)
    said = frame(Kind.READINGS, readings(KeptCatalogue(catalogue()).digest))
    async with worker_that_says(said, "stays", monkeypatch, tmp_path) as (workers, batches):
        await until(lambda: len(batches) == 2, "the next one is heard")
        assert workers.members[0].restarts >= 1


TALKS = """
import socket, sys, time
line = next(int(w[7:]) for w in sys.argv if w.startswith("--line="))
with socket.socket(fileno=line) as parent:
    while True:
        parent.sendall(bytes.fromhex(sys.argv[1]))
        time.sleep(0.02)
"""


async def test_what_a_worker_said_while_its_parent_stood_still_is_heard_afterwards(
    monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(workers_module, "HUNG_SECONDS", 0.6)
    monkeypatch.setitem(globals(), "SAYS", TALKS)
    said = frame(Kind.READINGS, readings(KeptCatalogue(catalogue()).digest))
    async with worker_that_says(said, "", monkeypatch, tmp_path) as (workers, batches):
        await until(lambda: batches, "it is heard")
        heard = len(batches)
        time.sleep(1.5)  # noqa: ASYNC251 - this is what stands still
        await until(lambda: len(batches) > heard + 40, "it is heard again")
        assert workers.members[0].restarts == 0
        assert not workers.members[0].gone


async def test_a_worker_that_closes_its_line_and_does_not_end_is_ended(monkeypatch, tmp_path) -> None:
    said = frame(Kind.READINGS, readings(KeptCatalogue(catalogue()).digest))
    async with worker_that_says(said, "hangs at its end", monkeypatch, tmp_path) as (workers, batches):
        await until(lambda: len(batches) == 2, "the next one is heard")
        member = workers.members[0]
        await until(lambda: "did not end" in member.health().error, "why is told")


async def test_a_stop_while_a_worker_is_being_started_leaves_no_process(monkeypatch, tmp_path) -> None:
    started: list[asyncio.subprocess.Process] = []
    begin = asyncio.create_subprocess_exec

    async def start(*command: str, **options: object) -> asyncio.subprocess.Process:
        started.append(await begin(*command, **options))
        return started[-1]

    async def wait(**_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(asyncio, "open_connection", wait)
    async with worker_that_says(b"", "stays", monkeypatch, tmp_path):
        await until(lambda: bool(started), "a worker is started")
    assert started[0].returncode is not None


async def test_a_worker_that_cannot_be_started_is_tried_again(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(workers_module, "FIRST_RETRY", 0.01)
    kept = KeptCatalogue(catalogue())
    workers = Workers(
        WorkerOptions(data=tmp_path, count=1, command=(str(tmp_path / "nothing"),)),
        write_orders(CollectionPlan(), kept.digest, 1),
        SystemClock(),
        KnownCatalogues(kept),
        lambda _: None,
    )
    async with stage({"workers": workers.run()}):
        await until(lambda: workers.members[0].restarts >= 2, "it is tried again")
        assert "can't be started" in workers.members[0].error
        await asyncio.sleep(0)
