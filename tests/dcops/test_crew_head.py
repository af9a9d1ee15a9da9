"""What a head takes from its shards, what it refuses and why, and what it tells them."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from collectors.health import CollectorState
from console.errors import ApiError, BadRequestError, ConflictError, UnavailableError
from dcops.crew import head as head_module
from dcops.crew.head import Head
from dcops.crew.report import Reporter
from dcops.crew.shard import read_orders
from facility.catalogue import Catalogue
from ingest.batch import Batch, gather
from ingest.catalogues import KeptCatalogue
from ingest.parcels import Parcel, Sender, pack
from ingest.translation import KnownCatalogues
from tests.dcops.test_crew_members import Collecting, SetClock, condition
from tests.e2e.hall import until
from tests.ingest.plant import GRID, NOON, SECOND, catalogue, sample
from tests.ingest.test_translation import without


class Heading:
    """A head of three shards that collects the first itself, with a journal that is played."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.clock.time = NOON
        self.known = KnownCatalogues(KeptCatalogue(catalogue()))
        self.batches: list[Batch] = []
        self.hurried = 0
        self.head = Head(
            clock=self.clock,
            known=self.known,
            count=3,
            own=1,
            accept=self.batches.append,
            number=lambda: len(self.batches),
            hurry=self._hurry,
        )

    def _hurry(self) -> None:
        self.hurried += 1

    def parcel(self, index: int = 2, count: int = 3, sent: int = NOON, of: Catalogue | None = None) -> bytes:
        digest = KeptCatalogue(of or catalogue()).digest
        sender = Sender(index=index, count=count, catalogue=digest, journal="ab" * 16)
        return pack(Parcel(sender, sent, [(7, gather([sample(GRID, NOON, [1.0, 2.0])], NOON))]))

    async def report(self, **others: Any) -> bytes:
        digest = KeptCatalogue(catalogue()).digest
        told = replace(condition(sent=NOON), **{"index": 3, "count": 3, "catalogue": digest} | others)
        return await Reporter(Collecting("far"), lambda: told).write()


async def test_readings_are_confirmed_when_they_are_journalled_and_not_before() -> None:
    heading = Heading()
    taking = asyncio.create_task(heading.head.take_readings(heading.parcel()))
    await until(lambda: heading.hurried, "the journal is hurried")
    assert [batch.values.tolist() for batch in heading.batches] == [[1.0, 2.0]]
    assert not taking.done()
    heading.head.settled(1, frozenset())
    await taking
    health = heading.head.members[2].health()
    assert (health.readings, health.state) == (2, CollectorState.HEARD)


async def test_readings_that_are_not_journalled_have_to_be_sent_again(monkeypatch) -> None:
    monkeypatch.setattr(head_module, "KEEP_SECONDS", 0.0)
    heading = Heading()
    with pytest.raises(UnavailableError, match="not in the journal"):
        await heading.head.take_readings(heading.parcel())
    with pytest.raises(UnavailableError):
        await heading.head.take_readings(heading.parcel())
    assert len(heading.batches) == 1, "it waits for the first ones"


@pytest.mark.parametrize(
    ("given", "kind", "code"),
    [
        (lambda h: b"DCO", BadRequestError, "damaged"),
        (lambda h: h.parcel()[:-1] + b"x", BadRequestError, "damaged"),
        (lambda h: h.parcel()[:4] + b"\x02" + h.parcel()[5:], ConflictError, "other_version"),
        (lambda h: h.parcel(index=1), ConflictError, "own_share"),
        (lambda h: h.parcel(index=4), ConflictError, "own_share"),
        (lambda h: h.parcel(count=4), ConflictError, "other_shards"),
        (lambda h: h.parcel(of=without("grid")), ConflictError, "other_site"),
        (lambda h: h.parcel(sent=NOON + 31 * SECOND), ConflictError, "clock_ahead"),
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_of_it_is_taken(given, kind, code) -> None:
    heading = Heading()
    with pytest.raises(ApiError) as caught:
        await heading.head.take_readings(given(heading))
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert heading.batches == []


async def test_a_refused_shard_is_shown_until_it_fits() -> None:
    heading = Heading()
    with pytest.raises(ConflictError):
        await heading.head.take_report(await heading.report(sent=NOON + 75 * SECOND))
    health = heading.head.members[3].health()
    assert health.state is CollectorState.REFUSED
    assert health.error == "the clock of shard 3/3 is 75 s ahead of the head's; set both by NTP"
    assert health.clock_ahead == 75.0
    await heading.head.take_report(await heading.report())
    assert heading.head.members[3].health().state is CollectorState.HEARD


async def test_a_report_is_answered_with_what_to_forget() -> None:
    heading = Heading()
    assert orjson.loads(await heading.head.take_report(await heading.report())) == {"forget": []}
    heading.head.members[3].orders.append("far")
    assert orjson.loads(await heading.head.take_report(await heading.report())) == {"forget": ["far"]}
    assert orjson.loads(await heading.head.take_report(await heading.report())) == {"forget": []}


async def test_readings_of_the_site_as_it_was_get_the_indices_of_now() -> None:
    heading = Heading()
    body = heading.parcel(of=without("k2-door"))
    heading.known.change(KeptCatalogue(without("k2-door")))
    heading.known.change(KeptCatalogue(without("grid")))
    taking = asyncio.create_task(heading.head.take_readings(body))
    await until(lambda: heading.hurried, "the journal is hurried")
    heading.head.settled(1, frozenset())
    await taking
    assert [batch.point_count for batch in heading.batches] == [0], "of the grid, which is gone"


async def test_readings_that_are_sent_again_count_once(monkeypatch) -> None:
    monkeypatch.setattr(head_module, "KEEP_SECONDS", 0.0)
    heading = Heading()
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await heading.head.take_readings(heading.parcel())
    heading.head.settled(1, frozenset())
    await heading.head.take_readings(heading.parcel())
    assert heading.head.members[2].health().readings == 2


@pytest.mark.parametrize(
    ("answer", "orders"),
    [
        (b'{"forget": ["far", ""]}', ["far", ""]),
        (b'{"forget": []}', []),
        (b'{"forget": 7}', None),
        (b'{"forget": [7]}', None),
        (b'{"kept": []}', None),
        (b"[1]", None),
        (b"<html>", None),
    ],
)
def test_what_a_head_answers_that_is_no_orders_ends_no_reports(
    answer: bytes, orders: list[str] | None
) -> None:
    assert read_orders(answer) == orders
