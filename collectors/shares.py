"""Which endpoints one of several collectors takes: chosen by the endpoint's id, alike in every process.

Rendezvous hashing: each collector draws a weight for each endpoint from a hash of both, and the highest takes
it. An endpoint that is added or removed moves no other; one collector more takes over its share and moves
nothing between the others.
"""

from dataclasses import dataclass, replace
from hashlib import blake2b

from collectors.config import CollectionPlan
from collectors.errors import ShareError


@dataclass(frozen=True, slots=True)
class Share:
    """One of several equal parts of a collection, such as 2/3."""

    index: int
    """From 1."""
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ShareError(f"{self.index}/{self.count} is no share; write 1/2 for the first of two")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def read_share(text: str) -> Share:
    """The share of a text such as ``2/3``.

    Raises:
        ShareError: it is none.
    """
    index, slash, count = text.partition("/")
    if not (slash and index.isascii() and index.isdecimal() and count.isascii() and count.isdecimal()):
        raise ShareError(f"{text!r} is no share; write 1/2 for the first of two")
    return Share(int(index), int(count))


def owner(endpoint: str, count: int, purpose: str) -> int:
    """Who of ``count`` collectors takes an endpoint, from 1.

    ``purpose`` says what is shared out. What is shared out twice - a shard's endpoints among its workers -
    needs another word the second time: by the same hash all of them would fall to one.
    """
    return max(range(1, count + 1), key=lambda index: _weight(endpoint, index, purpose))


def share_of(plan: CollectionPlan, share: Share, purpose: str) -> CollectionPlan:
    """The part of a plan that is one collector's: its endpoints and brokers, and the devices there."""
    places = [each.id for each in plan.endpoints] + [each.id for each in plan.brokers]
    mine = {place for place in places if owner(place, share.count, purpose) == share.index}
    return replace(
        plan,
        endpoints=tuple(each for each in plan.endpoints if each.id in mine),
        brokers=tuple(each for each in plan.brokers if each.id in mine),
        modbus=tuple(each for each in plan.modbus if each.endpoint in mine),
        mqtt=tuple(each for each in plan.mqtt if each.broker in mine),
    )


def without_brokers(plan: CollectionPlan) -> CollectionPlan:
    """What of a plan is polled."""
    return replace(plan, brokers=(), mqtt=())


def only_brokers(plan: CollectionPlan) -> CollectionPlan:
    """What of a plan is pushed."""
    return replace(plan, endpoints=(), modbus=())


def _weight(endpoint: str, index: int, purpose: str) -> bytes:
    return blake2b(f"{purpose}\0{index}\0{endpoint}".encode(), digest_size=8).digest()
