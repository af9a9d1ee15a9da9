"""The head as a store of a shard: what is sent, and what its answers mean."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingest.batch import gather
from ingest.catalogues import KeptCatalogue
from ingest.errors import StoreRejectedError, StoreUnavailableError
from ingest.journal_entries import JournalEntry
from ingest.parcels import Parcel, Sender, unpack
from ingest.reception import Reception
from ingest.stores.head import HeadStore
from ingest.stores.http_client import HttpTarget
from tests.ingest.plant import GRID, K1_PDU, NOON, StillClock, catalogue, sample
from tests.ingest.test_translation import without

TOKEN = "a-token-for-tests-only"
JOURNAL = "0123456789abcdef" * 2


class Head:
    """Answers what it is told to, and keeps what it got."""

    def __init__(self) -> None:
        self.status = 200
        self.parcels: list[Parcel] = []
        self.reports: list[bytes] = []
        self.tokens: set[str | None] = set()
        self.url = ""

    async def readings(self, request: web.Request) -> web.Response:
        self.tokens.add(request.headers.get("Authorization"))
        if self.status == 200:
            self.parcels.append(unpack(await request.read()))
        return web.Response(status=self.status, text="because")

    async def report(self, request: web.Request) -> web.Response:
        self.reports.append(await request.read())
        return web.Response(body=b"orders")


@pytest.fixture
async def head() -> AsyncIterator[Head]:
    found = Head()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/api/v1/readings", found.readings)
    app.router.add_post("/api/v1/reports", found.report)
    async with TestServer(app) as server:
        found.url = f"http://127.0.0.1:{server.port}/"
        yield found


@pytest.fixture
async def store(head: Head) -> AsyncIterator[HeadStore]:
    target = HttpTarget(url=head.url, token=TOKEN)
    found = HeadStore(target, KeptCatalogue(catalogue()), StillClock(), index=2, count=3)
    yield found
    await found.close()


def entry(position: int = 7, of: object = None) -> JournalEntry:
    batch = gather([sample(GRID, NOON, [1.0, 2.0]), sample(K1_PDU, NOON, [3.0, 4.0, 50.0])], NOON + 1)
    return JournalEntry(JOURNAL, position, of or catalogue(), batch)  # type: ignore[arg-type]


async def test_entries_are_sent_as_one_parcel_with_the_token(head: Head, store: HeadStore) -> None:
    await store.write([entry(7), entry(9)])
    parcel = head.parcels[0]
    digest = KeptCatalogue(catalogue()).digest
    journal = parcel.sender.journal
    assert parcel.sender == Sender(index=2, count=3, catalogue=digest, journal=journal)
    assert parcel.sent == StillClock().now()
    assert [position for position, _ in parcel.entries] == [7, 9]
    assert parcel.entries[0][1].values.tolist() == [1.0, 2.0, 3.0, 4.0, 50.0]
    assert parcel.entries[0][1].accepted == NOON + 1
    assert head.tokens == {f"Bearer {TOKEN}"}


async def test_positions_of_a_journal_that_was_copied_or_set_back_are_others(head: Head) -> None:
    taken: list[float] = []
    reception = Reception(lambda batch: taken.append(float(batch.values[0])), lambda: len(taken))
    for value in (1.0, 5.0):  # the second process goes on from a state in which 7 was not given yet
        store = HeadStore(
            HttpTarget(url=head.url, token=TOKEN), KeptCatalogue(catalogue()), StillClock(), index=2, count=3
        )
        batch = gather([sample(GRID, NOON, [value, 2.0])], NOON)
        await store.write([JournalEntry(JOURNAL, 7, catalogue(), batch)])
        await store.write([JournalEntry(JOURNAL, 7, catalogue(), batch)])  # sent again by the same one
        await store.close()
    for parcel in head.parcels:
        reception.take(parcel)
        reception.settled(len(taken), frozenset())
    assert taken == [1.0, 5.0]


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 500, 503])
async def test_whatever_the_head_refuses_it_for_the_shard_keeps_it(
    head: Head, store: HeadStore, status: int
) -> None:
    head.status = status
    with pytest.raises(StoreUnavailableError, match="because"):
        await store.write([entry()])
    head.status = 200
    await store.write([entry()])
    assert len(head.parcels) == 1


async def test_a_wrong_token_says_the_mend_and_not_the_token(head: Head, store: HeadStore) -> None:
    head.status = 401
    with pytest.raises(StoreUnavailableError, match="give both the same token") as caught:
        await store.write([entry()])
    assert TOKEN not in str(caught.value)


async def test_a_head_that_is_away_says_so(store: HeadStore, head: Head) -> None:
    away = HeadStore(
        HttpTarget(url="http://127.0.0.1:1", token=TOKEN),
        KeptCatalogue(catalogue()),
        StillClock(),
        index=2,
        count=3,
    )
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        await away.write([entry()])
    await away.close()


async def test_readings_of_the_site_as_it_was_are_sent_by_the_site_as_it_is(
    head: Head, store: HeadStore
) -> None:
    now = KeptCatalogue(without("grid"))
    store.use(now)
    with pytest.raises(StoreRejectedError) as caught:
        await store.write([entry()])
    assert sum(line.points for line in caught.value.lines) == 2
    assert head.parcels[0].sender.catalogue == now.digest
    assert head.parcels[0].entries[0][1].expand().points.tolist() == [0, 1, 2]
    assert head.parcels[0].entries[0][1].values.tolist() == [3.0, 4.0, 50.0]


async def test_a_report_is_sent_compressed_and_its_answer_returned(head: Head, store: HeadStore) -> None:
    answer = await asyncio.to_thread(store.send, "/api/v1/reports", b"x" * 10_000, compress=True)
    assert answer == b"orders"
    assert head.reports == [b"x" * 10_000]
