"""What other processes send is taken once, and confirmed when it is journalled and not before."""

import asyncio

import pytest

from ingest.batch import Batch, gather
from ingest.errors import NotKeptError
from ingest.parcels import Parcel, Sender
from ingest.reception import Reception
from tests.ingest.plant import GRID, NOON, sample


class Receiving:
    """A reception with a journal that is played."""

    def __init__(self) -> None:
        self.accepted: list[float] = []
        self.number = 0
        self.reception = Reception(self._accept, lambda: self.number)

    def _accept(self, batch: Batch) -> None:
        self.accepted.append(float(batch.values[0]))
        self.number += 1

    def send(self, *entries: tuple[int, float], journal: str = "ab" * 16, wait: float = 30.0) -> asyncio.Task:
        sender = Sender(index=1, count=2, catalogue="00" * 32, journal=journal)
        parcel = Parcel(
            sender, NOON, [(at, gather([sample(GRID, NOON, [value, 0.0])], NOON)) for at, value in entries]
        )
        return asyncio.create_task(self.reception.kept(self.reception.take(parcel), wait))


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_parcel_is_confirmed_when_all_of_it_is_journalled() -> None:
    receiving = Receiving()
    sent = receiving.send((1, 10.0), (2, 20.0))
    await turns()
    assert receiving.accepted == [10.0, 20.0]
    receiving.reception.settled(1, frozenset())
    await turns()
    assert not sent.done()
    receiving.reception.settled(2, frozenset())
    await sent


async def test_what_is_under_way_is_not_taken_again_but_confirmed_to_both() -> None:
    receiving = Receiving()
    first = receiving.send((1, 10.0))
    await turns()
    again = receiving.send((1, 10.0))
    await turns()
    assert receiving.accepted == [10.0]
    receiving.reception.settled(1, frozenset())
    await asyncio.gather(first, again)
    assert receiving.accepted == [10.0]


async def test_what_is_kept_is_not_taken_again() -> None:
    receiving = Receiving()
    sent = receiving.send((1, 10.0), (2, 20.0))
    await turns()
    receiving.reception.settled(2, frozenset())
    await sent
    await receiving.send((2, 20.0))
    assert receiving.accepted == [10.0, 20.0]


async def test_positions_of_another_journal_are_others() -> None:
    receiving = Receiving()
    sent = receiving.send((1, 10.0))
    await turns()
    receiving.reception.settled(1, frozenset())
    await sent
    other = receiving.send((1, 30.0), journal="cd" * 16)
    await turns()
    receiving.reception.settled(2, frozenset())
    await other
    assert receiving.accepted == [10.0, 30.0]


async def test_what_the_journal_lost_is_refused_and_taken_when_it_comes_again() -> None:
    receiving = Receiving()
    sent = receiving.send((1, 10.0))
    await turns()
    receiving.reception.settled(1, frozenset({1}))
    with pytest.raises(NotKeptError):
        await sent
    again = receiving.send((1, 10.0))
    await turns()
    receiving.reception.settled(2, frozenset())
    await again
    assert receiving.accepted == [10.0, 10.0]


async def test_a_journal_that_does_not_take_it_in_time_makes_the_sender_keep_it() -> None:
    receiving = Receiving()
    with pytest.raises(NotKeptError):
        await receiving.send((1, 10.0), wait=0.0)
    again = receiving.send((1, 10.0))
    await turns()
    assert receiving.accepted == [10.0], "it is still under way"
    receiving.reception.settled(1, frozenset())
    await again


async def test_positions_in_any_order_are_known_each() -> None:
    receiving = Receiving()
    order = [5, 1, 3, 2, 9, 4, 8]
    for place, position in enumerate(order, start=1):
        sent = receiving.send((position, float(position)))
        await turns()
        receiving.reception.settled(place, frozenset())
        await sent
    for position in order:
        await receiving.send((position, float(position)))
    assert len(receiving.accepted) == 7
    for place, position in enumerate((6, 7, 10), start=8):
        sent = receiving.send((position, float(position)))
        await turns()
        receiving.reception.settled(place, frozenset())
        await sent
    assert receiving.accepted == [5.0, 1.0, 3.0, 2.0, 9.0, 4.0, 8.0, 6.0, 7.0, 10.0]
